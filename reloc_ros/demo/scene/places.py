"""The places of the demo, in metres, z up (REP-103): the same seed gives the same place."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from reloc_ros.demo.scene import goods, maps, materials, prints
from reloc_ros.demo.scene.faces import Face, Painter, box, branch, panel
from reloc_ros.demo.scene.lighting import Lamp, baked

Array = NDArray[np.float64]
WALL_M = 2.6
PRINT_GAP_M = 0.006
"""Prints hang this far before their wall."""


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """A place to film."""

    name: str
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


@functools.lru_cache(maxsize=2)
def reading_corner(seed: int = 7) -> Scene:
    """The place that the demo maps: two walls, a table, shelves, cartons and a pillar, open to a garden."""
    rng = np.random.default_rng(seed)
    faces = [
        *_shell(rng, materials.planks, materials.plaster, materials.bricks, (3.3, 3.0)),
        _rug(rng, (1.75, 1.35), (1.5, 1.1), 9),
        *_north_prints(rng),
        *_west_prints(rng),
        *_table(rng, (1.1, 2.5)),
        *_bookshelf(rng, 1.36, 1.12),
        *_bookshelf(rng, 1.24, 0.72),
        *_cartons(rng),
        *box("pillar", rng, materials.mosaic, (2.3, 2.05, 0), (0.24, 0.24, 1.55), 14, top=materials.wood),
        *box("crate", rng, materials.wood, (2.9, 2.62, 0), (0.5, 0.44, 0.62), -7),
        *box("crate_box", rng, goods.cover, (2.86, 2.6, 0.62), (0.3, 0.16, 0.36), -24),
        *box("crate_book", rng, goods.cover, (3.06, 2.68, 0.62), (0.12, 0.2, 0.07), 15),
        *box("stool", rng, goods.cushion, (0.98, 1.5, 0), (0.36, 0.36, 0.4), 28),
        *box("stool_book", rng, goods.cover, (0.99, 1.5, 0.4), (0.24, 0.17, 0.05), -12),
        _leaning(rng),
    ]
    lamp = Lamp((1.95, 1.0, 2.45), 0.22)
    return Scene("reading_corner", (*baked(faces, lamp, rng), *_garden(rng, (1.65, 1.5))))


@functools.lru_cache(maxsize=2)
def other_place(seed: int = 1234) -> Scene:
    """A place of the same kind that is not the mapped one: other walls, prints and things, elsewhere."""
    rng = np.random.default_rng(seed)
    kinds: tuple[Painter, ...] = (
        maps.city_map, maps.contour_map, prints.painting,
        prints.landscape, prints.botanical, prints.lettering,
    )  # fmt: skip
    grey = functools.partial(materials.plaster, colour=(150, 176, 214))
    faces = _shell(rng, functools.partial(materials.planks, board_px=46), materials.bricks, grey, (3.3, 3.0))
    for column, at in enumerate(np.arange(0.15, 3.0, 0.72)):
        size = rng.uniform((0.45, 0.4), (0.64, 0.7))
        kind_north, kind_west = rng.permutation(len(kinds))[:2]
        top = 1.2 + size[1] + rng.uniform(-0.5, 0.3)
        faces.append(_on_north(f"north_{column}", rng, kinds[kind_north], (at, top), size))
        if at + size[0] < 3.0:
            faces.append(_on_west(f"west_{column}", rng, kinds[kind_west], (at, top + 0.1), size))
    things = (goods.carton, goods.cover, materials.mosaic, materials.wood, goods.cushion)
    for number, (x, y) in enumerate(
        ((0.5, 2.5), (1.2, 2.4), (1.9, 2.6), (2.7, 2.3), (0.6, 1.7), (1.5, 1.8), (0.5, 0.7))
    ):
        size = rng.uniform((0.25, 0.25, 0.2), (0.5, 0.45, 0.9))
        yaw_deg = float(rng.uniform(-40, 40))
        faces += box(f"thing_{number}", rng, things[number % len(things)], (x, y, 0), tuple(size), yaw_deg)
        faces += box(f"upon_{number}", rng, goods.cover, (x, y, size[2]), (0.2, 0.14, 0.2), yaw_deg + 30)
    lamp = Lamp((1.5, 1.2, 2.3), 0.3)
    return Scene("other_place", (*baked(faces, lamp, rng), *_garden(rng, (1.65, 1.5))))


def _shell(
    rng: Generator, floor: Painter, north: Painter, west: Painter, size_m: tuple[float, float]
) -> list[Face]:
    """The floor and the two walls; the corner between them is at x = 0 and y = depth."""
    width, depth = size_m
    return [
        panel("floor", rng, floor, (0, depth, 0), (width, 0, 0), (0, -depth, 0), 560),
        panel("north_wall", rng, north, (0, depth, WALL_M), (width, 0, 0), (0, 0, -WALL_M), 480),
        panel("west_wall", rng, west, (0, 0, WALL_M), (0, depth, 0), (0, 0, -WALL_M), 480),
    ]


def _on_north(name: str, rng: Generator, painter: Painter, at: ArrayLike, size: ArrayLike) -> Face:
    """A print on the north wall (y = 3) with its top-left corner at `at` (x, z)."""
    (x, z), (width, height) = np.asarray(at), np.asarray(size)
    corner = (x, 3.0 - PRINT_GAP_M, z)
    return panel(name, rng, painter, corner, (width, 0, 0), (0, 0, -height), 720, casts_shadow=False)


def _on_west(name: str, rng: Generator, painter: Painter, at: ArrayLike, size: ArrayLike) -> Face:
    """A print on the west wall (x = 0) with its top-left corner at `at` (y, z)."""
    (y, z), (width, height) = np.asarray(at), np.asarray(size)
    return panel(
        name, rng, painter, (PRINT_GAP_M, y, z), (0, width, 0), (0, 0, -height), 720, casts_shadow=False
    )


def _north_prints(rng: Generator) -> list[Face]:
    return [
        _on_north("city_map", rng, maps.city_map, (0.22, 1.86), (0.92, 0.66)),
        _on_north("lettering", rng, prints.lettering, (1.3, 1.95), (0.5, 0.72)),
        _on_north("botanical", rng, prints.botanical, (1.95, 1.8), (0.5, 0.62)),
        _on_north("landscape", rng, prints.landscape, (2.58, 1.92), (0.6, 0.44)),
        _on_north("small_painting", rng, prints.painting, (2.6, 1.4), (0.34, 0.28)),
        _on_north("small_map", rng, maps.contour_map, (1.42, 1.12), (0.36, 0.3)),
        _on_north("banner", rng, prints.lettering, (0.5, 2.32), (2.2, 0.22)),
    ]


def _west_prints(rng: Generator) -> list[Face]:
    return [
        _on_west("contour_map", rng, maps.contour_map, (1.92, 1.96), (0.9, 0.66)),
        _on_west("painting", rng, prints.painting, (0.42, 2.02), (0.56, 0.72)),
        _on_west("west_lettering", rng, prints.lettering, (1.14, 2.3), (0.6, 0.34)),
        _on_west("west_botanical", rng, prints.botanical, (2.0, 1.12), (0.4, 0.48)),
    ]


def _rug(rng: Generator, center: tuple[float, float], size: tuple[float, float], yaw_deg: float) -> Face:
    yaw = np.radians(yaw_deg)
    right = size[0] * np.array([np.cos(yaw), np.sin(yaw), 0])
    down = size[1] * np.array([np.sin(yaw), -np.cos(yaw), 0])
    corner = np.array([*center, 0.008]) - right / 2 - down / 2
    return panel("rug", rng, materials.rug, corner, right, down, 560, casts_shadow=False)


def _table(rng: Generator, center: tuple[float, float]) -> list[Face]:
    x, y = center
    faces = box("table", rng, materials.wood, (x, y, 0.56), (1.16, 0.62, 0.05), 2)
    for number, (dx, dy) in enumerate(((-0.5, -0.24), (0.5, -0.24), (-0.5, 0.24), (0.5, 0.24))):
        faces += box(f"table_leg_{number}", rng, materials.wood, (x + dx, y + dy, 0), (0.07, 0.07, 0.56), 2)
    height = 0.61
    for number, (yaw_deg, size) in enumerate(
        ((8, (0.3, 0.22, 0.06)), (-14, (0.27, 0.2, 0.045)), (21, (0.22, 0.16, 0.055)))
    ):
        faces += box(f"table_book_{number}", rng, goods.cover, (x - 0.34, y - 0.08, height), size, yaw_deg)
        height += size[2]
    faces += box("tea_box", rng, goods.cover, (x + 0.06, y + 0.12, 0.61), (0.2, 0.13, 0.3), -18)
    faces += box("parcel", rng, goods.carton, (x + 0.36, y - 0.02, 0.61), (0.28, 0.24, 0.19), 24)
    faces += box("tin", rng, materials.mosaic, (x + 0.02, y - 0.17, 0.61), (0.1, 0.1, 0.13), 40)
    return faces


def _bookshelf(rng: Generator, y: float, height: float) -> list[Face]:
    """A board on the west wall with books of different thickness, height and depth."""
    faces = box(f"shelf_{height}", rng, materials.wood, (0.14, y, height), (0.28, 0.86, 0.03))
    along = y - 0.42
    while along < y + 0.36:
        thickness, tall, deep = (float(n) for n in rng.uniform((0.035, 0.2, 0.15), (0.075, 0.3, 0.24)))
        at = (deep / 2 + 0.012, along + thickness / 2, height + 0.03)
        faces += box(f"book_{height}_{along:.2f}", rng, goods.spine, at, (deep, thickness, tall))
        along += thickness + (float(rng.uniform(0.05, 0.12)) if rng.random() < 0.15 else 0.003)
    return faces


def _cartons(rng: Generator) -> list[Face]:
    return [
        *box("carton", rng, goods.carton, (0.42, 0.62, 0), (0.52, 0.46, 0.4), 12),
        *box("carton_upper", rng, goods.carton, (0.4, 0.6, 0.4), (0.36, 0.34, 0.28), -16),
        *box("carton_book", rng, goods.cover, (0.42, 0.6, 0.68), (0.24, 0.18, 0.06), 20),
    ]


def _leaning(rng: Generator) -> Face:
    """A canvas that leans against the north wall."""
    right, down = (0.62, 0, 0), (0, -0.2, -0.72)
    return panel("canvas", rng, prints.painting, (1.85, 2.98, 0.73), right, down, 640)


def _garden(rng: Generator, center: tuple[float, float]) -> list[Face]:
    """A lawn and, 9 m away on all four sides, a backdrop painted in one piece. No lamp reaches it."""
    x, y = center
    reach, height, pixels_per_m = 9.0, 7.0, 90
    side_px, height_px = round(2 * reach * pixels_per_m), round(height * pixels_per_m)
    corner = (x - reach, y + reach, -0.03)
    faces = [
        panel(
            "lawn", rng, materials.lawn, corner, (2 * reach, 0, 0), (0, -2 * reach, 0), 100, "garden", False
        )
    ]
    around = materials.garden(branch(rng), 4 * side_px, height_px)
    for side in range(4):
        yaw = side * np.pi / 2
        outward, right = np.array([np.sin(yaw), np.cos(yaw), 0]), np.array([np.cos(yaw), -np.sin(yaw), 0])
        corner_map = np.array([x, y, height - 0.1]) + reach * (outward - right)
        texture = np.ascontiguousarray(around[:, side * side_px : (side + 1) * side_px])
        down = np.array([0, 0, -height])
        faces.append(Face(f"backdrop_{side}", corner_map, 2 * reach * right, down, texture, "garden", False))
    return faces
