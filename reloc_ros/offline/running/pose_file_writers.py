"""Results as files, written while they come in: poses.json and TUM trajectories."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reloc_ros.io.atomic import atomic_path
from reloc_ros.io.tum import format_tum_pose
from reloc_ros.localizer import Localized, Lost
from reloc_ros.offline.sources.frame import Frame

POSES_FORMAT = 1
Sink = Callable[[Frame, Localized | Lost], None]
"""Takes the results one after the other."""


@contextmanager
def poses_json_writer(path: Path) -> Iterator[Sink]:
    """A JSON file with an entry per image, see `pose_entry`; it appears when all are written."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write(f'{{\n"format": {POSES_FORMAT},\n"images": {{')
        separator = "\n"

        def write(frame: Frame, result: Localized | Lost) -> None:
            nonlocal separator
            entry = json.dumps(pose_entry(frame, result), allow_nan=False)
            stream.write(f"{separator}{json.dumps(frame.name)}: {entry}")
            separator = ",\n"

        yield write
        stream.write("\n}\n}\n")


def pose_entry(frame: Frame, result: Localized | Lost) -> dict[str, Any]:
    """One image's entry; a lost image has no pose, no covariance and no residual."""
    entry: dict[str, Any] = {
        "stamp_ns": frame.stamp_ns,
        "status": "localized" if isinstance(result, Localized) else "lost",
        "reason": None,
        "camera_from_map": None,
        "covariance": None,
        "keypoints": len(result.keypoints),
        "inliers": int(result.inliers.sum()),
        "reprojection_rms_px": None,
        "refined": None,
        "tracked": None,
        "found_by": None,
        "latency_ms": result.stage_ms.get("total"),
    }
    if isinstance(result, Lost):
        return entry | {"reason": result.reason.value, "detail": result.detail}
    pose = result.camera_from_map
    return entry | {
        "camera_from_map": {
            "rotation_wxyz": pose.quaternion_wxyz.tolist(),
            "translation": pose.translation.tolist(),
        },
        "covariance": result.covariance.tolist(),
        "reprojection_rms_px": None if result.tracked else result.reprojection_rms_px,
        "refined": result.refined,
        "tracked": result.tracked,
        "found_by": result.found_by,
    }


@contextmanager
def tum_writer(path: Path) -> Iterator[Sink]:
    """A TUM file of map_from_camera: seconds, or the image's number in a folder; a lost image has no line."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write("# time_s tx ty tz qx qy qz qw of map_from_camera\n")
        number = -1

        def write(frame: Frame, result: Localized | Lost) -> None:
            nonlocal number
            number += 1
            if isinstance(result, Lost):
                return
            stamp_ns = number * 10**9 if frame.stamp_ns is None else frame.stamp_ns
            # Nanoseconds since the epoch do not fit a float.
            time = f"{stamp_ns // 10**9}.{stamp_ns % 10**9:09d}"
            stream.write(f"{time} {format_tum_pose(result.camera_from_map.inverse())}\n")

        yield write
