"""Localize a folder of images with a bundle and write the poses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from reloc_ros.atomic import write_json
from reloc_ros.errors import RelocError
from reloc_ros.geometry import Camera
from reloc_ros.localizer import NO_KEYPOINTS, Localized, Localizer, Lost, LostReason
from reloc_ros.offline.frames import list_photos, read_photo
from reloc_ros.offline.progress import Progress, silent

POSES_FORMAT = 1


def run_folder(
    localizer: Localizer, folder: Path, camera: Camera | None = None, progress: Progress = silent
) -> dict[str, Localized | Lost]:
    """Localize every image of a folder, by name; one that cannot be read is lost with that reason."""
    results: dict[str, Localized | Lost] = {}
    names = list_photos(folder)
    for done, name in enumerate(names):
        try:
            results[name] = localizer.localize(read_photo(folder / name), camera)
        except RelocError as error:
            results[name] = Lost(LostReason.BAD_IMAGE, str(error), NO_KEYPOINTS, np.zeros(0, dtype=bool), {})
        progress("localize", done + 1, len(names))
    return results


def write_poses(path: Path, results: dict[str, Localized | Lost]) -> None:
    """Write results as JSON, atomically; a lost image has no pose, no covariance and no residual."""
    write_json(
        path,
        {"format": POSES_FORMAT, "images": {name: pose_entry(result) for name, result in results.items()}},
    )


def pose_entry(result: Localized | Lost) -> dict[str, Any]:
    """One image's entry of poses.json."""
    entry: dict[str, Any] = {
        "status": "localized" if isinstance(result, Localized) else "lost",
        "reason": None,
        "camera_from_map": None,
        "covariance": None,
        "keypoints": len(result.keypoints),
        "inliers": int(result.inliers.sum()),
        "reprojection_rms_px": None,
        "refined": None,
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
        "reprojection_rms_px": result.reprojection_rms_px,
        "refined": result.refined,
    }
