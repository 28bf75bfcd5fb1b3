"""The smoother: nearer to the truth than the poses it is fed, consistent, and not led astray by one wild pose."""

from __future__ import annotations

import numpy as np
import pytest

from reloc_ros.geometry import SE3, center_error
from reloc_ros.stream.smoothing import PoseSmoother

PERIOD_S = 0.1
SIGMAS = np.repeat([0.03, 0.02], 3)
COVARIANCE = np.diag(SIGMAS**2)


def truth(time_s):
    """A camera walking round a circle of two metres, looking ahead."""
    angle = 0.4 * time_s
    return SE3.from_rotation_vector([0, 0, angle], [2 * np.cos(angle), 2 * np.sin(angle), 0.5])


def measured(map_from_camera, rng):
    shift, turn = np.split(rng.normal(0, SIGMAS), 2)
    rotation = SE3.from_rotation_vector(turn, np.zeros(3)).rotation @ map_from_camera.rotation
    return SE3(rotation, map_from_camera.translation + shift)


def errors_of(smoothed, map_from_camera):
    """(6,) in the terms of the covariance."""
    turn = SE3(map_from_camera.rotation @ smoothed.map_from_frame.rotation.T, np.zeros(3)).rotation_vector
    return np.concatenate([map_from_camera.translation - smoothed.map_from_frame.translation, turn])


def walk(seed, steps=100):
    rng = np.random.default_rng(seed)
    smoother = PoseSmoother()
    for index in range(steps):
        pose = truth(index * PERIOD_S)
        raw = measured(pose, rng)
        yield pose, raw, smoother.update(raw, COVARIANCE, index * PERIOD_S)


def test_the_smoothed_pose_is_nearer_to_the_truth_than_the_raw_one():
    raw_errors, smooth_errors = [], []
    for pose, raw, smoothed in list(walk(0, 300))[20:]:
        raw_errors.append(center_error(raw.inverse(), pose.inverse()))
        smooth_errors.append(center_error(smoothed.map_from_frame.inverse(), pose.inverse()))
    assert np.sqrt(np.mean(np.square(smooth_errors))) < 0.9 * np.sqrt(np.mean(np.square(raw_errors)))


def test_it_does_not_lag_behind_a_steady_motion():
    behind = []
    for index, (pose, _, smoothed) in enumerate(walk(1, 300)):
        ahead = truth(index * PERIOD_S + 0.01).translation - pose.translation
        gap = pose.translation - smoothed.map_from_frame.translation
        behind.append(gap @ ahead / np.linalg.norm(ahead))
    assert abs(np.mean(behind[50:])) < 0.01  # 0.08 m is what the camera moves between two poses


def test_velocities_are_those_of_the_walk():
    last = [s for _, _, s in walk(2, 200)][-50:]
    assert np.mean([np.linalg.norm(s.velocity) for s in last]) == pytest.approx(0.8, rel=0.2)
    assert np.mean([s.turn_rate[2] for s in last]) == pytest.approx(0.4, rel=0.3)


def test_the_covariance_tells_the_error():
    squares = []
    for seed in range(5):
        for pose, _, smoothed in list(walk(seed, 120))[20:]:
            error = errors_of(smoothed, pose)
            squares.append(error @ np.linalg.solve(smoothed.covariance[:6, :6], error))
    assert 3.0 < np.mean(squares) < 8.0  # six degrees of freedom


def test_one_wild_pose_is_refused_and_leaves_no_trace():
    smoother, rng = PoseSmoother(), np.random.default_rng(0)
    for index in range(30):
        smoother.update(measured(truth(index * PERIOD_S), rng), COVARIANCE, index * PERIOD_S)
    wild = SE3(np.eye(3), np.array([9.0, 9.0, 9.0]))
    refused = smoother.update(wild, COVARIANCE, 30 * PERIOD_S)
    assert not refused.used
    assert center_error(refused.map_from_frame.inverse(), truth(30 * PERIOD_S).inverse()) < 0.1
    assert smoother.update(measured(truth(31 * PERIOD_S), rng), COVARIANCE, 31 * PERIOD_S).used


def test_a_camera_that_is_elsewhere_for_good_is_followed_after_some_poses():
    smoother = PoseSmoother()
    for index in range(10):
        smoother.update(truth(0.0), COVARIANCE, index * PERIOD_S)
    far = SE3(np.eye(3), np.array([9.0, 9.0, 9.0]))
    used = [smoother.update(far, COVARIANCE, (10 + index) * PERIOD_S).used for index in range(4)]
    assert used == [False, False, True, True]
    assert smoother.update(far, COVARIANCE, 2.0).map_from_frame.translation[0] == pytest.approx(9.0)


@pytest.mark.parametrize("pause_s", [-5.0, 0.0, 1.5])
def test_a_gap_or_a_clock_set_back_starts_over(pause_s):
    smoother = PoseSmoother()
    smoother.update(truth(0.0), COVARIANCE, 100.0)
    far = SE3(np.eye(3), np.array([9.0, 9.0, 9.0]))
    smoothed = smoother.update(far, COVARIANCE, 100.0 + pause_s)
    assert smoothed.used
    np.testing.assert_allclose(smoothed.map_from_frame.translation, far.translation)


def test_forgetting_starts_over():
    smoother = PoseSmoother()
    smoother.update(truth(0.0), COVARIANCE, 1.0)
    smoother.forget()
    far = SE3(np.eye(3), np.array([9.0, 9.0, 9.0]))
    np.testing.assert_allclose(
        smoother.update(far, COVARIANCE, 1.1).map_from_frame.translation, far.translation
    )
