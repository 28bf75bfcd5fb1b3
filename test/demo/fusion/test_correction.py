"""The simulated robot and what is made of its odometry, with poses whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest
from drives import SIGMAS, drawn_fixes
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.demo.fusion.correction import (
    Fix,
    figures,
    filtered,
    placed_odometry,
    pose_nees,
    position_errors,
    take_fixes,
)
from reloc_ros.demo.fusion.robot import (
    AWAY_S,
    BASE_FROM_CAMERA,
    ODOMETRY_HZ,
    Slip,
    drive,
    moved,
    planar_from_se3,
    relative,
    se3_from_planar,
)
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.localizer import Localizer
from reloc_ros.pose.covariance import CovarianceLimits
from reloc_ros.pose.planar import PLANAR

SLIP = Slip()
numbers = st.floats(-3, 3)
planar_poses = st.tuples(numbers, numbers, numbers).map(np.array)


@given(planar_poses, planar_poses)
def test_the_step_between_two_poses_leads_from_one_to_the_other(before, after):
    np.testing.assert_allclose(moved(before, relative(before, after))[:2], after[:2], atol=1e-9)
    expected = se3_from_planar(before).inverse() @ se3_from_planar(after)
    np.testing.assert_allclose(planar_from_se3(expected), relative(before, after), atol=1e-9)


def test_the_camera_looks_ahead_upright_and_a_little_down():
    x, y, z = BASE_FROM_CAMERA.rotation.T
    assert z[0] > 0.99 and -0.15 < z[2] < 0  # its z: ahead, down
    assert y[2] < -0.99  # its y: down
    np.testing.assert_allclose(x, [0, -1, 0], atol=1e-12)  # its x: to the right


def test_odometry_without_slip_is_the_truth_and_with_slip_drifts_as_the_root_of_time():
    exact = drive(20.0, Slip(0.0, 0.0), 0)
    np.testing.assert_allclose(exact.odometry, exact.truth, atol=1e-9)
    # Of turning alone: the position's drift depends on it.
    ends = np.array([drive(9.0, SLIP, seed).odometry[-1, 2] for seed in range(60)])
    truth = drive(9.0, SLIP, 0).truth[-1, 2]
    assert np.std(ends - truth) == pytest.approx(SLIP.yaw * 3, rel=0.3)


def test_the_error_in_the_map_stays_bounded_where_that_of_odometry_grows():
    run = drive(100.0, SLIP, 1)
    fixes = drawn_fixes(run, 1)
    errors = position_errors(placed_odometry(run, fixes), run.truth)
    lost = (run.times_s > AWAY_S[0]) & (run.times_s < AWAY_S[1] + 0.2)
    assert errors[~lost].max() < 5 * SIGMAS[:2].max()
    assert errors[lost].max() < 5 * SIGMAS[:2].max() + 5 * SLIP.position * np.sqrt(AWAY_S[1] - AWAY_S[0])
    later = run.times_s > 50
    assert np.median(position_errors(run.odometry, run.truth)[later]) > 5 * np.median(errors[later])


def test_a_jump_of_the_correction_is_only_in_map_from_odom():
    """REP-105: between two poses the base moves in the map exactly as in odom."""
    run = drive(10.0, SLIP, 2)
    placed = placed_odometry(run, drawn_fixes(run, 2, rate_hz=1.0))
    for row in range(1, len(run)):
        if row % ODOMETRY_HZ:
            np.testing.assert_allclose(
                relative(placed[row - 1], placed[row]),
                relative(run.odometry[row - 1], run.odometry[row]),
                atol=1e-9
                + np.radians(1.5) * 0.02,  # the correction may be tilted by its error in roll and pitch
            )


def test_a_filter_fed_with_honest_covariances_is_consistent_and_with_others_is_not():
    runs = range(20)
    means = {}
    for claimed in (0.1, 1.0, 10.0):
        values = []
        for seed in runs:
            run = drive(8.0, SLIP, seed)
            fixes = drawn_fixes(run, 100 + seed, claimed=claimed)
            values.append(filtered(run, fixes, SLIP).nees[fixes[-1].row])
        means[claimed] = np.mean(values)
    # The mean of 20 draws of chi-squared with 3 degrees of freedom: 3 +- 0.55; three sigma.
    assert 1.4 < means[1.0] < 4.7
    assert means[0.1] > 8
    assert means[10.0] < 0.7 * means[1.0]


def test_the_poses_own_nees_tells_by_how_much_a_covariance_is_off():
    run = drive(39.0, SLIP, 3)
    for claimed in (0.25, 1.0):
        values = pose_nees(run, drawn_fixes(run, 3, rate_hz=10.0, claimed=claimed))
        assert values.mean() == pytest.approx(6 / claimed, rel=0.15)


def test_the_filter_is_nearer_to_the_truth_than_single_poses():
    run = drive(39.0, SLIP, 4)
    fixes = drawn_fixes(run, 4)
    found = figures(run, fixes, placed_odometry(run, fixes), filtered(run, fixes, SLIP))
    assert found.filter_error_median < found.placed_error_median
    rows = [fix.row for fix in fixes]
    fused = position_errors(filtered(run, fixes, SLIP).poses[rows], run.truth[rows])
    assert np.median(fused) < found.pose_error_median
    assert found.lost == 0


def test_figures_count_what_is_lost_and_how_long():
    run = drive(60.0, SLIP, 5)
    fixes = drawn_fixes(run, 5)
    found = figures(run, fixes, placed_odometry(run, fixes), filtered(run, fixes, SLIP))
    assert found.pictures == len(fixes) == 300
    assert found.lost == sum(fix.is_lost for fix in fixes) > 55
    assert found.longest_lost_s == pytest.approx(AWAY_S[1] - AWAY_S[0], abs=0.5)


def test_before_the_first_pose_nothing_is_known():
    run = drive(5.0, SLIP, 6)
    fixes = [Fix(0, None, None), *drawn_fixes(run, 6)[10:]]
    placed, fused = placed_odometry(run, fixes), filtered(run, fixes, SLIP)
    first = fixes[1].row
    assert np.isnan(placed[:first]).all() and np.isfinite(placed[first:]).all()
    assert np.isnan(fused.nees[:first]).all() and np.isfinite(fused.nees[first:]).all()


@pytest.mark.slow
def test_pictures_of_the_room_give_poses_of_the_base():
    run = drive(4.0, SLIP, 7)
    limits = CovarianceLimits(1.0, 0.01, 0.005)
    fixes = take_fixes(run, Localizer.from_bundle(EMBEDDED_BUNDLE), 2.0, limits)
    assert [fix.row for fix in fixes] == list(range(0, 200, 25))
    seen = [fix for fix in fixes if not fix.is_lost]
    assert len(seen) >= 6
    for fix in seen:
        error = planar_from_se3(fix.map_from_base) - run.truth[fix.row]
        assert np.linalg.norm(error[:2]) < 0.1
        assert np.abs(error[2]) < np.radians(4)
        sigmas = np.sqrt(np.diag(fix.covariance))[PLANAR]
        assert (sigmas >= [0.01 - 1e-9, 0.01 - 1e-9, 0.005 - 1e-9]).all()
