"""The place that the demo maps, and one of the same kind that it does not; metres, z up (REP-103).

The same seed gives the same place.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reloc_ros.demo.scene import objects, posters, surfaces
from reloc_ros.demo.scene.faces import Face, Painter, Wall, box, branch, panel
from reloc_ros.demo.scene.lighting import Lamp, baked

Array = NDArray[np.float64]
WIDTH_M, DEPTH_M = 3.3, 3.0
NORTH, WEST = Wall("north", (0, DEPTH_M), (1, 0), WIDTH_M), Wall("west", (0, 0), (0, 1), DEPTH_M)
"""The corner between them is at x = 0; to the south and the east the place is open."""
PRINTS: tuple[Painter, ...] = (
    posters.city_map, posters.contour_map,
    posters.painting, posters.landscape, posters.botanical, posters.lettering,
)  # fmt: skip
THINGS: tuple[Painter, ...] = (
    objects.carton, objects.cover, surfaces.mosaic, surfaces.wood, objects.cushion,
)  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """A place to film."""

    faces: tuple[Face, ...]

    @functools.cached_property
    def is_room(self) -> NDArray[np.bool_]:
        """(F,) whether each face belongs to the place itself, not to the garden around it."""
        return np.array([face.part == "room" for face in self.faces])

    @functools.cached_property
    def edges_map(self) -> Array:
        """(E, 2, 3) metres: the borders of the room's faces, for drawing it as a wireframe."""
        corners = np.stack([face.corners_map for face in self.faces if face.part == "room"])
        return np.stack([corners, np.roll(corners, -1, axis=1)], axis=2).reshape(-1, 2, 3)


_PRINTS = (
    (NORTH, "city_map", posters.city_map, (0.22, 1.86), (0.92, 0.66)),
    (NORTH, "lettering", posters.lettering, (1.3, 1.95), (0.5, 0.72)),
    (NORTH, "botanical", posters.botanical, (1.95, 1.8), (0.5, 0.62)),
    (NORTH, "landscape", posters.landscape, (2.58, 1.92), (0.6, 0.44)),
    (NORTH, "small_painting", posters.painting, (2.6, 1.4), (0.34, 0.28)),
    (NORTH, "small_map", posters.contour_map, (1.42, 1.12), (0.36, 0.3)),
    (NORTH, "banner", posters.lettering, (0.5, 2.32), (2.2, 0.22)),
    (WEST, "contour_map", posters.contour_map, (1.92, 1.96), (0.9, 0.66)),
    (WEST, "painting", posters.painting, (0.42, 2.02), (0.56, 0.72)),
    (WEST, "west_lettering", posters.lettering, (1.14, 2.3), (0.6, 0.34)),
    (WEST, "west_botanical", posters.botanical, (2.0, 1.12), (0.4, 0.48)),
)
"""Wall, name, painter, where along it and up (the top-left corner), and size."""
_TABLE = (
    ("table", surfaces.wood, (1.1, 2.5, 0.56), (1.16, 0.62, 0.05), 2),
    ("table_leg_0", surfaces.wood, (1.1 - 0.5, 2.5 - 0.24, 0), (0.07, 0.07, 0.56), 2),
    ("table_leg_1", surfaces.wood, (1.1 + 0.5, 2.5 - 0.24, 0), (0.07, 0.07, 0.56), 2),
    ("table_leg_2", surfaces.wood, (1.1 - 0.5, 2.5 + 0.24, 0), (0.07, 0.07, 0.56), 2),
    ("table_leg_3", surfaces.wood, (1.1 + 0.5, 2.5 + 0.24, 0), (0.07, 0.07, 0.56), 2),
    ("table_book_0", objects.cover, (1.1 - 0.34, 2.5 - 0.08, 0.61), (0.3, 0.22, 0.06), 8),
    ("table_book_1", objects.cover, (1.1 - 0.34, 2.5 - 0.08, 0.61 + 0.06), (0.27, 0.2, 0.045), -14),
    ("table_book_2", objects.cover, (1.1 - 0.34, 2.5 - 0.08, 0.61 + 0.06 + 0.045), (0.22, 0.16, 0.055), 21),
    ("tea_box", objects.cover, (1.1 + 0.06, 2.5 + 0.12, 0.61), (0.2, 0.13, 0.3), -18),
    ("parcel", objects.carton, (1.1 + 0.36, 2.5 - 0.02, 0.61), (0.28, 0.24, 0.19), 24),
    ("tin", surfaces.mosaic, (1.1 + 0.02, 2.5 - 0.17, 0.61), (0.1, 0.1, 0.13), 40),
)
"""Name, painter, middle of the base, size and turn of boxes; the table stands at (1.1, 2.5)."""
_FURNITURE = (
    ("carton", objects.carton, (0.42, 0.62, 0), (0.52, 0.46, 0.4), 12),
    ("carton_upper", objects.carton, (0.4, 0.6, 0.4), (0.36, 0.34, 0.28), -16),
    ("carton_book", objects.cover, (0.42, 0.6, 0.68), (0.24, 0.18, 0.06), 20),
    ("pillar", surfaces.mosaic, (2.3, 2.05, 0), (0.24, 0.24, 1.55), 14, surfaces.wood),
    ("crate", surfaces.wood, (2.9, 2.62, 0), (0.5, 0.44, 0.62), -7),
    ("crate_box", objects.cover, (2.86, 2.6, 0.62), (0.3, 0.16, 0.36), -24),
    ("crate_book", objects.cover, (3.06, 2.68, 0.62), (0.12, 0.2, 0.07), 15),
    ("stool", objects.cushion, (0.98, 1.5, 0), (0.36, 0.36, 0.4), 28),
    ("stool_book", objects.cover, (0.99, 1.5, 0.4), (0.24, 0.17, 0.05), -12),
)


@functools.lru_cache(maxsize=2)
def reading_corner(seed: int = 7) -> Scene:
    """The place that the demo maps: two walls, a table, shelves, cartons and a pillar, open to a garden."""
    rng = np.random.default_rng(seed)
    faces = [
        *_floor_and_walls(rng, surfaces.planks, surfaces.plaster, surfaces.bricks),
        _rug(rng, (1.75, 1.35), (1.5, 1.1), 9),
        *(wall.hang(name, rng, *print_) for wall, name, *print_ in _PRINTS),
        *_boxes(rng, _TABLE),
        *_bookshelf(rng, 1.36, 1.12),
        *_bookshelf(rng, 1.24, 0.72),
        *_boxes(rng, _FURNITURE),
        # A canvas that leans against the north wall.
        panel("canvas", rng, posters.painting, (1.85, 2.98, 0.73), (0.62, 0, 0), (0, -0.2, -0.72), 640),
    ]
    lamp = Lamp((1.95, 1.0, 2.45), 0.22)
    return Scene((*baked(faces, lamp, rng), *_garden(rng)))


@functools.lru_cache(maxsize=2)
def other_place(seed: int = 1234) -> Scene:
    """A place of the same kind that is not the mapped one: other walls, prints and things, elsewhere."""
    rng = np.random.default_rng(seed)
    grey = functools.partial(surfaces.plaster, colour=(150, 176, 214))
    faces = _floor_and_walls(rng, functools.partial(surfaces.planks, board_px=46), surfaces.bricks, grey)
    for column, at in enumerate(np.arange(0.15, 3.0, 0.72)):
        size = rng.uniform((0.45, 0.4), (0.64, 0.7))
        kind_north, kind_west = rng.permutation(len(PRINTS))[:2]
        top = 1.2 + size[1] + rng.uniform(-0.5, 0.3)
        faces.append(NORTH.hang(f"north_{column}", rng, PRINTS[kind_north], (at, top), size))
        if at + size[0] < WEST.length_m:
            faces.append(WEST.hang(f"west_{column}", rng, PRINTS[kind_west], (at, top + 0.1), size))
    spots = ((0.5, 2.5), (1.2, 2.4), (1.9, 2.6), (2.7, 2.3), (0.6, 1.7), (1.5, 1.8), (0.5, 0.7))
    for number, (x, y) in enumerate(spots):
        size = rng.uniform((0.25, 0.25, 0.2), (0.5, 0.45, 0.9))
        yaw_deg = float(rng.uniform(-40, 40))
        faces += box(f"thing_{number}", rng, THINGS[number % len(THINGS)], (x, y, 0), tuple(size), yaw_deg)
        faces += box(f"upon_{number}", rng, objects.cover, (x, y, size[2]), (0.2, 0.14, 0.2), yaw_deg + 30)
    lamp = Lamp((1.5, 1.2, 2.3), 0.3)
    return Scene((*baked(faces, lamp, rng), *_garden(rng)))


def _floor_and_walls(rng: Generator, floor: Painter, north: Painter, west: Painter) -> list[Face]:
    right, down = (WIDTH_M, 0, 0), (0, -DEPTH_M, 0)
    ground = panel("floor", rng, floor, (0, DEPTH_M, 0), right, down, 560)
    return [ground, NORTH.face(rng, north), WEST.face(rng, west)]


def _rug(rng: Generator, center: tuple[float, float], size: tuple[float, float], yaw_deg: float) -> Face:
    yaw = np.radians(yaw_deg)
    right = size[0] * np.array([np.cos(yaw), np.sin(yaw), 0])
    down = size[1] * np.array([np.sin(yaw), -np.cos(yaw), 0])
    corner = np.array([*center, 0.008]) - right / 2 - down / 2
    return panel("rug", rng, surfaces.rug, corner, right, down, 560, casts_shadow=False)


def _boxes(rng: Generator, rows: tuple[tuple[Any, ...], ...]) -> list[Face]:
    return [face for name, *row in rows for face in box(name, rng, *row)]


def _bookshelf(rng: Generator, y: float, height: float) -> list[Face]:
    """A board on the west wall with books of different thickness, height and depth."""
    faces = box(f"shelf_{height}", rng, surfaces.wood, (0.14, y, height), (0.28, 0.86, 0.03))
    along = y - 0.42
    while along < y + 0.36:
        thickness, tall, deep = (float(n) for n in rng.uniform((0.035, 0.2, 0.15), (0.075, 0.3, 0.24)))
        at = (deep / 2 + 0.012, along + thickness / 2, height + 0.03)
        faces += box(f"book_{height}_{along:.2f}", rng, objects.spine, at, (deep, thickness, tall))
        along += thickness + (float(rng.uniform(0.05, 0.12)) if rng.random() < 0.15 else 0.003)
    return faces


def _garden(rng: Generator) -> list[Face]:
    """A lawn and, 9 m away on all four sides, a backdrop painted in one piece. No lamp reaches it."""
    x, y = WIDTH_M / 2, DEPTH_M / 2
    reach, height, pixels_per_m = 9.0, 7.0, 90
    side_px, height_px = round(2 * reach * pixels_per_m), round(height * pixels_per_m)
    corner, right, down = (x - reach, y + reach, -0.03), (2 * reach, 0, 0), (0, -2 * reach, 0)
    faces = [panel("lawn", rng, surfaces.lawn, corner, right, down, 100, "garden", casts_shadow=False)]
    around = surfaces.garden(branch(rng), 4 * side_px, height_px)
    for side in range(4):
        yaw = side * np.pi / 2
        outward, right = np.array([np.sin(yaw), np.cos(yaw), 0]), np.array([np.cos(yaw), -np.sin(yaw), 0])
        corner_map = np.array([x, y, height - 0.1]) + reach * (outward - right)
        texture = np.ascontiguousarray(around[:, side * side_px : (side + 1) * side_px])
        down = np.array([0, 0, -height])
        faces.append(Face(f"backdrop_{side}", corner_map, 2 * reach * right, down, texture, "garden", False))
    return faces
