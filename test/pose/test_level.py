"""Which robots lie as no robot does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.geometry import SE3
from reloc_ros.pose.level import tilt_deg, tilt_problem

BODY_FROM_OPTICAL = SE3(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.zeros(3))


def turned(yaw: float, pitch: float) -> SE3:
    about_z = SE3.from_rotation_vector([0, 0, yaw], [1.0, 2.0, 0.1])
    return about_z @ SE3.from_rotation_vector([0, pitch, 0], [0, 0, 0])


angles = st.floats(-np.pi, np.pi)
slopes = st.floats(-0.3, 0.3)
pitches = st.floats(-np.pi / 2, np.pi / 2)


@given(angles, slopes, angles, pitches)
def test_a_robot_on_a_slope_is_level_and_a_mount_by_the_body_frame_is_not(yaw, slope, mount_yaw, pitch):
    map_from_base, base_from_body = turned(yaw, slope), turned(mount_yaw, pitch)
    base_from_optical = base_from_body @ BODY_FROM_OPTICAL
    map_from_camera = map_from_base @ base_from_optical
    assert tilt_deg(map_from_base) == pytest.approx(np.degrees(abs(slope)), abs=1e-4)
    assert tilt_problem("base_link", "optical", map_from_camera, base_from_optical.inverse()) == ""
    problem = tilt_problem("base_link", "camera_link", map_from_camera, base_from_body.inverse())
    if abs(slope) < 0.2:  # 60 deg, less the slope
        assert "base_link lies" in problem and "camera_link, which looks like a body frame" in problem


def test_a_map_on_its_side_is_not_blamed_on_the_camera():
    base_from_optical = turned(0.4, 0.2) @ BODY_FROM_OPTICAL
    on_its_side = SE3.from_rotation_vector([np.pi / 2, 0, 0], np.zeros(3))
    map_from_camera = on_its_side @ turned(0.1, 0) @ base_from_optical
    problem = tilt_problem("base_link", "optical", map_from_camera, base_from_optical.inverse())
    assert "90 deg off level" in problem and "the map is not upright" in problem
