from __future__ import annotations

import threading
import time

import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from reloc_ros.ros.input import info_pairing
from reloc_ros.ros.input.info_pairing import KEPT, PairedInfos

LONG_S = 60.0
"""No machine is late by so much: who takes less did not wait for what does not come."""


@pytest.fixture(autouse=True)
def patience_s(monkeypatch) -> float:
    """As it is; the tests' is long."""
    usual = info_pairing.PATIENCE_S
    monkeypatch.setattr(info_pairing, "PATIENCE_S", LONG_S)
    return usual


def info(second: int, focal: float = 1.0) -> CameraInfo:
    message = CameraInfo(header=Header(stamp=Time(sec=second)))
    message.k[0] = focal
    return message


def focal_at(infos: PairedInfos, second: int) -> float:
    return infos.of(Time(sec=second)).k[0]


def test_an_image_goes_with_the_camera_info_of_its_stamp_whatever_has_come_since():
    infos = PairedInfos()
    for second, focal in ((1, 100.0), (2, 100.0), (3, 200.0)):
        infos.add(info(second, focal))
    assert [focal_at(infos, second) for second in (2, 3, 1)] == [100.0, 200.0, 100.0]


def test_the_newest_stands_for_all_where_stamps_never_agree_and_nobody_waits():
    infos = PairedInfos()
    assert infos.of(Time(sec=1)) is None
    infos.add(info(7, 100.0))
    infos.add(info(8, 200.0))
    start_s = time.monotonic()
    assert [focal_at(infos, second) for second in range(100, 110)] == [200.0] * 10
    assert time.monotonic() - start_s < LONG_S


def test_an_image_that_comes_before_its_camera_info_waits_where_others_had_theirs(patience_s, monkeypatch):
    infos = PairedInfos()
    infos.add(info(1, 100.0))
    assert focal_at(infos, 1) == 100.0
    late = threading.Timer(patience_s, infos.add, (info(2, 200.0),))
    late.start()
    assert focal_at(infos, 2) == 200.0
    late.join()
    monkeypatch.setattr(info_pairing, "PATIENCE_S", patience_s)
    start_s = time.monotonic()
    assert focal_at(infos, 3) == 200.0  # it never comes: waited for once
    assert time.monotonic() - start_s >= patience_s
    monkeypatch.setattr(info_pairing, "PATIENCE_S", LONG_S)
    assert focal_at(infos, 4) == 200.0
    assert time.monotonic() - start_s < LONG_S


def test_one_that_was_lost_is_not_waited_for_where_a_later_one_is_here():
    infos = PairedInfos()
    infos.add(info(1, 100.0))
    assert focal_at(infos, 1) == 100.0
    infos.add(info(3, 300.0))
    start_s = time.monotonic()
    assert focal_at(infos, 2) == 300.0
    assert time.monotonic() - start_s < LONG_S
    assert focal_at(infos, 3) == 300.0


def test_no_more_are_kept_than_a_second_has():
    infos = PairedInfos()
    for second in range(1, 2 * KEPT):
        infos.add(info(second))
    assert len(infos._by_stamp) == KEPT
