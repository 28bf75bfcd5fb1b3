import cv2
import numpy as np
import pytest

from reloc_ros.offline.measuring.conditions import line_kernel
from reloc_ros.offline.training.degrade import (
    add_sensor_noise,
    cover,
    degrade,
    relight,
    shade,
)

GREY = np.full((96, 128, 3), 128, dtype=np.uint8)


def rngs(count: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(count)]


def sharp_texture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)


def detail(image: np.ndarray) -> float:
    return float(cv2.Laplacian(image, cv2.CV_64F).std())


def test_brightness_reaches_both_sides_of_what_is_measured():
    shares = np.array([np.median(relight(GREY, rng)[0]) / 128 for rng in rngs(400)])
    assert shares.min() < 0.12 and shares.max() > 1.3
    assert np.mean(shares < 0.2) > 0.1  # x0.15 is no rarity
    assert np.mean(shares < 0.05) < 0.01  # but nothing is learnt from black


def test_relight_tells_how_bright_a_mid_grey_is_then():
    for rng in rngs(50):
        image, brightness = relight(GREY, rng)
        assert abs(image.mean() - 128 * brightness) < 0.35 * 128 * brightness + 15


def test_gamma_of_both_kinds_and_contrast_in_the_dark():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    curves = [relight(ramp, rng)[0][0, :, 1].astype(float) for rng in rngs(300)]
    middles = [curve[128] / max(curve[255], 1) for curve in curves if curve[255] < 250]
    assert min(middles) < 0.2 and max(middles) > 0.6  # 2.5 gives 0.18
    assert all(curve[255] - curve[0] > 12 for curve in curves)


def test_cover_reaches_forty_percent_and_says_exactly_what_is_hidden():
    shares = []
    for rng in rngs(300):
        before = sharp_texture()
        image, covered = cover(before.copy(), 4, rng)
        assert not ((image != before).any(axis=2) & ~covered).any()
        shares.append(covered.mean())
    assert np.mean(np.array(shares) > 0.35) > 0.05 and max(shares) < 0.75
    assert np.mean(np.array(shares) == 0) > 0.1


def test_no_boxes_is_no_cover():
    image, covered = cover(sharp_texture(), 0, np.random.default_rng(0))
    np.testing.assert_array_equal(image, sharp_texture())
    assert not covered.any()


@pytest.mark.parametrize("angle", [0, 0.5, np.pi / 2, 3.0])
@pytest.mark.parametrize("length", [2.0, 6.0, 9.7])
def test_motion_smears_by_its_length_along_its_direction_and_moves_nothing(length, angle):
    kernel = line_kernel(length, angle)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    half = kernel.shape[0] // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    np.testing.assert_allclose([(x * kernel).sum(), (y * kernel).sum()], 0, atol=1e-5)
    along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    assert np.sqrt((along**2 * kernel).sum()) == pytest.approx(np.hypot(length / np.sqrt(12), 0.35), rel=0.2)
    assert (across**2 * kernel).sum() < 0.4


def test_blurs_span_what_is_measured():
    """Gaussian sigma 5 px and a smear of 15 px, both at 1280 px width, lie between the mildest and the worst."""
    sharp = sharp_texture()
    wide = sharp.shape[1] / 1280
    measured = [
        detail(cv2.GaussianBlur(sharp, (0, 0), 5 * wide)),
        detail(cv2.filter2D(sharp, -1, line_kernel(15 * wide, 0.0))),
    ]
    made = [detail(degrade(sharp, 0.01, rng)) for rng in rngs(200)]  # too dark for much noise
    assert min(made) < min(measured)
    assert np.mean(np.array(made) < max(measured)) > 0.1
    assert np.mean(np.array(made) > 0.8 * detail(sharp)) > 0.3


def test_a_resize_of_a_noisy_photograph_is_like_noise_on_the_resized_one():
    """The measured condition: sigma 0.1 on 2.5 times the pixels, clipped at black and white, then averaged."""
    ramp = np.repeat(np.linspace(0, 255, 200).astype(np.uint8)[None, :, None], 100, axis=0).repeat(3, axis=2)
    large = cv2.resize(ramp, None, fx=2.5, fy=2.5, interpolation=cv2.INTER_NEAREST)
    noise = np.random.default_rng(0).normal(0, 25.5, large.shape)
    truth = np.clip(large + noise, 0, 255).astype(np.uint8)
    truth = cv2.resize(truth, (200, 100), interpolation=cv2.INTER_AREA).astype(float)
    ours = add_sensor_noise(ramp, 25.5, 2.5, np.random.default_rng(1)).astype(float)
    np.testing.assert_allclose(ours.mean(axis=0), truth.mean(axis=0), atol=8)
    np.testing.assert_allclose(ours[:, :20].mean(), truth[:, :20].mean(), atol=1)
    middle = np.s_[:, 60:140]
    assert ours[middle].std(axis=0).mean() == pytest.approx(truth[middle].std(axis=0).mean(), rel=0.15)


def test_sensor_noise_is_in_every_colour_and_its_strength_spans_what_is_measured():
    made = [degrade(GREY, 1.0, rng) for rng in rngs(200)]
    deviations = np.array([image.reshape(-1, 3).std(axis=0) for image in made])
    noisy = deviations[deviations.mean(axis=1) > 3]
    assert len(noisy) > 20
    assert (noisy.min(axis=1) > 0.5 * noisy.max(axis=1)).all()
    # sigma 0.1 on 1280 px is 10 grey levels on 512 px, and 20 on a camera of 640 px
    assert deviations.max() > 20 and (deviations.mean(axis=1) < 1).any()


def test_there_is_less_noise_in_the_dark():
    dark = [degrade(GREY // 8, 0.125, rng).std(axis=(0, 1)).max() for rng in rngs(100)]
    assert max(dark) < 10


def test_jpeg_blocks_appear_in_some_views():
    smooth = cv2.resize(np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype(np.uint8), (128, 96))
    steps = np.abs(np.diff(smooth.astype(int), axis=1)).mean(axis=(0, 2))
    jumps = []
    for rng in rngs(150):
        made = np.abs(np.diff(degrade(smooth, 0.01, rng).astype(int), axis=1)).mean(axis=(0, 2)) - steps
        jumps.append(made[7::8].mean() - np.delete(made, np.s_[7::8]).mean())
    assert np.mean(np.array(jumps) > 1) > 0.05


def test_shade_is_uneven_and_smooth():
    image = shade(GREY, np.random.default_rng(0)).astype(int)
    assert np.ptp(image) > 30
    assert np.abs(np.diff(image, axis=1)).max() <= 8


def test_same_seed_same_picture():
    for first, second in zip(rngs(20), rngs(20), strict=True):
        np.testing.assert_array_equal(
            degrade(sharp_texture(), 1.0, first), degrade(sharp_texture(), 1.0, second)
        )
