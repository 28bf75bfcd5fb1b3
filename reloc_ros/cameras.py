"""Camera models and the one pixel convention.

Pixels: the centre of the top-left pixel is (0, 0), as in OpenCV and ROS. COLMAP puts (0, 0) at the corner of that
pixel; `reloc_ros.io.camera_files` converts where its files are read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc_ros.distortion import Lens, lens_of
from reloc_ros.errors import RelocError
from reloc_ros.geometry import Array

CameraModel = Literal["pinhole", "brown", "fisheye"]

_ROS_MODELS: Mapping[str, tuple[CameraModel, tuple[int, ...]]] = {
    "plumb_bob": ("brown", (4, 5)),
    "rational_polynomial": ("brown", (4, 5, 8)),
    "equidistant": ("fisheye", (4,)),
    "fisheye": ("fisheye", (4,)),
}
"""Which camera each of ROS's distortion models is, and how many coefficients it may have."""
COEFFICIENT_COUNT: Mapping[CameraModel, int] = {"pinhole": 0, "brown": 8, "fisheye": 4}

_LARGEST, _LARGEST_SIDE_PX = 1e9, 1 << 20
"""Beyond what any camera has; squares and products stay finite."""


@dataclasses.dataclass(frozen=True)
class Camera:
    """Intrinsics of one camera: a pinhole with OpenCV's rational or fisheye distortion.

    COLMAP's PINHOLE, SIMPLE_RADIAL, RADIAL, OPENCV, FULL_OPENCV and fisheye models without a prism, and ROS's
    plumb_bob, rational_polynomial and equidistant, are all special cases, so nothing is lost on the way in.
    """

    model: CameraModel
    width: int
    """Image width in pixels."""
    height: int
    """Image height in pixels."""
    fx: float
    fy: float
    """Focal lengths in pixels."""
    cx: float
    cy: float
    """Principal point in pixels; the centre of the top-left pixel is (0, 0)."""
    coefficients: tuple[float, ...] = ()
    """Nothing (pinhole), k1 k2 p1 p2 k3 k4 k5 k6 (brown) or k1 k2 k3 k4 (fisheye), as in OpenCV."""
    skew: float = 0.0
    """K's second number: pixels to the right for each focal length downwards."""

    def __post_init__(self) -> None:
        if self.model not in COEFFICIENT_COUNT:
            raise RelocError(
                f"camera model {self.model!r} is unknown; use one of {', '.join(COEFFICIENT_COUNT)}"
            )
        if len(self.coefficients) != COEFFICIENT_COUNT[self.model]:
            raise RelocError(
                f"a {self.model} camera has {COEFFICIENT_COUNT[self.model]} distortion coefficients, "
                f"got {len(self.coefficients)}"
            )
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.coefficients, self.skew)
        if not np.all(np.isfinite(numbers)):
            raise RelocError(f"camera intrinsics must be finite numbers, got {list(numbers)}")
        if max(map(abs, numbers)) > _LARGEST or max(self.width, self.height) > _LARGEST_SIDE_PX:
            raise RelocError(
                f"no camera has these intrinsics: {self.width}x{self.height} pixels, {list(numbers)}"
            )
        if not min(self.fx, self.fy) > 1 / _LARGEST:
            raise RelocError(
                f"camera focal lengths must be above zero pixels, got fx={self.fx}, fy={self.fy}"
            )
        if self.width < 1 or self.height < 1:
            raise RelocError(f"camera image size must be at least 1x1, got {self.width}x{self.height}")

    @staticmethod
    def from_ros(
        distortion_model: str, width: int, height: int, k: Sequence[float], d: Sequence[float]
    ) -> Camera:
        """From the fields of a ROS camera_info: model name, size, 3x3 row-major K, and D.

        An empty or all-zero D is a pinhole whatever the model is called, as drivers of ideal cameras do. Zeros beyond
        the model's own coefficients do not matter, and five without a name are plumb_bob's.
        """
        k_values, d_values = [float(x) for x in k], [float(x) for x in d]
        if len(k_values) != 9:
            raise RelocError(f"camera_info K has 9 numbers, got {len(k_values)}")
        if not any(k_values):
            raise RelocError("camera_info K is all zeros: the camera is not calibrated; set its intrinsics")
        fx, skew, cx, _, fy, cy = k_values[:6]
        model, coefficients = _distortion_from_ros(distortion_model, d_values)
        return Camera(model, int(width), int(height), fx, fy, cx, cy, coefficients, skew)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Camera:
        """From the mapping that `to_json` made."""
        try:
            fx, fy, cx, cy = (float(data[key]) for key in ("fx", "fy", "cx", "cy"))
            return Camera(
                data["model"],
                int(data["width"]),
                int(data["height"]),
                fx,
                fy,
                cx,
                cy,
                tuple(float(x) for x in data["coefficients"]),
                float(data.get("skew", 0.0)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RelocError(
                f"camera entry is malformed ({error}); it needs {', '.join(_CAMERA_FIELDS)}"
            ) from error

    def to_json(self) -> dict[str, Any]:
        fields = dataclasses.asdict(self)
        if not self.skew:  # as it is for nearly all, and as it was written always
            del fields["skew"]
        return fields

    @property
    def matrix(self) -> Array:
        """(3, 3) K."""
        return np.array([[self.fx, self.skew, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    @property
    def mean_focal(self) -> float:
        """Of both axes, pixels: what carries lengths between the image and the plane z = 1."""
        return 0.5 * (self.fx + self.fy)

    def project(self, points_camera: ArrayLike) -> Array:
        """Project points (N, 3) in the camera frame to (N, 2) pixels; NaN for points not in front of it.

        Distortion is a polynomial that may fold back far outside the image, so points beyond the monotonic
        range of its radial part are NaN too: they cannot be seen there.
        """
        points = np.asarray(points_camera, dtype=np.float64).reshape(-1, 3)
        bent = self._lens.distort(points)
        bent[:, 0] *= self.fx
        if self.skew:
            bent[:, 0] += self.skew * bent[:, 1]
        bent[:, 1] *= self.fy
        bent += (self.cx, self.cy)
        return bent

    def unproject(self, pixels: ArrayLike) -> Array:
        """Undistort pixels (N, 2) to (N, 2) points on the plane z = 1 of the camera frame, the inverse of `project`.

        NaN for pixels that no such point has: those of a fisheye that look sideways or backwards, and those farther
        out than the distortion grows.
        """
        bent = np.array(pixels, dtype=np.float64).reshape(-1, 2) - (self.cx, self.cy)
        bent[:, 1] /= self.fy
        if self.skew:
            bent[:, 0] -= self.skew * bent[:, 1]
        bent[:, 0] /= self.fx
        return self._lens.undistort(bent)

    def contains(self, pixels: ArrayLike) -> NDArray[np.bool_]:
        """(N,) whether pixels (N, 2) lie in the image; False for NaN."""
        u, v = np.asarray(pixels, dtype=np.float64).reshape(-1, 2).T
        return (u >= -0.5) & (u < self.width - 0.5) & (v >= -0.5) & (v < self.height - 0.5)

    def resized(self, width: int, height: int) -> Camera:
        """The camera of the same picture resampled to width x height pixels.

        Pixel edges, not centres, scale: u' = (u + 0.5) s - 0.5.
        """
        sx, sy = width / self.width, height / self.height
        return dataclasses.replace(
            self,
            width=int(width),
            height=int(height),
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=(self.cx + 0.5) * sx - 0.5,
            cy=(self.cy + 0.5) * sy - 0.5,
            skew=self.skew * sx,
        )

    def for_image(self, width: int, height: int) -> Camera | None:
        """The camera resized to an image of width x height pixels; None if that has another aspect.

        One of the two may have lost a row or column to rounding when it was resized, worth as much as the larger
        one measures; more than that was cropped, and nobody knows where.
        """
        sides = (width, height, self.width, self.height)
        if abs(width * self.height - height * self.width) > max(sides):
            return None
        return self if sides[:2] == sides[2:] else self.resized(width, height)

    def cropped(self, x: int, y: int, width: int, height: int) -> Camera:
        """The camera of the window of width x height pixels whose top-left pixel is (x, y)."""
        return dataclasses.replace(self, width=int(width), height=int(height), cx=self.cx - x, cy=self.cy - y)

    def shift_px(self, other: Camera) -> float:
        """How far from each other the two put the same ray at most, over an image of the size of both."""
        u, v = np.linspace(0, self.width - 1, 9), np.linspace(0, self.height - 1, 9)
        pixels = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
        rays = np.column_stack([self.unproject(pixels), np.ones(len(pixels))])
        return float(np.nan_to_num(np.linalg.norm(other.project(rays) - pixels, axis=1)).max())

    @property
    def _lens(self) -> Lens:
        return lens_of(self.model, self.coefficients)


_CAMERA_FIELDS = tuple(field.name for field in dataclasses.fields(Camera))


def _distortion_from_ros(name: str, d: Sequence[float]) -> tuple[CameraModel, tuple[float, ...]]:
    """A camera model and its coefficients from camera_info's distortion model and D."""
    if not any(d):
        return "pinhole", ()
    if not name and len(d) == 4:
        raise RelocError(
            "camera_info names no distortion model, and a D of 4 may be plumb_bob's or equidistant's; set the one it is"
        )
    known = name or "plumb_bob"
    if known not in _ROS_MODELS:
        raise RelocError(
            f"camera_info distortion model {name!r} is not supported; use one of {', '.join(_ROS_MODELS)}, "
            "or undistort the images"
        )
    model, counts = _ROS_MODELS[known]
    own, surplus = d[: counts[-1]], d[counts[-1] :]
    called = name or "plumb_bob (none is named)"
    has = f"camera_info distortion model {called} has {' or '.join(map(str, counts))} coefficients"
    if len(own) not in counts:
        raise RelocError(f"{has}, got {len(d)}")
    for number, value in enumerate(surplus, counts[-1] + 1):
        if value:
            raise RelocError(
                f"{has}, but number {number} of the {len(d)} in D is {value:g}, not zero; name the model that they are "
                "of, or undistort the images"
            )
    return model, (*own, *[0.0] * (COEFFICIENT_COUNT[model] - len(own)))
