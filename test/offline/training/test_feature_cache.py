import importlib
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scenes import noise_image

from reloc_ros.bundle import NetworkShape
from reloc_ros.errors import RelocError
from reloc_ros.inference.network import LandmarkNetwork
from reloc_ros.offline.landmarks.labels import Labels, Visibility
from reloc_ros.offline.training import feature_cache
from reloc_ros.offline.training.augment import AugmentConfig, ViewSampler
from reloc_ros.offline.training.feature_cache import (
    EncodedViews,
    StoredRows,
    affordable_views,
    cached_batches,
    encode_images,
    encode_views,
    fast_encoder,
    fresh_batches,
    made_ahead,
)

CPU = torch.device("cpu")
SHAPE = NetworkShape("efficientnet_lite0", landmarks=8, width=64, height=64)


@pytest.fixture(autouse=True)
def _small_work(monkeypatch):
    """Neither OpenVINO, after seconds of compiling, nor threads repay with so little to do."""
    monkeypatch.setattr(
        feature_cache, "importlib", SimpleNamespace(util=SimpleNamespace(find_spec=lambda name: None))
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def network() -> LandmarkNetwork:
    network = LandmarkNetwork(SHAPE)
    network.features.encoder.load_pretrained(None)
    return network.eval()


@pytest.fixture(scope="module")
def sampler() -> ViewSampler:
    keypoints = np.random.default_rng(0).uniform(20, 108, (4, 8, 2)).astype(np.float32)
    labels = Labels(tuple("abcd"), keypoints, np.full((4, 8), Visibility.SEEN, dtype=np.int8))
    return ViewSampler([noise_image(i, 128, 128) for i in range(4)], labels, (64, 64), AugmentConfig(), 0)


def numbered(count: int) -> EncodedViews:
    """Views whose only feature, and first keypoint, is their number."""
    numbers = torch.arange(count, dtype=torch.float16)
    keypoints = numbers.float()[:, None, None].repeat(1, 1, 2)
    return EncodedViews(numbers[:, None, None, None], keypoints, torch.ones((count, 1), dtype=torch.int8))


def numbers(batch) -> list[int]:
    assert batch.inputs.flatten().tolist() == batch.keypoints_px[:, 0, 0].tolist()
    return batch.inputs.flatten().int().tolist()


@pytest.mark.parametrize("engine", ["torch", pytest.param("openvino", marks=pytest.mark.slow)])
def test_encoded_views_are_standardized_features_of_the_network_itself(
    engine, network, sampler, monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    if engine == "openvino":
        monkeypatch.setattr(feature_cache, "importlib", importlib)
    encode = fast_encoder(network.features, SHAPE, CPU)
    assert not list(tmp_path.iterdir())  # no diary for the engine's maker
    cache = encode_views(network, encode, sampler, 11)
    assert cache.inputs.shape == (11, 8, 8, network.features.channels)
    assert cache.inputs.dtype == torch.float16 and torch.isfinite(cache.inputs[:]).all()
    assert cache.inputs[:8].float().mean(dim=(0, 1, 2)).abs().max() < 0.05
    for index in (0, 10):
        view = sampler(index)
        with torch.inference_mode():
            expected = network.features(torch.from_numpy(view.image)[None])[0]
        rounding = 0.1 if engine == "openvino" else 0.001  # OpenVINO may compute in bfloat16
        assert (cache.inputs[index].float().permute(2, 0, 1) - expected).abs().mean() < rounding
        np.testing.assert_array_equal(cache.keypoints_px[index], view.keypoints_px)
        np.testing.assert_array_equal(cache.visibility[index], view.visibility)


def test_bytes_are_the_same_features_within_a_hundredth_of_their_spread(network, sampler):
    exact = encode_views(network, fast_encoder(network.features, SHAPE, CPU), sampler, 16)
    network.features.mean.zero_(), network.features.std.fill_(1)
    encode = fast_encoder(network.features, SHAPE, CPU)
    coarse = encode_views(network, encode, sampler, 16, dtype=torch.int8)
    assert coarse.inputs.dtype == torch.int8
    rows = torch.tensor([3, 12])
    expected, found = (cache.batch(rows, torch.float32).inputs for cache in (exact, coarse))
    assert (expected - found).square().mean().sqrt() < 0.03
    assert torch.corrcoef(torch.stack([expected.flatten(), found.flatten()]))[0, 1] > 0.999


def test_processes_encode_shares_that_make_up_the_whole(network, sampler):
    encode = fast_encoder(network.features, SHAPE, CPU)
    whole = encode_views(network, encode, sampler, 12)
    parts = [encode_views(network, encode, sampler, 6, share=(i, 2)) for i in (0, 1)]
    for i, part in enumerate(parts):
        torch.testing.assert_close(part.inputs[:], whole.inputs[i::2], rtol=0, atol=0)
        torch.testing.assert_close(part.keypoints_px, whole.keypoints_px[i::2], rtol=0, atol=0)


def test_images_are_encoded_as_views_are(network, sampler):
    encode = fast_encoder(network.features, SHAPE, CPU)
    cache = encode_views(network, encode, sampler, 10)
    images = [sampler(i).image for i in range(10)]
    found = encode_images(network, images, encode, torch.float16)
    torch.testing.assert_close(found, cache.inputs[:].permute(0, 3, 1, 2), rtol=0, atol=0)


def test_time_limit_ends_the_encoding_with_whole_batches(network, sampler, monkeypatch):
    monkeypatch.setattr(feature_cache, "MIN_VIEWS", 16)
    encode = fast_encoder(network.features, SHAPE, CPU)
    cache = encode_views(network, encode, sampler, 100, limit_s=0.0)
    assert len(cache) == 16 and len(cache.inputs) == 16
    monkeypatch.setattr(feature_cache, "MIN_VIEWS", 1)
    monkeypatch.setattr(feature_cache, "ENCODE_BATCH", 2)
    assert len(encode_views(network, encode, sampler, 100, limit_s=0.0)) == sampler.images == 4


def test_every_round_has_each_view_once_in_another_order():
    batches = cached_batches(numbered(10), 3, torch.float32, 0, 0)
    rounds = [[n for batch in islice(batches, 3) for n in numbers(batch)] for _ in range(4)]
    for order in rounds:
        assert len(set(order)) == 9  # the tenth would make a batch of one; it has its turn in another round
    assert len({tuple(order) for order in rounds}) == 4
    assert set().union(*rounds) == set(range(10))


def test_batches_go_on_from_any_step():
    views_ = numbered(10)
    whole = [numbers(batch) for batch in islice(cached_batches(views_, 3, torch.float32, 5, 0), 12)]
    for step in (1, 3, 7):
        rest = islice(cached_batches(views_, 3, torch.float32, 5, step), 12 - step)
        assert [numbers(batch) for batch in rest] == whole[step:]
    other = [numbers(batch) for batch in islice(cached_batches(views_, 3, torch.float32, 6, 0), 12)]
    assert other != whole


def test_fewer_views_than_a_batch_are_a_batch():
    batches = cached_batches(numbered(3), 16, torch.bfloat16, 0, 0)
    first = next(batches)
    assert first.inputs.dtype == torch.bfloat16 and sorted(numbers(first)) == [0, 1, 2]
    assert sorted(numbers(next(batches))) == [0, 1, 2]


def test_fresh_batches_never_repeat_and_go_on_from_any_step_in_any_process(sampler):
    whole = list(islice(fresh_batches(sampler, 2, 0), 6))
    assert len({batch.inputs[i].numpy().tobytes() for batch in whole for i in range(2)}) == 12
    later = next(fresh_batches(sampler, 2, 4))
    torch.testing.assert_close(later.inputs, whole[4].inputs, rtol=0, atol=0)
    both = [next(fresh_batches(sampler, 2, 1, (i, 2))).inputs for i in (0, 1)]
    expected = torch.cat([whole[2].inputs, whole[3].inputs])
    torch.testing.assert_close(torch.stack(both, 1).flatten(0, 1), expected, rtol=0, atol=0)


def test_views_made_ahead_are_in_order_and_an_error_in_one_is_told():
    assert [len(made) for made in made_ahead(lambda index: index, range(10), 4)] == [4, 4, 2]
    made = [index for batch in made_ahead(lambda index: index, range(3, 30, 3), 4) for index in batch]
    assert made == list(range(3, 30, 3))

    def fail(index: int) -> int:
        if index == 5:
            raise RuntimeError("a bad view")
        return index

    with pytest.raises(RuntimeError, match="a bad view"):
        list(made_ahead(fail, range(10), 2))


def fitting(monkeypatch, network, in_memory: int, on_disk: int) -> None:
    """So many views as bytes."""
    values = network.features.channels * 64
    memory, disk = (
        in_memory * values / feature_cache.MEMORY_SHARE,
        on_disk * values / feature_cache.DISK_SHARE,
    )
    monkeypatch.setattr(feature_cache, "memory_bytes", lambda: memory + 1)
    monkeypatch.setattr(feature_cache, "free_bytes", lambda folder: disk + 1)


@pytest.mark.parametrize(("in_memory", "on_disk"), [(1000, 9999), (9999, 1000)])
def test_what_does_not_fit_is_kept_as_bytes(network, monkeypatch, tmp_path, caplog, in_memory, on_disk):
    fitting(monkeypatch, network, in_memory, on_disk)
    assert affordable_views(network, 500, 4, tmp_path) == (500, False)
    assert affordable_views(network, 501, 4, tmp_path) == (501, True)
    assert affordable_views(network, 1000, 4, tmp_path) == (1000, True) and not caplog.text
    assert affordable_views(network, 500, 4, tmp_path, processes=2) == (500, True)


def test_what_does_not_fit_on_the_disk_is_left_out_whatever_memory_there_is(
    network, monkeypatch, tmp_path, caplog
):
    fitting(monkeypatch, network, 10, 1000)
    assert affordable_views(network, 1600, 4, tmp_path) == (1000, True)
    assert f"1000 views instead of 1600: no more fit on the disk of {tmp_path}" in caplog.text
    assert affordable_views(network, 800, 4, tmp_path, processes=2) == (500, True)
    fitting(monkeypatch, network, 10, 1)
    assert affordable_views(network, 1600, 4, tmp_path) == (feature_cache.MIN_VIEWS, True)
    assert affordable_views(network, 16, 4, tmp_path) == (16, True)


def test_a_disk_for_less_than_a_view_of_each_image_is_refused(network, monkeypatch, tmp_path):
    fitting(monkeypatch, network, 9999, 1000)
    assert affordable_views(network, 1600, 1000, tmp_path) == (1000, True)
    assert affordable_views(network, 800, 1000, tmp_path, processes=2) == (500, True)
    with pytest.raises(
        RelocError, match=r"1001 training images need as many views.* but 1000 fit on the disk"
    ):
        affordable_views(network, 1600, 1001, tmp_path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int8])
def test_rows_on_disk_are_what_a_tensor_would_give(tmp_path, dtype):
    whole = (100 * torch.randn((11, 3, 4, 5))).to(dtype)
    rows = StoredRows(tmp_path, (3, 4, 5), dtype)
    for part in whole.split(4):
        rows.append(part)
    assert rows.shape == whole.shape and len(rows) == 11
    for key in (3, -1, slice(None), slice(1, 9, 3), torch.tensor([7, 0, 7])):
        torch.testing.assert_close(rows[key], whole[key], rtol=0, atol=0)
    file = rows._file
    del rows
    assert file.closed and not list(tmp_path.iterdir())
