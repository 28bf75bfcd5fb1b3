"""`scripts/drive`: a robot in a namespace, far off the map's origin, drives through everything at once.

The node is a process of its own, configured as for Nav2 (planar map_odom) and told how fast map -> odom may move. The
robot has two cameras, whose lenses are covered now and then, both or one; its odometry is slow, late and drifts; the
way leads past where there is no map, and other nodes send what nobody can use.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from reloc_ros.demo.film.rendered_walk import RenderedWalk
from reloc_ros.demo.film.trajectories import Trajectory
from reloc_ros.demo.fusion.robot import ODOMETRY_HZ, Drive, Slip, drive, se3_from_planar
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.demo.ros.domain import claim_domain
from reloc_ros.demo.ros.drive_robot import MOUNTS, NAMESPACE, Robot
from reloc_ros.demo.ros.drive_watch import DriveFigures, DriveWatch, figures
from reloc_ros.demo.ros.processes import Child, installed_prefix
from reloc_ros.demo.scene.exposure import Exposure
from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import write_json

PICTURES_HZ = 5.0
LENGTH_S = 60.0
"""Of the way, which is then driven back."""
MAX_STEP, MAX_TURN = 0.2, 0.2
"""Metres, and radians, per second: correction_max_speed and correction_max_turn_rate."""
START_S = 60.0
"""Until the node must listen."""


def main() -> int:
    """Drive, and write `drive.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--seconds", type=float, default=300.0, help="length of the drive")
    add("--foreign", type=int, default=200, help="messages that nobody can use")
    add("--length", type=float, default=LENGTH_S, help="seconds of the way until it turns back")
    add("--output", type=Path, default=Path("build/drive"), help="folder of pictures, log and result")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    try:
        run = drive(given.length, Slip(), seed=1)
        walks = {name: _pictures(run, name, given.output) for name in MOUNTS}
        found = _drive(run, walks, given)
    except RelocError as error:
        print(f"drive: {error}", file=sys.stderr)
        return RelocError.EXIT_CODE
    result = {"format": 1, **dataclasses.asdict(found)}
    write_json(given.output / "drive.json", result)
    for name, value in result.items():
        print(f"{name:26} {round(value, 4) if isinstance(value, float) else value}")
    problems = list(_problems(found))
    for problem in problems:
        print(f"drive: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _problems(found: DriveFigures):
    """What must not be, as sentences."""
    if found.exit_code is not None:
        yield f"the node ended with code {found.exit_code}"
    if found.parents_of_odom != ["map"]:
        yield f"odom has the parents {found.parents_of_odom}"
    if found.wrong_poses:
        yield f"{found.wrong_poses} poses were wrong"
    if found.largest_step_m > MAX_STEP * 1.05 or found.largest_turn_rad > MAX_TURN * 1.05:
        yield f"map -> odom moved by {found.largest_step_m:.3f} m and {found.largest_turn_rad:.3f} rad in a second"
    for name, count in found.poses_of.items():
        if not 0 < count < found.poses:
            yield f"the {name} camera had a part in {count} of {found.poses} poses, though it was covered in some"
    if found.not_upright:
        yield f"{found.not_upright} poses and transforms were not on the ground"


def _pictures(run: Drive, camera: str, output: Path) -> RenderedWalk:
    rows = range(0, len(run), round(ODOMETRY_HZ / PICTURES_HZ))
    poses = tuple((se3_from_planar(run.truth[row]) @ MOUNTS[camera]).inverse() for row in rows)
    yes = np.ones(len(poses), bool)
    trajectory = Trajectory(run.times_s[rows], poses, (Exposure(noise=1.5),) * len(poses), yes, ~yes)
    folder = output / f"pictures_{camera}_{len(poses)}"
    folder.mkdir(exist_ok=True)
    walk = RenderedWalk(folder, PICTURES_HZ, trajectory)
    print(f"rendering {len(poses)} pictures of the {camera} camera", flush=True)
    walk.render_missing()
    return walk


def _node_command() -> list[str]:
    prefix = installed_prefix()
    words = ["-r", f"__ns:={NAMESPACE}", "-r", "/tf:=tf", "-r", "/tf_static:=tf_static"]
    words += ["--params-file", str(prefix / "share/reloc_ros/config/nav2.yaml")]
    given = {
        "bundle": f"'{EMBEDDED_BUNDLE.resolve()}'",
        "autostart": "true",
        "cameras": f"[{', '.join(MOUNTS)}]",
        "bond": "false",
        "correction_gate": "6.0",
        "correction_max_speed": f"{MAX_STEP:g}",
        "correction_max_turn_rate": f"{MAX_TURN:g}",
        "correction_max_age_s": "60.0",
    }
    words += [word for name, value in given.items() for word in ("-p", f"{name}:={value}")]
    return [str(prefix / "lib/reloc_ros/reloc_node"), "--ros-args", *words]


def _drive(run: Drive, walks: dict[str, RenderedWalk], given: argparse.Namespace) -> DriveFigures:
    claim_domain()
    log = given.output / "node.log"
    with Child("node", _node_command(), log) as node:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        robot, watch = Robot(run, walks, given.foreign, given.seconds), DriveWatch()
        executor = SingleThreadedExecutor()
        for each in (robot, watch):
            executor.add_node(each)
        try:
            _wait_for(node, robot, executor)
            ended = _play(node, robot, executor, given.seconds)
            return figures(robot, watch, given.seconds, ended)
        finally:
            executor.shutdown()
            for each in (robot, watch):
                each.destroy_node()
            rclpy.try_shutdown()


def _wait_for(node: Child, robot: Robot, executor: SingleThreadedExecutor) -> None:
    deadline_s = time.monotonic() + START_S
    while not all(robot.count_subscribers(f"{NAMESPACE}/{name}/image") for name in MOUNTS):
        node.refuse_end()
        if time.monotonic() > deadline_s:
            raise RelocError(f"the node did not listen within {START_S:.0f} s; see {node.log}")
        executor.spin_once(timeout_sec=0.1)


def _play(node: Child, robot: Robot, executor: SingleThreadedExecutor, seconds: float) -> int | None:
    """In real time; the node's exit code if it ended before."""
    start_s, count = time.monotonic(), 0
    while node.ended is None and count < seconds * ODOMETRY_HZ:
        robot.tick(count)
        count += 1
        while (left_s := start_s + count / ODOMETRY_HZ - time.monotonic()) > 0:
            executor.spin_once(timeout_sec=left_s)
        executor.spin_once(timeout_sec=0)
    return node.ended


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
