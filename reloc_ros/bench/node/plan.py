"""What the load measurement sends, for how long, and to what node; and the processes that do it."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from reloc_ros.demo.ros.processes import Child


@dataclasses.dataclass(frozen=True)
class LoadPlan:
    """What to send, for how long, and to what node."""

    bundle: Path
    images: Path
    seconds: float = 60.0
    rate_hz: float = 30.0
    width: int = 640
    height: int = 480
    backend: str = "onnx"
    truth: Path | None = None
    """TUM trajectory with a row for each image."""
    reliability: str = "reliable"
    """Of the camera's images."""
    node_reliability: str = "auto"
    """The node's parameter image_reliability."""
    large_segment: bool = False
    """Give the camera room for large messages in shared memory."""
    behind_s: float = 0.0
    """That the camera's clock is behind."""
    fault_every_s: float = 0.0
    """Do one of `faults.FAULTS` to it so often; 0: none."""
    busy: int = 0
    """Other processes that want a processor each, meanwhile."""


def start_node(plan: LoadPlan) -> Child:
    words = ["-p", f"bundle:='{plan.bundle}'", "-p", f"backend:={plan.backend}"]
    words += ["-p", f"image_reliability:={plan.node_reliability}"]
    return Child("node", [sys.executable, "-m", "reloc_ros.ros.node", "--ros-args", *words])


def start_camera(plan: LoadPlan) -> Child:
    words = [plan.images, plan.bundle, plan.rate_hz, plan.width, plan.height]
    words += ["--reliability", plan.reliability, "--behind", plan.behind_s]
    words += ["--truth", plan.truth] if plan.truth else []
    words += ["--large-segment"] if plan.large_segment else []
    return Child("camera", [sys.executable, "-m", "reloc_ros.bench.node.camera", *map(str, words)])
