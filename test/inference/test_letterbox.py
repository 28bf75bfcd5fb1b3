import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.inference.letterbox import GREY, Letterbox

sizes = st.builds(
    Letterbox,
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.integers(1, 20).map(lambda n: 32 * n),
    st.integers(1, 20).map(lambda n: 32 * n),
)


@given(sizes)
def test_picture_fits_in_the_input_and_touches_two_of_its_sides(letterbox):
    width, height = letterbox.inner_size
    x, y = letterbox.offset
    assert 1 <= width <= letterbox.width and 1 <= height <= letterbox.height
    assert width == letterbox.width or height == letterbox.height
    assert x >= 0 and y >= 0
    assert x + width <= letterbox.width and y + height <= letterbox.height


@given(sizes)
def test_picture_is_in_the_middle(letterbox):
    for side, inner, before in zip(
        (letterbox.width, letterbox.height), letterbox.inner_size, letterbox.offset, strict=True
    ):
        assert abs((side - inner - before) - before) <= 1


@given(sizes)
def test_edges_of_the_picture_go_back_to_the_edges_of_the_source(letterbox):
    corner = np.array(letterbox.offset) - 0.5
    edges = np.array([corner, corner + letterbox.inner_size])
    expected = [[-0.5, -0.5], [letterbox.source_width - 0.5, letterbox.source_height - 0.5]]
    np.testing.assert_allclose(letterbox.to_source(edges), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((640, 480), (640, 480)),
        ((1280, 960), (640, 480)),
        ((1920, 1080), (640, 480)),
        ((480, 640), (640, 480)),
        ((320, 240), (640, 480)),
        ((333, 517), (256, 192)),
    ],
)
def test_keypoint_found_in_the_input_goes_back_to_its_source_pixel(source, target):
    place = np.array([0.3 * source[0], 0.7 * source[1]])
    u, v = np.meshgrid(np.arange(source[0]), np.arange(source[1]))
    radius = 0.03 * max(source)
    image = (255 * np.exp(-((u - place[0]) ** 2 + (v - place[1]) ** 2) / (2 * radius**2))).astype(np.uint8)
    letterbox = Letterbox(*source, *target)
    framed = letterbox.apply(image)
    assert framed.shape == (target[1], target[0], 3)
    x, y = letterbox.offset
    width, height = letterbox.inner_size
    inner = framed[y : y + height, x : x + width, 0].astype(float)
    rows, columns = np.mgrid[y : y + height, x : x + width]
    found = np.array([(columns * inner).sum(), (rows * inner).sum()]) / inner.sum()
    np.testing.assert_allclose(letterbox.to_source(found[None])[0], place, atol=0.02 * radius + 0.02)


def test_bars_are_grey_and_the_picture_is_whole():
    framed = Letterbox(64, 32, 64, 64).apply(np.full((32, 64, 3), 200, dtype=np.uint8))
    assert (framed[16:48] == 200).all()
    assert (framed[:16] == GREY).all() and (framed[48:] == GREY).all()


def test_image_of_the_input_size_is_taken_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    np.testing.assert_array_equal(Letterbox(128, 96, 128, 96).apply(image), image)


def test_grey_image_becomes_three_equal_colours():
    image = np.random.default_rng(0).integers(0, 256, (96, 128)).astype(np.uint8)
    framed = Letterbox(128, 96, 128, 96).apply(image)
    np.testing.assert_array_equal(framed, np.repeat(image[..., None], 3, axis=2))


@pytest.mark.parametrize("change", [lambda i: i[:, ::-1], lambda i: i[::2, ::2], lambda i: i[..., ::-1]])
def test_views_into_other_arrays_are_read_rightly(change):
    image = change(np.random.default_rng(0).integers(0, 256, (192, 256, 3)).astype(np.uint8))
    letterbox = Letterbox(image.shape[1], image.shape[0], 128, 96)
    framed = letterbox.apply(image)
    assert framed.flags.c_contiguous
    np.testing.assert_array_equal(framed, letterbox.apply(np.ascontiguousarray(image)))


def test_shrinking_averages_what_it_drops():
    checkers = (255 * (np.indices((480, 640)).sum(axis=0) % 2)).astype(np.uint8)
    small = Letterbox(640, 480, 320, 240).apply(checkers)
    assert (abs(small.astype(int) - 127) <= 1).all()
    sharp = cv2.resize(checkers, (320, 240), interpolation=cv2.INTER_NEAREST)
    assert sharp.std() == 0 and sharp.mean() in (0, 255)  # what dropping pixels would give
