"""The flat, textured rectangles a scene is made of, and what is built from them: boxes, and walls with prints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from reloc_ros.demo.scene.drawing import Texture

Array = NDArray[np.float64]
Painter = Callable[[Generator, int, int], Texture]
"""Paints a texture of a given width and height in pixels."""
WALL_M = 2.6
"""Height of all walls."""
PRINT_GAP_M = 0.006
"""Prints hang this far before their wall."""


@dataclasses.dataclass(frozen=True, eq=False)
class Face:
    """A rectangle seen from one side; its texture fills it, edge to edge."""

    name: str
    corner_map: Array
    """(3,) metres, where the texture's top-left corner lies."""
    right_map: Array
    """(3,) metres, from the texture's left edge to its right edge, as seen from the front."""
    down_map: Array
    """(3,) metres, from the texture's top edge to its bottom edge; perpendicular to `right_map`."""
    texture: Texture
    part: str = "room"
    """"room" for what belongs to the mapped place, "garden" for what lies around it."""
    casts_shadow: bool = True

    @property
    def normal_map(self) -> Array:
        """(3,) unit vector towards the side it is seen from."""
        normal = np.cross(self.down_map, self.right_map)
        return normal / np.linalg.norm(normal)

    @property
    def size_m(self) -> tuple[float, float]:
        return float(np.linalg.norm(self.right_map)), float(np.linalg.norm(self.down_map))

    @property
    def corners_map(self) -> Array:
        """(4, 3) metres, clockwise from the texture's top-left corner."""
        return self.at([[0, 0], [1, 0], [1, 1], [0, 1]])

    def at(self, places: ArrayLike) -> Array:
        """Points (N, 3) in the map at places (N, 2): (0, 0) is top left, (1, 1) bottom right."""
        places = np.asarray(places, np.float64)
        return self.corner_map + places[:, :1] * self.right_map + places[:, 1:] * self.down_map

    def at_texel(self, texels: ArrayLike) -> Array:
        """Points (N, 3) in the map at texture pixels (N, 2), whose centres are at integer coordinates."""
        height, width = self.texture.shape[:2]
        return self.at((np.asarray(texels, np.float64) + 0.5) / (width, height))


def branch(rng: Generator) -> Generator:
    """A generator of its own for one thing, so that what it draws does not depend on how much others drew."""
    return np.random.default_rng(rng.integers(2**62))


def panel(
    name: str,
    rng: Generator,
    painter: Painter,
    corner_map: ArrayLike,
    right_map: ArrayLike,
    down_map: ArrayLike,
    pixels_per_m: float = 640,
    part: str = "room",
    casts_shadow: bool = True,
) -> Face:
    """A face painted at a given density, by a generator of its own, so that no two faces repeat."""
    right, down = np.asarray(right_map, np.float64), np.asarray(down_map, np.float64)
    width, height = (max(8, round(float(np.linalg.norm(edge)) * pixels_per_m)) for edge in (right, down))
    texture = painter(branch(rng), width, height)
    return Face(name, np.asarray(corner_map, np.float64), right, down, texture, part, casts_shadow)


def box(
    name: str,
    rng: Generator,
    painter: Painter,
    at_map: ArrayLike,
    size_m: tuple[float, float, float],
    yaw_deg: float = 0.0,
    top: Painter | None = None,
) -> list[Face]:
    """The four sides and the top of a box that stands with the middle of its base at `at_map` (3,).

    Args:
        size_m: width (x), depth (y) and height (z) before the turn by `yaw_deg` about z.
        top: painter of the top, the same as the sides' if not given.
    """
    yaw = np.radians(yaw_deg)
    x = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    y = np.array([-np.sin(yaw), np.cos(yaw), 0.0])
    z = np.array([0.0, 0.0, 1.0])
    base, (width, depth, height) = np.asarray(at_map, np.float64), size_m
    faces = []
    sides = {"south": (-y, x, depth, width), "east": (x, y, width, depth)}
    sides |= {"north": (y, -x, depth, width), "west": (-x, -y, width, depth)}
    for side, (normal, right, reach, length) in sides.items():
        corner = base + normal * reach / 2 - right * length / 2 + z * height
        faces.append(panel(f"{name}.{side}", rng, painter, corner, right * length, -z * height))
    corner = base - x * width / 2 + y * depth / 2 + z * height
    faces.append(panel(f"{name}.top", rng, top or painter, corner, x * width, -y * depth))
    return faces


@dataclasses.dataclass(frozen=True)
class Wall:
    """A wall as seen from inside; z is up from the floor."""

    name: str
    left_end: tuple[float, float]
    """x and y of its left end, metres in the map."""
    right: tuple[int, int]
    """Unit vector (x, y) towards its right end."""
    length_m: float

    @property
    def along(self) -> Array:
        """(3,) `right` in the map."""
        return np.array([*self.right, 0.0])

    def place(self, along_m: float, height: float, before_m: float) -> Array:
        """(3,) a point before the wall, so far from its left end."""
        inward = np.array([self.right[1], -self.right[0], 0.0])
        return np.array([*self.left_end, height]) + along_m * self.along + before_m * inward

    def face(self, rng: Generator, painter: Painter) -> Face:
        corner, right = (*self.left_end, WALL_M), self.length_m * self.along
        return panel(f"{self.name}_wall", rng, painter, corner, right, (0, 0, -WALL_M), 480)

    def hang(self, name: str, rng: Generator, painter: Painter, at: ArrayLike, size: ArrayLike) -> Face:
        """A print of a width and height whose top-left corner is `at` (along the wall, up)."""
        corner, (width, height) = self.place(*at, PRINT_GAP_M), size
        down = (0, 0, -height)
        return panel(name, rng, painter, corner, width * self.along, down, 720, casts_shadow=False)
