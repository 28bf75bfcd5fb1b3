import numpy as np

from reloc_ros.geometry import SE3
from reloc_ros.stream.initial_pose import InitialPose, InitialPoseConfig

SURE = np.diag([0.01, 0.01, 0.01, 0.001, 0.001, 0.001]) ** 2
CONFIG = InitialPoseConfig(distance=1.0, angle_rad=0.5, confident_after=3)


def at(x, yaw=0.0):
    return SE3.from_rotation_vector([0, 0, yaw], [x, 0, 0])


def feed(policy, *xs, covariance=SURE, start_s=0.0):
    """One pose every half second."""
    return [policy.is_due(at(x), covariance, start_s + 0.5 * step) for step, x in enumerate(xs)]


def test_a_localizer_without_a_pose_is_told_until_it_agrees():
    """It may not be there yet, or not active."""
    policy = InitialPose(CONFIG)
    assert feed(policy, 0, 0, 0, 0, 0, 0, 0) == [False, False, True, False, False, False, True]
    policy.other_says(at(0.1))
    assert not any(feed(policy, *[0] * 20, start_s=10.0))


def test_one_that_comes_up_anew_is_told_whatever_the_one_before_said():
    policy = InitialPose(CONFIG)
    policy.other_says(at(0.1))
    assert not any(feed(policy, *[0] * 20))
    policy.other_is_new()
    assert feed(policy, 0, start_s=20.0) == [True]


def test_one_that_is_near_is_left_alone():
    policy = InitialPose(CONFIG)
    policy.other_says(at(0.5))
    assert not any(feed(policy, *[0] * 10))


def test_one_that_is_far_or_turned_is_told():
    for other in (at(2.0), at(0.0, yaw=1.0)):
        policy = InitialPose(CONFIG)
        policy.other_says(other)
        assert feed(policy, 0, 0, 0) == [False, False, True]


def test_one_that_goes_astray_again_is_told_at_once():
    policy = InitialPose(CONFIG)
    policy.other_says(at(5.0))
    assert sum(feed(policy, *[0] * 4)) == 1
    policy.other_says(at(0.1))
    assert sum(feed(policy, *[0] * 4, start_s=2.0)) == 0
    policy.other_says(at(5.0))
    assert feed(policy, 0, start_s=4.1) == [True]


def test_confidence_needs_poses_in_a_row_and_a_small_covariance():
    policy = InitialPose(CONFIG)
    for _ in range(5):
        assert not any(feed(policy, 0, 0))
        policy.missed()
    assert not any(feed(policy, *[0] * 10, covariance=100 * 100 * SURE))
