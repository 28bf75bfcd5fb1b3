"""Made-up runs of the demo: what a publisher and a node would have said."""

from __future__ import annotations

import numpy as np

from reloc_ros.demo.film.trajectories import Trajectory, stream
from reloc_ros.demo.result.record import Record, Report, Sighting
from reloc_ros.geometry import SE3
from reloc_ros.stream.status import State

PERIOD_NS = 125_000_000
DELAY_NS = 40_000_000


def off_by(pose: SE3, metres: float, degrees: float = 0.0) -> SE3:
    """The camera_from_map of a camera that far from that of `pose`."""
    moved = SE3.from_rotation_vector(np.zeros(3), [metres, 0.0, 0.0])
    turned = SE3.from_rotation_vector([0.0, np.radians(degrees), 0.0], np.zeros(3))
    return turned @ pose @ moved


def make_record(
    *,
    walk: Trajectory | None = None,
    error_m: float = 0.01,
    error_deg: float = 0.2,
    wrong_at: tuple[int, ...] = (),
    lost_at: tuple[int, ...] = (),
    pose_while_away: bool = False,
    silent_at: tuple[int, ...] = (),
    without_transform: tuple[int, ...] = (),
) -> Record:
    """A run where the node finds every picture in view, except where told otherwise."""
    walk = walk or stream(8.0)
    record = Record(walk)
    for index, truth in enumerate(walk.camera_from_map):
        stamp_ns = 10**18 + index * PERIOD_NS
        record.add_truth(stamp_ns, truth)
        if index in silent_at:
            continue
        found = (pose_while_away or not walk.away[index]) and index not in lost_at
        state, reason = (State.TRACKING, "") if found else (State.LOST, "no_keypoints")
        record.add_report(stamp_ns, Report(state, reason, 20, 16 if found else 0, 12.0, found))
        if found:
            pose = off_by(truth, 0.5 if index in wrong_at else error_m, error_deg)
            record.add_pose(stamp_ns, pose, stamp_ns + DELAY_NS)
            if index not in without_transform:
                record.add_transform(stamp_ns, pose)
    return record


def make_sightings(**options) -> list[Sighting]:
    return make_record(**options).sightings()
