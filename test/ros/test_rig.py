"""What several cameras come to, with cameras and a TF tree that answer as a test wants it."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from reloc_ros.geometry import SE3
from reloc_ros.inference.keypoints import NO_KEYPOINTS
from reloc_ros.localizer import Localized
from reloc_ros.ros.control.camera_parameters import CameraParameters
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.input.image_outcome import ImageOutcome
from reloc_ros.ros.rig import localized
from reloc_ros.ros.tf.config import TfOutcome

NAMES = ("front", "rear", "up")
MAP_FROM_BASE = SE3.from_rotation_vector([0, 0, 0.7], [1.0, 2.0, 0.0])
BASE_FROM = {
    name: SE3.from_rotation_vector([0.1 * n, -0.3, n], [0.3, 0.1 * n, 0.5]) for n, name in enumerate(NAMES)
}
GIVEN = Parameters(rig=tuple(CameraParameters(name) for name in NAMES))
STAMP = Time(sec=100)
MISSING = TfOutcome(False, "no_transform", "no transform at all")


class Tree:
    """Knows the mounts, and how the base moved between any two times."""

    def __init__(self, *, missing: str = "", moved: SE3 | None = None) -> None:
        self._missing, self._moved = missing, moved

    def lookup(self, target: str, source: str, stamp: Time) -> SE3 | TfOutcome:
        assert source == "base_link"
        return MISSING if target == self._missing else BASE_FROM[target].inverse()

    def motion(self, frame: str, earlier: Time, later: Time) -> SE3 | None:
        return self._moved


def image(name: str, *, off: float | None = 0.0, stamp: Time = STAMP, sigma: float = 0.01) -> SimpleNamespace:
    """One that gives the true pose, `off` metres beside it, none (None) or an exception (NaN)."""
    header = Header(stamp=stamp, frame_id=name)

    def localize(*_) -> ImageOutcome:
        if off is None:
            return ImageOutcome(header, None, None, "no_keypoints", "it is dark", 0.01)
        if math.isnan(off):
            raise ZeroDivisionError("by it")
        map_from_camera = SE3(np.eye(3), np.array([off, 0, 0])) @ MAP_FROM_BASE @ BASE_FROM[name]
        inliers = NO_KEYPOINTS.scores > 0
        result = Localized(
            map_from_camera.inverse(), sigma**2 * np.eye(6), NO_KEYPOINTS, inliers, math.nan, {}
        )
        return ImageOutcome(header, None, result, "", "", 0.01)

    stream = SimpleNamespace(name=name, localize=localize, frame=lambda *_: name)
    return SimpleNamespace(stream=stream, message=SimpleNamespace(header=header))


def seen(*images, tree: Tree | None = None, given: Parameters = GIVEN):
    return localized(images, SimpleNamespace(of=lambda _: None), None, given, None, tree or Tree())


def base_of(found) -> SE3:
    assert found.outcome.header.frame_id == "base_link"
    return found.outcome.result.camera_from_map.inverse()


def test_cameras_that_agree_give_the_base_and_each_makes_it_more_certain():
    traces = []
    for count in (1, 2, 3):
        found = seen(*map(image, NAMES[:count]))
        np.testing.assert_allclose(base_of(found).matrix, MAP_FROM_BASE.matrix, atol=1e-9)
        assert (found.refused, found.outcome.detail) == ({}, "")
        traces.append(np.trace(found.outcome.result.covariance))
    assert traces[0] > 1.5 * traces[1] > 1.5 * traces[2]


def test_one_that_is_lost_leaves_the_pose_to_the_others():
    found = seen(image("front", off=None), image("rear"))
    np.testing.assert_allclose(base_of(found).matrix, MAP_FROM_BASE.matrix, atol=1e-9)
    assert [one.reason for one in found.outcomes] == ["no_keypoints", ""]


def test_where_all_are_lost_each_says_why():
    found = seen(image("front", off=None), image("rear", off=None))
    assert (found.outcome.result, found.outcome.reason) == (None, "no_keypoints")
    assert found.outcome.detail == "front: it is dark; rear: it is dark"


def test_of_two_that_disagree_neither_counts_and_of_three_the_two_that_agree_do():
    found = seen(image("front"), image("rear", off=0.5))
    assert (found.outcome.result, found.outcome.reason) == (None, "cameras_disagree")
    assert "front and rear put base_link 0.50 m and 0.0 deg apart" in found.outcome.detail
    assert {why.reason for why in found.refused.values()} == {"cameras_disagree"}

    found = seen(image("front"), image("rear", off=0.5), image("up"))
    np.testing.assert_allclose(base_of(found).matrix, MAP_FROM_BASE.matrix, atol=1e-9)
    assert set(found.refused) == {"rear"} and found.outcome.detail.startswith("rear is left out: rear and ")


def test_a_mount_that_is_not_known_so_well_makes_the_gate_wider():
    loose = Parameters(rig=GIVEN.rig, mount_position_sigma=0.2)
    assert seen(image("front"), image("rear", off=0.5), given=loose).outcome.reason == ""


def test_a_camera_whose_mount_is_not_on_tf_says_so():
    found = seen(image("front"), image("rear"), tree=Tree(missing="rear"))
    np.testing.assert_allclose(base_of(found).matrix, MAP_FROM_BASE.matrix, atol=1e-9)
    assert found.refused == {"rear": MISSING} and "rear is left out: no transform" in found.outcome.detail
    found = seen(image("rear"), tree=Tree(missing="rear"))
    assert (found.outcome.result, found.outcome.reason) == (None, "no_transform")


def test_poses_are_moved_to_the_newest_time_by_the_odometry_or_else_less_certain():
    later = Time(sec=100, nanosec=10_000_000)
    step = SE3.from_rotation_vector([0, 0, 0.02], [0.3, 0, 0])
    found = seen(image("front"), image("rear", off=None, stamp=later), tree=Tree(moved=step))
    assert found.outcome.header.stamp == STAMP  # nobody has a pose of later
    up = image("up", stamp=later, sigma=100.0)
    found = seen(image("front"), up, tree=Tree(moved=step))
    assert found.outcome.header.stamp == later
    np.testing.assert_allclose(base_of(found).matrix, (MAP_FROM_BASE @ step).matrix, atol=1e-3)
    still = seen(image("front"), up)
    np.testing.assert_allclose(base_of(still).matrix, MAP_FROM_BASE.matrix, atol=1e-3)
    assert np.trace(still.outcome.result.covariance) > 2 * np.trace(found.outcome.result.covariance)


def test_a_robot_that_lies_on_its_side_is_told_by_camera():
    lying = {
        name: SE3.from_rotation_vector([1.5, 0, 0], [0, 0, 0]) @ mount for name, mount in BASE_FROM.items()
    }

    class Wrong(Tree):
        def lookup(self, target: str, source: str, stamp: Time) -> SE3:
            return lying[target].inverse()

    found = seen(image("front"), image("rear"), tree=Wrong())
    assert found.outcome.reason == "" and "name that by rear.camera_frame" in found.outcome.detail


def test_an_image_that_raises_costs_itself_unless_all_do():
    found = seen(image("front", off=math.nan), image("rear"))
    np.testing.assert_allclose(base_of(found).matrix, MAP_FROM_BASE.matrix, atol=1e-9)
    assert (found.outcomes[0].reason, "ZeroDivisionError: by it" in found.outcomes[0].detail) == (
        "image_failed",
        True,
    )
    with pytest.raises(ZeroDivisionError):
        seen(image("front", off=math.nan), image("rear", off=math.nan))


def test_a_single_camera_is_left_as_it_is():
    only = image("front")
    found = seen(only, given=Parameters())
    assert found.outcome is found.outcomes[0] and found.outcome.header.frame_id == "front"
