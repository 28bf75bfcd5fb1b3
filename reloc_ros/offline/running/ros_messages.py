"""Results as ROS messages, without ROS: rosbags serializes them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from reloc_ros.bundle import Bundle
from reloc_ros.geometry import SE3
from reloc_ros.localizer import Localized, Lost
from reloc_ros.offline.sources.frame import Frame

STATUS_TYPE = "reloc_ros/msg/RelocStatus"
STATUS_DEFINITION = """\
std_msgs/Header header
uint8 LOST=0
uint8 DEGRADED=1
uint8 TRACKING=2
uint8 state
bool pose_published
string reason
string detail
string transform
uint32 keypoints
uint32 inliers
float32 reprojection_rms_px
bool tracked
string found_by
float32 latency_s
float32 frame_age_s
bool scale_known
string map_frame
string backend
uint64 frames_received
uint64 frames_localized
uint64 frames_lost
uint64 frames_dropped
uint64 frames_skipped
"""
"""As in msg/RelocStatus.msg, which a pip install does not have; a test holds them together."""

POSE, WITH_COVARIANCE, STATUS, TF = "/reloc/pose", "/reloc/pose_with_covariance", "/reloc/status", "/tf"
TYPES = {
    POSE: "geometry_msgs/msg/PoseStamped",
    WITH_COVARIANCE: "geometry_msgs/msg/PoseWithCovarianceStamped",
    STATUS: STATUS_TYPE,
    TF: "tf2_msgs/msg/TFMessage",
}


def typestore() -> Any:
    """rosbags' types of ROS 2, and ours."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg(STATUS_DEFINITION, STATUS_TYPE))
    return store


@dataclasses.dataclass
class PoseMessages:
    """Makes the messages of one run, and counts for their status."""

    store: Any
    bundle: Bundle
    backend: str
    """What found the keypoints."""
    localized: int = 0
    lost: int = 0

    def of(self, frame: Frame, result: Localized | Lost, parent: str | None) -> Iterator[tuple[str, Any]]:
        """Topics and messages for one image, all with its stamp.

        Args:
            parent: frame that the camera's hangs on already: a frame has one parent, so there is no transform then.
        """
        header = self._header(frame, self.bundle.frame)
        transform = ""
        if isinstance(result, Localized):
            self.localized += 1
            map_from_camera = result.camera_from_map.inverse()
            pose = self._make("geometry_msgs/msg/Pose", *self._pose(map_from_camera))
            yield POSE, self._make(TYPES[POSE], header, pose)
            covariance = np.ascontiguousarray(result.covariance, dtype=np.float64).ravel()
            with_covariance = self._make("geometry_msgs/msg/PoseWithCovariance", pose, covariance)
            yield WITH_COVARIANCE, self._make(TYPES[WITH_COVARIANCE], header, with_covariance)
            transform = "no_frame" if not frame.frame_id else "parent_present" if parent else ""
            if not transform:
                yield TF, self._transform(header, frame.frame_id, map_from_camera)
        else:
            self.lost += 1
        yield STATUS, self._status(frame, result, transform)

    def _status(self, frame: Frame, result: Localized | Lost, transform: str) -> Any:
        """Each image speaks for itself: the node's hysteresis is for those who must act at once."""
        lost = isinstance(result, Lost)
        kind = self.store.types[STATUS_TYPE]
        return kind(
            header=self._header(frame, frame.frame_id),
            state=kind.LOST if lost else kind.TRACKING,
            pose_published=not lost,
            reason=result.reason.value if lost else "",
            detail=result.detail if lost else "",
            transform=transform,
            keypoints=len(result.keypoints),
            inliers=int(result.inliers.sum()),
            reprojection_rms_px=math.nan if lost else result.reprojection_rms_px,
            tracked=not lost and result.tracked,
            found_by="" if lost else result.found_by,
            latency_s=1e-3 * result.stage_ms.get("total", math.nan),
            frame_age_s=math.nan,
            scale_known=self.bundle.scale == "metric",
            map_frame=self.bundle.frame,
            backend=self.backend,
            frames_received=self.localized + self.lost,
            frames_localized=self.localized,
            frames_lost=self.lost,
            frames_dropped=0,
            frames_skipped=0,
        )

    def _transform(self, header: Any, child: str, map_from_camera: SE3) -> Any:
        position, orientation = self._pose(map_from_camera)
        translation = self._make("geometry_msgs/msg/Vector3", position.x, position.y, position.z)
        transform = self._make("geometry_msgs/msg/Transform", translation, orientation)
        stamped = self._make("geometry_msgs/msg/TransformStamped", header, child, transform)
        return self._make(TYPES[TF], [stamped])

    def _pose(self, map_from_camera: SE3) -> tuple[Any, Any]:
        w, x, y, z = map_from_camera.quaternion_wxyz.tolist()
        point = self._make("geometry_msgs/msg/Point", *map_from_camera.translation.tolist())
        return point, self._make("geometry_msgs/msg/Quaternion", x, y, z, w)

    def _header(self, frame: Frame, frame_id: str) -> Any:
        stamp_ns = frame.stamp_ns or 0
        stamp = self._make("builtin_interfaces/msg/Time", stamp_ns // 10**9, stamp_ns % 10**9)
        return self._make("std_msgs/msg/Header", stamp, frame_id)

    def _make(self, kind: str, *fields: Any) -> Any:
        return self.store.types[kind](*fields)
