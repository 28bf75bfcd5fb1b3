import numpy as np
import pytest

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, rotation_error_deg
from reloc_ros.stream.correction import ARRIVALS, CorrectedOdometry, Correction, CorrectionConfig, Refused

COVARIANCE = np.diag([0.02, 0.02, 0.02, 0.01, 0.01, 0.01]) ** 2
ODOM_FROM_BODY = SE3.from_rotation_vector([0, 0, 0.5], [4.0, 1.0, 0.0])


def correction(x: float = 0.0, yaw: float = 0.0, stamp_s: float = 0.0, covariance=COVARIANCE) -> Correction:
    """By which the body is so far from where an unmoved odometry has it."""
    map_from_body = SE3.from_rotation_vector([0, 0, 0.5 + yaw], [4.0 + x, 1.0, 0.0])
    return Correction(map_from_body @ ODOM_FROM_BODY.inverse(), ODOM_FROM_BODY, covariance, stamp_s)


def test_by_default_every_correction_counts_at_once_and_for_ever():
    odometry = CorrectedOdometry()
    assert odometry.map_from_odom(0.0) is None
    for step in range(5):
        each = correction(x=10.0 * step, yaw=step, stamp_s=step)
        assert odometry.take(each, step) is None
        np.testing.assert_allclose(odometry.map_from_odom(step).matrix, each.map_from_odom.matrix)
    assert odometry.map_from_odom(1e6) is not None


def test_what_does_not_fit_is_gated_and_the_odometry_stays_where_it_was():
    odometry = CorrectedOdometry(CorrectionConfig(correction_gate=5.0))
    assert odometry.take(correction(), 0.0) is None
    for step in range(1, 200):  # one wild pose in ten, never two alike
        wild = step % 10 == 0
        refused = odometry.take(
            correction(x=0.02 * step if wild else 0.0, yaw=wild, stamp_s=0.1 * step), 0.1 * step
        )
        assert (refused is not None) == wild
        np.testing.assert_allclose(odometry.map_from_odom(0.1 * step).matrix, np.eye(4), atol=1e-12)
    assert refused is None


def test_the_gate_goes_by_the_covariances_and_by_the_time_since():
    def taken(*, x: float, factor: float = 1.0, after_s: float = 0.1) -> bool:
        odometry = CorrectedOdometry(CorrectionConfig(correction_gate=5.0, odometry_drift=0.05))
        odometry.take(correction(), 0.0)
        later = correction(x=x, stamp_s=after_s, covariance=factor * COVARIANCE)
        return odometry.take(later, after_s) is None

    assert taken(x=0.1) and not taken(x=0.3)
    assert taken(x=0.3, factor=25.0)
    assert taken(x=0.3, after_s=4.0) and not taken(x=1.0, after_s=4.0)


def test_the_distance_is_that_of_the_innovation():
    """Of honest poses a share beyond the gate is refused as the chi distribution of six has it."""
    rng, refused, runs = np.random.default_rng(0), 0, 2000
    for _ in range(runs):
        odometry = CorrectedOdometry(CorrectionConfig(correction_gate=3.55, odometry_drift=0.0))
        for _ in range(2):
            error = np.sqrt(np.diag(COVARIANCE)) * rng.normal(size=6)
            turn = SE3.from_rotation_vector(error[3:], np.zeros(3)).rotation
            truth = ODOM_FROM_BODY
            seen = SE3(turn @ truth.rotation, truth.translation + error[:3])
            outcome = odometry.take(Correction(seen @ truth.inverse(), truth, COVARIANCE, 0.0), 0.0)
        refused += outcome is not None
    assert 0.03 < refused / runs < 0.07  # chi^2 of six is beyond 12.6 once in 20


def test_a_robot_that_was_carried_away_is_believed_after_some_poses_that_agree():
    odometry = CorrectedOdometry(CorrectionConfig(correction_gate=5.0))
    odometry.take(correction(), 0.0)
    outcomes = [odometry.take(correction(x=5.0, stamp_s=0.1 * n), 0.1 * n) for n in range(1, ARRIVALS + 1)]
    assert all(isinstance(each, Refused) and each.reason == "gated" for each in outcomes[:-1])
    assert "standard deviations" in outcomes[0].detail and "correction_gate" in outcomes[0].detail
    assert outcomes[-1] is None
    assert odometry.map_from_odom(1.0).translation[0] == pytest.approx(5.0)


@pytest.mark.parametrize("yaw", [0.0, 0.3])
def test_the_step_in_a_second_stays_within_the_limit_and_arrives(yaw):
    limits = CorrectionConfig(correction_max_speed=0.2, correction_max_turn_rate=0.1)
    odometry = CorrectedOdometry(limits)
    odometry.take(correction(), 0.0)
    target = correction(x=1.0, yaw=yaw)
    before, times_s = odometry.map_from_odom(0.0), np.cumsum(np.random.default_rng(0).uniform(0.01, 0.2, 300))
    odometry.take(target, 0.0)
    elapsed = np.diff(times_s, prepend=0.0)
    for time_s, step_s in zip(times_s, elapsed, strict=True):
        now = odometry.map_from_odom(time_s)
        assert np.linalg.norm(now.translation - before.translation) <= 0.2 * step_s + 1e-9
        assert np.radians(rotation_error_deg(before, now)) <= 0.1 * step_s + 1e-6
        before = now
    np.testing.assert_allclose(before.matrix, target.map_from_odom.matrix, atol=1e-9)


def test_an_uncertain_pose_corrects_nothing():
    limits = CorrectionConfig(correction_max_position_sigma=0.05, correction_max_rotation_sigma=0.03)
    odometry = CorrectedOdometry(limits)
    for part, name in ((slice(0, 3), "position"), (slice(3, 6), "rotation")):
        covariance = COVARIANCE.copy()
        covariance[part, part] *= 25
        refused = odometry.take(correction(covariance=covariance), 0.0)
        assert refused.reason == "uncertain" and f"correction_max_{name}_sigma" in refused.detail
    assert odometry.map_from_odom(0.0) is None
    assert odometry.take(correction(), 0.0) is None


def test_without_a_correction_for_too_long_there_is_nothing_and_the_next_counts_at_once():
    odometry = CorrectedOdometry(
        CorrectionConfig(correction_max_age_s=2.0, correction_gate=5.0, correction_max_speed=0.1)
    )
    odometry.take(correction(), 10.0)
    assert odometry.map_from_odom(12.0) is not None and not odometry.age_problem(12.0)
    assert odometry.map_from_odom(12.1) is None
    assert "correction_max_age_s" in odometry.age_problem(12.1)
    assert odometry.take(correction(x=3.0, stamp_s=12.2), 12.2) is None
    assert odometry.map_from_odom(12.2).translation[0] == pytest.approx(3.0)


def test_a_limit_below_zero_is_a_sentence():
    with pytest.raises(RelocError, match="correction_max_speed must be at least 0, got -1"):
        CorrectionConfig(correction_max_speed=-1.0)
