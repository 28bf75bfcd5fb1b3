"""Rigid transforms and cameras, and the one pixel convention.

Pixels: the centre of the top-left pixel is (0, 0), as in OpenCV and ROS. COLMAP puts (0, 0) at the corner of that
pixel; `reloc_ros.io.camera_files` converts where its files are read.

Frames: a transform is named `a_from_b` and maps coordinates in b to coordinates in a, so chains cancel as they
are read. Camera frames are optical (REP-103): x right, y down, z forward.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc_ros.errors import RelocError

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class SE3:
    """A rigid transform `a_from_b`: x_a = rotation @ x_b + translation."""

    rotation: Array
    """(3, 3) float64, orthonormal with determinant 1."""
    translation: Array
    """(3,) float64, in the unit of the frames."""

    @staticmethod
    def identity() -> SE3:
        return SE3(np.eye(3), np.zeros(3))

    @staticmethod
    def from_matrix(matrix: ArrayLike) -> SE3:
        """From a (4, 4) or (3, 4) homogeneous matrix."""
        matrix = np.asarray(matrix, dtype=np.float64)
        return SE3(matrix[:3, :3].copy(), matrix[:3, 3].copy())

    @staticmethod
    def from_rotation_vector(rotation_vector: ArrayLike, translation: ArrayLike) -> SE3:
        """From an axis times angle in radians, (3,), and a translation, (3,)."""
        rotation, _ = cv2.Rodrigues(np.asarray(rotation_vector, dtype=np.float64).reshape(3))
        return SE3(rotation, np.array(translation, dtype=np.float64).reshape(3))

    @staticmethod
    def from_quaternion_wxyz(quaternion_wxyz: ArrayLike, translation: ArrayLike) -> SE3:
        """From a quaternion (w, x, y, z) of any non-zero norm and a translation, (3,)."""
        quaternion = np.asarray(quaternion_wxyz, dtype=np.float64).reshape(4)
        norm = np.linalg.norm(quaternion)
        if not norm > 0:
            raise ValueError(f"a quaternion needs a norm above zero, got {quaternion.tolist()}")
        w, *vector = quaternion / norm
        x, y, z = vector
        # R = I + 2 w [v]x + 2 [v]x^2 for a unit quaternion (w, v).
        skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        rotation = np.eye(3) + 2 * w * skew + 2 * skew @ skew
        return SE3(rotation, np.array(translation, dtype=np.float64).reshape(3))

    @property
    def matrix(self) -> Array:
        """(4, 4) homogeneous matrix."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.rotation
        matrix[:3, 3] = self.translation
        return matrix

    @property
    def rotation_vector(self) -> Array:
        """(3,) axis times angle, radians, of norm at most pi."""
        # Not by cv2.Rodrigues, which takes every angle below 1e-5 for zero.
        w, *vector = self.quaternion_wxyz
        sine = np.linalg.norm(vector)
        return np.array(vector) * (2 * np.arctan2(sine, w) / sine if sine > 0 else 2.0)

    @property
    def quaternion_wxyz(self) -> Array:
        """(4,) unit quaternion (w, x, y, z) with w >= 0.

        Taken as the dominant eigenvector of Bar-Itzhack's symmetric matrix ("New Method for Extracting the
        Quaternion from a Rotation Matrix", 2000), which has no special cases and forgives rounding.
        """
        r = self.rotation
        k = np.array(
            [
                [r[0, 0] - r[1, 1] - r[2, 2], 0, 0, 0],
                [r[1, 0] + r[0, 1], r[1, 1] - r[0, 0] - r[2, 2], 0, 0],
                [r[2, 0] + r[0, 2], r[2, 1] + r[1, 2], r[2, 2] - r[0, 0] - r[1, 1], 0],
                [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], r[0, 0] + r[1, 1] + r[2, 2]],
            ]
        )
        _, vectors = np.linalg.eigh(k / 3.0)  # eigh reads the lower triangle
        x, y, z, w = vectors[:, -1]
        quaternion = np.array([w, x, y, z])
        return -quaternion if w < 0 else quaternion

    @property
    def center(self) -> Array:
        """(3,) where a's origin lies in b: the camera centre in the map for a `camera_from_map`."""
        return -self.rotation.T @ self.translation

    def inverse(self) -> SE3:
        return SE3(self.rotation.T.copy(), self.center)

    def __matmul__(self, other: SE3) -> SE3:
        """`a_from_b @ b_from_c` is `a_from_c`."""
        return SE3(self.rotation @ other.rotation, self.rotation @ other.translation + self.translation)

    def apply(self, points: ArrayLike) -> Array:
        """Move points (N, 3) in b to (N, 3) in a."""
        return np.asarray(points, dtype=np.float64) @ self.rotation.T + self.translation


def rotation_error_deg(a: SE3, b: SE3) -> float:
    """Angle in degrees of the rotation between two transforms, accurate near zero.

    From the chord ||Ra - Rb||_F = 2 sqrt(2) sin(angle / 2) (Hartley et al., "Rotation Averaging", 2013).
    """
    chord = np.linalg.norm(a.rotation - b.rotation) / (2 * np.sqrt(2))
    return float(np.degrees(2 * np.arcsin(min(chord, 1.0))))


def center_error(a: SE3, b: SE3) -> float:
    """Distance between the camera centres of two `camera_from_map`, in the map's unit."""
    return float(np.linalg.norm(a.center - b.center))


def pose_adjoint(a_from_b: SE3) -> Array:
    """(6, 6) matrix that moves a covariance or twist (translation, rotation) from frame b to frame a.

    See Barfoot, "State Estimation for Robotics", eq. 7.45, with translation first.
    """
    x, y, z = a_from_b.translation
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    adjoint = np.zeros((6, 6))
    adjoint[:3, :3] = adjoint[3:, 3:] = a_from_b.rotation
    adjoint[:3, 3:] = skew @ a_from_b.rotation
    return adjoint


CameraModel = Literal["pinhole", "brown", "fisheye"]

# Which places of OpenCV's k1 k2 p1 p2 k3 k4 k5 k6 (brown) or k1 k2 k3 k4 (fisheye) a COLMAP model fills, after
# the focal lengths and the principal point. True: one focal length for both axes.
_COLMAP_MODELS: Mapping[str, tuple[bool, CameraModel, tuple[int, ...]]] = {
    "SIMPLE_PINHOLE": (True, "pinhole", ()),
    "PINHOLE": (False, "pinhole", ()),
    "SIMPLE_RADIAL": (True, "brown", (0,)),
    "RADIAL": (True, "brown", (0, 1)),
    "OPENCV": (False, "brown", (0, 1, 2, 3)),
    "FULL_OPENCV": (False, "brown", (0, 1, 2, 3, 4, 5, 6, 7)),
    "OPENCV_FISHEYE": (False, "fisheye", (0, 1, 2, 3)),
    "SIMPLE_RADIAL_FISHEYE": (True, "fisheye", (0,)),
    "RADIAL_FISHEYE": (True, "fisheye", (0, 1)),
}
COLMAP_CAMERA_MODELS = tuple(_COLMAP_MODELS)
"""Those of COLMAP's camera models that are special cases of `Camera`."""
_ROS_MODELS: Mapping[str, tuple[CameraModel, tuple[int, ...]]] = {
    "plumb_bob": ("brown", (4, 5)),
    "rational_polynomial": ("brown", (8,)),
    "equidistant": ("fisheye", (4,)),
    "fisheye": ("fisheye", (4,)),
}
_COEFFICIENT_COUNT = {"pinhole": 0, "brown": 8, "fisheye": 4}


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

    def __post_init__(self) -> None:
        if self.model not in _COEFFICIENT_COUNT:
            raise RelocError(
                f"camera model {self.model!r} is unknown; use one of {', '.join(_COEFFICIENT_COUNT)}"
            )
        if len(self.coefficients) != _COEFFICIENT_COUNT[self.model]:
            raise RelocError(
                f"a {self.model} camera has {_COEFFICIENT_COUNT[self.model]} distortion coefficients, "
                f"got {len(self.coefficients)}"
            )
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.coefficients)
        if not np.all(np.isfinite(numbers)):
            raise RelocError(f"camera intrinsics must be finite numbers, got {list(numbers)}")
        if not (self.fx > 0 and self.fy > 0):
            raise RelocError(
                f"camera focal lengths must be above zero pixels, got fx={self.fx}, fy={self.fy}"
            )
        if self.width < 1 or self.height < 1:
            raise RelocError(f"camera image size must be at least 1x1, got {self.width}x{self.height}")

    @staticmethod
    def from_colmap(name: str, width: int, height: int, params: Sequence[float]) -> Camera:
        """From a COLMAP model name and its parameters, the principal point already in our pixel convention."""
        if name not in _COLMAP_MODELS:
            raise RelocError(
                f"COLMAP camera model {name} is not supported; use one of {', '.join(_COLMAP_MODELS)}"
            )
        one_focal, model, places = _COLMAP_MODELS[name]
        count = (3 if one_focal else 4) + len(places)
        if len(params) != count:
            raise RelocError(f"COLMAP camera model {name} has {count} parameters, got {len(params)}")
        focals = (params[0], params[0]) if one_focal else (params[0], params[1])
        cx, cy, *distortion = params[1 if one_focal else 2 :]
        coefficients = np.zeros(_COEFFICIENT_COUNT[model])
        coefficients[list(places)] = distortion
        return Camera(
            model, int(width), int(height), *map(float, (*focals, cx, cy)), tuple(coefficients.tolist())
        )

    @staticmethod
    def from_ros(
        distortion_model: str, width: int, height: int, k: Sequence[float], d: Sequence[float]
    ) -> Camera:
        """From the fields of a ROS camera_info: model name, size, 3x3 row-major K, and D.

        An empty or all-zero D is a pinhole whatever the model is called, as drivers of ideal cameras do.
        """
        k_values, d_values = [float(x) for x in k], [float(x) for x in d]
        if len(k_values) != 9:
            raise RelocError(f"camera_info K has 9 numbers, got {len(k_values)}")
        if not any(k_values):
            raise RelocError("camera_info K is all zeros: the camera is not calibrated; set its intrinsics")
        fx, _, cx, _, fy, cy = k_values[:6]
        if not any(d_values):
            return Camera("pinhole", int(width), int(height), fx, fy, cx, cy)
        if distortion_model not in _ROS_MODELS:
            raise RelocError(
                f"camera_info distortion model {distortion_model!r} is not supported; "
                f"use one of {', '.join(_ROS_MODELS)}"
            )
        model, counts = _ROS_MODELS[distortion_model]
        if len(d_values) not in counts:
            raise RelocError(
                f"camera_info distortion model {distortion_model} has {' or '.join(map(str, counts))} "
                f"coefficients, got {len(d_values)}"
            )
        padded = d_values + [0.0] * (_COEFFICIENT_COUNT[model] - len(d_values))
        return Camera(model, int(width), int(height), fx, fy, cx, cy, tuple(padded))

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Camera:
        """From the mapping that `to_json` made."""
        try:
            return Camera(
                data["model"],
                int(data["width"]),
                int(data["height"]),
                *(float(data[key]) for key in ("fx", "fy", "cx", "cy")),
                tuple(float(x) for x in data["coefficients"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RelocError(
                f"camera entry is malformed ({error}); it needs {', '.join(_CAMERA_FIELDS)}"
            ) from error

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @property
    def matrix(self) -> Array:
        """(3, 3) K."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    def project(self, points_camera: ArrayLike) -> Array:
        """Project points (N, 3) in the camera frame to (N, 2) pixels; NaN for points not in front of it.

        Distortion is a polynomial that may fold back far outside the image, so points beyond the monotonic
        range of its radial part are NaN too: they cannot be seen there.
        """
        points = np.asarray(points_camera, dtype=np.float64).reshape(-1, 3)
        depth = points[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            plane = points[:, :2] / depth[:, None]
        if self.model == "fisheye":
            return self._project_fisheye(points)
        pixels = np.column_stack([plane[:, 0] * self.fx + self.cx, plane[:, 1] * self.fy + self.cy])
        valid = depth > 0
        if self.model == "brown":
            valid &= np.einsum("ij,ij->i", plane, plane) < self._max_radius_squared
            pixels[valid] = self._distort_brown(plane[valid])
        pixels[~valid] = np.nan
        return pixels

    def unproject(self, pixels: ArrayLike) -> Array:
        """Undistort pixels (N, 2) to (N, 2) points on the plane z = 1 of the camera frame.

        NaN for pixels of a fisheye that look sideways or backwards: their rays do not meet that plane.
        """
        pixels = np.ascontiguousarray(pixels, dtype=np.float64).reshape(-1, 2)
        if self.model == "pinhole" or len(pixels) == 0:
            return (pixels - (self.cx, self.cy)) / (self.fx, self.fy)
        stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-12)
        if self.model == "fisheye":
            points = cv2.fisheye.undistortPoints(pixels[:, None], self.matrix, self._d(), criteria=stop)
            points[np.abs(points).max(axis=2) > _FARTHEST_RAY] = np.nan
        else:
            points = cv2.undistortPointsIter(pixels[:, None], self.matrix, self._d(), None, None, stop)
        return points.reshape(-1, 2)

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
        )

    def cropped(self, x: int, y: int, width: int, height: int) -> Camera:
        """The camera of the window of width x height pixels whose top-left pixel is (x, y)."""
        return dataclasses.replace(self, width=int(width), height=int(height), cx=self.cx - x, cy=self.cy - y)

    def _d(self) -> Array:
        return np.asarray(self.coefficients, dtype=np.float64)

    def _distort_brown(self, plane: Array) -> Array:
        if len(plane) == 0:
            return np.zeros((0, 2))
        rays = np.column_stack([plane, np.ones(len(plane))])
        pixels, _ = cv2.projectPoints(rays[:, None], np.zeros(3), np.zeros(3), self.matrix, self._d())
        return pixels.reshape(-1, 2)

    def _project_fisheye(self, points: Array) -> Array:
        # Kannala-Brandt: the angle from the axis, not its tangent, is distorted, so it holds past 90 degrees.
        radius = np.hypot(points[:, 0], points[:, 1])
        theta = np.arctan2(radius, points[:, 2])
        k1, k2, k3, k4 = self.coefficients
        t2 = theta * theta
        distorted = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.where(radius > 1e-12, distorted / radius, 1 / points[:, 2])
            pixels = points[:, :2] * scale[:, None] * (self.fx, self.fy) + (self.cx, self.cy)
        # PnP works on the plane z = 1, so nothing beside or behind it counts.
        pixels[(points[:, 2] <= 0) | (t2 >= self._max_radius_squared)] = np.nan
        return pixels

    @functools.cached_property
    def _max_radius_squared(self) -> float:
        """Square of where the distorted radius stops growing, infinity if it never does.

        The radius is the tangent of the angle from the axis (brown) or that angle itself (fisheye).
        """
        s = np.poly1d([1, 0])  # the squared radius
        if self.model == "brown":
            k1, k2, _, _, k3, k4, k5, k6 = self.coefficients
            above, below = np.poly1d([k3, k2, k1, 1]), np.poly1d([k6, k5, k4, 1])
        else:
            above, below = np.poly1d([*reversed(self.coefficients), 1]), np.poly1d([1])
        # d/dr of r above(r^2) / below(r^2), up to a factor that is never negative.
        slope = (above + 2 * s * above.deriv()) * below - 2 * s * above * below.deriv()
        roots = np.concatenate([slope.roots, below.roots])
        real = roots.real[(np.abs(roots.imag) < 1e-9 * np.abs(roots)) & (roots.real > 0)]
        return float(real.min(initial=np.inf))


_FARTHEST_RAY = 1e3
"""On the plane z = 1: within 0.06 degrees of sideways, where OpenCV clamps the angle."""
_CAMERA_FIELDS = tuple(field.name for field in dataclasses.fields(Camera))
