import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.calibration import UNCALIBRATED, Calibration
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.landmarks import Landmarks
from reloc_ros.pose.acceptance import LocalizerConfig, LostReason, evidence, refuse_inliers, refuse_pose
from reloc_ros.pose.pnp import Correspondences, Refined

scores = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40)


def balance(keypoints: list[tuple[float, bool]]) -> float:
    return evidence(np.array([s for s, _ in keypoints]), np.array([agrees for _, agrees in keypoints], bool))


@given(keypoints=scores)
def test_evidence_lies_between_all_against_and_all_for(keypoints):
    total = sum(score for score, _ in keypoints)
    assert -total - 1e-9 <= balance(keypoints) <= total + 1e-9
    assert balance([(s, True) for s, _ in keypoints]) == pytest.approx(total)


@given(keypoints=scores, score=st.floats(0, 1))
def test_a_keypoint_that_agrees_speaks_for_a_pose_and_one_that_does_not_as_much_against(keypoints, score):
    before = balance(keypoints)
    assert balance([*keypoints, (score, True)]) == pytest.approx(before + score)
    assert balance([*keypoints, (score, False)]) == pytest.approx(before - score)


def test_configuration_goes_before_the_bundle():
    measured = Calibration(min_evidence=3.0)
    assert LocalizerConfig().for_bundle(measured).min_evidence == 3.0
    assert LocalizerConfig().for_bundle(UNCALIBRATED).min_evidence == 4.0
    given = LocalizerConfig(min_evidence=1.5).for_bundle(measured)
    assert (given.min_evidence, given.verified_share) == (1.5, 0.5)


def test_a_verified_pose_needs_the_share_that_was_measured_of_the_limit_that_holds():
    measured = Calibration(min_evidence=16.0, verified_share=0.1)
    as_measured = LocalizerConfig().for_bundle(measured)
    assert [as_measured.needed_evidence(verified) for verified in (False, True)] == [16.0, pytest.approx(1.6)]
    assert LocalizerConfig(min_evidence=30.0).for_bundle(measured).needed_evidence(True) == pytest.approx(3.0)
    assert LocalizerConfig(verified_share=0.4).for_bundle(measured).needed_evidence(True) == pytest.approx(
        6.4
    )


def grid(spread: float) -> np.ndarray:
    """Nine keypoints px on a 3x3 grid, with that standard deviation along either axis."""
    steps = np.linspace(-1, 1, 3) * spread * np.sqrt(4 / 3)
    return np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2) + 500.0


HERE = SE3.identity()
SEARCH = LocalizerConfig(min_keypoints=6, min_inliers=7, min_evidence=4.0, verified_share=0.5, min_spread=0.1)


def refusal_of(count=9, agreeing=9, score=1.0, pose=HERE, spread=200.0, config=SEARCH, verified=False):
    """Of the first `count` of nine keypoints in a picture 1000 px wide, of which the first `agreeing` agree."""
    inliers = np.arange(count) < agreeing
    return refuse_inliers(
        config, grid(spread)[:count], np.full(count, score), pose, inliers, 1000, verified=verified
    )


@pytest.mark.parametrize(
    ("good", "bad", "reason", "sentence"),
    [
        ({}, {"count": 0}, LostReason.NO_KEYPOINTS, "no landmark of the map was found in the image"),
        ({"count": 8}, {"count": 5}, LostReason.TOO_FEW_KEYPOINTS, "5 landmarks found, 6 needed"),
        ({}, {"pose": None}, LostReason.NO_CONSENSUS, "no pose explains the 9 landmarks found"),
        ({"agreeing": 7}, {"agreeing": 6}, LostReason.TOO_FEW_INLIERS, "6 landmarks agree on a pose, 7 needed"),
        ({"score": 4 / 9}, {"score": 0.44}, LostReason.WEAK_EVIDENCE, "9 of 9 landmarks agree on a pose, by 4.0"),
        ({"spread": 100.5}, {"spread": 99.5}, LostReason.POOR_SPREAD, "the landmarks spread over"),
    ],
)  # fmt: skip
def test_keypoints_are_refused_just_beyond_each_limit(good, bad, reason, sentence):
    assert refusal_of(**good) is None
    given, told = refusal_of(**bad)
    assert given == reason and told.startswith(sentence)


def test_a_limit_itself_is_enough():
    assert refusal_of(config=dataclasses.replace(SEARCH, min_keypoints=9, min_inliers=9)) is None
    assert refusal_of(score=1.0, config=dataclasses.replace(SEARCH, min_evidence=9.0)) is None


def test_as_much_against_a_pose_as_for_it_is_no_consensus_where_evidence_is_asked_for():
    even = {"count": 8, "agreeing": 4}
    assert refusal_of(**even)[0] == LostReason.NO_CONSENSUS
    assert refusal_of(score=0.1)[0] == LostReason.WEAK_EVIDENCE  # a little for it is not nothing
    asked_for_none = dataclasses.replace(SEARCH, min_evidence=-1.0)
    assert refusal_of(**even, config=asked_for_none)[0] == LostReason.TOO_FEW_INLIERS
    asked_for_any = dataclasses.replace(SEARCH, min_evidence=0.0)
    assert refusal_of(**even, config=asked_for_any)[0] == LostReason.NO_CONSENSUS


def test_a_pose_that_the_views_verify_needs_its_share_of_the_evidence():
    assert refusal_of(score=0.3)[0] == LostReason.WEAK_EVIDENCE
    assert refusal_of(score=0.3, verified=True) is None
    assert refusal_of(score=0.2, verified=True)[0] == LostReason.WEAK_EVIDENCE


def test_without_a_limit_the_uncalibrated_one_holds():
    unset = dataclasses.replace(SEARCH, min_evidence=None)
    assert refusal_of(score=0.45, config=unset) is None
    assert refusal_of(score=0.44, config=unset)[0] == LostReason.WEAK_EVIDENCE


def test_the_narrower_direction_of_the_inliers_alone_counts():
    line = np.column_stack([np.linspace(0, 900, 9), np.full(9, 100.0)])
    given, told = refuse_inliers(SEARCH, line, np.ones(9), HERE, np.ones(9, bool), 1000, verified=False)
    assert (
        given == LostReason.POOR_SPREAD
        and told == "the landmarks spread over 0 px only, along a line or a spot"
    )


# Four landmarks at a distance of 10 from the camera, which looks along z from the map's origin.
MATCHES = Correspondences(
    np.array([[6.0, 0, 8], [-6, 0, 8], [0, 6, 8], [0, -6, 8]]), np.zeros((4, 2)), np.full(4, 0.01)
)
JUDGE = LocalizerConfig(
    max_rms_px=8.0,
    max_position_sigma=0.05,
    max_rotation_sigma_deg=5.0,
    min_in_cone_share=0.5,
    cone_margin_deg=30.0,
)


def judged(
    residuals=(0.0,) * 4, sigma=0.1, sigma_deg=1.0, axis=0, off_deg=(0.0,) * 4, cone_deg=10.0, size=1.0
):
    """The refusal of a pose with these deviations along one axis, and landmarks seen so far from their views.

    Args:
        size: of the scene.
    """
    deviations = np.full(6, 1e-6)
    deviations[axis], deviations[3 + axis] = sigma, np.radians(sigma_deg)
    toward_camera = SE3.from_rotation_vector
    rays = -MATCHES.points_map / 10
    sideways = np.cross(rays, [0.3, 0.4, 0.5])
    sideways /= np.linalg.norm(sideways, axis=1, keepdims=True)
    turns = [toward_camera(np.radians(d) * s, [0, 0, 0]) for d, s in zip(off_deg, sideways, strict=True)]
    directions = np.array([turn.rotation @ ray for turn, ray in zip(turns, rays, strict=True)])
    landmarks = Landmarks(
        np.arange(4), size * MATCHES.points_map, directions, np.full(4, np.radians(cone_deg))
    )
    refined = Refined(HERE, np.diag(deviations**2), np.array(residuals))
    matches = dataclasses.replace(MATCHES, points_map=size * MATCHES.points_map)
    return refuse_pose(JUDGE, refined, matches, landmarks, 0.01)


def test_a_pose_within_all_limits_is_not_refused():
    assert judged() is None
    assert judged(residuals=(0.0799,) * 4, sigma=0.499, sigma_deg=4.99, off_deg=(39, 39, 41, 41)) is None


@pytest.mark.parametrize("residuals", [(0.0801,) * 4, (0.161, 0, 0, 0), (np.nan, 0, 0, 0)])
def test_residuals_above_the_limit_or_that_are_no_number_refuse_a_pose(residuals):
    given, told = judged(residuals=residuals)
    assert given == LostReason.LARGE_RESIDUAL and told.endswith("network pixels only")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_worst_axis_decides_whether_a_pose_is_too_uncertain(axis):
    assert judged(sigma=0.499, sigma_deg=4.99, axis=axis) is None
    told = LostReason.UNCERTAIN_POSE, "the position is uncertain by 90 % of the distance"
    assert judged(sigma=9.0, axis=axis) == told and judged(sigma=0.501, axis=axis)[0] == told[0]
    assert judged(sigma_deg=5.7, axis=axis) == (
        LostReason.UNCERTAIN_POSE,
        "the rotation is uncertain by 6 deg",
    )
    assert judged(sigma_deg=5.01, axis=axis)[0] == LostReason.UNCERTAIN_POSE


def test_an_uncertain_rotation_is_no_uncertain_position():
    turned = {
        "sigma_deg": 4.99,
        "size": 0.1,
    }  # in radians more than the position may be off in so small a scene
    assert judged(sigma=0.0499, **turned) is None
    assert judged(sigma=0.0601, **turned)[1] == "the position is uncertain by 6 % of the distance"


def test_most_landmarks_must_be_seen_from_where_they_were():
    assert judged(off_deg=(39.0, 39.0, 41.0, 41.0)) is None
    given, told = judged(off_deg=(39.0, 41.0, 41.0, 41.0))
    assert given == LostReason.IMPLAUSIBLE_VIEW and "never were seen" in told


def test_a_fallback_without_sense_is_refused():
    with pytest.raises(RelocError, match="unknown fallback 'maybe'; use auto or off"):
        LocalizerConfig(fallback="maybe")
