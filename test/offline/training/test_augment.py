import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reloc_ros.offline.landmarks.labels import Visibility
from reloc_ros.offline.training.augment import (
    AugmentConfig,
    _level,
    _random_homography,
    base_from_image,
    base_levels,
    base_size,
    make_view,
    resize_homography,
    warp_view,
)

SIZE = (160, 128)
BASE = (240, 192)
SEEN, HIDDEN, UNKNOWN = Visibility.SEEN, Visibility.HIDDEN, Visibility.UNKNOWN


def blob_image(x: float, y: float, size: tuple[int, int], radius: float = 4.0) -> np.ndarray:
    u, v = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    blob = 255 * np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * radius**2))
    return np.repeat(blob[..., None], 3, axis=2).astype(np.uint8)


def centre_of_light(image: np.ndarray) -> np.ndarray:
    u, v = np.meshgrid(np.arange(image.shape[1]), np.arange(image.shape[0]))
    light = image[..., 0].astype(float)
    return np.array([(u * light).sum(), (v * light).sum()]) / light.sum()


def texture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (BASE[1], BASE[0], 3)).astype(np.uint8)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), x=st.floats(0.3, 0.7), y=st.floats(0.3, 0.7))
def test_keypoint_goes_where_the_warp_takes_its_pixel(seed, x, y):
    keypoint = np.array([[x * BASE[0], y * BASE[1]]], dtype=np.float32)
    rng = np.random.default_rng(seed)
    view_from_base = _random_homography(*BASE, SIZE, AugmentConfig(), rng)
    image = blob_image(*keypoint[0], BASE)
    view = warp_view(image, keypoint, np.array([SEEN], dtype=np.int8), SIZE, view_from_base)
    moved = view.keypoints_px[0]
    margin = 16
    if (moved > margin).all() and (moved < np.array(SIZE) - margin).all():
        # Perspective pulls the blob's light a little towards its magnified side.
        np.testing.assert_allclose(centre_of_light(view.image), moved, atol=0.5)
        assert view.visibility[0] == SEEN


def test_identity_warp_moves_nothing():
    keypoints = np.array([[10, 20], [100.25, 60.5]], dtype=np.float32)
    view = warp_view(texture(), keypoints, np.array([SEEN, UNKNOWN], dtype=np.int8), SIZE, np.eye(3))
    np.testing.assert_array_equal(view.image, texture()[: SIZE[1], : SIZE[0]])
    np.testing.assert_array_equal(view.keypoints_px, keypoints)
    assert view.visibility.tolist() == [SEEN, UNKNOWN]


def test_what_leaves_the_frame_is_hidden_whatever_it_was():
    keypoints = np.array([[10, 20], [10, 20], [10, 20], [100, 60], [100, 60], [np.nan, np.nan]], np.float32)
    before = np.array([SEEN, UNKNOWN, HIDDEN, SEEN, UNKNOWN, HIDDEN], dtype=np.int8)
    shift = np.array([[1, 0, -30], [0, 1, 0], [0, 0, 1.0]])
    view = warp_view(texture(), keypoints, before, SIZE, shift)
    assert view.visibility.tolist() == [HIDDEN, HIDDEN, HIDDEN, SEEN, UNKNOWN, HIDDEN]


@pytest.mark.parametrize("photo", [(1280, 960), (640, 480), (333, 251), (100, 80)])
def test_label_follows_its_pixel_into_the_base_image(photo):
    place = np.array([0.4 * photo[0], 0.6 * photo[1]])
    image = blob_image(*place, photo, radius=0.02 * photo[0])
    width, height = base_size(*photo, SIZE)
    base = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    moved = base_from_image(*photo, SIZE) @ [*place, 1]
    np.testing.assert_allclose(centre_of_light(base), moved[:2], atol=0.05)


@given(width=st.integers(16, 4000), height=st.integers(16, 4000))
def test_base_image_is_never_larger_than_the_photograph_nor_than_it_need_be(width, height):
    base_width, base_height = base_size(width, height, SIZE)
    assert base_width <= width and base_height <= height
    assert base_width <= 1.5 * SIZE[0] + 1 and base_height <= 1.5 * SIZE[1] + 1


def test_resize_homography_scales_pixel_edges():
    edges = np.array([[-0.5, -0.5, 1], [639.5, 479.5, 1]])
    moved = edges @ resize_homography(0.25, 0.5).T
    np.testing.assert_allclose(moved[:, :2], [[-0.5, -0.5], [159.5, 239.5]])


def views(seed: int, count: int = 40, config: AugmentConfig | None = None, image: np.ndarray | None = None):
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform([0, 0], BASE, (30, 2)).astype(np.float32)
    visibility = rng.choice([SEEN, HIDDEN, UNKNOWN], 30).astype(np.int8)
    base = texture() if image is None else image
    return [
        make_view(
            [base], keypoints, visibility, SIZE, config or AugmentConfig(), np.random.default_rng([seed, i])
        )
        for i in range(count)
    ], visibility


def test_same_seed_gives_the_same_view_and_another_gives_another():
    for a, b in zip(views(1)[0], views(1)[0], strict=True):
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.keypoints_px, b.keypoints_px)
        np.testing.assert_array_equal(a.visibility, b.visibility)
    assert (views(1)[0][0].image != views(2)[0][0].image).any()


def test_view_leaves_the_base_image_alone():
    base = texture()
    views(3, image=base)
    np.testing.assert_array_equal(base, texture())


def test_view_is_a_picture_of_the_network_size_and_makes_nothing_visible():
    made, before = views(4)
    for view in made:
        assert view.image.shape == (SIZE[1], SIZE[0], 3) and view.image.dtype == np.uint8
        assert ((view.visibility == before) | (view.visibility == HIDDEN)).all()
        seen = view.keypoints_px[view.visibility == SEEN]
        assert (seen >= 0).all() and (seen <= np.array(SIZE) - 1).all()


def test_landmarks_under_a_box_are_hidden_and_those_beside_it_are_not():
    grid = np.stack(np.meshgrid(np.arange(2, 238, 6), np.arange(2, 190, 6)), -1).reshape(-1, 2)
    visibility = np.full(len(grid), SEEN, dtype=np.int8)
    seen = hidden = 0
    for seed in range(20):
        plain, boxed = (
            make_view(
                [texture()],
                grid.astype(np.float32),
                visibility,
                SIZE,
                AugmentConfig(max_boxes=boxes, clean_share=1),
                np.random.default_rng(seed),
            )
            for boxes in (0, 4)
        )
        before = plain.visibility == SEEN
        column, row = np.rint(plain.keypoints_px[before]).astype(int).T
        painted = (boxed.image != plain.image).any(axis=2)[row, column]
        covered = boxed.visibility[before] == HIDDEN
        assert covered[painted].all()
        assert covered[~painted].mean() < 0.02  # a cover may have the picture's colour somewhere
        seen, hidden = seen + np.count_nonzero(~painted), hidden + np.count_nonzero(painted)
    assert seen > 1000 and hidden > 500


def test_without_boxes_nothing_in_the_frame_is_hidden():
    config = AugmentConfig(max_boxes=0)
    rng = np.random.default_rng(0)
    keypoints = rng.uniform([0, 0], BASE, (200, 2)).astype(np.float32)
    visibility = np.full(200, SEEN, dtype=np.int8)
    view = make_view([texture()], keypoints, visibility, SIZE, config, rng)
    x, y = view.keypoints_px.T
    inside = (x >= 0) & (x <= SIZE[0] - 1) & (y >= 0) & (y <= SIZE[1] - 1)
    assert inside.any()
    np.testing.assert_array_equal(view.visibility == SEEN, inside)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), level=st.sampled_from([0, 1, 2]))
def test_every_copy_of_a_base_image_gives_the_same_view(seed, level):
    photo = cv2.GaussianBlur(cv2.resize(texture(), (471, 377)), (0, 0), 6)
    keypoints = np.random.default_rng(seed).uniform([0, 0], BASE, (9, 2)).astype(np.float32)
    states = np.full(9, SEEN, dtype=np.int8)
    view_from_base = _random_homography(*BASE, SIZE, AugmentConfig(), np.random.default_rng(seed))
    levels = base_levels(photo, SIZE)
    plain, copied = (
        warp_view(levels[i], keypoints, states, SIZE, view_from_base, 128, levels[0].shape)
        for i in (0, level)
    )
    np.testing.assert_array_equal(plain.keypoints_px, copied.keypoints_px)
    difference = np.abs(plain.image.astype(int) - copied.image)
    assert np.median(difference) <= 1


def test_a_warp_never_shrinks_a_picture_much():
    levels = base_levels(np.zeros((1024, 1280, 3), dtype=np.uint8), SIZE)
    assert levels[0].shape[:2] == BASE[::-1]
    for scale, expected in ((2.0, 0), (1.0, 0), (0.6, 1), (0.4, 2), (0.1, 2)):
        view_from_base = np.diag([scale, scale, 1.0])
        assert _level(levels, view_from_base) is levels[expected]


def test_lighting_is_varied_in_brightness_both_ways():
    config = AugmentConfig(0, 1, 1, 0, 0, max_boxes=0, clean_share=0)
    made, _ = views(5, 60, config, np.full((BASE[1], BASE[0], 3), 100, dtype=np.uint8))
    means = np.array([np.median(view.image) for view in made])
    assert means.min() < 30 and means.max() > 130
