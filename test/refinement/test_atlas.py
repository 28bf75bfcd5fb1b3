from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scenes import noise_image

from reloc_ros.refinement.atlas import Atlas, halved

SIZES = np.array([[64 + 7 * i, 48 + 5 * (i % 4)] for i in range(12)])
PICTURES = [noise_image(i, *size)[:, :, 0] for i, size in enumerate(SIZES.tolist())]
OFFSETS = np.stack(np.meshgrid(np.arange(-2, 3), np.arange(-2, 3))).reshape(2, -1).astype(np.float32)


def taken(atlas: Atlas, views: list[int], stretch: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    centers = (SIZES[views] // 2).astype(np.float32)
    warps = np.tile(stretch * np.eye(2, dtype=np.float32), (len(views), 1, 1))
    return atlas.patches(np.array(views, np.int32), centers, warps, OFFSETS)


def test_patches_are_cut_from_their_pictures():
    atlas = Atlas(SIZES, PICTURES.__getitem__)
    patches, inside = taken(atlas, [3, 0, 3])
    assert inside.all()
    for patch, view in zip(patches, (3, 0, 3), strict=True):
        x, y = SIZES[view] // 2
        np.testing.assert_allclose(patch.reshape(5, 5), PICTURES[view][y - 2 : y + 3, x - 2 : x + 3])
    half = halved(PICTURES[4])
    patches, _ = taken(atlas, [4], stretch=2.0)
    x, y = (SIZES[4] // 2 + 0.5) / 2 - 0.5
    expected = [half[int(y + dy), int(x + dx)] for dx, dy in OFFSETS.T]
    assert np.corrcoef(patches[0], expected)[0, 1] > 0.5


def test_an_atlas_that_holds_a_few_pictures_gives_what_one_gives_that_holds_all():
    read = []

    def one(view: int) -> np.ndarray:
        read.append(view)
        return PICTURES[view]

    whole, few = Atlas(SIZES, PICTURES.__getitem__), Atlas(SIZES, one, most=4)
    assert read == []  # nothing is read before it is asked for
    rng = np.random.default_rng(0)
    for stretch in (1.0, 2.0, 4.0) * 20:
        views = rng.integers(0, 12, 4).tolist()
        for mine, other in zip(taken(few, views, stretch), taken(whole, views, stretch), strict=True):
            np.testing.assert_array_equal(mine, other)


def test_pictures_asked_for_last_are_kept():
    read = []

    def one(view: int) -> np.ndarray:
        read.append(view)
        return PICTURES[view]

    atlas = Atlas(SIZES, one, most=3)
    for views in ([0, 1, 2], [0, 1], [3, 0], [0, 1, 3], [2]):
        taken(atlas, views)
    assert read == [0, 1, 2, 3, 2]


def test_more_pictures_than_are_held_at_once_are_refused():
    with pytest.raises(ValueError, match="4 pictures are asked for at once, 3 can be held"):
        taken(Atlas(SIZES, PICTURES.__getitem__, most=3), [0, 1, 2, 3])


def test_threads_do_not_take_each_others_pictures():
    whole, few = Atlas(SIZES, PICTURES.__getitem__), Atlas(SIZES, PICTURES.__getitem__, most=2)
    pairs = [[i % 12, (5 * i + 3) % 12] for i in range(200)]
    with ThreadPoolExecutor(4) as pool:
        for views, (patches, _) in zip(pairs, pool.map(lambda views: taken(few, views), pairs), strict=True):
            np.testing.assert_array_equal(patches, taken(whole, views)[0])
