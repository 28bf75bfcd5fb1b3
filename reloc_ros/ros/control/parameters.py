"""The node's parameters: the one place for their names, defaults, descriptions and ranges."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, TypeVar

from reloc_ros.inference.backends import PRECISIONS
from reloc_ros.pose.acceptance import Fallback, LocalizerConfig
from reloc_ros.pose.pnp import Solver
from reloc_ros.ros.control.camera_parameters import RigParameters
from reloc_ros.ros.control.parameter_field import SWITCH, Change, live, parameter
from reloc_ros.ros.tf.config import TfConfig, TfMode
from reloc_ros.stream.correction import CorrectionConfig
from reloc_ros.stream.initial_pose import InitialPoseConfig
from reloc_ros.stream.smoothing import SmoothingConfig
from reloc_ros.stream.status import StatusConfig
from reloc_ros.stream.tracker import TrackerConfig, Tracking

Config = TypeVar("Config")


@dataclasses.dataclass(frozen=True)
class Parameters(RigParameters):
    """What the node is told; every field is a ROS parameter of the same name."""

    autostart: bool = parameter(
        True,
        "Configure and activate by itself. Set it to false where a lifecycle manager does that.",
        change=Change.START,
    )
    bond: bool = parameter(
        False, "Keep a bond with Nav2's lifecycle manager while active; needs the package `bondpy`."
    )
    bundle: str = parameter("", "Folder of the map bundle (`reloc export` makes it). Required.")
    backend: str = parameter(
        "auto",
        "What runs the network. `auto` takes the first of onnx, openvino and torch that starts; a named one must.",
        choices=("auto", "torch", "onnx", "tensorrt", "openvino"),
    )
    precision: str = parameter(
        "auto",
        "Numbers that the network computes with. `auto` takes the fastest that processor, engine and bundle have; a "
        "named one must be there.",
        choices=PRECISIONS,
    )
    threads: int = parameter(0, "Threads of the network; 0 leaves their number to the engine.", (0, 256))
    solver: str = parameter(
        "auto",
        "What finds the pose among the keypoints; `auto` is PoseLib where it is installed, else OpenCV.",
        choices=typing.get_args(Solver),
    )
    refine: bool = parameter(True, "Sharpen poses against the bundle's reference views where they agree.")
    glance: bool = parameter(
        LocalizerConfig.glance,
        "Show the network an image in about half its size first, a quarter of the work, and the whole one where "
        "the reference views do not verify the pose. Needs refine.",
    )
    fallback: str = parameter(
        LocalizerConfig.fallback,
        "`auto` looks again, beside newer images and by the bundle's local features, where the network was lost.",
        choices=typing.get_args(Fallback),
    )
    use_prior: bool = live(
        True,
        "Try the last pose, moved by the odometry where TF has odom_frame, as one hypothesis more for the next image. "
        "It is judged as all others are.",
    )
    tracking: str = parameter(
        "auto",
        "`auto` follows the pose expected of an image by the bundle's reference views alone while they leave no doubt, "
        "at a fifth of the cost. Needs use_prior.",
        choices=typing.get_args(Tracking),
    )
    confirm_every: int = parameter(
        TrackerConfig.confirm_every,
        "While tracking, the network looks at one image in so many, once its pose is out.",
        (1, 1000),
    )
    map_frame: str = parameter("", "Frame of the poses. Empty: the one the bundle names.")
    camera_frame: str = parameter("", "Optical frame of the camera. Empty: the one each image names.")
    pose_frame: str = parameter(
        "",
        "Frame whose pose is published, for instance base_link; TF tells where it is beside the camera. Empty: the "
        "camera's own frame.",
    )
    covariance_scale: float = live(
        1.0, "Factor on the published covariance; 4 doubles every standard deviation.", (0.01, 10000.0)
    )
    position_sigma_floor: float = live(
        0.0,
        "Smallest published standard deviation of the position along each axis, metres (or the map's unit).",
        (0.0, 1000.0),
    )
    rotation_sigma_floor: float = live(
        0.0, "Smallest published standard deviation of the rotation about each axis, radians.", (0.0, 3.0)
    )
    publish_odometry: bool = parameter(
        False,
        "Publish `~/odometry` as well: the pose unchanged, with the velocity that the smoothing filter estimates.",
    )
    publish_smoothed: bool = parameter(
        False,
        "Publish `~/pose_smoothed` as well: through a constant-velocity filter that refuses poses which do not fit.",
    )
    smoothing_acceleration: float = live(
        SmoothingConfig.acceleration,
        "How much the filter lets the velocity change: metres (or sizes of the map) per second squared.",
        (0.001, 1000.0),
    )
    smoothing_turn_acceleration: float = live(
        SmoothingConfig.turn_acceleration,
        "The same for turning, radians per second squared.",
        (0.001, 1000.0),
    )
    publish_initial_pose: bool = parameter(
        False,
        "Publish base_frame's pose on `initialpose`, on the ground and in AMCL's frame, where a sure one is far from "
        "AMCL's (`amcl_pose`) or AMCL has none, every 2 s until the two agree. Needs a map in metres.",
    )
    take_initial_pose: bool = parameter(
        False,
        "Stand in for AMCL: a pose on `initialpose` (RViz's 2D Pose Estimate) is where base_frame is looked for, and "
        "the service `reinitialize_global_localization` forgets. Needs a map in metres.",
    )
    initial_pose_distance: float = parameter(
        InitialPoseConfig.distance, "What is far, metres.", (0.01, 1000.0)
    )
    initial_pose_angle: float = parameter(InitialPoseConfig.angle_rad, "What is far, radians.", (0.01, 4.0))
    tf_mode: str = parameter(
        "map_camera",
        "Which transform to broadcast: none; the camera's, or base_frame's, pose in the map; or where odom_frame "
        "starts in it (REP-105). The last two need a map in metres.",
        choices=typing.get_args(TfMode),
    )
    base_frame: str = parameter("base_link", "The robot's frame, for map_base, planar and initial poses.")
    odom_frame: str = parameter("odom", "The odometry's frame, for tf_mode map_odom and use_prior.")
    transform_tolerance_s: float = parameter(
        0.1, "How far ahead of now map_odom is dated, so that it holds until the next one.", (0.0, 10.0)
    )
    planar: bool = parameter(
        False,
        "The robot drives on level ground: base_frame's pose, and map_base or map_odom, are x, y and yaw alone, "
        "upright at planar_z, with the covariance of those three. Needs a map in metres.",
    )
    planar_z: float = parameter(
        0.0, "Height of the ground in the map, metres, for planar.", (-10000.0, 10000.0)
    )
    planar_max_tilt: float = live(
        0.17,
        "With planar, a pose by which base_frame lies farther off level than this, radians, is none: `tilted`.",
        (0.001, 1.5),
    )
    republish_rate_hz: float = parameter(
        TfConfig.republish_rate_hz, "How often map_odom goes out, images or not.", (0.1, 1000.0)
    )
    lookup_timeout_s: float = parameter(
        TfConfig.lookup_timeout_s,
        "Longest wait for a transform that comes later than its image, such as slow and late odometry. The poses of "
        "the camera and of what is fixed to it do not wait.",
        (0.0, 10.0),
    )
    correction_gate: float = parameter(
        0.0,
        "With map_odom, Mahalanobis distance of a pose from where the last correction and the odometry put the robot, "
        "beyond which it corrects nothing, unless five in a row agree; 5 is usual. 0: all correct.",
        (0.0, 1000.0),
    )
    odometry_drift: float = parameter(
        CorrectionConfig.odometry_drift,
        "For the gate, standard deviation by which odometry drifts in the first second, metres and radians.",
        (0.0, 100.0),
    )
    correction_max_position_sigma: float = parameter(
        0.0,
        "A pose whose position is more uncertain, metres, does not correct map_odom; 0: all do.",
        (0.0, 100.0),
    )
    correction_max_rotation_sigma: float = parameter(0.0, "The same of its rotation, radians.", (0.0, 4.0))
    correction_max_speed: float = parameter(
        0.0, "map_odom moves to a correction by so many metres a second; 0: at once.", (0.0, 100.0)
    )
    correction_max_turn_rate: float = parameter(0.0, "The same for its turn, radians a second.", (0.0, 100.0))
    correction_max_age_s: float = parameter(
        0.0,
        "Seconds after the last correction, until map_odom stops (`too_old`) and the next one counts at once; 0: it "
        "goes on for ever.",
        (0.0, 86400.0),
    )
    tf_inverse: bool = parameter(
        False, "Broadcast the map as the child, for trees where the other frame has a parent already."
    )
    image_transport: str = parameter(
        "raw", "Subscribe to `image`, or to `image/compressed`.", choices=("raw", "compressed")
    )
    image_reliability: str = parameter(
        "auto",
        "Reliability of the image subscription. `auto`: reliable where every publisher offers it.",
        choices=("auto", "reliable", "best_effort"),
    )
    image_queue_depth: int = parameter(
        5, "Images the middleware may queue. The node itself always takes the newest.", (1, 100)
    )
    max_rate_hz: float = live(
        0.0, "Look at so many images a second at most; 0: at all that the processor can.", (0.0, 1000.0)
    )
    only_when_needed: bool = live(
        False,
        "Neither receive nor look at images while nobody listens to a pose, a transform or a debug view.",
    )
    image_rectified: str = parameter(
        "auto",
        "Whether the images are rectified: intrinsics are then P of camera_info, without distortion, else K and D. "
        "`auto`: as the topic is named (image_rect...), and K and D of a camera_info_file.",
        choices=("auto", *SWITCH),
    )
    camera_source: str = parameter(
        "topic",
        "Where intrinsics come from: the `camera_info` topic, the bundle (for the camera it was made with "
        "only), or camera_info_file.",
        choices=("topic", "bundle", "file"),
    )
    bundle_camera: str = parameter(
        "",
        "Which of the bundle's cameras, for camera_source `bundle`; needed where its map was made with several.",
    )
    camera_info_file: str = parameter(
        "", "Camera_info yaml (or COLMAP cameras.txt) for camera_source `file`."
    )
    image_mask: str = parameter(
        "",
        "Picture that is black where the camera sees the robot itself, of the shape of the images: nothing found "
        "there is used.",
    )
    min_inliers: int = parameter(
        LocalizerConfig.min_inliers, "Landmarks that must agree on a pose.", (4, 1000)
    )
    min_evidence: float = parameter(
        0.0,
        "What must speak for a pose: scores of the landmarks that agree, less those of the others. 0: what the "
        "bundle's calibration found, below which mirrored and scrambled pictures of the place gave poses.",
        (0.0, 1000.0),
    )
    max_error_px: float = parameter(
        LocalizerConfig.max_error_px,
        "Farthest that a landmark may be from where its pose puts it, pixels of the network's input.",
        (1.0, 16.0),
    )
    max_position_sigma: float = parameter(
        LocalizerConfig.max_position_sigma,
        "Largest standard deviation of a pose's position, as a share of the median distance to the landmarks it sees.",
        (0.001, 0.5),
    )
    max_rotation_sigma_deg: float = parameter(
        LocalizerConfig.max_rotation_sigma_deg, "The same of its rotation, degrees.", (0.01, 30.0)
    )
    tracking_after: int = live(
        StatusConfig.tracking_after,
        "Localized images in a row, consistent with each other, that end being lost.",
        (1, 100),
    )
    lost_after: int = live(
        StatusConfig.lost_after, "Images in a row without a pose that counts, until lost.", (1, 1000)
    )
    silence_timeout_s: float = live(
        StatusConfig.silence_timeout_s, "Seconds without an image, until lost.", (0.05, 3600.0)
    )
    max_speed: float = live(
        StatusConfig.max_speed,
        "Fastest plausible motion of the camera: metres per second, or, in a map of unknown scale, "
        "sizes of the map (median distance of its landmarks from their middle) per second.",
        (0.01, 1000.0),
    )
    max_turn_rate: float = live(
        StatusConfig.max_turn_rate,
        "Fastest plausible turning of the camera in radians per second.",
        (0.01, 1000.0),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("map_frame", "camera_frame", "pose_frame", "base_frame", "odom_frame"):
            # ROS 1 wrote /base_link; in ROS 2 frames have no slash.
            object.__setattr__(self, name, getattr(self, name).lstrip("/"))

    @property
    def posed_frame(self) -> str:
        """Frame whose pose is published; empty: the camera's own."""
        return self.pose_frame or (self.base_frame if self.planar or self.rig else "")

    def config(self, kind: type[Config], **others: Any) -> Config:
        """A configuration of the core: `others`, and every parameter that has a field's name."""
        named = {field.name for field in dataclasses.fields(kind)} & FIELDS.keys()
        return kind(**{name: getattr(self, name) for name in named} | others)


_FIELDS = sorted(dataclasses.fields(Parameters), key=lambda field: hasattr(RigParameters, field.name))
FIELDS = {field.name: field for field in _FIELDS if field.metadata}
