"""Measure the node at work: a camera process sends images over DDS, the real node localizes them.

    python -m reloc_ros.bench.node.load [BUNDLE IMAGES_DIR [--truth FILE]] [--seconds 60] [--rate 30] [--json FILE]

Three processes, as on a robot: the camera, the node, and this one, which listens and reads /proc. Without a bundle
it is the embedded one, and the pictures are those of the demo's walk.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor

from reloc_ros.bench.memory import process_memory_mb
from reloc_ros.bench.node.camera import rendered_walk
from reloc_ros.bench.node.faults import FaultThread, Stage, busy
from reloc_ros.bench.node.listener import Listener
from reloc_ros.bench.node.plan import LoadPlan, start_node
from reloc_ros.bench.node.report import WRONG_SHARE, HeardPose, Load, Soak, Usage, load_from, soak_from
from reloc_ros.bundle import Bundle
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.demo.ros.domain import claim_domain
from reloc_ros.demo.ros.processes import Child
from reloc_ros.errors import RelocError
from reloc_ros.ros.spinning import Spinning
from reloc_ros.scene_size import extent

SETTLE_S = 3.0
"""From the first pose to the beginning of the measurement: caches are warm, discovery is over."""
START_TIMEOUT_S = 60.0
TRUTHS_TIMEOUT_S = 10.0
MEMORY_PERIOD_S = 1.0
CACHE = Path("build/node_load")
"""Of the demo's pictures."""


def measure(plan: LoadPlan) -> tuple[Load, Soak | None]:
    """Run camera and node, listen once they have settled, and end them; a soak where the plan has faults."""
    Bundle.load(plan.bundle)
    context = Context()
    rclpy.init(context=context)
    listener = Listener(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)
    spinning = Spinning(executor)
    try:
        with start_node(plan) as node, Stage(plan, node, context) as stage, busy(plan.busy):
            _wait_for_images(listener, plan, node, stage.camera)
            time.sleep(SETTLE_S)
            return _observe(listener, stage, plan)
    finally:
        spinning.end()
        listener.destroy_node()
        context.try_shutdown()


def _wait_for_images(listener: Listener, plan: LoadPlan, *processes: Child) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not any(status.frames_received for status in listener.statuses) or (
        plan.truth and not listener.truths
    ):
        for process in processes:
            process.refuse_end()
        if listener.problem:
            raise RelocError(f"no image reaches the node, which says why: {listener.problem}")
        if time.monotonic() > deadline_s:
            raise RelocError(f"no image reached the node within {START_TIMEOUT_S:.0f} s")
        time.sleep(0.05)


def _observe(listener: Listener, stage: Stage, plan: LoadPlan) -> tuple[Load, Soak | None]:
    pid = stage.node.pid
    before, cpu_s, began_s = listener.statuses[-1], _cpu_s_of(pid), time.time()
    status_mark, pose_mark = len(listener.statuses), len(listener.poses)
    rss_mb = [process_memory_mb(pid).now]
    faults = FaultThread(stage, listener, plan.fault_every_s) if plan.fault_every_s else None
    with faults or contextlib.nullcontext():
        while (left_s := began_s + plan.seconds - time.time()) > 0:
            time.sleep(min(left_s, MEMORY_PERIOD_S))
            stage.node.refuse_end()
            rss_mb.append(process_memory_mb(pid).now)
    between_s = began_s, time.time()
    usage = Usage(_cpu_s_of(pid) - cpu_s, rss_mb)
    statuses, poses = listener.statuses[status_mark:], listener.poses[pose_mark:]
    _wait_for_truths(listener, poses)
    wrong_beyond = _wrong_beyond(plan.bundle)
    load = load_from(
        before, statuses, poses, listener.truths.copy(), usage, between_s, plan.rate_hz, wrong_beyond
    )
    return load, soak_from(faults.recoveries, poses, rss_mb, between_s) if faults else None


def _wrong_beyond(path: Path) -> float:
    bundle = Bundle.load(path)
    if bundle.scale == "metric":
        return WRONG_SHARE
    return WRONG_SHARE * extent(bundle.landmarks.positions_map)


def _wait_for_truths(listener: Listener, poses: Sequence[HeardPose]) -> None:
    """This process takes turns among the topics, and may be some truths behind the poses."""
    deadline_s = time.monotonic() + TRUTHS_TIMEOUT_S
    last_ns = max((pose.stamp_ns for pose in poses), default=0)
    while listener.truths and max(listener.truths.copy()) < last_ns and time.monotonic() < deadline_s:
        time.sleep(0.05)


def _cpu_s_of(pid: int) -> float:
    # User and system time are fields 14 and 15 of proc(5), counted after the name, which may hold blanks.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="node_load", description=__doc__.splitlines()[0])
    add, reliabilities = parser.add_argument, ("reliable", "best_effort")
    add("bundle", type=Path, nargs="?")
    add("images", type=Path, nargs="?", help="folder of pictures by the bundle's camera; sent to and fro")
    add("--seconds", type=float, default=60.0)
    add("--rate", type=float, default=30.0, help="images per second")
    add("--size", default="640x480", help="WIDTHxHEIGHT of the images sent, cut to that shape")
    add("--backend", default="onnx")
    add("--truth", type=Path, help="TUM trajectory of the images: wrong poses are counted")
    add("--reliability", default="reliable", choices=reliabilities, help="the camera's")
    add("--node-reliability", default="auto", choices=("auto", *reliabilities))
    add(
        "--fault-every",
        type=float,
        default=0.0,
        metavar="S",
        help="do one of the faults of robots to it so often",
    )
    add("--busy", type=int, default=0, metavar="N", help="other processes that want a processor each")
    room = "room for large messages in the camera's shared memory"
    add("--large-segment", action="store_true", help=room)
    add("--json", type=Path, help="write the figures here too")
    given = vars(parser.parse_args(arguments))
    if given["images"] is None and (given["bundle"] is not None or given["truth"] is not None):
        parser.error("a bundle goes with a folder of images, and a truth with both")
    given["width"], given["height"] = map(int, given.pop("size").split("x"))
    json_path, given["rate_hz"] = given.pop("json"), given.pop("rate")
    given["fault_every_s"] = given.pop("fault_every")
    try:
        # Unless the caller wants otherwise: other traffic would be measured too.
        if "ROS_DOMAIN_ID" not in os.environ:
            claim_domain()
        if given["bundle"] is None:
            given["bundle"] = EMBEDDED_BUNDLE
            given["images"], given["truth"] = rendered_walk(CACHE, given["rate_hz"])
        load, soak = measure(LoadPlan(**given))
    except RelocError as error:
        print(f"node_load: {error}", file=sys.stderr)
        return RelocError.EXIT_CODE
    except KeyboardInterrupt:
        return 130
    figures = dataclasses.asdict(load) | (dataclasses.asdict(soak) if soak else {})
    for name, value in figures.items():
        print(f"{name:22} {value:.1f}" if isinstance(value, float) else f"{name:22} {value}")
    if json_path:
        json_path.write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if soak and (load.wrong or soak.stuck) else 0


if __name__ == "__main__":
    sys.exit(main())
