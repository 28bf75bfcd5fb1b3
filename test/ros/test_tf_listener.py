"""What the listener makes of transforms, given to it by hand: nothing comes late or in another order by itself."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hand_fed import START_S, HandFed, link, pose
from tf_world import at

from reloc_ros.geometry import SE3
from reloc_ros.ros.tf.config import TfConfig, TfOutcome
from reloc_ros.ros.tf.links import MEMORY_S
from reloc_ros.ros.tf.listener import (
    PROBLEM_S,
    SETTLE_AT_MOST_S,
    SETTLE_S,
    STARTED_OVER_MESSAGES,
    STARTED_OVER_NS,
    TfListener,
)

FAR_S = STARTED_OVER_NS * 1e-9 + 0.1
"""Back by this much is no jitter."""


class Robot(HandFed):
    """One that a listener of its own listens to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self.restarts = 0
        self.listener = self.another_listener()

    def another_listener(self) -> TfListener:
        return TfListener(self.node, self._restart)

    def _restart(self) -> None:
        self.restarts += 1

    def drive(self, *stamps_s: float, child: str = "base") -> None:
        for stamp_s in stamps_s:
            self.hear(link("odom", child, stamp_s))

    def knows(self, stamp_s: float, child: str = "base") -> bool:
        return isinstance(self.listener.lookup("odom", child, at(stamp_s), 0.0), SE3)


@pytest.fixture
def robot(monkeypatch):
    return Robot(monkeypatch)


def test_the_tree_is_known_after_a_moment_or_once_the_static_one_was_heard(robot):
    robot.monotonic_s += SETTLE_S - 0.01
    assert not robot.listener.is_settled
    robot.monotonic_s += 0.02
    assert robot.listener.is_settled  # nobody publishes /tf_static
    robot.static_publishers = 1
    assert not robot.listener.is_settled
    robot.hear(link("base", "camera"))
    assert not robot.listener.is_settled
    robot.hear(link("base", "eye", stamp_s=0.0), static=True)  # as static ones often are
    assert robot.listener.is_settled and robot.listener.problem == "" and robot.restarts == 0


def test_a_static_tree_is_not_waited_for_for_ever_and_a_moment_even_where_it_came_at_once(robot):
    robot.static_publishers = 1
    robot.monotonic_s += SETTLE_AT_MOST_S - 0.01
    assert not robot.listener.is_settled
    robot.monotonic_s += 0.02
    assert robot.listener.is_settled
    other = robot.another_listener()
    robot.hear(link("base", "eye"), static=True)
    assert not other.is_settled


def test_own_transforms_are_known_by_every_number_also_by_the_listener_that_comes_next(robot):
    own = link("map", "odom")
    robot.listener.sending(own)
    robot.hear(own)
    assert robot.listener.conflict("map", "odom") is None
    next_one = robot.another_listener()
    next_one.inherit(robot.listener)
    robot.hear(own)
    assert next_one.conflict("map", "odom") is None
    robot.hear(link("map", "odom", START_S + 1e-9))  # another's, a nanosecond later
    assert "another node publishes odom under map on /tf already" in next_one.conflict("map", "odom").detail


@pytest.mark.parametrize("field", ["translation", "rotation"])
def test_a_transform_that_differs_from_our_own_by_a_number_is_of_another_node(robot, field):
    own, other = link("map", "odom"), link("map", "odom")
    getattr(other.transform, field).z += 1e-9
    robot.listener.sending(own)
    robot.hear(own, other)
    assert robot.listener.conflict("map", "odom").reason == "parent_present"


def test_a_second_parent_and_a_loop_are_conflicts_with_the_topic_of_the_first(robot):
    robot.hear(link("world", "odom"), link("odom", "base"))
    robot.hear(link("base", "camera"), static=True)
    assert "odom has the parent world already, from /tf, " in robot.listener.conflict("map", "odom").detail
    assert "from /tf_static" in robot.listener.conflict("map", "camera").detail
    assert robot.listener.conflict("camera", "world").reason == "loop"
    refused = [("map", "odom"), ("map", "camera"), ("camera", "world")]
    assert not any(robot.listener.conflict(*each).published for each in refused)
    assert robot.listener.conflict("map", "world") is None


def test_slashes_before_the_names_are_left_out_of_who_is_whose_parent(robot):
    robot.hear(link("/world", "/odom"))
    assert "parent world" in robot.listener.conflict("map", "odom").detail


def test_a_transform_that_is_none_costs_itself_and_is_told_for_a_while(robot):
    bad, good = link("odom", "wheel"), link("odom", "base")
    bad.header.stamp.sec = -1
    nameless, unnamed_parent, far = link("odom", "/"), link("/", "wheel"), link("odom", "wheel")
    far.transform.translation.x = 1e300
    unnamed = [(nameless, "no name"), (unnamed_parent, "no name")]
    for message, words in ((bad, "stamped -1 s"), *unnamed, (far, "1e+300")):
        robot.hear(message, good)
        assert words in robot.listener.problem and "is ignored" in robot.listener.problem
    assert robot.knows(START_S) and robot.listener.conflict("map", "wheel") is None
    assert len(robot.warnings) == 1  # it is told, and logged once
    robot.monotonic_s += PROBLEM_S - 0.1
    assert robot.listener.problem
    robot.monotonic_s += 0.2
    assert robot.listener.problem == ""


def test_a_lookup_gives_the_transform_of_the_time_and_direction_asked_for(robot):
    robot.drive(START_S, START_S + 1)
    robot.hear(link("base", "camera", moved=SE3.from_rotation_vector([1, 0, 0], [0, 0, 0.5])), static=True)
    found = robot.listener.lookup("odom", "base", at(START_S + 0.5), 0.0)
    np.testing.assert_allclose(found.matrix, pose(START_S + 0.5).matrix, atol=1e-6)
    back = robot.listener.lookup("base", "odom", at(START_S + 0.5), 0.0)
    np.testing.assert_allclose((back @ found).matrix, np.eye(4), atol=1e-9)
    np.testing.assert_array_equal(robot.listener.lookup("x", "x", at(0), 0.0).matrix, np.eye(4))


def waited(
    robot, stamp_s: float, frame: str = "base", timeout_s: float = 80.0
) -> tuple[list, threading.Thread]:
    """A lookup on a thread of its own, which has had time to begin; its timeout is by the robot's clock."""
    results: list[SE3 | TfOutcome] = []
    thread = threading.Thread(
        target=lambda: results.append(robot.listener.lookup("odom", frame, at(stamp_s), timeout_s))
    )
    thread.start()
    time.sleep(0.1)
    return results, thread


def test_a_transform_that_has_not_come_that_far_is_waited_for(robot):
    robot.drive(START_S)
    results, thread = waited(robot, START_S + 1)
    robot.drive(START_S + 0.5)  # not far enough
    time.sleep(0.1)
    assert results == []
    robot.drive(START_S + 1.5)
    thread.join()
    np.testing.assert_allclose(results[0].matrix, pose(START_S + 1).matrix, atol=1e-6)


@pytest.mark.parametrize("rate_hz", [5.0, 10.0])
def test_slow_and_late_odometry_is_waited_for_by_default(robot, rate_hz):
    """An image that comes just after a message is passed by the next, which is late: 350 ms after it at 5 Hz."""
    robot.drive(START_S)
    results, thread = waited(robot, START_S + 1e-3, timeout_s=TfConfig.lookup_timeout_s)
    robot.monotonic_s += 1 / rate_hz + 0.15
    robot.drive(START_S + 1 / rate_hz)
    thread.join(60)
    assert not thread.is_alive() and isinstance(results[0], SE3)


def test_what_nothing_promises_and_what_is_past_is_not_waited_for(robot):
    robot.drive(START_S)
    for stamp_s, frame in ((START_S + 1, "nobody"), (START_S - 1, "base")):
        results, thread = waited(robot, stamp_s, frame)
        thread.join(60)
        assert not thread.is_alive() and results[0].reason == "no_transform" and not results[0].published


def test_the_time_to_wait_is_the_time_given(robot):
    robot.drive(START_S)
    results, thread = waited(robot, START_S + 1)
    robot.monotonic_s += 81.0
    robot.drive(START_S + 0.1)
    thread.join(60)
    assert not thread.is_alive() and results[0].reason == "no_transform"


def test_closing_ends_what_waits_and_nothing_is_heard_from_then_on(robot):
    robot.drive(START_S)
    results, thread = waited(robot, START_S + 1)
    robot.listener.close()
    thread.join(60)
    assert not thread.is_alive() and results[0].reason == "no_transform"
    assert robot.destroyed == ["/tf", "/tf_static"]
    robot.drive(START_S + 2)  # what was under way
    assert not robot.knows(START_S + 1)


def test_motion_is_told_up_to_the_newest_and_not_without_the_beginning(robot):
    robot.drive(START_S, START_S + 1, START_S + 2)
    earlier, later = pose(START_S + 0.5), pose(START_S + 1.5)
    found = robot.listener.motion("base", "odom", at(START_S + 0.5), at(START_S + 1.5))
    np.testing.assert_allclose(found.matrix, (earlier.inverse() @ later).matrix, atol=1e-6)
    newest = robot.listener.motion("base", "odom", at(START_S + 0.5), at(START_S + 9))
    np.testing.assert_allclose(newest.matrix, (earlier.inverse() @ pose(START_S + 2)).matrix, atol=1e-6)
    assert robot.listener.motion("base", "odom", at(START_S - 1), at(START_S + 1)) is None


def test_a_recording_that_starts_over_is_followed_from_its_first_messages(robot):
    robot.drive(START_S, START_S + 20)
    again = START_S + 5
    robot.drive(*(again + 0.1 * n for n in range(STARTED_OVER_MESSAGES - 1)))
    assert robot.restarts == 0 and robot.knows(START_S + 20)
    robot.drive(again + 0.1 * STARTED_OVER_MESSAGES)
    assert robot.restarts == 1
    assert robot.knows(again) and not robot.knows(START_S + 20)
    robot.drive(again + 1)
    assert robot.knows(again + 1) and robot.restarts == 1 and robot.listener.problem == ""


def test_messages_in_another_order_are_no_second_start(robot):
    robot.drive(START_S, START_S + 3)
    robot.drive(*(START_S + 3 - STARTED_OVER_NS * 1e-9 + 0.01 * n for n in range(2 * STARTED_OVER_MESSAGES)))
    assert robot.restarts == 0 and robot.knows(START_S + 3) and robot.listener.problem == ""


def test_an_older_one_between_newer_ones_is_of_a_publisher_whose_clock_is_behind(robot):
    for n in range(2 * STARTED_OVER_MESSAGES):
        robot.drive(START_S + n, START_S + n - FAR_S)
    assert robot.restarts == 0
    assert "base is told by two publishers whose clocks differ" in robot.listener.problem
    assert not robot.knows(START_S - FAR_S)  # left out
    # Also where it is the faster one, for as long as they are known to differ.
    newest_s = START_S + 2 * STARTED_OVER_MESSAGES - 1
    older_s = [newest_s - FAR_S - 1 + 0.1 * n for n in range(2 * STARTED_OVER_MESSAGES)]
    robot.drive(newest_s, *older_s)
    assert robot.restarts == 0 and robot.knows(newest_s)
    robot.monotonic_s += PROBLEM_S + 0.1
    robot.drive(newest_s - FAR_S)
    assert robot.restarts == 1
    assert robot.knows(older_s[-1]) and not robot.knows(older_s[0])  # no more is kept than tells of a start


def test_one_that_was_late_is_told_of_for_a_while_and_then_no_more(robot):
    robot.drive(START_S, START_S - FAR_S, START_S + 1)
    assert "clocks differ" in robot.listener.problem
    robot.monotonic_s += PROBLEM_S + 0.1
    robot.drive(START_S + 2)
    assert robot.listener.problem == ""


def test_a_frame_that_came_back_after_a_second_start_has_two_publishers_unless_it_was_long_ago(robot):
    back = [START_S - FAR_S + 0.01 * n for n in range(STARTED_OVER_MESSAGES)]
    robot.drive(START_S, *back)
    assert robot.restarts == 1
    robot.monotonic_s += PROBLEM_S + 0.1
    robot.drive(START_S + 1)  # a player that skips forward
    assert robot.listener.problem == ""
    robot.drive(*back, START_S + 2)
    assert robot.restarts == 2 and "clocks differ" in robot.listener.problem


def test_frames_start_over_each_by_themselves(robot):
    robot.drive(START_S)
    robot.drive(*(START_S - 9 + n for n in range(STARTED_OVER_MESSAGES)), child="wheel")
    assert robot.restarts == 0 and robot.knows(START_S) and robot.knows(START_S - 9, "wheel")


def test_a_clock_that_was_set_forgets_transforms_and_keeps_parents_for_a_while(robot):
    robot.drive(START_S)
    robot.clock_s = 10.0
    robot.listener.restart()
    assert not robot.knows(START_S)
    robot.clock_s += MEMORY_S - 0.1
    assert robot.listener.conflict("map", "base").reason == "parent_present"
    robot.clock_s += 0.2  # nobody has said it again
    assert robot.listener.conflict("map", "base") is None
    robot.drive(10.0, 10.5)
    assert robot.knows(10.0) and robot.restarts == 0
