"""The node's parameters: the one place for their names, defaults, descriptions and ranges."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from reloc_ros.errors import RelocError
from reloc_ros.pnp import Solver
from reloc_ros.status import StatusConfig


def _parameter(default: Any, description: str, *, limits: tuple | None = None, choices: tuple = ()) -> Any:
    metadata = {"description": description, "limits": limits, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Parameters:
    """What the node is told; every field is a ROS parameter of the same name, fixed at start."""

    bundle: str = _parameter("", "Folder of the map bundle (`reloc export` makes it). Required.")
    backend: str = _parameter(
        "auto",
        "What runs the network. `auto` takes the first of onnx, openvino and torch that starts; a named one must.",
        choices=("auto", "torch", "onnx", "tensorrt", "openvino"),
    )
    threads: int = _parameter(
        0, "Threads of the network; 0 leaves their number to the engine.", limits=(0, 256)
    )
    solver: str = _parameter(
        "auto",
        "What finds the pose among the keypoints; `auto` is PoseLib where it is installed, else OpenCV.",
        choices=typing.get_args(Solver),
    )
    map_frame: str = _parameter("", "Frame of the poses. Empty: the one the bundle names.")
    camera_frame: str = _parameter("", "Optical frame of the camera. Empty: the one each image names.")
    tf_mode: str = _parameter(
        "map_camera",
        "Which transform to broadcast while tracking: none, or the camera's pose in the map.",
        choices=("none", "map_camera"),
    )
    tf_inverse: bool = _parameter(
        False, "Broadcast the map as a child of the camera frame, for trees where that has a parent already."
    )
    image_transport: str = _parameter(
        "raw", "Subscribe to `image`, or to `image/compressed`.", choices=("raw", "compressed")
    )
    image_reliability: str = _parameter(
        "auto",
        "Reliability of the image subscription. `auto`: reliable where every publisher offers it.",
        choices=("auto", "reliable", "best_effort"),
    )
    image_queue_depth: int = _parameter(
        5, "Images the middleware may queue. The node itself always takes the newest.", limits=(1, 100)
    )
    image_rectified: bool = _parameter(
        False, "The images are rectified: use P of camera_info, without distortion."
    )
    camera_source: str = _parameter(
        "topic",
        "Where intrinsics come from: the `camera_info` topic, the bundle (for the camera it was made with "
        "only), or camera_info_file.",
        choices=("topic", "bundle", "file"),
    )
    camera_info_file: str = _parameter(
        "", "Camera_info yaml (or COLMAP cameras.txt) for camera_source `file`."
    )
    tracking_after: int = _parameter(
        StatusConfig.tracking_after,
        "Localized images in a row, consistent with each other, that end being lost.",
        limits=(1, 100),
    )
    lost_after: int = _parameter(
        StatusConfig.lost_after, "Images in a row without a pose that counts, until lost.", limits=(1, 1000)
    )
    silence_timeout_s: float = _parameter(
        StatusConfig.silence_timeout_s, "Seconds without an image, until lost.", limits=(0.05, 3600.0)
    )
    max_speed: float = _parameter(
        StatusConfig.max_speed,
        "Fastest plausible motion of the camera: metres per second, or, in a map of unknown scale, "
        "sizes of the map (median distance of its landmarks from their middle) per second.",
        limits=(0.01, 1000.0),
    )
    max_turn_rate: float = _parameter(
        StatusConfig.max_turn_rate,
        "Fastest plausible turning of the camera in radians per second.",
        limits=(0.01, 1000.0),
    )


def declare_parameters(node: Node) -> Parameters:
    """Declare every parameter on `node` and return what it was given.

    Raises:
        RelocError: a value of the wrong type or outside of its range or choices.
    """
    values = {field.name: _declare(node, field) for field in dataclasses.fields(Parameters)}
    return Parameters(**values)


def _declare(node: Node, field: dataclasses.Field) -> Any:
    limits, choices = field.metadata["limits"], field.metadata["choices"]
    descriptor = ParameterDescriptor(description=field.metadata["description"], read_only=True)
    if choices:
        descriptor.additional_constraints = f"one of: {', '.join(choices)}"
    if limits and isinstance(field.default, int):
        descriptor.integer_range = [IntegerRange(from_value=limits[0], to_value=limits[1], step=0)]
    elif limits:
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=limits[0], to_value=limits[1], step=0.0)
        ]
    try:
        value = node.declare_parameter(field.name, field.default, descriptor).value
    except ParameterException as error:
        wanted = f"{type(field.default).__name__}"
        wanted += f" from {limits[0]} to {limits[1]}" if limits else ""
        raise RelocError(f"parameter {field.name} must be a {wanted} ({error})") from error
    if choices and value not in choices:
        raise RelocError(f"parameter {field.name} must be one of {', '.join(choices)}, got {value!r}")
    return value


def parameter_table() -> str:
    """All parameters as a Markdown table, as it stands in the README."""
    rows = ["| parameter | default | |", "|---|---|---|"]
    for field in dataclasses.fields(Parameters):
        metadata = field.metadata
        limits = metadata["limits"]
        allowed = ", ".join(metadata["choices"]) or (f"{limits[0]} to {limits[1]}" if limits else "")
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        text = metadata["description"] + (f" ({allowed})" if allowed else "")
        rows.append(
            f"| `{field.name}` | `{default}` | {text} |"
            if default != ""
            else f"| `{field.name}` | | {text} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    print(parameter_table())
