"""config/robot_localization.yaml in the filter that it is for: the first pose is taken at once, a wild one never."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from robot_localization_filter import STATES, VX, VYAW, YAW, Filter

from reloc_ros.geometry import SE3
from reloc_ros.pose.planar import ground_covariance

CONFIG = Path(__file__).parent.parent / "config" / "robot_localization.yaml"
SPEED, TURN_RATE = 0.3, 0.1
FULL = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
POSE_COVARIANCE = 0.02**2 * (0.2 * np.eye(6) + 0.8 * FULL @ np.diag([1, 0.7, 0.5, 0.3, 0.2, 0.1]) @ FULL.T)


def parameters() -> dict[str, object]:
    return dict(yaml.safe_load(CONFIG.read_text())["/**/ekf_map"]["ros__parameters"])


def truth(time_s: float, start: np.ndarray) -> np.ndarray:
    """(3,) x, y, yaw on an arc."""
    yaw, radius = start[2] + TURN_RATE * time_s, SPEED / TURN_RATE
    x = start[0] + radius * (np.sin(yaw) - np.sin(start[2]))
    return np.array([x, start[1] - radius * (np.cos(yaw) - np.cos(start[2])), yaw])


def drive(
    given: dict[str, object], start: tuple[float, float, float], seconds: float, *, wild_s: float = np.inf
) -> tuple[float, float, list[bool]]:
    """(when the filter is within 10 cm for good, its last error in metres, which wild poses were taken)."""
    ekf, rng = Filter(given), np.random.default_rng(1)
    pose_covariance = ground_covariance(SE3.identity(), POSE_COVARIANCE)
    found_s, wild_taken = np.inf, []
    for tick in range(round(100 * seconds)):
        time_s = 0.01 * tick
        place, values, covariance = (
            truth(time_s, np.array(start)),
            np.zeros(STATES),
            np.zeros((STATES, STATES)),
        )
        if tick % 5 == 0:  # wheels at 20 Hz
            values[[VX, VYAW]] = [SPEED, TURN_RATE] + rng.normal(size=2) * [0.02, 0.02]
            ekf.measure("odom0", values, covariance + 0.02**2 * np.eye(STATES), time_s)
        if tick % 2 == 1:  # gyro at 50 Hz
            values[VYAW] = TURN_RATE + 0.01 * rng.normal()
            ekf.measure("imu0", values, covariance + 0.01**2 * np.eye(STATES), time_s)
        if tick % 20 == 10:  # poses at 5 Hz
            error = rng.multivariate_normal(np.zeros(3), pose_covariance[np.ix_([0, 1, 5], [0, 1, 5])])
            is_wild = time_s > wild_s and tick % 100 == 10
            values[[0, 1, YAW]] = place + error + [2.0 * is_wild, 0, 0]
            covariance[:6, :6] = pose_covariance
            taken = ekf.measure("pose0", values, covariance, time_s)
            wild_taken += [taken] * is_wild
        off = float(np.linalg.norm(ekf.state[:2] - place[:2]))
        found_s = min(found_s, time_s) if off < 0.1 else np.inf
    return found_s, off, wild_taken


@pytest.mark.parametrize("start", [(10.0, 0.0, 0.0), (-6.0, 8.0, 2.5), (300.0, -200.0, -3.0)])
def test_a_robot_far_from_the_origin_is_there_within_a_second(start):
    found_s, off, _ = drive(parameters(), start, 10.0)
    assert found_s < 1.0
    assert off < 0.05


def test_without_an_uncertain_start_the_gate_would_shut_the_first_pose_out():
    given = parameters()
    del given["initial_estimate_covariance"]
    assert drive(given, (10.0, 0.0, 0.0), 40.0)[0] > 20


def test_a_wild_pose_is_refused_once_the_robot_is_found():
    found_s, off, wild_taken = drive(parameters(), (10.0, 0.0, 0.0), 20.0, wild_s=3.0)
    assert len(wild_taken) > 10 and not any(wild_taken)
    assert found_s < 1.0 and off < 0.05


def test_the_uncertain_start_is_a_whole_matrix_as_every_distribution_takes_it():
    """Humble takes 225 numbers, later ones 15 as well."""
    whole = np.reshape(parameters()["initial_estimate_covariance"], (STATES, STATES))
    assert (np.diag(whole) > 0).all()
    np.testing.assert_array_equal(whole, np.diag(np.diag(whole)))
    assert all(isinstance(number, float) for number in parameters()["initial_estimate_covariance"])


def test_the_poses_have_no_covariance_with_what_two_d_mode_sets():
    """It puts the variances of z, roll and pitch to 1e-6 and leaves the rest: no covariance any more if the rest is."""
    sections = yaml.safe_load(CONFIG.read_text())
    assert sections["/**/ekf_map"]["ros__parameters"]["two_d_mode"]
    assert sections["/**/reloc"]["ros__parameters"]["planar"] is True

    def set_by_two_d_mode(covariance: np.ndarray) -> np.ndarray:
        changed = covariance.copy()
        changed[[2, 3, 4], [2, 3, 4]] = 1e-6
        return changed

    assert np.linalg.eigvalsh(set_by_two_d_mode(POSE_COVARIANCE))[0] < 0
    planar = ground_covariance(SE3.identity(), POSE_COVARIANCE)
    assert np.linalg.eigvalsh(set_by_two_d_mode(planar))[0] > 0
