"""The node's parameters: the one place for their names, defaults, descriptions and ranges."""

from __future__ import annotations

import dataclasses
import enum
import functools
import typing
from typing import Any, TypeVar

from reloc_ros.inference.backends import PRECISIONS
from reloc_ros.pose.pnp import Solver
from reloc_ros.ros.tf.config import TfMode
from reloc_ros.stream.initial_pose import InitialPoseConfig
from reloc_ros.stream.smoothing import SmoothingConfig
from reloc_ros.stream.status import StatusConfig
from reloc_ros.stream.tracker import TrackerConfig, Tracking

Config = TypeVar("Config")
SWITCH = ("true", "false")
"""Among the choices of a parameter: it may be set to a bool as well."""


class Change(enum.Enum):
    """When a parameter may be set; the value is how the documentation says it."""

    START = "at start"
    UNCONFIGURED = "unconfigured"
    """It is read when the node is configured."""
    ALWAYS = "always"
    """It takes effect at once."""


def _parameter(
    default: Any,
    description: str,
    limits: tuple | None = None,
    *,
    choices: tuple = (),
    change: Change = Change.UNCONFIGURED,
) -> Any:
    metadata = {"description": description, "limits": limits, "choices": choices, "change": change}
    return dataclasses.field(default=default, metadata=metadata)


_live = functools.partial(_parameter, change=Change.ALWAYS)


@dataclasses.dataclass(frozen=True)
class Parameters:
    """What the node is told; every field is a ROS parameter of the same name."""

    autostart: bool = _parameter(
        True,
        "Configure and activate by itself. Set it to false where a lifecycle manager does that.",
        change=Change.START,
    )
    bond: bool = _parameter(
        False, "Keep a bond with Nav2's lifecycle manager while active; needs the package `bondpy`."
    )
    bundle: str = _parameter("", "Folder of the map bundle (`reloc export` makes it). Required.")
    backend: str = _parameter(
        "auto",
        "What runs the network. `auto` takes the first of onnx, openvino and torch that starts; a named one must.",
        choices=("auto", "torch", "onnx", "tensorrt", "openvino"),
    )
    precision: str = _parameter(
        "auto",
        "Numbers that the network computes with. `auto` takes the fastest that processor, engine and bundle have; a "
        "named one must be there.",
        choices=PRECISIONS,
    )
    threads: int = _parameter(0, "Threads of the network; 0 leaves their number to the engine.", (0, 256))
    solver: str = _parameter(
        "auto",
        "What finds the pose among the keypoints; `auto` is PoseLib where it is installed, else OpenCV.",
        choices=typing.get_args(Solver),
    )
    refine: bool = _parameter(
        True, "Sharpen poses against the bundle's reference views, where it has some and they agree."
    )
    use_prior: bool = _live(
        True,
        "Try the last pose, moved by the odometry where TF has odom_frame, as one hypothesis more for the next image. "
        "It is judged as all others are.",
    )
    tracking: str = _parameter(
        "auto",
        "`auto` follows the pose expected of an image by the bundle's reference views alone while they leave no doubt, "
        "at a fifth of the cost. Needs use_prior.",
        choices=typing.get_args(Tracking),
    )
    confirm_every: int = _parameter(
        TrackerConfig.confirm_every,
        "While tracking, the network looks at one image in so many, once its pose is out.",
        (1, 1000),
    )
    map_frame: str = _parameter("", "Frame of the poses. Empty: the one the bundle names.")
    camera_frame: str = _parameter("", "Optical frame of the camera. Empty: the one each image names.")
    pose_frame: str = _parameter(
        "",
        "Frame whose pose is published, for instance base_link; TF tells where it is beside the camera. Empty: the "
        "camera's own frame.",
    )
    covariance_scale: float = _live(
        1.0, "Factor on the published covariance; 4 doubles every standard deviation.", (0.01, 10000.0)
    )
    position_sigma_floor: float = _live(
        0.0,
        "Smallest published standard deviation of the position along each axis, metres (or the map's unit).",
        (0.0, 1000.0),
    )
    rotation_sigma_floor: float = _live(
        0.0, "Smallest published standard deviation of the rotation about each axis, radians.", (0.0, 3.0)
    )
    publish_odometry: bool = _parameter(
        False,
        "Publish `~/odometry` as well: the pose unchanged, with the velocity that the smoothing filter estimates.",
    )
    publish_smoothed: bool = _parameter(
        False,
        "Publish `~/pose_smoothed` as well: through a constant-velocity filter that refuses poses which do not fit.",
    )
    smoothing_acceleration: float = _live(
        SmoothingConfig.acceleration,
        "How much the filter lets the velocity change: metres (or sizes of the map) per second squared.",
        (0.001, 1000.0),
    )
    smoothing_turn_acceleration: float = _live(
        SmoothingConfig.turn_acceleration,
        "The same for turning, radians per second squared.",
        (0.001, 1000.0),
    )
    publish_initial_pose: bool = _parameter(
        False,
        "Publish base_frame's pose on `initialpose` once, where a sure one is far from AMCL's (`amcl_pose`) or AMCL "
        "has none. Needs a map in metres.",
    )
    initial_pose_distance: float = _parameter(
        InitialPoseConfig.distance, "What is far, metres.", (0.01, 1000.0)
    )
    initial_pose_angle: float = _parameter(InitialPoseConfig.angle_rad, "What is far, radians.", (0.01, 4.0))
    tf_mode: str = _parameter(
        "map_camera",
        "Which transform to broadcast: none; the camera's, or base_frame's, pose in the map; or where odom_frame "
        "starts in it (REP-105). The last two need a map in metres.",
        choices=typing.get_args(TfMode),
    )
    base_frame: str = _parameter(
        "base_link", "The robot's frame, for tf_mode map_base and publish_initial_pose."
    )
    odom_frame: str = _parameter("odom", "The odometry's frame, for tf_mode map_odom and use_prior.")
    transform_tolerance_s: float = _parameter(
        0.1, "How far ahead of now map_odom is dated, so that it holds until the next one.", (0.0, 10.0)
    )
    tf_inverse: bool = _parameter(
        False, "Broadcast the map as the child, for trees where the other frame has a parent already."
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
        5, "Images the middleware may queue. The node itself always takes the newest.", (1, 100)
    )
    max_rate_hz: float = _live(
        0.0, "Look at so many images a second at most; 0: at all that the processor can.", (0.0, 1000.0)
    )
    only_when_needed: bool = _live(
        False,
        "Neither receive nor look at images while nobody listens to a pose, a transform or a debug view.",
    )
    image_rectified: str = _parameter(
        "auto",
        "Whether the images are rectified: intrinsics are then P of camera_info, without distortion, else K and D. "
        "`auto`: as the topic is named (image_rect...), and K and D of a camera_info_file.",
        choices=("auto", *SWITCH),
    )
    camera_source: str = _parameter(
        "topic",
        "Where intrinsics come from: the `camera_info` topic, the bundle (for the camera it was made with "
        "only), or camera_info_file.",
        choices=("topic", "bundle", "file"),
    )
    bundle_camera: str = _parameter(
        "",
        "Which of the bundle's cameras, for camera_source `bundle`; needed where its map was made with several.",
    )
    camera_info_file: str = _parameter(
        "", "Camera_info yaml (or COLMAP cameras.txt) for camera_source `file`."
    )
    tracking_after: int = _live(
        StatusConfig.tracking_after,
        "Localized images in a row, consistent with each other, that end being lost.",
        (1, 100),
    )
    lost_after: int = _live(
        StatusConfig.lost_after, "Images in a row without a pose that counts, until lost.", (1, 1000)
    )
    silence_timeout_s: float = _live(
        StatusConfig.silence_timeout_s, "Seconds without an image, until lost.", (0.05, 3600.0)
    )
    max_speed: float = _live(
        StatusConfig.max_speed,
        "Fastest plausible motion of the camera: metres per second, or, in a map of unknown scale, "
        "sizes of the map (median distance of its landmarks from their middle) per second.",
        (0.01, 1000.0),
    )
    max_turn_rate: float = _live(
        StatusConfig.max_turn_rate,
        "Fastest plausible turning of the camera in radians per second.",
        (0.01, 1000.0),
    )

    def __post_init__(self) -> None:
        for name in ("map_frame", "camera_frame", "pose_frame", "base_frame", "odom_frame"):
            # ROS 1 wrote /base_link; in ROS 2 frames have no slash.
            object.__setattr__(self, name, getattr(self, name).lstrip("/"))

    def config(self, kind: type[Config], **others: Any) -> Config:
        """A configuration of the core: `others`, and every parameter that has a field's name."""
        named = {field.name for field in dataclasses.fields(kind)} & FIELDS.keys()
        return kind(**{name: getattr(self, name) for name in named} | others)


FIELDS = {field.name: field for field in dataclasses.fields(Parameters)}


def parameter_table() -> str:
    """All parameters as a Markdown table, as it stands in docs/node.md."""
    rows = ["| parameter | default | may change | |", "|---|---|---|---|"]
    for field in FIELDS.values():
        limits, text = field.metadata["limits"], field.metadata["description"]
        allowed = ", ".join(field.metadata["choices"]) or (f"{limits[0]} to {limits[1]}" if limits else "")
        text += f" ({allowed})" if allowed else ""
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        shown = f" `{default}` " if default != "" else " "
        rows.append(f"| `{field.name}` |{shown}| {field.metadata['change'].value} | {text} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(parameter_table())
