"""What the way of an image does beside the images; the way itself is tested over DDS."""

import math
import weakref
from threading import Lock
from types import SimpleNamespace

import numpy as np
from std_msgs.msg import Header
from tf_world import at

from reloc_ros.geometry import SE3
from reloc_ros.inference.keypoints import NO_KEYPOINTS
from reloc_ros.pose.finder import Localized
from reloc_ros.ros import image_way
from reloc_ros.ros.camera_stream import CameraStream
from reloc_ros.ros.control.relocalize_requests import Answer, RelocalizeRequests, Request
from reloc_ros.ros.image_way import ImageWay
from reloc_ros.stream.status import State, StatusMachine, Verdict


class Map:
    """Of which one can know whether it is still there."""


def test_the_map_before_is_given_back_once_the_last_image_that_needs_it_is_done(monkeypatch):
    way = object.__new__(ImageWay)
    way.loaded = Map()
    former, left = weakref.ref(way.loaded), []
    monkeypatch.setattr(image_way, "give_back_memory", lambda: left.append(former()))

    def look(images):
        in_work = way.loaded
        way.loaded = Map()  # by the executor's thread, meanwhile
        assert in_work is former() and not left

    way._freeing(look, [])
    assert left == [None]
    way._freeing(lambda images: None, [])
    assert left == [None]


def test_a_camera_may_have_gone_as_far_as_the_time_lets_it_that_passed_here(monkeypatch):
    way, steady_s = object.__new__(ImageWay), [50.0]
    way.loaded, way._machine = Map(), StatusMachine()
    monkeypatch.setattr(image_way, "time", SimpleNamespace(monotonic=lambda: steady_s[0]))

    def is_believed(x: float, stamp_s: float) -> bool:
        pose = SE3(np.eye(3), np.array([x, 0.0, 0.0]))
        found = Localized(pose, np.eye(6), NO_KEYPOINTS, NO_KEYPOINTS.scores > 0, math.nan, {})
        outcome = SimpleNamespace(result=found, header=Header(stamp=at(stamp_s).to_msg()))
        return way._judge(way.loaded, outcome, undecided=False).publish

    assert [is_believed(0.0, 100.0), is_believed(0.0, 100.1)] == [False, True]
    steady_s[0] += 10.0  # the images between took their time
    assert is_believed(20.0, 110.1)
    assert not is_believed(40.0, 3700.0)  # the stamps alone went on


def test_who_asked_where_the_camera_is_is_told_that_the_work_on_its_images_fails():
    way, asked = object.__new__(ImageWay), Request(None, math.inf, Answer(None, "waiting_for_image", "", 0))
    way.loaded, way._machine, way._lock, way.requests = (
        None,
        StatusMachine(),
        Lock(),
        RelocalizeRequests(None),
    )
    way._node = SimpleNamespace(get_logger=lambda: SimpleNamespace(warning=lambda _: None))
    way._status = SimpleNamespace(publish=lambda *_, **__: None)
    way.requests._waiting.append(asked)
    stream = SimpleNamespace(count=lambda *_, **__: None, say=lambda *_: None)
    image = SimpleNamespace(message=SimpleNamespace(header=Header()), stream=stream)
    way._on_broken_images([image], ValueError("no such thing"))
    assert asked.answer.reason == "image_failed" and "no such thing" in asked.answer.detail
    assert (asked.answer.pose, asked.answer.images) == (None, 1)


def test_an_image_that_will_be_looked_at_again_counts_once_for_its_camera():
    stream, counted, told = object.__new__(CameraStream), [], []
    stream.name, stream._failures, stream.views = "front", 0, SimpleNamespace(show=lambda *_: None)
    stream.health = SimpleNamespace(add=lambda *_, **how: counted.append(how["found"]))
    stream.status = SimpleNamespace(
        publish=lambda verdict, **_: told.append(verdict.state) or SimpleNamespace(frame_age_s=0.0)
    )
    outcome = SimpleNamespace(result=None, reason="no_keypoints", detail="", latency_s=0.0)
    robot, loaded = Verdict(State.DEGRADED, False, "no_keypoints", ""), SimpleNamespace(of=lambda _: None)
    for undecided in (True, False, True, False):
        stream.tell(outcome, robot, {}, loaded, SimpleNamespace(lost_after=2), undecided)
    assert counted == [False, False]
    assert told == [State.DEGRADED] * 3 + [State.LOST]
