import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from solvers import SOLVERS

from reloc_ros.bundle import Bundle, NetworkShape
from reloc_ros.calibration import Calibration
from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.landmarks import Landmarks
from reloc_ros.localizer import Localized, Localizer, LocalizerConfig, Lost, LostReason

SHAPE = NetworkShape("none", landmarks=40, width=320, height=256)
MAP_CAMERA = Camera("pinhole", 1280, 1024, 1100.0, 1110.0, 641.0, 509.0)
CAMERA_FROM_MAP = SE3.from_rotation_vector([0.2, -0.3, 0.1], [0.1, -0.1, 3.5])


class Oracle:
    """Stands in for a network: knows the pose, and what the letterbox does, and returns the true projections.

    `spoil` may change the (K, 4) before they are returned. Landmarks outside the picture score nothing.
    """

    name = "oracle"
    any_size = False
    attempts = 1

    def __init__(self, landmarks: Landmarks, noise_px: float, spoil: Callable[[np.ndarray], None]) -> None:
        self.landmarks, self.noise_px, self.spoil = landmarks, noise_px, spoil
        self.camera = MAP_CAMERA
        self.camera_from_map = CAMERA_FROM_MAP
        self.sizes: list[tuple[int, int]] = []

    def infer(self, image: np.ndarray, attempt: int = 0) -> np.ndarray:
        height, width, channels = image.shape
        assert self.any_size or (width, height) == (SHAPE.width, SHAPE.height)
        assert channels == 3 and image.dtype == np.uint8
        self.sizes.append((width, height))
        pixels = self.camera.project(self.camera_from_map.apply(self.landmarks.positions_map))
        scale = min(width / self.camera.width, height / self.camera.height)
        inner = np.rint([self.camera.width * scale, self.camera.height * scale])
        offset = (np.array([width, height]) - inner) // 2
        found = np.zeros((SHAPE.landmarks, 4), dtype=np.float32)
        found[:, :2] = (pixels + 0.5) * inner / [self.camera.width, self.camera.height] - 0.5 + offset
        found[:, :2] += np.random.default_rng(0).normal(0, self.noise_px, (SHAPE.landmarks, 2))
        found[:, 2] = np.where(self.camera.contains(pixels), 0.9, 0.0)
        found[:, 3] = max(self.noise_px, 0.5)
        self.spoil(found)
        return found


def make_landmarks() -> Landmarks:
    positions = np.random.default_rng(3).uniform(-1, 1, (SHAPE.landmarks, 3)) * [1, 0.8, 0.7]
    directions = CAMERA_FROM_MAP.center - positions
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return Landmarks(
        np.arange(SHAPE.landmarks), positions, directions, np.full(SHAPE.landmarks, np.radians(20))
    )


def make_localizer(
    spoil: Callable[[np.ndarray], None] = lambda found: None,
    noise_px: float = 0.0,
    landmarks: Landmarks | None = None,
    **config,
) -> Localizer:
    landmarks = landmarks or make_landmarks()
    bundle = Bundle(Path("made up"), "unknown", MAP_CAMERA, SHAPE, landmarks, {}, {})
    return Localizer(bundle, Oracle(landmarks, noise_px, spoil), LocalizerConfig(**config))


def picture(camera: Camera = MAP_CAMERA) -> np.ndarray:
    return np.zeros((camera.height, camera.width, 3), dtype=np.uint8)


def assert_right(result: Localized | Lost, rotation_deg: float = 1e-2, position: float = 1e-3) -> None:
    assert isinstance(result, Localized), result
    assert rotation_error_deg(result.camera_from_map, CAMERA_FROM_MAP) < rotation_deg
    assert center_error(result.camera_from_map, CAMERA_FROM_MAP) < position


def reason(result: Localized | Lost) -> LostReason:
    assert isinstance(result, Lost), result
    assert result.detail and "\n" not in result.detail
    assert result.inliers.shape == (len(result.keypoints),)
    assert result.stage_ms["total"] >= 0
    return result.reason


def test_true_projections_give_the_true_pose():
    result = make_localizer().localize(picture())
    assert_right(result)
    assert len(result.keypoints) == SHAPE.landmarks and result.inliers.all()
    assert result.reprojection_rms_px < 0.01
    assert set(result.stage_ms) == {"prepare", "network", "pnp", "total"}


@pytest.mark.parametrize("solver", SOLVERS)
def test_noise_and_thirty_percent_outliers_give_nearly_the_true_pose(solver):
    def spoil(found: np.ndarray) -> None:
        found[:12, :2] = np.random.default_rng(5).uniform(0, [320, 256], (12, 2))

    result = make_localizer(spoil, noise_px=0.7, solver=solver).localize(picture())
    assert_right(result, 0.6, 0.04)
    assert result.inliers[12:].all() and result.inliers[:12].sum() <= 2


def test_keypoints_from_elsewhere_give_the_pose_that_the_same_ones_of_the_network_give():
    localizer = make_localizer(noise_px=0.7)
    own = localizer.localize(picture())
    result = localizer.localize_keypoints(picture(), own.keypoints)
    assert_right(result, 0.6, 0.04)
    assert (result.camera_from_map.matrix == own.camera_from_map.matrix).all()
    assert (result.covariance == own.covariance).all() and (result.inliers == own.inliers).all()
    assert set(result.stage_ms) == {"pnp", "total"}


def test_keypoints_from_elsewhere_are_dropped_outside_the_image_and_below_the_least_score():
    localizer = make_localizer()
    keypoints = localizer.localize(picture()).keypoints
    keypoints.positions_px[0] = (-5, 10)
    keypoints.positions_px[1] = (MAP_CAMERA.width + 5, 10)
    keypoints.scores[2] = 0.1
    result = localizer.localize_keypoints(picture(), keypoints)
    assert_right(result)
    assert result.keypoints.landmarks.tolist() == list(range(3, SHAPE.landmarks))


def test_keypoints_from_elsewhere_in_an_image_of_another_aspect_are_refused_as_well():
    keypoints = make_localizer().localize(picture()).keypoints
    result = make_localizer().localize_keypoints(np.zeros((100, 500, 3), np.uint8), keypoints)
    assert reason(result) == LostReason.BAD_IMAGE and "another aspect" in result.detail


def test_reported_uncertainty_covers_the_error():
    result = make_localizer(noise_px=1.0).localize(picture())
    error = result.camera_from_map.inverse().translation - CAMERA_FROM_MAP.inverse().translation
    assert error @ np.linalg.solve(result.covariance[:3, :3], error) < 16  # chi square of 3 at 99.9 %
    assert 1e-4 < np.sqrt(np.diag(result.covariance)[:3]).max() < 0.2


def test_calibration_scales_the_covariance_and_the_keypoints_sigma():
    plain = make_localizer(noise_px=1.0)

    def calibrated(calibration: Calibration) -> Localizer:
        return Localizer(dataclasses.replace(plain.bundle, calibration=calibration), plain.backend)

    before = plain.localize(picture())
    after = calibrated(Calibration(coarse_scale=3.0)).localize(picture())
    np.testing.assert_allclose(after.covariance, 9 * before.covariance)
    after = calibrated(Calibration(sigma_scale=1.5)).localize(picture())
    np.testing.assert_allclose(after.keypoints.sigmas_px, 1.5 * before.keypoints.sigmas_px)


def test_reprojection_error_is_in_the_pixels_of_the_image():
    """One pixel of noise in the network's input is four in an image four times as large."""
    result = make_localizer(noise_px=1.0).localize(picture())
    assert 3.5 < result.reprojection_rms_px < 4 * 1.42 * 1.3
    assert result.keypoints.sigmas_px == pytest.approx(4.0)


CAMERAS = {
    "half as large": MAP_CAMERA.resized(640, 512),
    "twice as large": MAP_CAMERA.resized(2560, 2048),
    "of another aspect, wide": Camera("pinhole", 1280, 720, 900.0, 900.0, 640.0, 350.0),
    "of another aspect, tall": Camera("pinhole", 480, 640, 380.0, 380.0, 240.0, 320.0),
    "distorted": Camera("brown", 1280, 1024, 900.0, 900.0, 640.0, 512.0, (-0.3, 0.1, 1e-3, 1e-3, 0, 0, 0, 0)),
    "a fisheye": Camera("fisheye", 640, 480, 280.0, 280.0, 320.0, 240.0, (0.02, -0.01, 0, 0)),
    "with pixels that are not square": Camera("pinhole", 1000, 600, 900.0, 450.0, 500.0, 300.0),
}


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
def test_any_camera_with_its_intrinsics_gives_the_true_pose(camera):
    localizer = make_localizer()
    localizer.backend.camera = camera
    assert_right(localizer.localize(picture(camera), camera), 0.02, 2e-3)


@pytest.mark.parametrize("size", [(640, 512), (320, 256), (2560, 2048)])
def test_resized_image_of_the_maps_camera_needs_no_intrinsics(size):
    localizer = make_localizer()
    localizer.backend.camera = MAP_CAMERA.resized(*size)
    assert_right(localizer.localize(picture(localizer.backend.camera)))


def test_grey_image_is_localized():
    assert_right(make_localizer().localize(picture()[..., 0]))


def test_image_reaches_the_network_resized_and_in_colour():
    seen = []
    localizer = make_localizer()
    infer = localizer.backend.infer
    localizer.backend.infer = lambda image, attempt=0: (seen.append(image), infer(image))[1]
    image = np.random.default_rng(0).integers(0, 256, (1024, 1280, 3)).astype(np.uint8)
    localizer.localize(image)
    np.testing.assert_array_equal(seen[0], cv2.resize(image, (320, 256), interpolation=cv2.INTER_AREA))


def test_an_image_that_several_cameras_of_the_map_take_is_lost_until_its_camera_is_given():
    localizer = make_localizer()
    other = dataclasses.replace(MAP_CAMERA, fx=1.1 * MAP_CAMERA.fx)
    localizer.bundle = dataclasses.replace(localizer.bundle, cameras={"robot": MAP_CAMERA, "phone": other})
    result = localizer.localize(picture())
    assert reason(result) == LostReason.BAD_IMAGE
    assert re.search("'robot'.*'phone'.*2 of which take images of 1280x1024", result.detail)
    assert_right(localizer.localize(picture(), MAP_CAMERA))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((1024, 1280, 3), dtype=np.float32), "uint8 array, got float32"),
        (np.zeros((1024, 1280), dtype=np.uint16), "uint8 array, got uint16"),
        (None, "uint8 array, got NoneType"),
        ([[0]], "uint8 array, got list"),
        (np.zeros((1024, 1280, 4), dtype=np.uint8), r"\(1024, 1280, 4\)"),
        (np.zeros((1024, 1280, 1), dtype=np.uint8), r"\(1024, 1280, 1\)"),
        (np.zeros(1280, dtype=np.uint8), r"\(1280,\)"),
        (np.zeros((0, 0, 3), dtype=np.uint8), r"\(0, 0, 3\)"),
        (np.zeros((0, 1280), dtype=np.uint8), r"\(0, 1280\)"),
        (np.zeros((720, 1280, 3), dtype=np.uint8), "another aspect than the map's 1280x1024"),
        (np.zeros((1280, 1024, 3), dtype=np.uint8), "give its camera's intrinsics"),
    ],
)
def test_bad_image_is_lost_with_what_is_wrong(image, words):
    result = make_localizer().localize(image)
    assert reason(result) == LostReason.BAD_IMAGE
    assert re.search(words, result.detail)


def test_image_of_another_size_than_its_calibration_is_bad():
    result = make_localizer().localize(picture(), MAP_CAMERA.resized(640, 512))
    assert reason(result) == LostReason.BAD_IMAGE
    assert "1280x1024" in result.detail and "640x512" in result.detail


def test_nothing_found_is_no_keypoints():
    def spoil(found: np.ndarray) -> None:
        found[:, 2] = 0.05

    assert reason(make_localizer(spoil).localize(picture())) == LostReason.NO_KEYPOINTS


def test_numbers_that_are_not_finite_are_no_keypoints():
    def spoil(found: np.ndarray) -> None:
        found[:20, 0] = np.nan
        found[20:, 3] = np.inf

    assert reason(make_localizer(spoil).localize(picture())) == LostReason.NO_KEYPOINTS


def test_keypoints_in_the_bars_are_no_keypoints():
    camera = CAMERAS["of another aspect, wide"]

    def spoil(found: np.ndarray) -> None:
        found[:, 1] = np.linspace(2, 30, SHAPE.landmarks)  # the bar above is 38 pixels high

    result = make_localizer(spoil).localize(picture(camera), camera)
    assert reason(result) == LostReason.NO_KEYPOINTS


def test_a_handful_found_is_too_few_keypoints():
    def spoil(found: np.ndarray) -> None:
        found[5:, 2] = 0

    result = make_localizer(spoil).localize(picture())
    assert reason(result) == LostReason.TOO_FEW_KEYPOINTS
    assert len(result.keypoints) == 5 and "5 landmarks found, 6 needed" in result.detail


def test_keypoints_anywhere_are_no_consensus():
    for seed in range(10):

        def spoil(found: np.ndarray, seed: int = seed) -> None:
            found[:, :2] = np.random.default_rng(seed).uniform(0, [320, 256], (SHAPE.landmarks, 2))

        assert reason(make_localizer(spoil).localize(picture())) == LostReason.NO_CONSENSUS


def test_a_pose_that_many_agree_on_without_conviction_is_weak_evidence():
    def spoil(found: np.ndarray) -> None:
        found[12:, 2] = 0
        found[:12, 2] = 0.3

    result = make_localizer(spoil).localize(picture())
    assert reason(result) == LostReason.WEAK_EVIDENCE
    assert (
        "12 of 12 landmarks agree on a pose, by 3.6 in scores more than do not, 4.0 needed" in result.detail
    )
    assert isinstance(make_localizer(spoil, min_evidence=3.5).localize(picture()), Localized)


def make_likes(places: int = 2) -> Landmarks:
    """A part of the landmarks, and the others in places far away as the same things lie there."""
    one, part = make_landmarks(), SHAPE.landmarks // places
    positions, directions = one.positions_map.copy(), one.directions_map.copy()
    for place in range(1, places):
        rows = slice(place * part, (place + 1) * part)
        positions[rows], directions[rows] = (
            positions[:part] + np.array([9.0 * place, 0, 0]),
            directions[:part],
        )
    return dataclasses.replace(one, positions_map=positions, directions_map=directions)


def seen_in_both(count: int, score: float = 0.9) -> Callable[[np.ndarray], None]:
    """`count` landmarks of the far half are seen where their likes are."""

    def spoil(found: np.ndarray) -> None:
        half = SHAPE.landmarks // 2
        found[half:, :2], found[half:, 2] = found[:half, :2], 0
        found[half : half + count, 2] = score

    return spoil


@pytest.mark.parametrize(("count", "score"), [(20, 0.9), (19, 0.9), (20, 0.7), (10, 0.9), (20, 0.95)])
def test_a_picture_of_a_place_that_repeats_is_ambiguous_whichever_pose_has_more(count, score):
    result = make_localizer(seen_in_both(count, score), landmarks=make_likes()).localize(picture())
    assert reason(result) == LostReason.AMBIGUOUS_PLACE
    assert "the place repeats" in result.detail


def test_a_thing_that_is_there_three_times_is_ambiguous():
    def spoil(found: np.ndarray) -> None:
        found[13:26], found[26:39] = found[:13], found[:13]

    assert (
        reason(make_localizer(spoil, landmarks=make_likes(3)).localize(picture()))
        == LostReason.AMBIGUOUS_PLACE
    )


def test_a_followed_pose_is_confirmed_where_the_place_repeats():
    localizer = make_localizer(seen_in_both(20), landmarks=make_likes())
    assert localizer.confirms(picture(), MAP_CAMERA, CAMERA_FROM_MAP)
    aside = SE3(CAMERA_FROM_MAP.rotation, CAMERA_FROM_MAP.translation + np.array([0.5, 0, 0]))
    assert not localizer.confirms(picture(), MAP_CAMERA, aside)


def test_a_few_things_that_are_elsewhere_as_well_leave_a_pose_as_it_is():
    assert_right(make_localizer(seen_in_both(6, 0.3), landmarks=make_likes()).localize(picture()))


def test_keypoints_a_little_off_are_no_other_pose():
    def spoil(found: np.ndarray) -> None:
        found[::3, :2] += [25, 10]  # they agree on a pose of their own, a few degrees from that of the others

    assert_right(make_localizer(spoil, min_evidence=1.0).localize(picture()), 2, 0.2)


def disagreeing(count: int) -> Callable[[np.ndarray], None]:
    """All but the first 16 lie, `count` of them with conviction, the others unseen."""

    def spoil(found: np.ndarray) -> None:
        found[16:, :2] = np.random.default_rng(4).uniform(0, [320, 256], (SHAPE.landmarks - 16, 2))
        found[16 + count :, 2] = 0

    return spoil


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, None), (8, None), (14, LostReason.WEAK_EVIDENCE), (20, LostReason.NO_CONSENSUS)],
)
def test_what_disagrees_speaks_against_a_pose(count, expected):
    result = make_localizer(disagreeing(count)).localize(picture())
    assert (None if isinstance(result, Localized) else result.reason) == expected


def test_evidence_that_is_needed_is_the_bundles_where_the_configuration_does_not_say():
    bundle = dataclasses.replace(make_localizer().bundle, calibration=Calibration(min_evidence=36.5))
    oracle = Oracle(bundle.landmarks, 0.0, lambda found: None)  # 40 landmarks that score 0.9
    assert reason(Localizer(bundle, oracle).localize(picture())) == LostReason.WEAK_EVIDENCE
    assert isinstance(
        Localizer(bundle, oracle, LocalizerConfig(min_evidence=3)).localize(picture()), Localized
    )


def test_a_pose_that_few_agree_on_is_too_few_inliers():
    def spoil(found: np.ndarray) -> None:
        found[6:, 2] = 0

    result = make_localizer(spoil).localize(picture())
    assert reason(result) == LostReason.TOO_FEW_INLIERS
    assert "6 landmarks agree on a pose, 7 needed" in result.detail


def test_landmarks_in_one_spot_of_the_image_are_a_poor_spread():
    landmarks = make_landmarks()
    landmarks.positions_map[:] *= 0.05
    result = make_localizer(landmarks=landmarks).localize(picture())
    assert reason(result) == LostReason.POOR_SPREAD


def test_landmarks_along_a_line_are_a_poor_spread():
    landmarks = make_landmarks()
    line = np.linspace(-0.8, 0.8, SHAPE.landmarks)
    jitter = np.random.default_rng(0).normal(0, 0.01, (SHAPE.landmarks, 3))
    landmarks.positions_map[:] = line[:, None] * [1, 0.1, 0.3] + jitter
    assert reason(make_localizer(landmarks=landmarks).localize(picture())) == LostReason.POOR_SPREAD


def test_blurred_keypoints_are_an_uncertain_pose():
    def spoil(found: np.ndarray) -> None:
        found[:, 3] = 60.0

    result = make_localizer(spoil, noise_px=2.0).localize(picture())
    assert reason(result) == LostReason.UNCERTAIN_POSE
    assert "uncertain by" in result.detail


def test_a_view_from_where_nothing_was_ever_seen_is_implausible():
    landmarks = make_landmarks()
    landmarks.directions_map[:] *= -1
    result = make_localizer(landmarks=landmarks).localize(picture())
    assert reason(result) == LostReason.IMPLAUSIBLE_VIEW


def test_a_view_a_little_outside_what_was_seen_is_plausible():
    landmarks = make_landmarks()
    turn = SE3.from_rotation_vector([0, np.radians(40), 0], np.zeros(3))
    landmarks.directions_map[:] = turn.apply(
        landmarks.directions_map
    )  # 40 deg off, seen within 20, margin 30
    assert_right(make_localizer(landmarks=landmarks).localize(picture()))


def test_landmarks_that_all_fit_badly_are_a_large_residual():
    def spoil(found: np.ndarray) -> None:
        angles = np.random.default_rng(1).uniform(0, 2 * np.pi, len(found))
        found[:, :2] += 6.5 * np.column_stack([np.cos(angles), np.sin(angles)])

    result = make_localizer(spoil, max_rms_px=3.0).localize(picture())
    assert isinstance(result, Lost) and result.reason == LostReason.LARGE_RESIDUAL
    assert re.search(r"fit the pose by [3456]\.\d network pixels only", result.detail)


def test_keypoints_that_a_fisheye_sees_behind_itself_are_left_out():
    camera = Camera("fisheye", 640, 512, 150.0, 150.0, 319.5, 255.5, (0.0, 0.0, 0.0, 0.0))

    def spoil(found: np.ndarray) -> None:
        found[:5, :2] = (3, 128)  # 2.1 radians off the axis

    localizer = make_localizer(spoil)
    localizer.backend.camera = camera
    result = localizer.localize(picture(camera), camera)
    assert np.isfinite(camera.unproject(result.keypoints.positions_px)).all()
    assert not np.isin(np.arange(5), result.keypoints.landmarks).any()


def test_every_lost_reason_has_its_test():
    """A reason that no input can cause is a promise that nobody keeps."""
    here = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in LostReason.__members__ if f"LostReason.{name}" not in here] == []


def test_a_lost_result_carries_what_was_found():
    def spoil(found: np.ndarray) -> None:
        found[7:, 2] = 0

    result = make_localizer(spoil).localize(picture())
    assert result.keypoints.landmarks.tolist() == list(range(7)) and result.inliers.all()


def hidden_among(count: int) -> Callable[[np.ndarray], None]:
    """All but the first `count` are anywhere, none of them with conviction."""

    def spoil(found: np.ndarray) -> None:
        found[count:, :2] = np.random.default_rng(7).uniform(0, [320, 256], (SHAPE.landmarks - count, 2))
        found[count:, 2] = 0.25

    return spoil


def moved(shift: list[float], turn_deg: list[float]) -> SE3:
    """A wrong camera_from_map."""
    return SE3.from_rotation_vector(np.radians(turn_deg), shift) @ CAMERA_FROM_MAP


NEAR = moved([0.03, -0.02, 0.05], [1.0, -1.0, 2.0])
WRONG = {
    "a little aside": moved([0.5, 0.0, 0.0], [0.0, 8.0, 0.0]),
    "far": moved([0.0, 0.0, 5.0], [0.0, 0.0, 0.0]),
    "turned away": moved([0.0, 0.0, 0.0], [0.0, 180.0, 0.0]),
    "on its head": moved([0.0, 0.0, 0.0], [0.0, 0.0, 180.0]),
    "in the midst of the landmarks": moved([0.0, 0.0, -3.5], [0.0, 0.0, 0.0]),
}


def test_a_prior_is_found_where_the_search_gives_up_too_early():
    """The plain solver's hundred draws miss a third of the keypoints."""
    localizer = make_localizer(hidden_among(13), noise_px=0.5, solver="opencv", min_evidence=3.0)
    assert reason(localizer.localize(picture())) == LostReason.NO_CONSENSUS
    result = localizer.localize(picture(), prior=NEAR)
    assert_right(result, 0.6, 0.04)
    assert result.inliers[:13].all()


@pytest.mark.parametrize("solver", SOLVERS[:2])
@pytest.mark.parametrize("prior", WRONG.values(), ids=WRONG)
def test_a_wrong_prior_changes_no_answer(prior, solver):
    """A camera that was carried away is found at its first picture as without one."""
    localizer = make_localizer(disagreeing(8), noise_px=0.7, solver=solver)
    without, result = localizer.localize(picture()), localizer.localize(picture(), prior=prior)
    assert_right(result, 0.6, 0.04)
    np.testing.assert_allclose(result.camera_from_map.matrix, without.camera_from_map.matrix, atol=1e-3)


@pytest.mark.parametrize("prior", [NEAR, *WRONG.values()], ids=["near", *WRONG])
def test_a_prior_alone_is_no_reason_to_believe(prior):
    """Every test is passed or failed by the keypoints, wherever the camera was expected."""

    def lost(spoil: Callable[[np.ndarray], None], **config) -> LostReason:
        return reason(make_localizer(spoil, **config).localize(picture(), prior=prior))

    for seed in range(10):

        def anywhere(found: np.ndarray, seed: int = seed) -> None:
            found[:, :2] = np.random.default_rng(seed).uniform(0, [320, 256], (SHAPE.landmarks, 2))

        assert lost(anywhere) == LostReason.NO_CONSENSUS

    def few(found: np.ndarray) -> None:
        found[5:, 2] = 0

    assert lost(few) == LostReason.TOO_FEW_KEYPOINTS
    assert lost(disagreeing(20)) == LostReason.NO_CONSENSUS
    assert lost(lambda found: None, min_evidence=36.5) == LostReason.WEAK_EVIDENCE

    def blurred(found: np.ndarray) -> None:
        found[:, 3] = 60.0

    assert lost(blurred, noise_px=2.0) == LostReason.UNCERTAIN_POSE


def test_keypoints_are_in_the_pixels_of_the_image():
    result = make_localizer().localize(picture())
    expected = MAP_CAMERA.project(CAMERA_FROM_MAP.apply(make_landmarks().positions_map))
    np.testing.assert_allclose(result.keypoints.positions_px, expected, atol=1e-3)


def test_the_same_image_gives_the_same_answer():
    localizer = make_localizer(noise_px=1.0)
    first, second = (localizer.localize(picture()) for _ in range(2))
    np.testing.assert_array_equal(first.camera_from_map.matrix, second.camera_from_map.matrix)


def test_thresholds_are_those_of_the_configuration():
    result = make_localizer().localize(picture())
    assert isinstance(result, Localized)
    for change, expected in [
        ({"min_score": 0.95}, LostReason.NO_KEYPOINTS),
        ({"min_keypoints": 41}, LostReason.TOO_FEW_KEYPOINTS),
        ({"min_inliers": 41}, LostReason.TOO_FEW_INLIERS),
        ({"min_spread": 0.9}, LostReason.POOR_SPREAD),
        ({"max_position_sigma": 1e-9}, LostReason.UNCERTAIN_POSE),
        ({"max_rotation_sigma_deg": 1e-9}, LostReason.UNCERTAIN_POSE),
    ]:
        assert reason(make_localizer(**change).localize(picture())) == expected


def test_keypoints_that_fix_no_pose_are_a_lost_image(monkeypatch):
    def singular(*_):
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr("reloc_ros.pose.finder.refine", singular)
    lost = make_localizer().localize(picture())
    assert reason(lost) == LostReason.UNCERTAIN_POSE
    assert "fix no pose" in lost.detail
