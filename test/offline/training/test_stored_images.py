from __future__ import annotations

import dataclasses
import functools
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scenes import noise_image

from reloc_ros.errors import RelocError
from reloc_ros.offline.landmarks.labels import Labels, Visibility
from reloc_ros.offline.training.augment import AugmentConfig, ViewSampler
from reloc_ros.offline.training.stored_images import ImageStore, StoredImage


def test_images_come_back_as_they_were_put_in_from_any_thread(tmp_path):
    images = [noise_image(seed, 40 + seed, 30) for seed in range(9)]
    store = ImageStore(tmp_path)
    stored = [store.put(image) for image in images]
    del store
    assert [one.shape for one in stored] == [image.shape for image in images]
    with ThreadPoolExecutor(4) as pool:
        for image, found in zip(images * 20, pool.map(np.asarray, stored * 20), strict=True):
            np.testing.assert_array_equal(found, image)
    assert not list(tmp_path.iterdir())  # a killed training leaves nothing behind


def test_the_file_is_closed_with_the_last_image(tmp_path):
    stored = ImageStore(tmp_path).put(noise_image(0, 8, 8))
    file = stored.read.func.__self__._file
    assert not file.closed
    del stored
    assert file.closed


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(RelocError, match="cannot be put on disk"):
        ImageStore(tmp_path / "gone")


def test_photographs_are_read_once_and_one_at_a_time(tmp_path):
    """So memory grows neither with their number nor with their size."""
    alive: list[weakref.ref] = []

    def read(seed: int) -> np.ndarray:
        assert not any(reference() is not None for reference in alive)
        image = noise_image(seed, 160, 120)
        alive.append(weakref.ref(image))
        return image

    images = [StoredImage((120, 160, 3), functools.partial(read, seed)) for seed in range(6)]
    kept = [noise_image(seed, 160, 120) for seed in range(6)]
    keypoints = np.random.default_rng(0).uniform(0, 100, (6, 5, 2)).astype(np.float32)
    labels = Labels(tuple("abcdef"), keypoints, np.full((6, 5), Visibility.SEEN, np.int8))
    told = []
    sampler = ViewSampler(
        images, labels, (64, 64), AugmentConfig(), 0, tmp_path, lambda *step: told.append(step)
    )
    assert told[-1] == ("read images", 6, 6)
    assert len(list(sampler.thumbnails())) == len(alive) == 6
    plain = ViewSampler(kept, labels, (64, 64), AugmentConfig(), 0)
    some = np.array([1, 4])
    for index in range(8):
        for one, other in ((sampler, plain), (sampler.of_images(some), plain.of_images(some))):
            for first, second in zip(
                dataclasses.astuple(one(index)), dataclasses.astuple(other(index)), strict=True
            ):
                np.testing.assert_array_equal(first, second)
    assert sampler.of_images(some).images == 2
    assert len(alive) == 6
