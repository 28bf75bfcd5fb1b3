"""The simulated drive through the room, on TF: what a robot's other nodes see of map -> odom -> base_link."""

from __future__ import annotations

import numpy as np
import pytest
from drives import drawn_fixes
from tf_world import TfWorld, at

from reloc_ros.demo.fusion.correction import Fix, take_fixes
from reloc_ros.demo.fusion.robot import (
    BASE_FROM_CAMERA,
    ODOMETRY_HZ,
    Drive,
    Slip,
    drive,
    planar_from_se3,
    se3_from_planar,
)
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.localizer import Localizer
from reloc_ros.pose.covariance import CovarianceLimits, moved_covariance

CAMERA = "camera_optical_frame"
START_S = 100.0
TOLERANCE_S = 0.1
PICTURES_HZ = 2.0
SLIP = Slip(position=0.06, yaw=0.08)


@pytest.fixture
def world():
    world = TfWorld(simulated_time=True)
    yield world
    world.close()


def errors_on_tf(world: TfWorld, run: Drive, fixes: list[Fix]) -> tuple[np.ndarray, np.ndarray]:
    """Drive in simulated time: (M,) metres that base_link is off in map, by TF, and (M,) those of odom alone."""
    world.send_static("base_link", CAMERA, BASE_FROM_CAMERA)
    tree = world.tree("map_odom", transform_tolerance_s=TOLERANCE_S)
    by_row = {fix.row: fix for fix in fixes}
    by_tf, by_odometry = [], []
    stride = round(ODOMETRY_HZ / 10)  # transforms at 10 Hz: TF interpolates
    for row in range(0, len(run), stride):
        stamp = at(START_S + run.times_s[row])
        world.set_clock(START_S + run.times_s[row])
        world.send("odom", "base_link", se3_from_planar(run.odometry[row]), stamp)
        fix = by_row.get(row)
        if fix is not None and fix.map_from_base is not None:
            covariance = moved_covariance(fix.covariance, fix.map_from_base, BASE_FROM_CAMERA)
            given = (stamp.to_msg(), fix.map_from_base @ BASE_FROM_CAMERA, CAMERA, covariance)
            outcome = tree.publish(*given)
            while outcome.reason in ("listening", "no_transform"):
                outcome = tree.publish(*given)
            assert outcome.published, outcome
        if world.sent("map", "odom") and row % (2 * stride) == 0:
            truth = run.truth[row]
            found = planar_from_se3(world.wait_for_transform("map", "base_link", stamp))
            by_tf.append(np.linalg.norm(found[:2] - truth[:2]))
            by_odometry.append(np.linalg.norm(run.odometry[row, :2] - truth[:2]))
    return np.array(by_tf), np.array(by_odometry)


def test_the_robot_stays_where_it_is_on_tf_through_lost_pictures_too(world):
    run = drive(24.0, SLIP, 1)
    lost = range(round(9 * ODOMETRY_HZ), round(13 * ODOMETRY_HZ))
    fixes = [
        Fix(fix.row, None, None) if fix.row in lost else fix
        for fix in drawn_fixes(run, 1, rate_hz=PICTURES_HZ)
    ]
    by_tf, by_odometry = errors_on_tf(world, run, fixes)
    assert len(by_tf) > 100
    # A pose is off by centimetres; from one to the next, or through being lost, the odometry adds its slip.
    assert by_tf.max() < 0.1 + 4 * SLIP.position * np.sqrt(4.0 + 1 / PICTURES_HZ)
    assert np.median(by_tf) < 0.1
    assert by_odometry.max() > 2 * by_tf.max()


@pytest.mark.slow
def test_the_embedded_bundle_keeps_the_robot_in_the_map(world):
    run = drive(12.0, SLIP, 2)
    fixes = take_fixes(run, Localizer.from_bundle(EMBEDDED_BUNDLE), PICTURES_HZ, CovarianceLimits())
    assert sum(fix.is_lost for fix in fixes) <= 0.2 * len(fixes)
    by_tf, by_odometry = errors_on_tf(world, run, fixes)
    assert np.median(by_tf) < 0.1
    assert by_tf.max() < 0.1 + 4 * SLIP.position * np.sqrt(2.0)
    assert by_odometry.max() > by_tf.max()
