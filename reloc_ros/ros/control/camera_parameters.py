"""Several cameras of one robot: what is told of all of them, and of each by its name."""

from __future__ import annotations

import dataclasses
import re
from typing import TypeVar

from reloc_ros.errors import RelocError
from reloc_ros.ros.control.parameter_field import Change, live, parameter

Given = TypeVar("Given", bound="RigParameters")
AS_THE_NODES = (
    "bundle",
    "camera_frame",
    "image_transport",
    "image_reliability",
    "image_rectified",
    "camera_source",
    "bundle_camera",
    "camera_info_file",
    "image_mask",
)
"""Parameters of the node that each camera may have for itself."""


def _own(description: str):
    return parameter("", description, change=Change.START)


@dataclasses.dataclass(frozen=True)
class CameraParameters:
    """One camera of several; every field with a description is a ROS parameter NAME.field."""

    name: str = ""
    image_topic: str = _own("Topic of its images; empty: `NAME/image`.")
    camera_info_topic: str = _own("Topic of its intrinsics; empty: `camera_info` beside its images.")
    camera_frame: str = _own("Its optical frame; empty: the one each image names.")
    bundle: str = _own("Its own bundle, made of the same map; empty: the node's.")
    image_transport: str = _own("As the node's, where that is not to hold.")
    image_reliability: str = _own("Likewise.")
    image_rectified: str = _own("Likewise.")
    camera_source: str = _own("Likewise.")
    bundle_camera: str = _own("Likewise.")
    camera_info_file: str = _own("Likewise.")
    image_mask: str = _own("Likewise.")

    @property
    def image(self) -> str:
        """Topic of the raw images."""
        if self.image_topic:
            return self.image_topic
        return f"{self.name}/image" if self.name else "image"

    @property
    def camera_info(self) -> str:
        if self.camera_info_topic:
            return self.camera_info_topic
        return "/".join([*self.image.split("/")[:-1], "camera_info"])


CAMERA_FIELDS = {field.name: field for field in dataclasses.fields(CameraParameters) if field.metadata}
ONE_CAMERA = CameraParameters()


@dataclasses.dataclass(frozen=True)
class RigParameters:
    """Of a robot with several cameras; nothing here is of use with one."""

    cameras: tuple[str, ...] = parameter(
        ("",),
        "Names of the robot's cameras, where it has several: each then has the parameters `NAME.image_topic` and so "
        "on, and what is published is base_frame's pose by all of them. Needs a map in metres.",
        change=Change.START,
    )
    camera_tolerance_s: float = parameter(
        0.02, "Images whose stamps differ by less are of one time: their poses are fused.", (0.0, 1.0)
    )
    camera_gate: float = live(
        5.0,
        "Largest Mahalanobis distance of base_frame by one camera from that by another, beyond which the two disagree; "
        "where no more than half of them agree, there is no pose: `cameras_disagree`.",
        (0.1, 1000.0),
    )
    mount_position_sigma: float = live(
        0.01, "How well TF knows where each camera is on the robot, metres, standard deviation.", (0.0, 10.0)
    )
    mount_rotation_sigma: float = live(0.01, "The same of how it is turned, radians.", (0.0, 3.0))
    rig: tuple[CameraParameters, ...] = ()
    """The parameters of each named camera; none without."""

    def __post_init__(self) -> None:
        names = self.camera_names
        for name in names:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
                raise RelocError(f"parameter cameras must be names of letters, digits and _, got {name!r}")
            if names.count(name) > 1:
                raise RelocError(f"parameter cameras must be names that differ, got {name} twice")

    def of(self: Given, camera: CameraParameters) -> Given:
        """As they hold for one camera."""
        own = {name: value for name in AS_THE_NODES if (value := getattr(camera, name))}
        return dataclasses.replace(self, **own)

    @property
    def camera_names(self) -> tuple[str, ...]:
        return tuple(filter(None, self.cameras))

    @property
    def each_camera(self) -> tuple[CameraParameters, ...]:
        """Those named; else the one that needs no name."""
        return self.rig or (ONE_CAMERA,)
