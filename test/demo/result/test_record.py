import numpy as np
import pytest
from demo_runs import make_record, make_sightings

from reloc_ros.demo.film.trajectories import stream
from reloc_ros.demo.result.record import Record, View, summarize
from reloc_ros.geometry import SE3

WALK = stream(8.0)
IN_VIEW = np.flatnonzero(WALK.in_view)
AWAY = np.flatnonzero(WALK.away)


def complaints(**options):
    return summarize(make_sightings(**options)).complaints()


def test_a_faultless_run_is_good_and_its_figures_are_those_put_in():
    summary = summarize(make_sightings(error_m=0.02, error_deg=0.5), dropped=3)
    assert summary.complaints() == []
    assert (summary.published, summary.looked_at, summary.dropped) == (len(WALK), len(WALK), 3)
    assert (summary.in_view, summary.in_view_localized) == (len(IN_VIEW), len(IN_VIEW))
    assert (summary.away, summary.away_with_pose, summary.away_lost) == (len(AWAY), 0, len(AWAY))
    assert summary.poses == len(WALK) - len(AWAY)
    assert summary.median_cm == pytest.approx(2.0)
    assert summary.p95_deg == pytest.approx(0.5)
    assert (summary.latency_p50_ms, summary.latency_p99_ms) == pytest.approx((40, 40))
    assert summary.work_p50_ms == pytest.approx(12)


def test_one_wrong_pose_spoils_the_run():
    assert "1 published poses are off" in complaints(wrong_at=(int(IN_VIEW[5]),))[0]


def test_a_turned_pose_is_wrong_even_in_the_right_place():
    assert all(s.is_wrong for s in make_sightings(error_m=0.0, error_deg=5.1) if s.estimate)
    assert not any(s.is_wrong for s in make_sightings(error_m=0.0, error_deg=4.9))


def test_a_pose_while_the_camera_looks_away_spoils_the_run():
    assert "while the camera looked away" in complaints(pose_while_away=True)[0]


def test_a_tenth_of_the_pictures_in_view_may_be_lost_and_no_more():
    tenth = len(IN_VIEW) // 10
    assert complaints(lost_at=tuple(IN_VIEW[:tenth])) == []
    assert "were localized" in complaints(lost_at=tuple(IN_VIEW[: tenth + 1]))[0]


def test_pictures_the_node_never_spoke_of_do_not_count_against_it_unless_they_are_most():
    assert complaints(silent_at=tuple(range(0, len(WALK), 3))) == []
    assert "looked at" in complaints(silent_at=tuple(range(len(WALK) // 2 + 2)))[0]
    assert complaints(silent_at=tuple(range(len(WALK)))) != []


def test_a_pose_without_its_transform_spoils_the_run():
    assert "transform" in complaints(without_transform=(int(IN_VIEW[0]),))[0]


def test_a_run_without_a_single_picture_is_not_good():
    assert summarize([]).complaints() != []


def test_messages_join_by_stamp_in_whatever_order_they_come():
    record, late = Record(WALK), make_record().sightings()[7]
    stamp_ns = 5
    record.add_pose(stamp_ns, late.estimate, stamp_ns + 10**6)
    assert record.sightings() == []
    record.add_truth(stamp_ns, WALK.camera_from_map[7])
    (sighting,) = record.sightings()
    assert (sighting.index, sighting.view, sighting.report) == (7, View.IN_VIEW, None)
    assert sighting.error_cm == pytest.approx(1.0)
    assert sighting.delay_ms == pytest.approx(1.0)


def test_a_truth_of_another_walk_is_left_out():
    record = Record(WALK)
    record.add_truth(1, SE3.identity())
    assert record.sightings() == []


def test_a_picture_is_told_once_its_promised_pose_is_here():
    done, silent = make_sightings(silent_at=(1,))[:2]
    assert done.is_told
    assert not silent.is_told
