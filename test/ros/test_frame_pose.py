"""What TF adds to a camera's pose, with a tree that answers as a test wants it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from builtin_interfaces.msg import Time as Stamp
from std_msgs.msg import Header

from reloc_ros.geometry import SE3
from reloc_ros.inference.keypoints import NO_KEYPOINTS
from reloc_ros.localizer import Localized, Lost
from reloc_ros.pose.planar import on_ground
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.input.image_outcome import ImageOutcome
from reloc_ros.ros.tf.config import TfConfig, TfOutcome
from reloc_ros.ros.tf.frame_pose import FramePose, expected_pose, pose_of_frame, refused_if_tilted
from reloc_ros.ros.tf.placement import placement
from reloc_ros.stream.status import StampedPose

STAMP = Stamp(sec=100, nanosec=250_000_000)
CAMERA = "eye"
MAP_FROM_BASE = SE3.from_rotation_vector([0.03, -0.02, 0.7], [1.0, 2.0, 0.1])
"""By 2 deg off level."""
BASE_FROM_CAMERA = SE3.from_rotation_vector([-1.2, 1.2, -1.2], [0.3, 0.1, 0.5])
ODOM_FROM_BASE = SE3.from_rotation_vector([0, 0.05, 0.4], [5.0, 2.0, 0.2])
MAP_FROM_CAMERA = MAP_FROM_BASE @ BASE_FROM_CAMERA
ROOT_FROM = {
    CAMERA: ODOM_FROM_BASE @ BASE_FROM_CAMERA,
    "base_link": ODOM_FROM_BASE,
    "odom": SE3.identity(),
}
MISSING = TfOutcome(False, "no_transform", "no transform at all")
SEEN = Localized(
    MAP_FROM_CAMERA.inverse(), np.diag(np.arange(1, 7) * 1e-4), NO_KEYPOINTS, np.zeros(0, bool), math.nan, {}
)


class Tree:
    """Knows the robot of one moment, less the frames that are missing, and how its camera moved."""

    def __init__(self, *missing: str, moved: SE3 | None = None) -> None:
        self._missing, self._moved = missing, moved
        self.asked: list[tuple[Stamp, Stamp]] = []

    def lookup(self, target: str, source: str, stamp: Stamp = STAMP) -> SE3 | TfOutcome:
        assert stamp == STAMP
        if target in self._missing or source in self._missing:
            return MISSING
        return ROOT_FROM[target].inverse() @ ROOT_FROM[source]

    def motion(self, frame: str, earlier: Stamp, later: Stamp) -> SE3 | None:
        assert frame == CAMERA
        self.asked.append((earlier, later))
        return self._moved


def assert_same(found: SE3, expected: SE3) -> None:
    np.testing.assert_allclose(found.matrix, expected.matrix, atol=1e-9)


@pytest.mark.parametrize("frame", ["", CAMERA])
def test_the_cameras_own_pose_needs_no_tree(frame):
    found = pose_of_frame(frame, CAMERA, SEEN, STAMP, Tree(CAMERA))
    assert found.frame == CAMERA
    assert_same(found.map_from_frame, MAP_FROM_CAMERA)
    np.testing.assert_array_equal(found.covariance, SEEN.covariance)


def test_another_frame_is_placed_by_its_mount_and_is_less_certain_where_it_is_far():
    found = pose_of_frame("base_link", CAMERA, SEEN, STAMP, Tree())
    assert found.frame == "base_link"
    assert_same(found.map_from_frame, MAP_FROM_BASE)
    assert np.trace(found.covariance[:3, :3]) > np.trace(SEEN.covariance[:3, :3])
    np.testing.assert_allclose(found.covariance[3:, 3:], SEEN.covariance[3:, 3:], atol=1e-12)
    assert pose_of_frame("base_link", CAMERA, SEEN, STAMP, Tree("base_link")) is MISSING


def test_a_pose_that_is_seen_from_another_frame_turns_with_its_covariance():
    pose = FramePose("base_link", MAP_FROM_BASE, SEEN.covariance)
    turned = SE3.from_rotation_vector([0, 0, np.pi / 2], [7.0, -1.0, 0.0])
    seen = pose.seen_from(turned)
    assert_same(seen.map_from_frame, turned @ MAP_FROM_BASE)
    np.testing.assert_allclose(seen.covariance, np.diag([2, 1, 3, 5, 4, 6]) * 1e-4, atol=1e-12)
    back = seen.seen_from(turned.inverse())
    np.testing.assert_allclose(back.covariance, pose.covariance, atol=1e-12)


def outcome_of(result: Localized | Lost | None, frame: str = CAMERA) -> ImageOutcome:
    return ImageOutcome(Header(stamp=STAMP, frame_id=frame), None, result, "", "", 0.01)


def test_a_base_that_would_lie_farther_off_level_than_it_may_is_no_pose():
    off_deg = math.degrees(math.acos(MAP_FROM_BASE.rotation[2, 2]))
    for limit_deg, is_refused in ((off_deg + 0.1, False), (off_deg - 0.1, True)):
        given = Parameters(planar_max_tilt=math.radians(limit_deg))
        found = refused_if_tilted(outcome_of(SEEN), given, Tree())
        assert (found.reason == "tilted") == isinstance(found.result, Lost) == is_refused
    assert f"{off_deg:.1f} deg off level" in found.detail and found.result.keypoints is SEEN.keypoints


def test_the_camera_frame_that_is_given_stands_for_the_images_own():
    given = Parameters(planar_max_tilt=0.001, camera_frame=CAMERA)
    assert refused_if_tilted(outcome_of(SEEN, "body"), given, Tree()).reason == "tilted"


def test_what_has_no_pose_or_no_known_mount_is_left_as_it_is():
    given, lost = Parameters(planar_max_tilt=0.001), outcome_of(None)
    assert refused_if_tilted(lost, given, Tree()) is lost
    unknown = outcome_of(SEEN)
    assert refused_if_tilted(unknown, given, Tree("base_link")) is unknown


def test_the_camera_is_expected_where_it_was_moved_as_the_odometry_says():
    before_from_now = SE3.from_rotation_vector([0, 0.1, 0], [0.2, 0, 0.3])
    last, tree = StampedPose(MAP_FROM_CAMERA.inverse(), 100.0), Tree(moved=before_from_now)
    expected = expected_pose(last, STAMP, CAMERA, tree)
    assert_same(expected.inverse(), MAP_FROM_CAMERA @ before_from_now)
    assert tree.asked == [(Stamp(sec=100), STAMP)]
    assert expected_pose(last, STAMP, CAMERA, Tree()) is None


def test_nothing_is_expected_while_lost_without_odometry_and_of_an_image_that_is_no_newer():
    last, tree = StampedPose(MAP_FROM_CAMERA.inverse(), 100.25), Tree(moved=SE3.identity())
    assert expected_pose(None, STAMP, CAMERA, tree) is None
    assert expected_pose(last, STAMP, CAMERA, None) is None
    assert expected_pose(last, STAMP, CAMERA, tree) is None
    assert tree.asked == []


def placed(child: str, tree: Tree, **config: object):
    config = TfConfig(mode="map_odom", **config)
    return placement(config, child, CAMERA, MAP_FROM_CAMERA, SEEN.covariance, tree.lookup)


@pytest.mark.parametrize("child", ["base_link", "odom"])
def test_a_frame_is_placed_so_that_the_camera_is_where_it_was_seen(child):
    found = placed(child, Tree())
    assert_same(found.map_from_child @ found.child_from_body, MAP_FROM_CAMERA)
    assert_same(found.child_from_body, ROOT_FROM[child].inverse() @ ROOT_FROM[CAMERA])
    assert found.covariance is SEEN.covariance
    assert placed(child, Tree(child)) is MISSING


def test_on_the_ground_a_frame_is_placed_upright_so_that_the_base_is_where_it_was_seen_from_above():
    found = placed("odom", Tree(), planar=True, planar_z=-0.3)
    assert_same(found.child_from_body, on_ground(ODOM_FROM_BASE))
    assert_same(found.map_from_child @ found.child_from_body, on_ground(MAP_FROM_BASE, -0.3))
    assert np.abs(found.covariance[2:5][:, [0, 1, 5]]).max() == 0
    for missing in (CAMERA, "odom", "base_link"):
        assert placed("odom", Tree(missing), planar=True) is MISSING
