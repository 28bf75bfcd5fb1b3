"""What the node adds to the TF tree, over DDS, beside the rest of a robot."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from rclpy.time import Time
from tf_world import TfWorld, at, seconds_after

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.ros.tf import links as tf_links
from reloc_ros.ros.tf.tree import TfConfig, TfOutcome

CAMERA = "camera_optical_frame"
MAP_FROM_CAMERA = SE3.from_rotation_vector([0.3, -0.2, 1.0], [2.0, 1.0, 0.5])
BASE_FROM_CAMERA = SE3.from_rotation_vector([-1.2, 1.2, -1.2], [0.3, 0.0, 0.4])
TOLERANCE_S = 0.25
COVARIANCE = 1e-4 * np.eye(6)


def odom_from_base(stamp: Time) -> SE3:
    """A robot that drives at 1 m/s."""
    x = stamp.nanoseconds % 1_000_000_000_000 * 1e-9
    return SE3.from_rotation_vector([0, 0, 0.4], [x, 0.0, 0.0])


@pytest.fixture
def world():
    world = TfWorld()
    yield world
    world.close()


@pytest.fixture
def simulated_world():
    world = TfWorld(simulated_time=True)
    yield world
    world.close()


@pytest.fixture
def drive():
    """drive(world): odometry at 50 Hz, and the camera on the robot, until the test ends."""
    stopped, threads = threading.Event(), []

    def start(world: TfWorld, parent: str = "odom", child: str = "base_link") -> None:
        world.send_static("base_link", CAMERA, BASE_FROM_CAMERA)

        def run() -> None:
            while not stopped.wait(0.02):
                stamp = world.now()
                world.send(parent, child, odom_from_base(stamp), stamp)

        threads.append(threading.Thread(target=run))
        threads[-1].start()

    yield start
    stopped.set()
    for thread in threads:
        thread.join()


def publish(world: TfWorld, tree, stamp: Time | None = None, frame: str = CAMERA) -> TfOutcome:
    """One pose, once the tree has been listened to."""
    stamp = stamp or world.now()
    outcome = tree.publish(stamp.to_msg(), MAP_FROM_CAMERA, frame, COVARIANCE)
    while outcome.reason == "listening":
        time.sleep(0.02)
        outcome = tree.publish(stamp.to_msg(), MAP_FROM_CAMERA, frame, COVARIANCE)
    return outcome


def publish_until(world: TfWorld, tree, reason: str) -> TfOutcome:
    """Poses of now, until one comes to that."""
    outcomes = []
    world.wait_for(
        lambda: outcomes.append(publish(world, tree)) or outcomes[-1].reason == reason,
        reason or "a transform",
    )
    return outcomes[-1]


def found(world: TfWorld, look: Callable[..., SE3 | TfOutcome], *arguments: object) -> SE3:
    """What a lookup gives once the transforms have come."""
    results: list[SE3 | TfOutcome] = []
    world.wait_for(lambda: results.append(look(*arguments)) or isinstance(results[-1], SE3), "the transform")
    return results[-1]


def _grown(world: TfWorld, before: int) -> bool:
    return len(world.sent("map", "odom")) > before


def _has_heard(world: TfWorld, count: int) -> bool:
    return len(world.heard) >= count


def assert_same(found: SE3, expected: SE3) -> None:
    np.testing.assert_allclose(found.matrix, expected.matrix, atol=1e-6)


def test_map_camera_is_the_pose_at_the_images_time(world):
    stamp = world.now()
    assert publish(world, world.tree("map_camera"), stamp) == TfOutcome(True, "", "")
    assert_same(world.wait_for_transform("map", CAMERA, stamp), MAP_FROM_CAMERA)


def test_map_base_takes_the_mount_off(world):
    world.send_static("base_link", CAMERA, BASE_FROM_CAMERA)
    stamp = world.now()
    assert publish(world, world.tree("map_base"), stamp).published
    assert_same(
        world.wait_for_transform("map", "base_link", stamp), MAP_FROM_CAMERA @ BASE_FROM_CAMERA.inverse()
    )
    assert_same(world.wait_for_transform("map", CAMERA, stamp), MAP_FROM_CAMERA)


@pytest.mark.parametrize("mode", ["map_camera", "map_base", "map_odom"])
def test_inverse_makes_the_map_the_child(world, drive, mode):
    """The other frame may then have a parent."""
    drive(world)
    tree = world.tree(mode, inverse=True, transform_tolerance_s=TOLERANCE_S)
    publish_until(world, tree, "")
    child = {"map_camera": CAMERA, "map_base": "base_link", "map_odom": "odom"}[mode]
    world.wait_for(lambda: world.sent(child, "map"), "the inverse")
    assert world.sent("map", child) == []


def test_map_odom_places_the_odometry_so_that_the_pose_holds_at_the_images_time(world, drive):
    drive(world)
    tree = world.tree("map_odom", transform_tolerance_s=TOLERANCE_S)
    publish_until(world, tree, "")
    world.wait_for(lambda: world.sent("map", "odom"), "a transform")
    stamp = seconds_after(
        world.now(), -0.011
    )  # between two messages of the odometry, the newest not there yet
    before = len(world.heard)
    assert publish(world, tree, stamp).published
    map_from_odom = MAP_FROM_CAMERA @ (odom_from_base(stamp) @ BASE_FROM_CAMERA).inverse()

    def follows() -> bool:
        newest = [m for m in world.heard[before:] if m.child_frame_id == "odom"]
        return any(abs(m.transform.translation.x - map_from_odom.translation[0]) < 1e-6 for m in newest)

    world.wait_for(follows, "the new correction")


def test_map_odom_goes_on_without_images_and_is_dated_ahead_by_the_tolerance(world, drive):
    drive(world)
    tree = world.tree("map_odom", transform_tolerance_s=TOLERANCE_S, republish_rate_hz=50.0)
    publish_until(world, tree, "")
    count = len(world.sent("map", "odom"))
    world.wait_for(lambda: len(world.sent("map", "odom")) >= count + 20, "twenty more")
    sent = world.sent("map", "odom")
    stamps_ns = [Time.from_msg(message.header.stamp).nanoseconds for message in sent]
    assert stamps_ns == sorted(set(stamps_ns))  # never twice the same, never back
    assert max(stamps_ns) <= world.now().nanoseconds + TOLERANCE_S * 1e9
    # What was dated ahead holds now: whoever asks for the newest odometry in the map gets it.
    stamp = world.now()
    world.wait_for_transform("map", "base_link", stamp)


def test_the_first_correction_holds_at_its_images_time(world, drive):
    drive(world)
    tree = world.tree("map_odom", transform_tolerance_s=TOLERANCE_S)
    world.wait_for_transform("odom", CAMERA, Time())
    outcome, stamp = TfOutcome(False, "", ""), world.now()
    while not outcome.published:
        stamp = world.now()
        outcome = tree.publish(stamp.to_msg(), MAP_FROM_CAMERA, CAMERA, COVARIANCE)
    assert_same(world.wait_for_transform("map", CAMERA, stamp), MAP_FROM_CAMERA)


def test_poses_are_never_dated_ahead(world):
    stamp = world.now()
    tree = world.tree("map_camera", transform_tolerance_s=TOLERANCE_S)
    publish(world, tree, stamp)
    world.wait_for(lambda: world.sent("map", CAMERA), "the pose")
    assert {Time.from_msg(m.header.stamp).nanoseconds for m in world.sent("map", CAMERA)} == {
        stamp.nanoseconds
    }


def test_a_transform_that_comes_after_the_image_is_waited_for(world):
    world.send_static("base_link", CAMERA, BASE_FROM_CAMERA)
    tree = world.tree("map_odom")
    stamp = world.now()
    world.send("odom", "base_link", odom_from_base(stamp), seconds_after(stamp, -0.1))
    found(world, tree.lookup, "odom", CAMERA, Time().to_msg())
    time.sleep(0.6)  # the tree is settled: nothing but the late transform is waited for
    late = threading.Timer(
        0.5, lambda: world.send("odom", "base_link", odom_from_base(stamp), seconds_after(stamp, 0.1))
    )
    late.start()
    assert publish(world, tree, stamp).published
    late.join()


def test_a_missing_transform_is_a_status_at_once(world):
    tree = world.tree("map_odom")  # waits long, but not for what nothing promises
    start_s = time.monotonic()
    outcome = publish(world, tree)
    assert time.monotonic() - start_s < 10
    assert (outcome.published, outcome.reason) == (False, "no_transform")
    assert "odom" in outcome.detail
    assert CAMERA in outcome.detail


def test_missing_then_there(world, drive):
    tree = world.tree("map_odom")
    assert publish(world, tree).reason == "no_transform"
    drive(world)
    assert publish_until(world, tree, "").published


@pytest.mark.parametrize(
    ("mode", "child", "send"),
    [("map_camera", CAMERA, "send_static"), ("map_base", "base_link", "send"), ("map_odom", "odom", "send")],
)
def test_a_frame_with_a_parent_gets_no_second_one_and_the_first_is_named(world, drive, mode, child, send):
    parent = {"map_camera": "base_link", "map_base": "odom", "map_odom": "world"}[mode]
    tree = world.tree(mode)
    drive(world)
    if mode == "map_odom":
        world.send_static(parent, child, SE3.identity())
    outcome = publish_until(world, tree, "parent_present")
    assert f"{child} has the parent {parent} already" in outcome.detail
    heard = len(world.heard)
    publish(world, tree)
    world.wait_for(lambda: len(world.heard) > heard + 10, "more of the odometry")
    assert [m for m in world.heard[heard:] if m.header.frame_id == "map"] == []


def test_a_parent_that_appears_later_ends_the_broadcast(world, drive):
    drive(world)
    tree = world.tree("map_odom", republish_rate_hz=50.0)
    publish_until(world, tree, "")
    world.wait_for(lambda: len(world.sent("map", "odom")) > 5, "the broadcast")
    world.send("elsewhere", "odom", SE3.identity(), world.now())
    publish_until(world, tree, "parent_present")
    counts = []
    for _ in range(2):  # what was under way when it ended has arrived after the first time
        heard = len(world.heard)
        world.wait_for(functools.partial(_has_heard, world, heard + 20), "more of the odometry")
        counts.append(len(world.sent("map", "odom")))
    assert counts[0] == counts[1]


def test_a_changing_parent_that_is_gone_frees_the_frame(world, monkeypatch):
    monkeypatch.setattr(tf_links, "MEMORY_S", 0.5)
    tree = world.tree("map_camera")
    publish_until(world, tree, "")
    world.send("elsewhere", CAMERA, SE3.identity(), world.now())
    publish_until(world, tree, "parent_present")
    assert publish_until(world, tree, "").published


def test_the_same_link_from_another_node_is_a_conflict_too(world, drive):
    drive(world)
    tree = world.tree("map_odom")
    publish_until(world, tree, "")
    world.send("map", "odom", SE3.identity(), world.now())
    outcome = publish_until(world, tree, "parent_present")
    assert "another node publishes odom under map" in outcome.detail


def test_a_loop_is_refused(world):
    tree = world.tree("map_camera", inverse=True)
    world.send_static("map", "wall", SE3.identity())
    world.send_static("wall", CAMERA, SE3.identity())
    outcome = publish_until(world, tree, "loop")
    assert f"{CAMERA} hangs from map already" in outcome.detail


def test_a_pose_without_time_or_frame_is_a_status(world):
    tree = world.tree("map_camera")
    assert publish(world, tree, Time()).reason == "no_stamp"
    assert publish(world, tree, frame="").reason == "no_frame"
    assert publish(world, tree, frame="map").reason == "no_frame"


def test_mode_none_broadcasts_nothing_and_listens_when_told_to(world):
    world.send_static("base_link", CAMERA, BASE_FROM_CAMERA)
    assert publish(world, world.tree("none")) == TfOutcome(False, "", "")
    tree = world.tree("none", listen=True)
    assert_same(found(world, tree.lookup, "base_link", CAMERA, world.now().to_msg()), BASE_FROM_CAMERA)
    assert world.heard == []


def test_motion_between_two_images_comes_from_the_odometry(world, drive):
    drive(world)
    tree = world.tree("none", listen=True)
    world.wait_for_transform("odom", CAMERA, Time())
    earlier = world.now()
    time.sleep(0.3)
    later = world.now()
    found(world, tree.lookup, "odom", CAMERA, later.to_msg())
    np.testing.assert_allclose(
        tree.motion(CAMERA, earlier.to_msg(), later.to_msg()).matrix,
        camera_motion(earlier, later).matrix,
        atol=1e-4,
    )


def camera_motion(earlier: Time, later: Time) -> SE3:
    """earlier_from_later of the camera on the robot that drives."""
    odom_from_camera = [odom_from_base(stamp) @ BASE_FROM_CAMERA for stamp in (earlier, later)]
    return odom_from_camera[0].inverse() @ odom_from_camera[1]


def test_motion_is_told_up_to_the_newest_odometry_at_once_or_not_at_all(world):
    tree = world.tree("map_base", lookup_timeout_s=10.0)
    earlier = world.now()
    later, much_later = seconds_after(earlier, 0.1), seconds_after(earlier, 0.2)
    assert tree.motion(CAMERA, earlier.to_msg(), later.to_msg()) is None
    world.send_static("base_link", CAMERA, BASE_FROM_CAMERA)
    for stamp in (earlier, later):
        world.send("odom", "base_link", odom_from_base(stamp), stamp)
        found(world, tree.lookup, "odom", CAMERA, stamp.to_msg())
    start_s = time.monotonic()
    behind = tree.motion(CAMERA, earlier.to_msg(), much_later.to_msg())
    np.testing.assert_allclose(behind.matrix, camera_motion(earlier, later).matrix, atol=1e-4)
    before = seconds_after(earlier, -0.1)
    assert tree.motion(CAMERA, before.to_msg(), later.to_msg()) is None
    assert time.monotonic() - start_s < 5
    assert world.tree("none").motion(CAMERA, earlier.to_msg(), later.to_msg()) is None


def test_a_clock_that_jumps_back_stops_the_broadcast_until_the_next_pose(simulated_world):
    world = simulated_world
    world.send_static("base_link", CAMERA, BASE_FROM_CAMERA)
    tree = world.tree("map_odom", republish_rate_hz=50.0, lookup_timeout_s=5.0)
    assert publish(world, tree, Time()).reason == "no_stamp"  # no time yet: nothing can be dated
    for first_s in (100.0, 3.0):  # a recording, and the same from its start again
        world.set_clock(first_s)
        before = len(world.sent("map", "odom"))
        for step in range(10):
            world.set_clock(first_s + 0.1 * step)
        assert len(world.sent("map", "odom")) == before, "a correction of before the jump"
        for step in range(12):
            world.send("odom", "base_link", odom_from_base(at(first_s)), at(first_s + 0.1 * step))
        found(world, tree.lookup, "odom", CAMERA, at(first_s + 1.1).to_msg())
        assert publish(world, tree, at(first_s + 1.0)).published
        world.set_clock(first_s + 1.2)
        world.wait_for(functools.partial(_grown, world, before), "the broadcast")
        stamps_s = [
            Time.from_msg(m.header.stamp).nanoseconds * 1e-9 for m in world.sent("map", "odom")[before:]
        ]
        assert first_s + 0.9 < min(stamps_s) <= max(stamps_s) <= first_s + 1.4


def test_a_recording_that_starts_over_without_its_clock_is_followed(world):
    """tf2's buffer refuses what is older than its newest by ten seconds."""
    world.send_static("base_link", CAMERA, BASE_FROM_CAMERA)
    tree = world.tree("none", listen=True)
    for first_s in (1000.0, 50.0):
        for step in range(5):
            world.send("odom", "base_link", SE3.identity(), at(first_s + step))
        found(world, tree.lookup, "odom", CAMERA, at(first_s + 2).to_msg())


@pytest.mark.parametrize("period_s", [0.1, 0.004], ids=["slower", "faster"])
def test_two_publishers_of_one_frame_whose_clocks_differ_stop_nothing_and_are_told_of(world, drive, period_s):
    drive(world)
    tree = world.tree("map_odom", republish_rate_hz=50.0)
    publish_until(world, tree, "")
    stopped = threading.Event()

    def lag() -> None:
        while not stopped.wait(period_s):
            late = seconds_after(world.now(), -5.0)
            world.send("odom", "base_link", odom_from_base(late), late)

    second = threading.Thread(target=lag)
    second.start()
    try:
        world.wait_for(lambda: "two publishers whose clocks differ" in tree.problem, "the problem")
        before = len(world.sent("map", "odom"))
        outcomes = [publish(world, tree) for _ in range(5)]
        world.wait_for(lambda: len(world.sent("map", "odom")) > before + 20, "map -> odom, on and on")
        assert {outcome.reason for outcome in outcomes} == {""}
    finally:
        stopped.set()
        second.join()


def test_a_clock_that_steps_back_a_little_is_told_while_nothing_is_sent(simulated_world, monkeypatch):
    world = simulated_world
    world.send_static("odom", CAMERA, BASE_FROM_CAMERA)
    tree = world.tree("map_odom", republish_rate_hz=50.0)
    monkeypatch.setattr(tree, "_on_jump", lambda _: None)  # the machine's clock tells nobody
    tree._jump_handle.unregister()
    world.set_clock(100.0)
    found(world, tree.lookup, "odom", CAMERA, at(100.0).to_msg())
    assert publish(world, tree, at(100.0)).published
    world.wait_for(lambda: world.sent("map", "odom"), "the broadcast")
    world.set_clock(99.5)
    outcome = publish(world, tree, at(99.5))
    assert (outcome.published, outcome.reason) == (False, "clock_differs")
    assert "went back" in outcome.detail and "0.50 s" in outcome.detail
    world.set_clock(100.1)
    assert publish(world, tree, at(100.1)).published


def test_images_of_another_clock_than_the_nodes_are_told_apart_in_map_odom(world, drive):
    drive(world)
    tree = world.tree("map_odom")
    outcome = publish(world, tree, at(1000.0))
    assert outcome.reason == "clock_differs"
    assert "use_sim_time" in outcome.detail


def test_close_ends_what_waits_and_may_come_twice(world):
    tree = world.tree("map_odom")
    stamp = world.now()
    world.send("odom", CAMERA, SE3.identity(), stamp)
    world.wait_for_transform("odom", CAMERA, stamp)
    late = seconds_after(stamp, 1.0)
    closer = threading.Timer(1.0, tree.close)
    closer.start()
    start_s = time.monotonic()
    outcome = publish(world, tree, late)
    assert time.monotonic() - start_s < 20
    assert not outcome.published
    closer.join()
    tree.close()
    assert not publish(world, tree, late).published
    assert world.node.count_publishers("/tf") == 1  # the robot's


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"mode": "odom"}, "tf_mode must be one of"),
        ({"mode": "map_odom", "scale_known": False}, "scale of this one is unknown"),
        ({"mode": "map_base", "scale_known": False}, "scale of this one is unknown"),
        ({"mode": "map_odom", "odom_frame": ""}, "one of them is empty"),
        ({"mode": "map_camera", "map_frame": ""}, "one of them is empty"),
        ({"mode": "map_base", "base_frame": "map"}, "both are named map"),
        ({"mode": "map_camera", "planar": True}, "planar puts the robot on the ground"),
        ({"mode": "none", "planar": True, "scale_known": False}, "planar needs a map in metres"),
        ({"transform_tolerance_s": -1.0}, "transform_tolerance_s must be"),
        ({"lookup_timeout_s": float("nan")}, "lookup_timeout_s must be"),
        ({"republish_rate_hz": 0.0}, "republish_rate_hz must be"),
    ],
)
def test_a_configuration_without_sense_is_a_sentence(config, words):
    with pytest.raises(RelocError, match=words):
        TfConfig(**config)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("transform_tolerance_s", 0, 10), ("lookup_timeout_s", 0, 10), ("republish_rate_hz", 0.001, 1000)],
)
def test_a_range_holds_its_limits_and_no_more(name, low, high):
    assert [getattr(TfConfig(**{name: value}), name) for value in (low, high)] == [low, high]
    for value in (low - 1e-6, high + 1e-6):
        with pytest.raises(RelocError, match=f"{name} must be from {low} to {high}"):
            TfConfig(**{name: value})


def test_a_map_of_unknown_scale_may_still_hold_the_camera():
    assert TfConfig("map_camera", scale_known=False).mode == "map_camera"
