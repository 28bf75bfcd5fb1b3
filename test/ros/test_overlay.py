"""What our stand-ins promise, and the genuine tf2_ros and bondpy too: it runs against whichever is there."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import TransformStamped
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header
from tf2_ros import (
    Buffer,
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    StaticTransformBroadcaster,
    TransformBroadcaster,
    TransformException,
    TransformListener,
)

from reloc_ros.geometry import SE3
from reloc_ros.ros.conversions import se3_from_transform, transform_from_se3

LATEST = Time()


def at(seconds: float) -> Time:
    return Time(nanoseconds=round(seconds * 1e9))


def link(parent: str, child: str, parent_from_child: SE3, seconds: float = 1.0) -> TransformStamped:
    message = TransformStamped(child_frame_id=child, transform=transform_from_se3(parent_from_child))
    message.header = Header(frame_id=parent, stamp=at(seconds).to_msg())
    return message


def shift(x: float, angle: float = 0.0) -> SE3:
    return SE3.from_rotation_vector([0, 0, angle], [x, 0.2, 0.3])


@pytest.fixture
def buffer():
    """map <- odom <- base at 1 s and 2 s, with a camera fixed to the base; and an island."""
    buffer = Buffer()
    for seconds in (1.0, 2.0):
        buffer.set_transform(link("map", "odom", shift(seconds, 0.5 * seconds), seconds), "test")
        buffer.set_transform(link("odom", "base", shift(2 * seconds), seconds), "test")
    buffer.set_transform_static(link("base", "camera", shift(0.1, -1.0)), "test")
    buffer.set_transform_static(link("island", "hut", shift(0.0)), "test")
    return buffer


def matrix(buffer, target, source, time) -> np.ndarray:
    return se3_from_transform(buffer.lookup_transform(target, source, time).transform).matrix


def test_a_lookup_chains_the_links_up_and_down(buffer):
    expected = shift(2.0, 1.0) @ shift(4.0) @ shift(0.1, -1.0)
    np.testing.assert_allclose(matrix(buffer, "map", "camera", at(2.0)), expected.matrix, atol=1e-9)
    np.testing.assert_allclose(matrix(buffer, "camera", "map", at(2.0)), expected.inverse().matrix, atol=1e-9)


def test_a_lookup_names_its_frames_and_its_time(buffer):
    found = buffer.lookup_transform("map", "camera", at(1.5))
    assert (found.header.frame_id, found.child_frame_id) == ("map", "camera")
    assert found.header.stamp == at(1.5).to_msg()


def test_between_two_stamps_position_is_linear_and_rotation_even(buffer):
    np.testing.assert_allclose(matrix(buffer, "map", "odom", at(1.25)), shift(1.25, 0.625).matrix, atol=1e-6)


def test_time_zero_is_the_latest_that_all_links_have(buffer):
    buffer.set_transform(link("map", "odom", shift(9.0), 3.0), "test")
    assert buffer.lookup_transform("map", "camera", LATEST).header.stamp == at(2.0).to_msg()
    assert buffer.lookup_transform("map", "odom", LATEST).header.stamp == at(3.0).to_msg()


def test_static_links_hold_at_any_time(buffer):
    np.testing.assert_allclose(matrix(buffer, "base", "camera", at(1e6)), shift(0.1, -1.0).matrix, atol=1e-9)


def test_a_frame_in_itself_is_the_identity(buffer):
    np.testing.assert_allclose(matrix(buffer, "odom", "odom", at(2.0)), np.eye(4))


@pytest.mark.parametrize(
    ("kind", "target", "source", "seconds"),
    [
        (LookupException, "map", "nowhere", 1.0),
        (ConnectivityException, "map", "hut", 1.0),
        (ExtrapolationException, "map", "base", 2.5),
        (ExtrapolationException, "map", "base", 0.5),
        (InvalidArgumentException, "", "base", 1.0),
        (InvalidArgumentException, "/map", "base", 1.0),
    ],
)
def test_each_reason_why_there_is_no_transform_has_its_exception(buffer, kind, target, source, seconds):
    assert issubclass(kind, TransformException)
    with pytest.raises(kind):
        buffer.lookup_transform(target, source, at(seconds))
    assert not buffer.can_transform(target, source, at(seconds))


def test_a_lookup_between_two_times_holds_the_fixed_frame(buffer):
    found = buffer.lookup_transform_full("odom", at(2.0), "odom", at(1.0), "map")
    expected = shift(2.0, 1.0).inverse() @ shift(1.0, 0.5)
    np.testing.assert_allclose(se3_from_transform(found.transform).matrix, expected.matrix, atol=1e-9)


def test_old_links_are_forgotten_and_too_old_ones_not_taken():
    buffer = Buffer(Duration(seconds=5))
    for seconds in (1.0, 2.0, 10.0):
        buffer.set_transform(link("map", "odom", shift(seconds), seconds), "test")
    buffer.set_transform(link("map", "odom", shift(3.0), 3.0), "test")
    with pytest.raises(ExtrapolationException):
        buffer.lookup_transform("map", "odom", at(3.0))


def test_links_that_are_none_are_not_taken(buffer):
    bad = link("map", "odom", shift(0.0), 4.0)
    bad.transform.rotation.w = (
        0.0  # one merely too long is normalized by newer distributions, refused by older ones
    )
    nan = link("map", "odom", shift(0.0), 4.0)
    nan.transform.translation.x = float("nan")
    own = link("odom", "odom", shift(0.0), 4.0)
    for message in (bad, nan, own):
        buffer.set_transform(message, "test")
    assert not buffer.can_transform("map", "odom", at(4.0))


def test_clearing_forgets_what_moves(buffer):
    buffer.clear()
    assert not buffer.can_transform("map", "base", LATEST)
    assert buffer.can_transform("base", "camera", LATEST)


def test_waiting_ends_with_the_timeout_or_with_the_transform(buffer):
    assert not buffer.can_transform("map", "base", at(9.0), Duration(seconds=0.1))
    new = link("map", "odom", shift(3.0), 3.0)
    threading.Timer(0.2, buffer.set_transform, (new, "test")).start()
    assert not buffer.can_transform("map", "odom", at(3.0))
    found = buffer.lookup_transform("map", "odom", at(3.0), Duration(seconds=30))
    assert found.header.stamp == at(3.0).to_msg()


def test_transforms_travel_from_the_broadcasters_to_a_late_listener():
    context = Context()
    rclpy.init(context=context)
    sender, receiver = Node("sender", context=context), Node("receiver", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(sender)
    executor.add_node(receiver)
    try:
        broadcaster, static_broadcaster = TransformBroadcaster(sender), StaticTransformBroadcaster(sender)
        static_broadcaster.sendTransform(link("base", "camera", shift(0.1)))
        static_broadcaster.sendTransform([link("base", "lidar", shift(0.2))])
        buffer = Buffer(node=receiver)
        listener = TransformListener(buffer, receiver)
        deadline_s = time.monotonic() + 30  # not so many turns: each may end at once
        while not all(buffer.can_transform("map", child, LATEST) for child in ("camera", "lidar")):
            assert time.monotonic() < deadline_s
            broadcaster.sendTransform(link("map", "base", shift(1.0)))
            executor.spin_once(timeout_sec=0.05)
        np.testing.assert_allclose(matrix(buffer, "map", "lidar", at(1.0)), (shift(1.0) @ shift(0.2)).matrix)
        listener.unregister()
    finally:
        executor.shutdown()
        sender.destroy_node()
        receiver.destroy_node()
        context.try_shutdown()
