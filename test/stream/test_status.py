import dataclasses
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.stream.status import State, StatusConfig, StatusMachine

PERIOD_S = 0.1
CONFIG = StatusConfig(
    tracking_after=2, lost_after=3, silence_timeout_s=1.0, max_speed=1.0, position_slack=0.05
)


def pose_at(x, angle_rad=0.0):
    """camera_from_map of a camera whose centre is (x, 0, 0)."""
    map_from_camera = SE3.from_rotation_vector([0, angle_rad, 0], [x, 0, 0])
    return map_from_camera.inverse()


class Stream:
    """One image every PERIOD_S: a number is a localized camera at that x, None is a lost image."""

    def __init__(self, config=CONFIG):
        self.machine, self.now_s, self.steady_s = StatusMachine(config), 100.0, 7.0

    def pass_time(self, passed_s):
        self.now_s, self.steady_s = self.now_s + passed_s, self.steady_s + passed_s

    def feed(self, *images):
        verdicts = []
        for x in images:
            self.pass_time(PERIOD_S)
            self.machine.arrived(self.now_s)
            if x is None:
                verdicts.append(self.machine.lost("no_consensus", "nothing agrees"))
            else:
                verdicts.append(self.machine.localized(pose_at(x), self.now_s, self.steady_s))
        return verdicts


def tracking_stream():
    stream = Stream()
    stream.feed(0.0, 0.0)
    assert stream.machine.state is State.TRACKING
    return stream


def test_starts_lost_and_one_pose_is_not_enough():
    (verdict,) = Stream().feed(0.0)
    assert (verdict.state, verdict.publish, verdict.reason) == (State.LOST, False, "confirming")


def test_two_consistent_poses_end_being_lost_and_the_second_is_published():
    first, second = Stream().feed(0.0, 0.05)
    assert not first.publish
    assert (second.state, second.publish, second.reason) == (State.TRACKING, True, "")


def test_two_poses_far_apart_do_not_confirm_each_other():
    verdicts = Stream().feed(0.0, 5.0, 0.0, 5.0, 0.0)
    assert not any(verdict.publish for verdict in verdicts)


def test_a_turn_too_fast_is_as_implausible_as_a_jump():
    machine = StatusMachine(CONFIG)
    machine.localized(pose_at(0.0, 0.0), 0.0)
    assert not machine.localized(pose_at(0.0, 2.0), 0.1).publish


def test_an_interrupted_chain_starts_over():
    verdicts = Stream().feed(0.0, None, 0.0, None, 0.0)
    assert not any(verdict.publish for verdict in verdicts)


def test_few_lost_images_degrade_and_the_next_good_one_tracks_again_at_once():
    degraded, again_degraded, tracking = tracking_stream().feed(None, None, 0.0)
    assert degraded.state is again_degraded.state is State.DEGRADED
    assert (tracking.state, tracking.publish) == (State.TRACKING, True)


def test_lost_images_keep_their_reason():
    (verdict,) = tracking_stream().feed(None)
    assert (verdict.reason, verdict.detail) == ("no_consensus", "nothing agrees")


def test_lost_after_that_many_lost_images_in_a_row():
    assert [v.state for v in tracking_stream().feed(None, None, None)][-1] is State.LOST


def test_one_wild_pose_is_withheld_and_tracking_goes_on():
    wild, back = tracking_stream().feed(50.0, 0.0)
    assert (wild.state, wild.publish, wild.reason) == (State.DEGRADED, False, "implausible_motion")
    assert back.publish


def test_a_camera_carried_elsewhere_is_tracked_there_from_the_second_image():
    verdicts = tracking_stream().feed(50.0, 50.0, 50.0)
    assert [v.publish for v in verdicts] == [False, True, True]
    assert [v.jumped for v in verdicts] == [False, True, False]


def test_a_camera_that_was_lost_may_be_found_anywhere():
    stream = tracking_stream()
    stream.feed(None, None, None)
    assert [(v.publish, v.jumped) for v in stream.feed(50.0, 50.0, 50.0)] == [
        (False, False),
        (True, True),
        (True, False),
    ]
    stream.machine.forget()
    assert [v.jumped for v in stream.feed(50.0, 50.0, 50.0)] == [False, True, False]


def test_one_pose_alone_is_never_enough_to_jump():
    stream = Stream(dataclasses.replace(CONFIG, tracking_after=1))
    stream.feed(0.0)
    assert [v.publish for v in stream.feed(50.0, 0.0, 50.0, 50.0)] == [False, True, False, True]


def test_a_recording_that_starts_over_is_named_and_tracked_from_its_second_image():
    stream = tracking_stream()
    stream.now_s -= 60.0
    first, second = stream.feed(0.0, 0.0)
    assert (first.publish, first.reason) == (False, "stamp_not_newer")
    assert second.publish


@pytest.mark.parametrize("ahead_s", [2.0, 60.0, 1e9])
def test_a_clock_set_ahead_lets_no_pose_be_farther_off_than_images_may_be_late(ahead_s):
    stream = tracking_stream()
    stream.now_s += ahead_s
    wild, back, here = stream.feed(1.2, 0.02, 0.02)
    assert (wild.publish, wild.reason) == (False, "implausible_motion")
    assert not back.jumped and here.publish


def test_a_clock_set_ahead_does_not_interrupt_a_camera_that_goes_on():
    stream = tracking_stream()
    stream.now_s += 3600.0
    assert [(v.state, v.jumped) for v in stream.feed(0.05, 0.1)] == [(State.TRACKING, False)] * 2


def test_images_far_apart_are_as_plausible_as_the_time_that_passed_allows():
    stream = tracking_stream()
    for x, there in ((5.0, True), (12.0, False), (12.0, True)):
        for _ in range(60):  # images that are not looked at: a slow network
            stream.pass_time(0.1)
            stream.machine.arrived(stream.now_s)
        assert [v.publish for v in stream.feed(x)] == [there]


def test_stamps_of_a_recording_far_apart_count_as_a_silence():
    machine = StatusMachine(CONFIG)
    verdicts = [
        machine.localized(pose_at(x), stamp_s) for x, stamp_s in ((0, 0), (0, 0.1), (9, 60), (9, 60.1))
    ]
    assert [v.publish for v in verdicts] == [False, True, False, True]


def test_an_image_sent_twice_gives_one_pose():
    stream = tracking_stream()
    verdict = stream.machine.localized(pose_at(0.0), stream.now_s)
    assert (verdict.publish, verdict.reason) == (False, "stamp_not_newer")


def test_forgetting_means_lost_until_confirmed_again():
    stream = tracking_stream()
    stream.machine.forget()
    assert stream.machine.state is State.LOST
    assert [v.publish for v in stream.feed(0.0, 0.0)] == [False, True]


def test_a_new_configuration_holds_for_the_next_image():
    stream = tracking_stream()
    stream.machine.config = dataclasses.replace(CONFIG, lost_after=1, tracking_after=3)
    (lost,) = stream.feed(None)
    assert lost.state is State.LOST
    assert [v.publish for v in stream.feed(0.0, 0.0, 0.0)] == [False, False, True]


def test_silence_means_lost_once_and_only_after_the_timeout():
    stream = tracking_stream()
    assert stream.machine.silence(stream.now_s + 0.9) is None
    verdict = stream.machine.silence(stream.now_s + 1.0)
    assert (verdict.state, verdict.publish, verdict.reason) == (State.LOST, False, "images_stopped")
    assert stream.machine.silence(stream.now_s + 1.1) is None


def test_images_that_stop_while_lost_are_named_as_the_reason():
    stream = tracking_stream()
    stream.feed(None, None, None, None)
    assert stream.machine.silence(stream.now_s + 1.0).reason == "images_stopped"


def test_a_slow_network_is_not_silence():
    stream = tracking_stream()
    stream.machine.arrived(stream.now_s + 0.9)
    assert stream.machine.silence(stream.now_s + 1.5) is None


def test_after_silence_one_pose_is_not_enough_even_at_the_same_place():
    stream = tracking_stream()
    stream.now_s += 5
    stream.machine.silence(stream.now_s)
    assert [v.publish for v in stream.feed(0.0, 0.0)] == [False, True]


def test_silence_before_the_first_image_changes_nothing():
    assert StatusMachine().silence(1e9) is None


def test_a_clock_set_back_is_not_silence():
    stream = tracking_stream()
    assert stream.machine.silence(0.0) is None
    assert stream.machine.silence(0.5) is None
    assert stream.machine.silence(1.0).state is State.LOST


def test_a_recording_that_starts_over_is_tracked_again():
    stream = tracking_stream()
    stream.now_s = 0.0
    assert stream.feed(0.0, 0.0, 0.0, 0.0)[-1].publish


def test_the_same_image_twice_confirms_nothing():
    machine = StatusMachine(CONFIG)
    machine.localized(pose_at(0.0), 1.0)
    assert not machine.localized(pose_at(0.0), 1.0).publish


@pytest.mark.parametrize(
    "wrong",
    [{"tracking_after": 0}, {"lost_after": 0}, {"silence_timeout_s": 0.0}, {"max_speed": float("nan")}],
)
def test_config_refuses_numbers_without_meaning(wrong):
    with pytest.raises(RelocError, match=next(iter(wrong))):
        StatusConfig(**wrong)


images = st.lists(st.one_of(st.none(), st.sampled_from([0.0, 0.02, 0.05, 3.0, 50.0])), max_size=60)
configs = st.builds(
    StatusConfig,
    tracking_after=st.integers(1, 5),
    lost_after=st.integers(1, 5),
    max_speed=st.just(1.0),
    position_slack=st.just(0.05),
)


@settings(max_examples=200)
@given(images=images, config=configs)
def test_a_published_pose_is_always_that_of_a_tracked_localized_image(images, config):
    for x, verdict in zip(images, Stream(config).feed(*images), strict=True):
        assert verdict.publish == (verdict.reason == "")
        if verdict.publish:
            assert x is not None
            assert verdict.state is State.TRACKING


@settings(max_examples=200)
@given(images=images, config=configs)
def test_lost_is_left_only_by_consistent_poses_in_a_row(images, config):
    states = [State.LOST, *(v.state for v in Stream(config).feed(*images))]
    for i, (before, after) in enumerate(itertools.pairwise(states)):
        if before is State.LOST and after is not State.LOST:
            window = images[i + 1 - config.tracking_after : i + 1]
            assert len(window) == config.tracking_after
            assert None not in window
            assert (
                np.ptp(window) <= config.position_slack + config.max_speed * PERIOD_S * config.tracking_after
            )


@settings(max_examples=200)
@given(images=images, config=configs, tail=st.integers(0, 10))
def test_enough_lost_images_always_end_in_lost(images, config, tail):
    last = Stream(config).feed(*images, *[None] * (config.lost_after + tail))[-1]
    assert last.state is State.LOST


@settings(max_examples=200)
@given(images=images, config=configs)
def test_consistent_poses_always_end_in_tracking(images, config):
    rest = [0.0] * (config.lost_after + config.tracking_after)
    assert Stream(config).feed(*images, *rest)[-1].publish


def test_images_that_will_be_looked_at_again_give_no_pose_and_decide_nothing():
    stream = tracking_stream()
    undecided = [stream.machine.undecided("no_keypoints", "nothing is found") for _ in range(9)]
    assert {(v.state, v.publish, v.reason) for v in undecided} == {(State.DEGRADED, False, "no_keypoints")}
    (found,) = stream.feed(0.02)
    assert found.publish and found.state is State.TRACKING
    assert stream.feed(None, None, None)[-1].state is State.LOST
    assert stream.machine.undecided("no_keypoints", "").state is State.LOST
    (first,) = stream.feed(0.02)
    stream.machine.undecided("no_keypoints", "")
    (second,) = stream.feed(0.02)
    assert (first.publish, second.publish) == (False, True)


def test_a_pose_of_an_image_before_the_newest_pose_comes_too_late():
    stream = tracking_stream()
    since_s = stream.steady_s - 0.5
    for ago_s in (0.0, 0.5, 50.0):  # however long it took
        assert stream.machine.is_overtaken(stream.now_s - ago_s, since_s)
    assert not stream.machine.is_overtaken(stream.now_s + 0.01, since_s)
    stream.feed(None)
    assert not stream.machine.is_overtaken(stream.now_s - 0.5, since_s)


def test_no_pose_from_before_an_image_came_overtakes_it_in_a_recording_that_starts_over():
    stream = tracking_stream()
    assert not stream.machine.is_overtaken(stream.now_s - 0.5, stream.steady_s + 0.1)


def test_what_comes_too_late_is_told_by_the_newest_of_many_poses():
    stream = Stream(dataclasses.replace(CONFIG, tracking_after=4))
    since_s = stream.steady_s
    stream.feed(0.0, 0.0, 0.0, 0.0)
    assert stream.machine.is_overtaken(stream.now_s - 0.05, since_s)


def test_the_last_pose_that_counted_is_known_until_it_is_lost():
    stream = Stream()
    stream.feed(0.0)
    assert stream.machine.last_good is None
    stream.feed(0.03)
    last_s = stream.now_s
    stream.feed(None, 50.0)
    assert stream.machine.last_good.stamp_s == last_s
    assert stream.machine.last_good.camera_from_map.center[0] == pytest.approx(0.03)
    stream.feed(None)
    assert stream.machine.last_good is None


def test_the_states_are_numbered_as_in_the_message():
    message = (Path(__file__).parents[2] / "msg" / "RelocStatus.msg").read_text()
    assert {
        name: int(number) for name, number in re.findall(r"^uint8 ([A-Z]+)=(\d+)", message, re.MULTILINE)
    } == {state.name: state.value for state in State}
