"""Triangle meshes from PLY and OBJ files, and how they would look in a camera's picture."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, are_places
from reloc_ros.offline.model.ply import Column, read_ply

Array = NDArray[np.float64]
MAX_TRIANGLES = 200_000
"""With that many, a picture takes seconds already."""
GREY = (190, 190, 190)
_LIGHT_MAP = np.array([0.36, 0.48, 0.8])
"""Unit vector to the light. Faces are lit from either side: which is the outer one is not known."""
_AMBIENT = 0.35
_NEAR = 1e-3
"""Nearest depth that is drawn, as a share of the mesh's size."""
_MARGIN = 1.05
"""Meshes are clipped to a field of view that much wider than the picture's."""
_MAX_SLOPE = 10.0
"""Of the sides of that field, for cameras that see nearly sideways."""
_LONG_PX = 40
"""Edges that long may be bent by the lens enough to see."""
_POINTS_PER_EDGE = 32
_SHIFT = 4
"""Fraction bits of what OpenCV draws."""


@dataclasses.dataclass(frozen=True, eq=False)
class Mesh:
    """T coloured triangles in the map."""

    corners_map: Array
    """(T, 3, 3) three corners, x y z."""
    colors: NDArray[np.uint8]
    """(T, 3) BGR."""

    def placed(self, map_from_mesh: SE3, scale: float) -> Mesh:
        """The same, scaled and then moved."""
        corners = map_from_mesh.apply(scale * self.corners_map.reshape(-1, 3)).reshape(-1, 3, 3)
        return Mesh(corners, self.colors)

    def draw(self, picture: NDArray[np.uint8], camera: Camera, camera_from_map: SE3) -> None:
        """Draw it into a picture (H, W, 3) BGR: far triangles first, each in one shade (painter's algorithm)."""
        corners = camera_from_map.apply(self.corners_map.reshape(-1, 3)).reshape(-1, 3, 3)
        planes, offsets = _field_of_view(camera, _NEAR * float(np.ptp(self.corners_map, axis=(0, 1)).max()))
        inside = corners @ planes.T >= offsets  # (T, 3, planes)
        seen = np.flatnonzero(inside.any(axis=1).all(axis=1))  # not all three beyond one plane
        corners, whole, shades = corners[seen], inside[seen].all(axis=(1, 2)), self._shades(seen)
        pixels = camera.project(corners.reshape(-1, 3)).reshape(-1, 3, 2)
        bent = (camera.model != "pinhole") & (np.ptp(pixels, axis=1).max(axis=1) > _LONG_PX)
        simple = whole & ~bent & np.isfinite(pixels).all(axis=(1, 2))
        steps = _steps(np.where(simple[:, None, None], pixels, 0))
        for row in np.argsort(-np.linalg.norm(corners.mean(axis=1), axis=1)).tolist():
            # Not anti-aliased: the picture would shine through between neighbours.
            if simple[row]:
                cv2.fillConvexPoly(picture, steps[row], shades[row], cv2.LINE_8, _SHIFT)
            elif len(outline := _outline(corners[row], camera, planes, offsets)):
                cv2.fillPoly(picture, [_steps(outline)], shades[row], cv2.LINE_8, _SHIFT)

    def _shades(self, rows: NDArray[np.intp]) -> list[tuple[int, int, int]]:
        edges = self.corners_map[rows, 1:] - self.corners_map[rows, :1]
        normals = np.cross(edges[:, 0], edges[:, 1])
        lengths = np.linalg.norm(normals, axis=1)
        cosines = np.minimum(np.abs(normals @ _LIGHT_MAP) / np.maximum(lengths, 1e-300), 1)
        return (self.colors[rows] * (_AMBIENT + (1 - _AMBIENT) * cosines)[:, None]).astype(int).tolist()


def axes(length: float) -> Mesh:
    """Three square bars along x (red), y (green) and z (blue), each with a point."""
    half = 0.03 * length
    ring = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
    start, neck = (np.column_stack([np.full(4, at), ring]) for at in (0.0, 0.8 * length))
    wide, tip = neck * (1, 2.5, 2.5), np.array([length, 0.0, 0.0])
    triangles = [(start[0], start[1], start[2]), (start[0], start[2], start[3])]
    for i, j in ((0, 1), (1, 2), (2, 3), (3, 0)):
        triangles += [(start[i], start[j], neck[j]), (start[i], neck[j], neck[i]), (wide[i], wide[j], tip)]
    bar = np.array(triangles)
    # Cyclic permutations of the coordinates turn x to y and to z.
    corners = np.concatenate([np.roll(bar, shift, axis=2) for shift in range(3)])
    colors = np.repeat(np.array([(60, 60, 240), (80, 220, 80), (240, 140, 60)], np.uint8), len(bar), axis=0)
    return Mesh(corners, colors)


def read_mesh(path: Path) -> Mesh:
    """Read a PLY or OBJ file, with colours of its vertices or faces where it has some.

    Raises:
        RelocError: the file is none of these, damaged, without faces, or too large to be drawn.
    """
    reader = {".ply": _read_ply, ".obj": _read_obj}.get(path.suffix.lower())
    if reader is None:
        raise RelocError(f"mesh '{path}' is neither .ply nor .obj")
    try:
        vertices, faces, vertex_colors, face_colors = reader(path)
        triangles, owners = _fans(faces)
        if len(triangles) and not 0 <= triangles.min() <= triangles.max() < len(vertices):
            raise ValueError("a face names a vertex that is not there")
    except OSError as error:
        raise RelocError(f"cannot read mesh '{path}': {error.strerror}") from error
    except (ValueError, IndexError, OverflowError) as error:
        raise RelocError(f"mesh '{path}' is damaged or not what its name says ({error})") from error
    if not len(triangles):
        raise RelocError(f"mesh '{path}' has no faces; give a mesh, not a cloud of points")
    if len(triangles) > MAX_TRIANGLES:
        raise RelocError(f"mesh '{path}' has more than {MAX_TRIANGLES} triangles; simplify it")
    if not are_places(vertices):
        raise RelocError(f"mesh '{path}' has coordinates that are not finite")
    colors = np.full((len(triangles), 3), GREY)
    if face_colors is not None:
        colors = face_colors[owners]
    elif vertex_colors is not None:
        colors = vertex_colors[triangles].mean(axis=1)
    return Mesh(vertices[triangles], np.clip(colors, 0, 255).astype(np.uint8))


_Parts = tuple[Array, Sequence[Any], "Array | None", "Array | None"]
"""Vertices (V, 3), F faces as indices of any number each, and BGR colours 0 to 255, (V, 3) and (F, 3)."""


def _read_ply(path: Path) -> _Parts:
    elements = read_ply(path)
    vertex, face = elements.get("vertex", {}), elements.get("face", {})
    if not {"x", "y", "z"} <= vertex.keys():
        raise ValueError("it has no vertices with x, y and z")
    with np.errstate(invalid="ignore"):  # what is not finite is refused, whatever bits it has
        vertices = np.column_stack([vertex[axis] for axis in "xyz"]).astype(np.float64)
    indices = face.get("vertex_indices", face.get("vertex_index", ()))
    return vertices, list(indices), _ply_colors(vertex), _ply_colors(face)


def _ply_colors(columns: Mapping[str, Column]) -> Array | None:
    if not {"red", "green", "blue"} <= columns.keys():
        return None
    colors = np.column_stack([columns[name] for name in ("blue", "green", "red")])
    return colors.astype(np.float64) * (1 if colors.dtype.kind in "ui" else 255)


def _read_obj(path: Path) -> _Parts:
    """`v x y z [r g b]` and `f a b c …`; what else the format has does not change the shape."""
    vertices: list[list[float]] = []
    faces: list[list[int]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        kind, *values = line.split() or ("",)
        if kind == "v":
            vertices.append([float(value) for value in values])
        elif kind == "f":
            numbers = [int(value.partition("/")[0]) for value in values]
            # They count from 1, or, below zero, back from the newest vertex.
            faces.append([number - 1 if number > 0 else len(vertices) + number for number in numbers])
    if not vertices or {len(vertex) for vertex in vertices} - {3, 4, 6}:
        raise ValueError("it has no vertices of 3, 4 or 6 numbers")
    colored = all(len(vertex) == 6 for vertex in vertices)
    colors = 255 * np.array([vertex[5:2:-1] for vertex in vertices]) if colored else None
    return np.array([vertex[:3] for vertex in vertices]), faces, colors, None


def _fans(faces: Sequence[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Polygons to triangles (T, 3), one more than can be drawn at most, and the polygon that each came from (T,)."""
    fans = (
        (face[0], second, third, number)
        for number, face in enumerate(faces)
        for second, third in itertools.pairwise(face[1:])
    )
    table = np.array(list(itertools.islice(fans, MAX_TRIANGLES + 1)), dtype=np.int64).reshape(-1, 4)
    return table[:, :3], table[:, 3]


def _field_of_view(camera: Camera, near: float) -> tuple[Array, Array]:
    """Planes (5, 3) and offsets (5,): a point p is in front, and about in the picture, if planes p >= offsets."""
    x, y = np.linspace(0, camera.width - 1, 9), np.linspace(0, camera.height - 1, 9)
    border = [*((u, v) for u in x for v in (y[0], y[-1])), *((u, v) for u in (x[0], x[-1]) for v in y)]
    rays = camera.unproject(np.array(border))
    rays = _MARGIN * rays if np.isfinite(rays).all() else np.array([[-np.inf], [np.inf]]) * np.ones(2)
    low, high = np.clip([rays.min(axis=0), rays.max(axis=0)], -_MAX_SLOPE, _MAX_SLOPE)
    planes = [(0, 0, 1), (-1, 0, high[0]), (1, 0, -low[0]), (0, -1, high[1]), (0, 1, -low[1])]
    return np.array(planes, dtype=np.float64), np.array([near, 0, 0, 0, 0])


def _clipped(polygon: Array, planes: Array, offsets: Array) -> Array:
    """What of a convex polygon (N, 3) is on the good side of all planes (Sutherland and Hodgman, 1974)."""
    for plane, offset in zip(planes, offsets, strict=True):
        polygon = np.array(list(_on_good_side(polygon, polygon @ plane - offset))).reshape(-1, 3)
    return polygon


def _outline(corners: Array, camera: Camera, planes: Array, offsets: Array) -> Array:
    """(N, 2) pixels around what of a triangle can be in the picture, nothing where that is nothing."""
    polygon = _clipped(corners, planes, offsets)
    if camera.model != "pinhole" and len(polygon):
        shares = np.linspace(0, 1, _POINTS_PER_EDGE, endpoint=False)[:, None]
        along = polygon[:, None] + shares * (np.roll(polygon, -1, axis=0) - polygon)[:, None]
        polygon = along.reshape(-1, 3)
    pixels = camera.project(polygon)
    return pixels if len(pixels) >= 3 and np.isfinite(pixels).all() else np.zeros((0, 2))


def _steps(pixels: Array) -> NDArray[np.int32]:
    """Pixels in the fractions that OpenCV draws."""
    return np.rint(pixels * 2**_SHIFT).astype(np.int32)


def _on_good_side(polygon: Array, heights: Array) -> Iterator[ArrayLike]:
    for i in range(len(polygon)):
        if heights[i - 1] * heights[i] < 0:
            share = heights[i - 1] / (heights[i - 1] - heights[i])
            yield polygon[i - 1] + share * (polygon[i] - polygon[i - 1])
        if heights[i] >= 0:
            yield polygon[i]
