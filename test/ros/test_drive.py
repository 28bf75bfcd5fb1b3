"""The drive through everything at once: what its figures count, and a short one of it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from builtin_interfaces.msg import Time as Stamp
from rclpy.serialization import serialize_message
from reloc_ros.msg import RelocStatus

from reloc_ros.demo.fusion.robot import se3_from_planar
from reloc_ros.demo.ros.drive import _problems
from reloc_ros.demo.ros.drive_watch import DriveFigures, DriveWatch, Robot, figures
from reloc_ros.demo.ros.foreign_messages import FOREIGN

START = np.array([10.0, 0.0, 1.0])


class Silent:
    """In place of the nodes: what they would have kept."""

    def __init__(self, **kept) -> None:
        self.__dict__.update(kept)


def drive_of(
    *, wrong: float = 0.0, step: float = 0.0, parents=("map",), tilt: float = 0.0, both: bool = True
) -> DriveFigures:
    """A robot that stands still for ten pictures, half a second apart."""
    stamps = [500_000_000 * n for n in range(1, 11)]
    truth = {stamp: np.array([1.0, 2.0, 0.5]) for stamp in stamps}
    odometry = {stamp: START for stamp in stamps}
    map_from_odom = se3_from_planar(truth[stamps[0]]) @ se3_from_planar(START).inverse()
    placed = [
        (
            stamp,
            dataclasses.replace(
                map_from_odom, translation=map_from_odom.translation + np.array([step * n, 0, 0])
            ),
        )
        for n, stamp in enumerate(stamps)
    ]
    poses = {stamp: se3_from_planar(truth[stamp] + [wrong * (stamp == stamps[4]), 0, 0]) for stamp in stamps}
    poses[stamps[5]] = dataclasses.replace(poses[stamps[5]], translation=np.array([1.0, 2.0, tilt]))
    robot: Robot = Silent(truth=truth, odometry=odometry, foreign_sent=3)
    watch: DriveWatch = Silent(poses=poses, placed=placed, parents={name: 1 for name in parents}, statuses=[])
    part = [RelocStatus(pose_published=True)] * 4
    watch.of_cameras = {"left": part, "right": part if both else []}
    return figures(robot, watch, 5.0, None)


def test_a_drive_without_fault_has_no_problems_and_can_be_written():
    found = drive_of()
    assert list(_problems(found)) == []
    assert found.placed_error_max_m < 1e-9
    assert found.odom_from_map_origin_m > 5
    assert json.loads(json.dumps(dataclasses.asdict(found)))["poses"] == 10


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"wrong": 0.2}, "1 poses were wrong"),
        ({"step": 0.3}, "map -> odom moved by 0.600 m"),
        ({"parents": ("map", "world")}, "odom has the parents"),
        ({"both": False}, "the right camera had a part in 0 of 10 poses"),
        ({"tilt": 0.01}, "1 poses and transforms were not on the ground"),
    ],
)
def test_each_fault_is_found(faults, words):
    (problem,) = _problems(drive_of(**faults))
    assert words in problem


@pytest.mark.parametrize("make", FOREIGN)
def test_foreign_messages_can_be_sent(make):
    assert serialize_message(make(Stamp(sec=1_700_000_000), "left_camera"))


@pytest.mark.slow
def test_a_short_drive_has_no_problems(tmp_path):
    """About a minute, half of it for the pictures."""
    words = ["--seconds", "20", "--length", "8", "--foreign", "25", "--output", str(tmp_path)]
    run = subprocess.run(
        [sys.executable, "-m", "reloc_ros.demo.ros.drive", *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Traceback" not in (tmp_path / "node.log").read_text()
