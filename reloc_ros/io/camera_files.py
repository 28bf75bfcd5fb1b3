"""Read intrinsics from COLMAP's and ROS's camera files; the one place that knows of COLMAP's half pixel.

COLMAP puts (0, 0) at the top-left corner of the top-left pixel, so the centre of that pixel is (0.5, 0.5);
ours is (0, 0), see `reloc_ros.cameras`. Whatever else reads or writes COLMAP pixels calls the functions
here.
"""

from __future__ import annotations

import dataclasses
import struct
import types
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc_ros.cameras import COEFFICIENT_COUNT, Camera, CameraModel
from reloc_ros.errors import RelocError, first_line
from reloc_ros.io.camera_info import CameraInfo, camera_from_message, log_camera_info
from reloc_ros.io.nested_text import parse_yaml

COLMAP_HALF_PIXEL = 0.5


@dataclasses.dataclass(frozen=True)
class _ColmapModel:
    """One of COLMAP's camera models that is a special case of `Camera`."""

    name: str
    one_focal: bool
    """One focal length for both axes."""
    model: CameraModel
    places: tuple[int, ...] = ()
    """Which of `Camera.coefficients` its parameters fill, after the focal lengths and the principal point."""

    @property
    def params_count(self) -> int:
        return (3 if self.one_focal else 4) + len(self.places)


# By its number in cameras.bin.
_COLMAP_MODELS = {
    0: _ColmapModel("SIMPLE_PINHOLE", True, "pinhole"),
    1: _ColmapModel("PINHOLE", False, "pinhole"),
    2: _ColmapModel("SIMPLE_RADIAL", True, "brown", (0,)),
    3: _ColmapModel("RADIAL", True, "brown", (0, 1)),
    4: _ColmapModel("OPENCV", False, "brown", (0, 1, 2, 3)),
    6: _ColmapModel("FULL_OPENCV", False, "brown", (0, 1, 2, 3, 4, 5, 6, 7)),
    5: _ColmapModel("OPENCV_FISHEYE", False, "fisheye", (0, 1, 2, 3)),
    8: _ColmapModel("SIMPLE_RADIAL_FISHEYE", True, "fisheye", (0,)),
    9: _ColmapModel("RADIAL_FISHEYE", True, "fisheye", (0, 1)),
    14: _ColmapModel("SIMPLE_FISHEYE", True, "fisheye"),
    15: _ColmapModel("FISHEYE", False, "fisheye"),
}
_UNSUPPORTED_MODELS = {
    7: ("FOV", 5),
    10: ("THIN_PRISM_FISHEYE", 12),
    11: ("RAD_TAN_THIN_PRISM_FISHEYE", 16),
    12: ("SIMPLE_DIVISION", 4),
    13: ("DIVISION", 5),
    16: ("EUCM", 6),
    17: ("EQUIRECTANGULAR", 2),
}
"""Their names and how many parameters they have, by number."""
_MODELS_BY_NAME = {model.name: model for model in _COLMAP_MODELS.values()}
COLMAP_CAMERA_MODELS = tuple(_MODELS_BY_NAME)
"""Those of COLMAP's camera models that are special cases of `Camera`."""


def px_from_colmap(colmap_px: ArrayLike) -> NDArray[np.float64]:
    """Pixels (..., 2) in our convention from COLMAP's."""
    return np.asarray(colmap_px, dtype=np.float64) - COLMAP_HALF_PIXEL


def colmap_from_px(px: ArrayLike) -> NDArray[np.float64]:
    """Pixels (..., 2) in COLMAP's convention from ours."""
    return np.asarray(px, dtype=np.float64) + COLMAP_HALF_PIXEL


def camera_from_colmap(name: str, width: int, height: int, params: Sequence[float]) -> Camera:
    """A camera from COLMAP's model name and parameters as they stand in its files."""
    if name not in _MODELS_BY_NAME:
        raise _unsupported(name)
    colmap = _MODELS_BY_NAME[name]
    if len(params) != colmap.params_count:
        raise RelocError(
            f"COLMAP camera model {name} has {colmap.params_count} parameters, got {len(params)}"
        )
    fx, *rest = map(float, params)
    fy, *rest = (fx, *rest) if colmap.one_focal else rest
    cx, cy = px_from_colmap(rest[:2]).tolist()
    coefficients = np.zeros(COEFFICIENT_COUNT[colmap.model])
    coefficients[list(colmap.places)] = rest[2:]
    return Camera(colmap.model, int(width), int(height), fx, fy, cx, cy, tuple(coefficients.tolist()))


def _unsupported(name: str) -> RelocError:
    supported = ", ".join(COLMAP_CAMERA_MODELS)
    return RelocError(
        f"COLMAP camera model {name} is not supported; use one of {supported}, or undistort the images "
        "(colmap image_undistorter, which writes a PINHOLE model)"
    )


def colmap_from_camera(camera: Camera) -> tuple[str, list[float]]:
    """COLMAP's model name and parameters of a camera, as they would stand in its files.

    Raises:
        RelocError: the camera has a skew, which none of COLMAP's models has.
    """
    if camera.skew:
        raise RelocError(
            f"the camera's K has a skew of {camera.skew:g} px, which no camera model of COLMAP has; leave its "
            "intrinsics to be found, or calibrate it without skew"
        )
    params = [camera.fx, camera.fy, *colmap_from_px([camera.cx, camera.cy]).tolist(), *camera.coefficients]
    if camera.model == "pinhole":
        return "PINHOLE", params
    if camera.model == "fisheye":
        return "OPENCV_FISHEYE", params
    # OPENCV is the first four of the same coefficients.
    return ("FULL_OPENCV", params) if any(camera.coefficients[4:]) else ("OPENCV", params[:8])


def read_camera_file(path: str | Path, *, rectified: bool = False) -> Camera:
    """Read one camera: COLMAP's cameras.txt or cameras.bin, or a ROS camera_info .yaml.

    The yaml may be what camera_calibration writes (`camera_matrix: {data: ...}`) or the fields of a
    sensor_msgs/CameraInfo as `ros2 topic echo` prints them, or a calibration as Kalibr and EuRoC's data sets have it.

    Args:
        rectified: the images are rectified, so P of a camera_info holds; COLMAP's files are of the images as they are.
    """
    path = Path(path)
    if path.suffix in (".yaml", ".yml"):
        return _read_ros_yaml(path, rectified)
    cameras = read_colmap_cameras(path)
    if len(cameras) != 1:
        raise RelocError(f"'{path}' holds {len(cameras)} cameras; leave the one that took the images")
    return next(iter(cameras.values()))


def read_colmap_cameras(path: str | Path, used: Collection[int] | None = None) -> dict[int, Camera]:
    """Read COLMAP's cameras.txt or cameras.bin: camera id to camera.

    Args:
        used: the ids that matter; others are passed over, whatever is wrong with them. None: all matter.
    """
    path = Path(path)
    if path.suffix not in (".txt", ".bin"):
        raise RelocError(
            f"'{path}' is no camera file; give a COLMAP cameras.txt or .bin, or a camera_info .yaml"
        )
    data = _read_bytes(path)
    try:
        return (_parse_cameras_txt if path.suffix == ".txt" else _parse_cameras_bin)(data, used)
    except (struct.error, ValueError, IndexError) as error:
        raise RelocError(f"'{path}' is damaged or not a COLMAP camera file ({error})") from error
    except RelocError as error:
        raise RelocError(f"'{path}': {error}") from error


def _parse_cameras_bin(data: bytes, used: Collection[int] | None) -> dict[int, Camera]:
    (count,) = struct.unpack_from("<Q", data, 0)
    offset, cameras = 8, {}
    for _ in range(count):
        camera_id, number, width, height = struct.unpack_from("<IiQQ", data, offset)
        if number not in _COLMAP_MODELS and number not in _UNSUPPORTED_MODELS:
            raise _unsupported(f"number {number}")
        colmap = _COLMAP_MODELS.get(number)
        name, params_count = (colmap.name, colmap.params_count) if colmap else _UNSUPPORTED_MODELS[number]
        if used is None or camera_id in used:
            params = struct.unpack_from(f"<{params_count}d", data, offset + 24) if colmap else ()
            cameras[camera_id] = camera_from_colmap(name, width, height, params)
        offset += 24 + 8 * params_count
    return cameras


def _parse_cameras_txt(data: bytes, used: Collection[int] | None) -> dict[int, Camera]:
    cameras = {}
    for line in data.decode("utf-8-sig").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        camera_id, name, width, height, *params = line.split()
        if used is None or int(camera_id) in used:
            cameras[int(camera_id)] = camera_from_colmap(name, int(width), int(height), [*map(float, params)])
    return cameras


def _read_ros_yaml(path: Path, rectified: bool) -> Camera:
    data = _read_bytes(path)
    try:
        documents = parse_yaml(data)
    except ValueError as error:
        hint = ""
        if data.startswith(b"%YAML:1.0"):
            hint = "; OpenCV and ORB-SLAM write such a first line: give a camera_info .yaml"
        raise RelocError(f"'{path}' is not readable as yaml ({first_line(error)}){hint}") from error
    info = documents[0] if documents else None
    if not isinstance(info, Mapping):
        raise RelocError(f"'{path}' is not a camera_info: it holds no fields")
    try:
        message = _message_from_fields(info)
        camera = camera_from_message(message, rectified=rectified)
        log_camera_info(message, f"images that '{path}' is for", rectified=rectified)
        return camera
    except KeyError as error:
        raise RelocError(f"'{path}' is not a camera_info: it lacks {error}") from error
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise RelocError(f"'{path}' is not a camera_info ({error})") from error
    except RelocError as error:
        raise RelocError(f"'{path}': {error}") from error


def _message_from_fields(info: Mapping[str, Any]) -> CameraInfo:
    """The camera_info that any form of yaml stands for."""
    if chained := [name for name, one in info.items() if isinstance(one, Mapping) and "intrinsics" in one]:
        if len(chained) > 1:
            raise RelocError(f"it holds {', '.join(chained)} of Kalibr; leave the one that took the images")
        info = info[chained[0]]
    if "intrinsics" in info:
        info = _fields_of_kalibr(info)
    if "camera_matrix" in info:
        names = ("camera_matrix", "distortion_coefficients", "rectification_matrix", "projection_matrix")
        width, height = info["image_width"], info["image_height"]
        k, d, r, p = (info[name]["data"] if name in info or name in names[:2] else [] for name in names)
    else:
        width, height = info["width"], info["height"]
        k, d = (info[name if name in info else name.upper()] for name in "kd")
        r, p = (info.get(name, info.get(name.upper(), [])) for name in "rp")
        _refuse_binning_and_roi(info)
    numbers = {"k": k, "d": d, "r": r or [0.0] * 9, "p": p or [0.0] * 12}
    return types.SimpleNamespace(
        width=int(width),
        height=int(height),
        distortion_model=_distortion_model(info, len(d)),
        **{name: [float(value) for value in values] for name, values in numbers.items()},
        binning_x=1,
        binning_y=1,
        roi=types.SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0),
    )


def _fields_of_kalibr(info: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a camera_info for a camera of Kalibr's camchain.yaml, or of a data set's sensor.yaml."""
    lens, named = info["camera_model"], info["distortion_model"]
    models = {
        "radtan": "plumb_bob",
        "radial-tangential": "plumb_bob",
        "equidistant": "equidistant",
        "none": "plumb_bob",
    }
    if lens != "pinhole" or named not in models:
        raise RelocError(
            f"it is of Kalibr's camera model {lens} with distortion {named}; needed is pinhole with radtan, "
            "equidistant or none: calibrate again with pinhole-radtan or pinhole-equi, or undistort the images"
        )
    d = info["distortion_coeffs" if "distortion_coeffs" in info else "distortion_coefficients"]
    fx, fy, cx, cy = info["intrinsics"]
    width, height = info["resolution"]
    d = [*d, 0.0] if models[named] == "plumb_bob" and len(d) == 4 else d
    k = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
    return {"width": width, "height": height, "k": k, "d": d, "distortion_model": models[named]}


def _distortion_model(info: Mapping[str, Any], count: int) -> str:
    """What the file calls its distortion; where it names the lens alone, as camera_calibration has it."""
    lens = str(info.get("camera_model") or "")
    if "distortion_model" not in info and not lens:
        raise KeyError("distortion_model")
    named = str(info.get("distortion_model") or "")
    of_lens = {"pinhole": "plumb_bob" if count <= 5 else "rational_polynomial", "fisheye": "equidistant"}
    if named and lens in of_lens and (named in ("fisheye", "equidistant")) != (lens == "fisheye"):
        raise RelocError(f"camera_model {lens} contradicts distortion_model {named}; leave the wrong one out")
    return named or of_lens.get(lens, lens)


def _refuse_binning_and_roi(info: Mapping[str, Any]) -> None:
    """K then belongs to the full sensor, not to the images; guessing would make every pose wrong."""
    roi = info.get("roi") or {}
    window = [roi.get(key, 0) for key in ("x_offset", "y_offset", "width", "height")]
    is_whole = window in ([0, 0, 0, 0], [0, 0, info["width"], info["height"]])
    if max(info.get("binning_x", 0), info.get("binning_y", 0)) > 1 or not is_whole:
        raise RelocError(
            "binning or a region of interest is set; give the intrinsics of the images themselves"
        )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RelocError(f"cannot read camera file '{path}': {error.strerror}") from error
