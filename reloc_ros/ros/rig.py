"""Several cameras as one: where the robot's base is by all images of one time, as if a camera were there."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from builtin_interfaces.msg import Time as Stamp
from std_msgs.msg import Header

from reloc_ros.inference.keypoints import Keypoints
from reloc_ros.localizer import Localized, Lost
from reloc_ros.pose.covariance import moved_covariance, step_between
from reloc_ros.pose.finder import FoundBy
from reloc_ros.pose.fusion import Measured, agreeing, distance, fused
from reloc_ros.pose.level import tilt_problem
from reloc_ros.ros.camera_stream import Arrived
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.conversions import seconds_from_stamp
from reloc_ros.ros.input.image_outcome import ImageOutcome, failed_image
from reloc_ros.ros.input.initial_pose_input import InitialPoseInput
from reloc_ros.ros.loaded_map import LoadedMap
from reloc_ros.ros.tf.config import TfOutcome
from reloc_ros.ros.tf.frame_pose import refused_if_tilted
from reloc_ros.ros.tf.tree import TfTree
from reloc_ros.stream.status import StampedPose

_WEAKEST_FIRST: tuple[FoundBy, ...] = ("features", "network", "tracking")
"""Of cameras that were localized in different ways, the way that is told: the one that costs most."""


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """What the images of one time came to."""

    outcome: ImageOutcome
    """Of the robot: with several cameras, its frame is the base's, and so is its pose."""
    outcomes: Sequence[ImageOutcome]
    """Of each image."""
    refused: Mapping[str, TfOutcome]
    """By camera: why its pose is no part of the robot's."""

    @property
    def is_lost(self) -> bool:
        """Whether images could be looked at, none of them gave the robot a pose, and other keypoints might."""
        looked_at = any(isinstance(one.result, Lost) and not one.result.final for one in self.outcomes)
        return looked_at and not isinstance(self.outcome.result, Localized)


def localized(
    images: Sequence[Arrived],
    loaded: LoadedMap,
    believed: StampedPose | None,
    given: Parameters,
    hints: InitialPoseInput | None,
    tree: TfTree,
) -> Seen:
    """Localize each image by itself; the robot's pose is that of its camera, or by all that have one and agree.

    It may wait for transforms.

    Args:
        images: of one time, each of another camera.
        believed: the last pose of the robot that counted.
        hints: what a person said of where the robot is.
    """
    outcomes, errors = [], []
    for each in images:
        own = loaded.of(each.stream.name)
        try:
            found = each.stream.localize(each.message, own, given, believed, hints, tree)
        except Exception as error:  # costs this image, unless it is so with all of them
            errors.append(error)
            found = failed_image(each.message.header, error)
        outcomes.append(found)
    if len(errors) == len(images):
        raise errors[0]
    outcome, refused = _together(images, outcomes, given, tree) if given.rig else (outcomes[0], {})
    if given.planar:
        outcome = refused_if_tilted(outcome, given, tree)
    return Seen(outcome, outcomes if given.rig else [outcome], refused)


def _together(
    images: Sequence[Arrived], outcomes: Sequence[ImageOutcome], given: Parameters, tree: TfTree
) -> tuple[ImageOutcome, dict[str, TfOutcome]]:
    """The robot's outcome, and by camera why its pose is no part of that."""
    found = {
        image.stream.name: one
        for image, one in zip(images, outcomes, strict=True)
        if isinstance(one.result, Localized)
    }
    stamp = max((one.header.stamp for one in found.values() or outcomes), key=seconds_from_stamp)
    frames = {image.stream.name: image.stream.frame(given, image.message.header) for image in images}
    bases = {name: _base_by(frames[name], one, stamp, given, tree) for name, one in found.items()}
    refused = {name: base for name, base in bases.items() if isinstance(base, TfOutcome)}
    measured = {name: base for name, base in bases.items() if isinstance(base, Measured)}
    group = [list(measured)[row] for row in agreeing(list(measured.values()), given.camera_gate)]
    refused |= _disagreeing(measured, group, given.base_frame)
    header = Header(stamp=stamp, frame_id=given.base_frame)
    latency_s = sum(one.latency_s for one in outcomes)
    if group:
        result = _result(fused([measured[name] for name in group]), [found[name].result for name in group])
        remarks = [f"{name} is left out: {why.detail}" for name, why in refused.items()]
        remarks += [_tilt_remark(name, frames[name], found[name], measured[name], given) for name in group]
        return ImageOutcome(header, None, result, "", "; ".join(filter(None, remarks)), latency_s), refused
    why = [(outcome.reason, outcome.detail) for outcome in refused.values()]
    why = why or [(one.reason, f"{name}: {one.detail}") for name, one in zip(frames, outcomes, strict=True)]
    details = "; ".join(dict.fromkeys(detail for _, detail in why))
    return ImageOutcome(header, None, None, why[0][0], details, latency_s), refused


def _base_by(
    frame: str, outcome: ImageOutcome, stamp: Stamp, given: Parameters, tree: TfTree
) -> Measured | TfOutcome:
    """The base at a time, by the image that a camera of that frame took a little before, or then."""
    result, own = outcome.result, outcome.header.stamp
    if not frame:
        return TfOutcome(False, "no_transform", "its images name no frame; set NAME.camera_frame")
    camera_from_base = tree.lookup(frame, given.base_frame, own)
    if isinstance(camera_from_base, TfOutcome):
        return camera_from_base
    map_from_camera = result.camera_from_map.inverse()
    mount = _diagonal(given.mount_position_sigma, given.mount_rotation_sigma)
    covariance = moved_covariance(result.covariance + mount, map_from_camera, camera_from_base)
    base = Measured(map_from_camera @ camera_from_base, covariance)
    elapsed_s = seconds_from_stamp(stamp) - seconds_from_stamp(own)
    if elapsed_s == 0:
        return base
    moved = tree.motion(given.base_frame, own, stamp)
    if moved is None:  # it may have gone as far as it can
        slack = _diagonal(elapsed_s * given.max_speed, elapsed_s * given.max_turn_rate)
        return Measured(base.map_from_body, base.covariance + slack)
    covariance = moved_covariance(base.covariance, base.map_from_body, moved)
    return Measured(base.map_from_body @ moved, covariance)


def _tilt_remark(name: str, frame: str, outcome: ImageOutcome, base: Measured, given: Parameters) -> str:
    """What speaks against how the robot lies by one camera."""
    camera_from_map = outcome.result.camera_from_map
    frames = camera_from_map.inverse(), camera_from_map @ base.map_from_body
    return tilt_problem(given.base_frame, frame, *frames, f"{name}.camera_frame")


def _diagonal(position_sigma: float, rotation_sigma: float) -> np.ndarray:
    return np.diag(np.repeat([position_sigma, rotation_sigma], 3) ** 2)


def _disagreeing(measured: Mapping[str, Measured], group: Sequence[str], base: str) -> dict[str, TfOutcome]:
    """Of each camera outside of the group, how far it is from another, one of the group where there is one."""
    refused = {}
    for name in [name for name in measured if name not in group]:
        others = [other for other in group or measured if other != name]
        far = max(others, key=lambda other: distance(measured[name], measured[other]))
        apart = step_between(measured[name].map_from_body, measured[far].map_from_body)
        metres, degrees = np.linalg.norm(apart[:3]), np.degrees(np.linalg.norm(apart[3:]))
        detail = (
            f"{name} and {far} put {base} {metres:.2f} m and {degrees:.1f} deg apart, "
            f"{distance(measured[name], measured[far]):.0f} standard deviations; if they always do, see to their "
            "frames on TF"
        )
        refused[name] = TfOutcome(False, "cameras_disagree", detail)
    return refused


def _result(base: Measured, results: Sequence[Localized]) -> Localized:
    """The robot's pose as that of a camera at its base, with the keypoints of all."""
    keypoints = [each.keypoints for each in results]
    fields = {
        field.name: np.concatenate([getattr(each, field.name) for each in keypoints])
        for field in dataclasses.fields(Keypoints)
    }
    errors_px = [each.reprojection_rms_px for each in results if not math.isnan(each.reprojection_rms_px)]
    return Localized(
        base.map_from_body.inverse(),
        base.covariance,
        Keypoints(**fields),
        np.concatenate([each.inliers for each in results]),
        float(np.sqrt(np.mean(np.square(errors_px)))) if errors_px else math.nan,
        {},
        refined=all(each.refined for each in results),
        found_by=next(way for way in _WEAKEST_FIRST if any(each.found_by == way for each in results)),
    )
