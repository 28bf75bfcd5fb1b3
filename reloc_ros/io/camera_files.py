"""Read intrinsics from COLMAP's and ROS's camera files; the one place that knows of COLMAP's half pixel.

COLMAP puts (0, 0) at the top-left corner of the top-left pixel, so the centre of that pixel is (0.5, 0.5);
ours is (0, 0), see `reloc_ros.geometry`. Whatever else reads or writes COLMAP pixels calls the functions
here.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import ArrayLike, NDArray

from reloc_ros.errors import RelocError
from reloc_ros.geometry import Camera

COLMAP_HALF_PIXEL = 0.5

# COLMAP's model numbers in cameras.bin, with the number of parameters each has.
_COLMAP_MODELS = {
    0: ("SIMPLE_PINHOLE", 3),
    1: ("PINHOLE", 4),
    2: ("SIMPLE_RADIAL", 4),
    3: ("RADIAL", 5),
    4: ("OPENCV", 8),
    5: ("OPENCV_FISHEYE", 8),
    6: ("FULL_OPENCV", 12),
    7: ("FOV", 5),
    8: ("SIMPLE_RADIAL_FISHEYE", 4),
    9: ("RADIAL_FISHEYE", 5),
    10: ("THIN_PRISM_FISHEYE", 12),
    11: ("RAD_TAN_THIN_PRISM_FISHEYE", 16),
}
_ONE_FOCAL_LENGTH = (
    "SIMPLE_PINHOLE",
    "SIMPLE_RADIAL",
    "RADIAL",
    "SIMPLE_RADIAL_FISHEYE",
    "RADIAL_FISHEYE",
)


def px_from_colmap(colmap_px: ArrayLike) -> NDArray[np.float64]:
    """Pixels (..., 2) in our convention from COLMAP's."""
    return np.asarray(colmap_px, dtype=np.float64) - COLMAP_HALF_PIXEL


def colmap_from_px(px: ArrayLike) -> NDArray[np.float64]:
    """Pixels (..., 2) in COLMAP's convention from ours."""
    return np.asarray(px, dtype=np.float64) + COLMAP_HALF_PIXEL


def camera_from_colmap(model: str, width: int, height: int, params: Sequence[float]) -> Camera:
    """A camera from COLMAP's model name and parameters as they stand in its files."""
    params = [float(value) for value in params]
    first = 1 if model in _ONE_FOCAL_LENGTH else 2
    params[first : first + 2] = px_from_colmap(params[first : first + 2]).tolist()
    return Camera.from_colmap(model, width, height, params)


def colmap_from_camera(camera: Camera) -> tuple[str, list[float]]:
    """COLMAP's model name and parameters of a camera, as they would stand in its files."""
    params = [camera.fx, camera.fy, *colmap_from_px([camera.cx, camera.cy]).tolist(), *camera.coefficients]
    if camera.model == "pinhole":
        return "PINHOLE", params
    if camera.model == "fisheye":
        return "OPENCV_FISHEYE", params
    # OPENCV is the first four of the same coefficients.
    return ("FULL_OPENCV", params) if any(camera.coefficients[4:]) else ("OPENCV", params[:8])


def read_camera_file(path: str | Path) -> Camera:
    """Read one camera: COLMAP's cameras.txt or cameras.bin, or a ROS camera_info .yaml.

    The yaml may be what camera_calibration writes (`camera_matrix: {data: ...}`) or the fields of a
    sensor_msgs/CameraInfo as `ros2 topic echo` prints them.
    """
    path = Path(path)
    if path.suffix in (".yaml", ".yml"):
        return _read_ros_yaml(path)
    cameras = read_colmap_cameras(path)
    if len(cameras) != 1:
        raise RelocError(f"'{path}' holds {len(cameras)} cameras; leave the one that took the images")
    return next(iter(cameras.values()))


def read_colmap_cameras(path: str | Path) -> dict[int, Camera]:
    """Read COLMAP's cameras.txt or cameras.bin: camera id to camera."""
    path = Path(path)
    if path.suffix not in (".txt", ".bin"):
        raise RelocError(
            f"'{path}' is no camera file; give a COLMAP cameras.txt or .bin, or a camera_info .yaml"
        )
    data = _read_bytes(path)
    try:
        return _parse_cameras_txt(data) if path.suffix == ".txt" else _parse_cameras_bin(data)
    except (struct.error, ValueError, IndexError) as error:
        raise RelocError(f"'{path}' is damaged or not a COLMAP camera file ({error})") from error
    except RelocError as error:
        raise RelocError(f"'{path}': {error}") from error


def _parse_cameras_bin(data: bytes) -> dict[int, Camera]:
    (count,) = struct.unpack_from("<Q", data, 0)
    offset, cameras = 8, {}
    for _ in range(count):
        camera_id, number, width, height = struct.unpack_from("<IiQQ", data, offset)
        if number not in _COLMAP_MODELS:
            raise RelocError(f"COLMAP camera model number {number} is not supported")
        name, params_count = _COLMAP_MODELS[number]
        params = struct.unpack_from(f"<{params_count}d", data, offset + 24)
        cameras[camera_id] = camera_from_colmap(name, width, height, params)
        offset += 24 + 8 * params_count
    return cameras


def _parse_cameras_txt(data: bytes) -> dict[int, Camera]:
    cameras = {}
    for line in data.decode("utf-8").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        camera_id, name, width, height, *params = line.split()
        cameras[int(camera_id)] = camera_from_colmap(
            name, int(width), int(height), [float(p) for p in params]
        )
    return cameras


def _read_ros_yaml(path: Path) -> Camera:
    try:
        documents = list(yaml.safe_load_all(_read_bytes(path)))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise RelocError(f"'{path}' is not readable as yaml ({reason})") from error
    info = documents[0] if documents else None
    if not isinstance(info, Mapping):
        raise RelocError(f"'{path}' is not a camera_info: it holds no fields")
    try:
        return _camera_from_fields(info)
    except KeyError as error:
        raise RelocError(f"'{path}' is not a camera_info: it lacks {error}") from error
    except (TypeError, ValueError) as error:
        raise RelocError(f"'{path}' is not a camera_info ({error})") from error
    except RelocError as error:
        raise RelocError(f"'{path}': {error}") from error


def _camera_from_fields(info: Mapping[str, Any]) -> Camera:
    if "camera_matrix" in info:
        width, height = info["image_width"], info["image_height"]
        k, d = info["camera_matrix"]["data"], info["distortion_coefficients"]["data"]
    else:
        width, height = info["width"], info["height"]
        k, d = info["k" if "k" in info else "K"], info["d" if "d" in info else "D"]
        _refuse_binning_and_roi(info)
    return Camera.from_ros(str(info["distortion_model"]), int(width), int(height), k, d)


def _refuse_binning_and_roi(info: Mapping[str, Any]) -> None:
    """K then belongs to the full sensor, not to the images; guessing would make every pose wrong."""
    roi = info.get("roi") or {}
    if max(info.get("binning_x", 0), info.get("binning_y", 0)) > 1 or any(
        roi.get(key, 0) for key in ("x_offset", "y_offset", "width", "height")
    ):
        raise RelocError(
            "binning or a region of interest is set; give the intrinsics of the images themselves"
        )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RelocError(f"cannot read camera file '{path}': {error.strerror}") from error
