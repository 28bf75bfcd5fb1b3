import cv2
import numpy as np
import pytest

from reloc_ros.cameras import Camera
from reloc_ros.offline.measuring.conditions import (
    CONDITIONS,
    COVERED_SHARE,
    DESCRIPTIONS,
    MOTION_PX,
    line_kernel,
    parse_conditions,
)

CAMERA = Camera("brown", 320, 241, 300.0, 301.0, 158.0, 121.0, (-0.1, 0.02, 1e-3, -1e-3, 0.0, 0.0, 0.0, 0.0))


def picture(seed: int = 0, width: int = CAMERA.width, height: int = CAMERA.height) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def changed(name: str, image: np.ndarray) -> np.ndarray:
    camera = CAMERA.resized(image.shape[1], image.shape[0])
    result, same = CONDITIONS[name](image, camera)
    assert same == camera
    return result


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("grey", [False, True])
def test_condition_gives_the_same_each_time_and_leaves_its_input_alone(name, grey):
    image = picture()[:, :, 0].copy() if grey else picture()
    before = image.copy()
    first, camera = CONDITIONS[name](image, CAMERA)
    second, _ = CONDITIONS[name](image, CAMERA)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.uint8 and first.ndim == image.ndim
    assert first.shape[:2] == (camera.height, camera.width)
    assert (name == "clean") == (first.shape == image.shape and bool((first == image).all()))


def test_every_condition_is_described():
    assert DESCRIPTIONS.keys() == CONDITIONS.keys()


def test_light_follows_its_formula():
    ramp = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (64, 1, 3))
    np.testing.assert_allclose(changed("dark", ramp), 0.3 * ramp, atol=0.51)
    np.testing.assert_allclose(changed("darker", ramp), 0.15 * ramp, atol=0.51)
    np.testing.assert_allclose(changed("gamma", ramp), 255 * (ramp / 255) ** 2.5, atol=0.51)


def test_noise_has_its_sigma():
    noisy = changed("noise", np.full((200, 200, 3), 128, dtype=np.uint8)).astype(float)
    np.testing.assert_allclose(noisy.std(axis=(0, 1)), 25.5, rtol=0.03)


@pytest.mark.parametrize("width", [1280, 640])
def test_blur_has_its_sigma_in_an_image_of_any_width(width):
    edge = np.zeros((40, width, 3), dtype=np.uint8)
    edge[:, width // 2 :] = 255
    slope = np.diff(changed("blur", edge)[20, :, 0].astype(float)).max()
    assert slope == pytest.approx(255 / (5 * width / 1280 * np.sqrt(2 * np.pi)), rel=0.1)


@pytest.mark.parametrize("angle", [0.0, 0.4, np.pi / 2, 2.5])
@pytest.mark.parametrize("length_px", [0.7, 7.5, 15.0])
def test_motion_kernel_is_a_centred_line_of_its_length_and_direction(length_px, angle):
    kernel = line_kernel(length_px, angle)
    assert kernel.sum() == pytest.approx(1) and kernel.min() >= 0
    assert kernel.shape[0] == kernel.shape[1] and kernel.shape[0] % 2 == 1
    radius = kernel.shape[0] // 2
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    assert (kernel * x).sum() == pytest.approx(0, abs=1e-9)
    assert (kernel * y).sum() == pytest.approx(0, abs=1e-9)
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.sin(angle) * x - np.cos(angle) * y
    # A uniform line has a variance of length^2 / 12; being spread over pixels adds less than a quarter.
    assert 0 <= (kernel * along**2).sum() - length_px**2 / 12 < 0.26
    assert (kernel * across**2).sum() < 0.26


def test_motion_keeps_the_brightness_and_moves_differently_in_different_images():
    flat = np.full((60, 1280, 3), 77, dtype=np.uint8)
    np.testing.assert_array_equal(changed("motion", flat), flat)
    spread = []
    for seed in range(2):
        dot = np.zeros((81, 1280, 3), dtype=np.uint8)
        dot[40, 600] = 255
        dot[0, seed] = 1  # another image
        y, x = np.nonzero(changed("motion", dot)[20:60, 500:700, 0])
        assert np.hypot(np.ptp(x), np.ptp(y)) == pytest.approx(MOTION_PX, abs=3)
        spread.append((np.ptp(x), np.ptp(y)))
    assert spread[0] != spread[1]


def test_jpeg_artefacts_are_small_but_there():
    image = picture(width=640, height=480)
    difference = np.abs(changed("jpeg", image).astype(int) - image)
    assert 0.5 < difference.mean() < 10


def test_boxes_hide_exactly_their_share_and_others_in_another_image():
    where = []
    for seed in range(5):
        image = picture(seed, width=640, height=480)
        different = (changed("covered", image) != image).any(axis=2)
        # A pixel may happen to have the colour of its box already.
        assert different.mean() == pytest.approx(COVERED_SHARE, abs=0.002)
        assert cv2.connectedComponents(different.astype(np.uint8))[0] >= 2
        where.append(different)
    assert all((where[0] != other).mean() > 0.1 for other in where[1:])


@pytest.mark.parametrize(("name", "size"), [("half", (160, 120)), ("double", (640, 482))])
def test_other_resolution_shows_the_same_rays_at_the_same_places(name, size):
    x, y = np.meshgrid(np.arange(CAMERA.width), np.arange(CAMERA.height))
    spot = np.exp(-((x - 201.3) ** 2 + (y - 77.6) ** 2) / (2 * 6**2))
    image, camera = CONDITIONS[name](np.rint(255 * spot).astype(np.uint8), CAMERA)
    assert (camera.width, camera.height) == image.shape[1::-1] == size
    weights = image / image.sum()
    v, u = np.mgrid[: image.shape[0], : image.shape[1]]
    found = camera.unproject([[(weights * u).sum(), (weights * v).sum()]])
    np.testing.assert_allclose(found, CAMERA.unproject([[201.3, 77.6]]), atol=0.1 / CAMERA.fx)


def test_conditions_are_named_one_by_one_or_all_at_once():
    assert parse_conditions("dark, half,") == ["dark", "half"]
    assert parse_conditions("all") == list(CONDITIONS)
    assert parse_conditions(" , ") == []
