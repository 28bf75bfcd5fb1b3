"""What the tree broadcasts and when, with a robot that is fed by hand: its clock stands still between two steps."""

from __future__ import annotations

import numpy as np
import pytest
from hand_fed import START_S, HandFed, link, pose
from rclpy.clock import ROSClock
from rclpy.duration import Duration
from rclpy.time import Time
from tf_world import at

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.ros.conversions import se3_from_transform
from reloc_ros.ros.tf.config import NOTHING_TO_DO, PUBLISHED, TfConfig, TfOutcome
from reloc_ros.ros.tf.listener import SETTLE_S, STARTED_OVER_NS
from reloc_ros.ros.tf.tree import AHEAD_S, LATE_S, TfTree
from reloc_ros.stream.correction import CorrectionConfig

CAMERA = "eye"
BASE_FROM_CAMERA = SE3.from_rotation_vector([-1.2, 1.2, -1.2], [0.3, 0.0, 0.4])
MAP_FROM_CAMERA = SE3.from_rotation_vector([0.3, -0.2, 1.0], [2.0, 1.0, 0.5])
TOLERANCE_S = 0.25
BACK_S = STARTED_OVER_NS * 1e-9


class Robot(HandFed):
    """With odometry from some seconds before its clock to a second after it, and a camera on it."""

    def tree(self, mode: str = "map_odom", former: TfTree | None = None, **config: object) -> TfTree:
        config = {"transform_tolerance_s": TOLERANCE_S, "lookup_timeout_s": 0.0, **config}
        tree = TfTree(self.node, TfConfig(mode, **config), former)
        self.monotonic_s += SETTLE_S
        self.hear(link("base_link", CAMERA, moved=BASE_FROM_CAMERA), static=True)
        self.drive()
        return tree

    def drive(self) -> None:
        for offset_s in range(-5, 2):
            self.hear(link("odom", "base_link", self.clock_s + offset_s))

    def see(
        self, tree: TfTree, stamp_s: float | None = None, seen: SE3 = MAP_FROM_CAMERA, frame: str = CAMERA
    ) -> TfOutcome:
        stamp = at(self.clock_s if stamp_s is None else stamp_s)
        outcome = tree.publish(stamp.to_msg(), seen, frame, 1e-4 * np.eye(6))
        assert outcome.published == (outcome == PUBLISHED)
        return outcome

    def tick(self, seconds: float) -> None:
        self.clock_s += seconds
        for callback in self.on_timer:
            callback()

    @property
    def stamps_s(self) -> list[float]:
        return [Time.from_msg(each.header.stamp).nanoseconds * 1e-9 for each in self.sent]


@pytest.fixture
def robot(monkeypatch):
    return Robot(monkeypatch)


def map_from_odom(stamp_s: float) -> SE3:
    return MAP_FROM_CAMERA @ (pose(stamp_s) @ BASE_FROM_CAMERA).inverse()


def assert_same(message, expected: SE3) -> None:
    np.testing.assert_allclose(se3_from_transform(message.transform).matrix, expected.matrix, atol=1e-6)


def test_map_odom_is_sent_at_its_images_time_and_from_then_on_once_for_each_time_of_the_clock(robot):
    tree = robot.tree()
    robot.tick(0.0)
    assert robot.sent == [] and tree.standing == NOTHING_TO_DO
    assert robot.see(tree, START_S - 0.1) == PUBLISHED
    robot.tick(0.0)  # the clock has not moved
    robot.tick(0.05)
    expected_s = [START_S - 0.1, START_S + TOLERANCE_S, START_S + TOLERANCE_S + 0.05]
    np.testing.assert_allclose(robot.stamps_s, expected_s, atol=1e-6)
    for message in robot.sent:
        assert (message.header.frame_id, message.child_frame_id) == ("map", "odom")
        assert_same(message, map_from_odom(START_S - 0.1))


@pytest.mark.parametrize(
    ("mode", "child", "expected"),
    [
        ("map_camera", "lens", MAP_FROM_CAMERA),
        ("map_base", "base_link", MAP_FROM_CAMERA @ BASE_FROM_CAMERA.inverse()),
    ],
)
def test_a_frame_that_nothing_else_places_is_sent_once_an_image_and_of_its_time(robot, mode, child, expected):
    tree = TfTree(robot.node, TfConfig(mode, lookup_timeout_s=0.0))
    robot.monotonic_s += SETTLE_S
    robot.hear(link("base_link", "lens", moved=BASE_FROM_CAMERA), static=mode == "map_base")
    robot.clock_s += 20.0  # what held the camera for a while is gone, and the image is late by any clock
    assert robot.see(tree, START_S + 5.0, frame="lens") == PUBLISHED
    (message,) = robot.sent
    assert (message.header.frame_id, message.child_frame_id) == ("map", child)
    assert robot.stamps_s == pytest.approx([START_S + 5.0]) and tree.standing == NOTHING_TO_DO
    assert_same(message, expected)


@pytest.mark.parametrize(
    ("seen", "reason"),
    [({"stamp_s": 0.0}, "no_stamp"), ({"frame": ""}, "no_frame"), ({"frame": "map"}, "no_frame")],
)
def test_an_image_that_cannot_be_placed_is_not_published(robot, seen, reason):
    tree = robot.tree("map_camera")
    outcome = robot.see(tree, **seen)
    assert (outcome.published, outcome.reason) == (False, reason) and outcome.detail
    assert robot.sent == [] and robot.warnings == [f"nothing broadcast: {outcome.detail}"]


def test_the_map_is_the_child_where_it_is_asked_for(robot):
    robot.see(robot.tree(inverse=True))
    assert (robot.sent[0].header.frame_id, robot.sent[0].child_frame_id) == ("odom", "map")
    assert_same(robot.sent[0], map_from_odom(START_S).inverse())


def test_where_the_map_is_the_child_it_is_the_map_that_may_have_no_parent(robot):
    tree = robot.tree(inverse=True)
    robot.hear(link("world", "odom"))
    assert robot.see(tree) == PUBLISHED
    robot.hear(link("world", "map"))
    outcome = robot.see(tree)
    assert outcome.reason == "parent_present" and "frame map has the parent world" in outcome.detail


def test_nothing_is_sent_while_the_tree_is_listened_for_and_the_first_is_told_once(robot):
    tree = robot.tree()
    robot.monotonic_s -= SETTLE_S
    assert robot.see(tree).reason == "listening" and robot.sent == robot.warnings == []
    robot.monotonic_s += SETTLE_S
    robot.see(tree)
    robot.tick(0.1)
    assert robot.told == ["broadcasting transforms"]


@pytest.mark.parametrize(
    ("off_s", "words"),
    [
        (-LATE_S - 0.1, "stamped 10.1 s behind"),
        (-LATE_S + 0.1, ""),
        (AHEAD_S - 0.1, ""),
        (AHEAD_S + 0.1, "1.1 s ahead of"),
    ],
)
def test_images_of_another_clock_are_told_with_how_far_it_is_off(robot, off_s, words):
    tree = robot.tree()
    robot.clock_s = START_S + 0.5 - off_s
    outcome = robot.see(tree, START_S + 0.5)
    assert (outcome.reason == "clock_differs") == bool(words)
    assert words in outcome.detail and outcome.published != bool(words)
    assert robot.see(robot.tree("map_camera"), START_S + 0.5).reason != "clock_differs"


def test_a_clock_that_went_back_a_little_sends_nothing_until_it_is_past_what_was_told(robot):
    tree = robot.tree()
    robot.see(tree)
    count = len(robot.sent)
    robot.tick(-0.5)
    assert tree.standing.reason == "clock_differs" and "again in 0.50 s" in tree.standing.detail
    assert robot.warnings == [f"nothing broadcast: {tree.standing.detail}"]
    robot.tick(0.4)
    assert len(robot.sent) == count and not tree.standing.published
    robot.tick(0.2)
    assert len(robot.sent) == count + 1 and tree.standing == PUBLISHED


def test_a_clock_that_went_far_back_or_jumped_ends_the_broadcast_until_the_next_pose(robot):
    tree = robot.tree()
    for go_back in (lambda: robot.tick(-BACK_S - 1), lambda: robot.on_jump[0](None)):
        robot.see(tree)
        count = len(robot.sent)
        go_back()
        robot.tick(0.1)
        assert len(robot.sent) == count and tree.standing == NOTHING_TO_DO
        robot.drive()
    robot.tick(0.1)
    assert robot.see(tree) == PUBLISHED
    assert robot.stamps_s[-2] == pytest.approx(robot.clock_s)  # of its image's time again


def test_a_clock_that_jumped_makes_nothing_of_the_transforms_from_before(robot):
    tree = robot.tree()
    robot.see(tree)
    robot.on_jump[0](None)
    assert robot.see(tree).reason == "no_transform"
    robot.drive()
    assert robot.see(tree) == PUBLISHED


def test_a_parent_that_the_odometry_gets_between_two_images_ends_the_broadcast_and_is_told(robot):
    tree = robot.tree()
    robot.see(tree)
    count = len(robot.sent)
    robot.hear(link("world", "odom"))
    robot.tick(0.1)
    assert len(robot.sent) == count and tree.standing.reason == "parent_present"
    assert robot.warnings == [f"nothing broadcast: {tree.standing.detail}"]


def test_images_that_start_over_place_the_odometry_anew(robot):
    tree = robot.tree()
    robot.see(tree)
    count = len(robot.sent)
    assert robot.see(tree, START_S - BACK_S + 0.1) == PUBLISHED  # late, no more
    assert len(robot.sent) == count
    assert robot.see(tree, START_S - 2 * BACK_S) == PUBLISHED
    assert robot.stamps_s[count] == pytest.approx(START_S - 2 * BACK_S)


def test_odometry_that_nothing_has_corrected_for_too_long_is_told_once_and_taken_up_again(robot):
    tree = robot.tree(correction=CorrectionConfig(correction_max_age_s=1.0))
    robot.see(tree)
    robot.tick(0.9)
    assert tree.standing == PUBLISHED
    count = len(robot.sent)
    robot.tick(0.2)
    robot.tick(0.2)
    assert (tree.standing.published, tree.standing.reason) == (False, "too_old") and len(robot.sent) == count
    assert len(robot.warnings) == 1 and robot.warnings[0].startswith(
        "nothing broadcast: nothing has corrected"
    )
    robot.drive()
    assert robot.see(tree) == PUBLISHED
    assert robot.told == ["broadcasting transforms"]


def test_a_pose_that_corrects_nothing_leaves_the_odometry_where_it_was(robot):
    limit = CorrectionConfig(correction_max_position_sigma=0.1)
    tree = robot.tree(correction=limit)
    robot.see(tree)
    robot.tick(0.1)
    count = len(robot.sent)
    outcome = tree.publish(at(robot.clock_s).to_msg(), MAP_FROM_CAMERA, CAMERA, np.eye(6))
    assert (outcome.published, outcome.reason) == (False, "uncertain")
    robot.tick(0.1)
    assert tree.standing == PUBLISHED and len(robot.sent) > count
    assert len(robot.warnings) == 1 and robot.warnings[0].startswith("map_odom is not corrected: ")
    assert_same(robot.sent[-1], map_from_odom(START_S))


def test_poses_that_correct_nothing_are_told_once_and_then_that_the_odometry_is_too_old(robot):
    tree = robot.tree(
        correction=CorrectionConfig(correction_max_position_sigma=0.1, correction_max_age_s=1.0)
    )
    robot.see(tree)
    for _ in range(2):
        robot.tick(0.3)
        outcome = tree.publish(at(robot.clock_s).to_msg(), MAP_FROM_CAMERA, CAMERA, np.eye(6))
        assert outcome.reason == "uncertain"
        robot.tick(0.1)
    assert len(robot.warnings) == 1 and robot.told == []
    robot.tick(0.3)
    assert len(robot.warnings) == 2 and "nothing has corrected" in robot.warnings[-1]


def test_a_correction_is_followed_at_its_speed_by_the_nodes_clock(robot):
    tree = robot.tree(correction=CorrectionConfig(correction_max_speed=0.5))
    robot.see(tree)
    aside = SE3(np.eye(3), np.array([0, 1.0, 0]))
    robot.see(tree, seen=aside @ MAP_FROM_CAMERA)
    for seconds, metres in ((0.4, 0.2), (0.8, 0.6), (5.0, 1.0)):
        robot.tick(seconds)
        followed = SE3(np.eye(3), metres * aside.translation) @ map_from_odom(START_S)
        assert_same(robot.sent[-1], followed)


def test_a_pose_far_from_where_the_odometry_puts_the_robot_is_gated_by_the_time_between_their_images(robot):
    tree = robot.tree(correction=CorrectionConfig(correction_gate=3.0, odometry_drift=0.1))
    robot.see(tree)

    def beside(stamp_s: float) -> SE3:
        return (
            map_from_odom(START_S) @ pose(stamp_s) @ SE3(np.eye(3), np.array([0, 1.0, 0])) @ BASE_FROM_CAMERA
        )

    assert robot.see(tree, START_S + 0.5, beside(START_S + 0.5)).reason == "gated"
    robot.tick(15.0)
    robot.drive()
    assert robot.see(tree, START_S + 15.5, beside(START_S + 15.5)) == PUBLISHED


def test_a_reason_is_told_once_while_it_lasts_and_again_after_it_has_gone(robot):
    tree = TfTree(robot.node, TfConfig("map_odom", lookup_timeout_s=0.0))
    robot.monotonic_s += SETTLE_S
    for _ in range(3):
        assert robot.see(tree).reason == "no_transform"
        robot.tick(0.1)
    assert len(robot.warnings) == 1
    robot.hear(link("base_link", CAMERA, moved=BASE_FROM_CAMERA), static=True)
    robot.drive()
    for _ in range(2):
        assert robot.see(tree) == PUBLISHED
        assert robot.see(tree, START_S + 100).reason == "clock_differs"
        robot.tick(0.1)
    assert len(robot.told) == 3 and len(robot.warnings) == 3


def test_the_odometry_is_forgotten_on_demand(robot):
    tree = robot.tree()
    robot.see(tree)
    count = len(robot.sent)
    tree.forget()
    robot.tick(0.1)
    assert len(robot.sent) == count


def test_a_tree_that_comes_after_another_takes_its_transforms_for_the_nodes_own(robot):
    former = robot.tree()
    robot.see(former)
    tree = robot.tree(former=former)
    robot.hear(*robot.sent)  # what was under way
    assert robot.see(tree) == PUBLISHED
    assert not robot.see(former).published and robot.see(former).reason == "closed"
    assert len(robot.on_jump) == 1
    robot.hear(link("map", "odom", moved=SE3.identity()))
    assert robot.see(tree).reason == "parent_present"


def test_a_tree_that_does_not_listen_comes_after_one_that_does_and_before(robot):
    still = robot.tree("none", former=robot.tree())
    assert robot.see(still) == NOTHING_TO_DO
    assert robot.see(robot.tree(former=still)) == PUBLISHED


def test_another_kind_of_time_ends_the_broadcast_until_the_next_pose(robot):
    clock = ROSClock()
    robot.node.get_clock = lambda: clock
    robot.clock_s = clock.now().nanoseconds * 1e-9
    tree = robot.tree()
    assert robot.see(tree) == PUBLISHED
    count = len(robot.sent)
    clock._set_ros_time_is_active(True)  # use_sim_time
    clock.set_ros_time_override(clock.now() + Duration(seconds=robot.clock_s + 1.0))
    robot.tick(0.0)
    assert len(robot.sent) == count
    tree.close()


def test_closing_gives_back_all_that_was_made_and_is_heard_of_no_more(robot):
    tree = robot.tree(republish_rate_hz=20.0)
    robot.see(tree)
    sent = len(robot.sent)
    tree.close()
    tree.close()
    assert len(robot.destroyed) == 4 and 1 / 20.0 in robot.destroyed and robot.on_jump == []
    robot.tick(0.1)
    assert len(robot.sent) == sent and tree.standing == NOTHING_TO_DO


def test_motion_between_two_images_is_that_in_the_odometry(robot):
    tree = robot.tree("none", listen=True)
    earlier_s, later_s = START_S - 2.5, START_S + 0.5
    found = tree.motion("base_link", at(earlier_s).to_msg(), at(later_s).to_msg())
    expected = pose(earlier_s).inverse() @ pose(later_s)
    np.testing.assert_allclose(found.matrix, expected.matrix, atol=1e-6)


def test_a_tree_that_does_not_listen_says_so(robot):
    tree = TfTree(robot.node, TfConfig("none"))
    with pytest.raises(RelocError, match="set listen"):
        tree.lookup("odom", CAMERA, at(START_S).to_msg())
    assert tree.problem == "" and tree.motion(CAMERA, at(START_S).to_msg(), at(START_S).to_msg()) is None
    assert robot.see(tree) == TfOutcome(False, "", "")
    robot.on_jump[0](None)
    tree.close()
    assert robot.destroyed == []


def test_a_tree_that_only_listens_makes_no_broadcaster_and_tells_what_is_wrong_with_a_transform(robot):
    tree = robot.tree("none", listen=True)
    robot.hear(link("odom", ""))
    assert "no name" in tree.problem
    tree.close()
    assert robot.destroyed == ["/tf", "/tf_static"]
