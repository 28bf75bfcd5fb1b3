"""Draws a scene through a camera with distortion: image, depth and which face each pixel shows."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.demo.scene.faces import Face
from reloc_ros.geometry import SE3

Array = NDArray[np.float64]
NEAR_M = 0.03
PIECE_M = 0.75
UNIT_SQUARE = np.array([[0.0, 0.0], [1, 0], [1, 1], [0, 1]])
MOST_PIECES = 6
"""Faces are drawn in pieces of this size, at most so many a side, each as sharp as suits its distance."""


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """One rendered picture."""

    image: NDArray[np.uint8]
    """(H, W, 3) BGR."""
    depths: NDArray[np.float32]
    """(H, W) metres along the optical axis to the plane of the face seen; infinite where there is none."""
    faces: NDArray[np.int32]
    """(H, W) index of the face seen at each pixel's centre, -1 where there is none."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Piece:
    """A part of a face."""

    face: int
    places: Array
    """(4, 2) corners within the face, 0 to 1."""


class Renderer:
    """Textured rectangles through a z-buffer, twice as fine as the image in each direction.

    A pinhole wide enough for the distorted camera is drawn first: there a rectangle's texture is mapped by
    a homography and inverse depth is linear in the pixels. The lens then bends that picture.
    """

    def __init__(self, faces: Sequence[Face], camera: Camera, supersampling: int = 2) -> None:
        self.camera = camera
        self._faces = tuple(faces)
        self._supersampling = supersampling
        self._pyramids = [_pyramid(face.texture) for face in faces]
        self._pieces = [piece for index, face in enumerate(faces) for piece in _pieces(index, face)]
        self._piece_corners_map = np.stack([faces[piece.face].at(piece.places) for piece in self._pieces])
        self._piece_faces = np.array([piece.face for piece in self._pieces])
        self._normals_map = np.array([face.normal_map for face in faces])
        self._offsets = np.array([face.normal_map @ face.corner_map for face in faces])
        self._bend()

    def _bend(self) -> None:
        """Set up the wide pinhole and where each fine pixel of the distorted image lies in it."""
        camera, fine = self.camera, self._supersampling
        # `fine` samples a pixel, evenly spread, so that their mean is centred on the pixel's centre.
        xs = (np.arange(camera.width * fine) + 0.5) / fine - 0.5
        ys = (np.arange(camera.height * fine) + 0.5) / fine - 0.5
        pixels = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
        rays = camera.unproject(pixels).reshape(len(ys), len(xs), 2)
        low, high = rays.min((0, 1)), rays.max((0, 1))
        focal = max(camera.fx, camera.fy) * fine
        self._wide_size = tuple(int(n) for n in np.ceil((high - low) * focal) + 4)
        self._wide_matrix = np.array(
            [[focal, 0, 2 - low[0] * focal], [0, focal, 2 - low[1] * focal], [0, 0, 1]]
        )
        # Planes through the centre and each border of the wide picture, positive inside, in the camera frame.
        self._borders = np.array([[1, 0, -low[0]], [-1, 0, high[0]], [0, 1, -low[1]], [0, -1, high[1]]])
        wide_px = (rays * focal + self._wide_matrix[:2, 2]).astype(np.float32)
        self._bend_maps = cv2.convertMaps(wide_px[..., 0], wide_px[..., 1], cv2.CV_16SC2)
        centers = np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), -1).reshape(-1, 2)
        self._center_rays = camera.unproject(centers).reshape(camera.height, camera.width, 2)
        nearest = np.rint(self._center_rays * focal + self._wide_matrix[:2, 2]).astype(np.intp)
        self._center_index = nearest[..., 1] * self._wide_size[0] + nearest[..., 0]

    def render(self, camera_from_map: SE3) -> View:
        width, height = self._wide_size
        canvas = np.zeros((height, width, 3), np.uint8)
        closeness = np.zeros((height, width), np.float32)
        shown = np.full((height, width), -1, np.int32)
        planes = self._planes_camera(camera_from_map)
        for piece, corners_camera in self._in_front(camera_from_map):
            self._draw(piece, corners_camera, planes[piece.face], canvas, closeness, shown)
        bent = cv2.remap(canvas, *self._bend_maps, cv2.INTER_LINEAR)
        image = cv2.resize(bent, (self.camera.width, self.camera.height), interpolation=cv2.INTER_AREA)
        faces = shown.ravel()[self._center_index]
        return View(image, self._depths(faces, planes), faces)

    def _planes_camera(self, camera_from_map: SE3) -> Array:
        """(F, 3) vectors p, one a face: p . (x, y, 1) is its plane's inverse depth along ray (x, y, 1)."""
        normals = self._normals_map @ camera_from_map.rotation.T
        distances = self._offsets + normals @ camera_from_map.translation
        # Seen from the back or edge-on: never drawn, so any finite value will do.
        return normals / np.where(distances < -1e-9, distances, -np.inf)[:, None]

    def _in_front(self, camera_from_map: SE3) -> list[tuple[_Piece, Array]]:
        """The pieces that face the camera, near ones first (those hide others before they are textured)."""
        facing = self._normals_map @ camera_from_map.center - self._offsets > 1e-9
        corners = camera_from_map.apply(self._piece_corners_map.reshape(-1, 3)).reshape(-1, 4, 3)
        inside = facing[self._piece_faces] & (corners[..., 2] > NEAR_M).any(1)
        for border in self._borders:
            inside &= (corners @ border > 0).any(1)
        chosen = np.flatnonzero(inside)
        near_first = chosen[np.argsort(corners[chosen, :, 2].min(1), kind="stable")]
        return [(self._pieces[index], corners[index]) for index in near_first]

    def _draw(
        self,
        piece: _Piece,
        corners_camera: Array,
        plane: Array,
        canvas: NDArray[np.uint8],
        closeness: NDArray[np.float32],
        shown: NDArray[np.int32],
    ) -> None:
        matrix = self._wide_matrix
        polygon = _clip_near(corners_camera, corners_camera) @ matrix.T
        polygon = polygon[:, :2] / polygon[:, 2:]
        height, width = shown.shape
        left, top = (int(n) for n in np.clip(np.ceil(polygon.min(0) - 1e-6), 0, (width, height)))
        right, bottom = (int(n) for n in np.clip(np.floor(polygon.max(0) + 1e-6) + 1, 0, (width, height)))
        if left >= right or top >= bottom:
            return
        window = np.s_[top:bottom, left:right]
        xs = (np.arange(left, right) - matrix[0, 2]) / matrix[0, 0]
        ys = (np.arange(top, bottom) - matrix[1, 2]) / matrix[1, 1]
        inverse_depths = (plane[0] * xs + plane[2]).astype(np.float32) + (plane[1] * ys[:, None]).astype(
            np.float32
        )
        visible = _inside(polygon, left, right, top, bottom) & (inverse_depths > closeness[window])
        if not visible.any():
            return
        mask = visible.view(np.uint8)
        cv2.copyTo(self._textured(piece, corners_camera, polygon, window), mask, canvas[window])
        cv2.copyTo(inverse_depths, mask, closeness[window])
        shown[window][visible] = piece.face

    def _textured(
        self, piece: _Piece, corners_camera: Array, polygon: Array, window: tuple[slice, slice]
    ) -> Array:
        """The piece's texture as seen in a window of the wide picture, at the right pyramid level."""
        pyramid = self._pyramids[piece.face]
        height, width = pyramid[0].shape[:2]
        span = (piece.places[2] - piece.places[0]) * (width, height)
        area_px = max(1.0, float(cv2.contourArea(polygon.astype(np.float32))))
        shown = _clip_near(corners_camera, UNIT_SQUARE) * span
        share = cv2.contourArea(shown.astype(np.float32)) / area_px
        level = int(np.clip(np.floor(0.5 * np.log2(max(share, 1e-9)) + 0.35), 0, len(pyramid) - 1))
        texture = pyramid[level]
        # Columns: where the face's corner and its two edges go in the wide picture.
        right, down = corners_camera[1] - corners_camera[0], corners_camera[3] - corners_camera[0]
        wide_from_place = self._wide_matrix @ np.stack([right, down, corners_camera[0]], 1)
        scale = (piece.places[2] - piece.places[0]) * texture.shape[1::-1]
        shift = piece.places[0] * texture.shape[1::-1] - 0.5
        texel_from_place = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]], [0, 0, 1]])
        wide_from_window = np.array([[1.0, 0, window[1].start], [0, 1, window[0].start], [0, 0, 1]])
        texel_from_window = texel_from_place @ np.linalg.inv(wide_from_place) @ wide_from_window
        size = (window[1].stop - window[1].start, window[0].stop - window[0].start)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpPerspective(
            texture, texel_from_window, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )

    def _depths(self, faces: NDArray[np.int32], planes: Array) -> NDArray[np.float32]:
        chosen = planes[faces]
        inverse = np.sum(chosen[..., :2] * self._center_rays, -1) + chosen[..., 2]
        with np.errstate(divide="ignore"):
            return np.where((faces >= 0) & (inverse > 0), 1 / inverse, np.inf).astype(np.float32)


def _pyramid(texture: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    levels = [texture]
    while min(levels[-1].shape[:2]) >= 8:
        height, width = levels[-1].shape[:2]
        levels.append(cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA))
    return levels


def _pieces(index: int, face: Face) -> list[_Piece]:
    columns, rows = (int(np.clip(round(size / PIECE_M), 1, MOST_PIECES)) for size in face.size_m)
    us, vs = np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1)
    return [
        _Piece(index, np.array([[u0, v0], [u1, v0], [u1, v1], [u0, v1]]))
        for u0, u1 in itertools.pairwise(us)
        for v0, v1 in itertools.pairwise(vs)
    ]


def _clip_near(corners_camera: Array, values: Array) -> Array:
    """What lies before the near plane of `values` (4, D) at a polygon's corners (Sutherland-Hodgman)."""
    if (corners_camera[:, 2] >= NEAR_M).all():
        return values
    kept = []
    for here, there, value, next_value in zip(
        corners_camera, np.roll(corners_camera, -1, 0), values, np.roll(values, -1, 0), strict=True
    ):
        if here[2] >= NEAR_M:
            kept.append(value)
        if (here[2] >= NEAR_M) != (there[2] >= NEAR_M):
            part = (NEAR_M - here[2]) / (there[2] - here[2])
            kept.append(value + part * (next_value - value))
    return np.array(kept)


def _inside(polygon: Array, left: int, right: int, top: int, bottom: int) -> NDArray[np.bool_]:
    """Which pixel centres of a window lie in a convex polygon, borders included: neighbours leave no gap."""
    rows = np.arange(top, bottom, dtype=np.float64)[:, None]
    start, end = polygon, np.roll(polygon, -1, axis=0)
    low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    rise = np.where(end[:, 1] == start[:, 1], 1.0, end[:, 1] - start[:, 1])
    crossings = start[:, 0] + (rows - start[:, 1]) * (end[:, 0] - start[:, 0]) / rise
    crosses = (rows >= low - 1e-6) & (rows <= high + 1e-6) & (end[:, 1] != start[:, 1])
    first = np.where(crosses, crossings, np.inf).min(1, keepdims=True)
    last = np.where(crosses, crossings, -np.inf).max(1, keepdims=True)
    columns = np.arange(left, right)
    return (columns >= first - 1e-6) & (columns <= last + 1e-6)
