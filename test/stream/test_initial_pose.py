import numpy as np

from reloc_ros.geometry import SE3
from reloc_ros.stream.initial_pose import InitialPose, InitialPoseConfig

SURE = np.diag([0.01, 0.01, 0.01, 0.001, 0.001, 0.001]) ** 2
CONFIG = InitialPoseConfig(distance=1.0, angle_rad=0.5, confident_after=3)


def at(x, yaw=0.0):
    return SE3.from_rotation_vector([0, 0, yaw], [x, 0, 0])


def feed(policy, *xs, covariance=SURE):
    return [policy.is_due(at(x), covariance) for x in xs]


def test_a_localizer_without_a_pose_is_told_once():
    assert feed(InitialPose(CONFIG), 0, 0, 0, 0, 0, 0) == [False, False, True, False, False, False]


def test_one_that_is_near_is_left_alone():
    policy = InitialPose(CONFIG)
    policy.other_says(at(0.5))
    assert not any(feed(policy, *[0] * 10))


def test_one_that_is_far_or_turned_is_told():
    for other in (at(2.0), at(0.0, yaw=1.0)):
        policy = InitialPose(CONFIG)
        policy.other_says(other)
        assert feed(policy, 0, 0, 0) == [False, False, True]


def test_told_again_only_after_the_two_have_agreed():
    policy = InitialPose(CONFIG)
    policy.other_says(at(5.0))
    assert sum(feed(policy, *[0] * 20)) == 1
    policy.other_says(at(0.1))
    assert sum(feed(policy, *[0] * 20)) == 0
    policy.other_says(at(5.0))
    assert sum(feed(policy, *[0] * 20)) == 1


def test_confidence_needs_poses_in_a_row_and_a_small_covariance():
    policy = InitialPose(CONFIG)
    for _ in range(5):
        assert not any(feed(policy, 0, 0))
        policy.missed()
    assert not any(feed(policy, *[0] * 10, covariance=100 * 100 * SURE))
