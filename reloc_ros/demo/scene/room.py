"""A closed, cluttered room for a walk all around: whichever way the camera looks, it sees a small part of the place."""

from __future__ import annotations

import functools

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from reloc_ros.demo.scene import goods, maps, materials, prints
from reloc_ros.demo.scene.faces import Face, Painter, box, panel
from reloc_ros.demo.scene.lighting import Lamp, baked
from reloc_ros.demo.scene.places import PRINT_GAP_M, WALL_M, Scene

WIDTH_M, DEPTH_M = 6.0, 5.2
MIDDLE_MAP = np.array([WIDTH_M / 2, DEPTH_M / 2, 0.0])
_WALLS = {
    "north": ((0, DEPTH_M), (1, 0), WIDTH_M, materials.plaster),
    "east": ((WIDTH_M, DEPTH_M), (0, -1), DEPTH_M, materials.bricks),
    "south": ((WIDTH_M, 0), (-1, 0), WIDTH_M, functools.partial(materials.plaster, colour=(150, 176, 214))),
    "west": ((0, 0), (0, 1), DEPTH_M, functools.partial(materials.planks, board_px=46)),
}
"""Where each wall's left end is as seen from inside, which way is right, its length, and its painter."""
_KINDS: tuple[Painter, ...] = (
    maps.city_map, maps.contour_map, prints.painting, prints.landscape, prints.botanical, prints.lettering,
)  # fmt: skip
_THINGS: tuple[Painter, ...] = (goods.carton, goods.cover, materials.mosaic, materials.wood, goods.cushion)


@functools.lru_cache(maxsize=2)
def cluttered_room(seed: int = 21) -> Scene:
    """Four walls with prints, things along them, and a laden table in the middle; no two of its sides are alike."""
    rng = np.random.default_rng(seed)
    faces = [
        panel("floor", rng, materials.planks, (0, DEPTH_M, 0), (WIDTH_M, 0, 0), (0, -DEPTH_M, 0), 400),
        panel("ceiling", rng, materials.plaster, (0, 0, WALL_M), (WIDTH_M, 0, 0), (0, DEPTH_M, 0), 120),
    ]
    for name, (left, right, length_m, painter) in _WALLS.items():
        corner, along = (*left, WALL_M), np.array([*right, 0.0])
        faces.append(panel(f"{name}_wall", rng, painter, corner, length_m * along, (0, 0, -WALL_M), 480))
        faces += _prints(name, rng, corner, along, length_m)
        faces += _things(name, rng, corner, along, length_m)
    faces += _laden_table(rng)
    lamp = Lamp((WIDTH_M / 2 + 0.4, DEPTH_M / 2 - 0.3, 2.45), 0.3)
    return Scene("cluttered_room", tuple(baked(faces, lamp, rng)))


def _prints(name: str, rng: Generator, corner: ArrayLike, along: ArrayLike, length_m: float) -> list[Face]:
    """Prints in a row, of kinds and heights drawn by lot; some wall stays bare."""
    inward = PRINT_GAP_M * np.array([along[1], -along[0], 0.0])
    faces, at = [], float(rng.uniform(0.15, 0.4))
    for number, kind in enumerate(rng.permutation(len(_KINDS))):
        width, height = rng.uniform((0.42, 0.36), (0.8, 0.68))
        if at + width > length_m - 0.15:
            break
        top = rng.uniform(1.15 + height, 2.35)
        place = np.array([corner[0], corner[1], top]) + at * np.asarray(along) + inward
        face = panel(
            f"{name}_print_{number}",
            rng,
            _KINDS[kind],
            place,
            width * np.asarray(along),
            (0, 0, -height),
            720,
            casts_shadow=False,
        )
        faces.append(face)
        at += width + float(rng.uniform(0.25, 0.7))
    return faces


def _things(name: str, rng: Generator, corner: ArrayLike, along: ArrayLike, length_m: float) -> list[Face]:
    """Boxes along a wall, each with another upon it."""
    inward = np.array([along[1], -along[0], 0.0])
    faces = []
    for number, at in enumerate(np.arange(0.45, length_m - 0.4, 0.85)):
        size = rng.uniform((0.3, 0.2, 0.25), (0.5, 0.38, 0.9))
        x, y, _ = np.asarray(corner) + (at + rng.uniform(-0.12, 0.12)) * np.asarray(along) + 0.3 * inward
        yaw_deg = float(rng.uniform(-35, 35)) + (90 if along[0] == 0 else 0)
        kind = _THINGS[int(rng.integers(len(_THINGS)))]
        faces += box(f"{name}_thing_{number}", rng, kind, (x, y, 0), tuple(size), yaw_deg)
        upper = tuple(rng.uniform((0.14, 0.1, 0.1), (0.26, 0.2, 0.32)))
        faces += box(f"{name}_upon_{number}", rng, goods.cover, (x, y, size[2]), upper, yaw_deg + 25)
    return faces


def _laden_table(rng: Generator) -> list[Face]:
    x, y, _ = MIDDLE_MAP
    faces = box("table", rng, materials.wood, (x, y, 0), (1.1, 0.66, 0.72), 12)
    for number, (across, along) in enumerate(
        ((-0.38, -0.12), (-0.1, 0.16), (0.08, -0.14), (0.36, 0.1), (0.38, -0.16))
    ):
        size = tuple(rng.uniform((0.12, 0.1, 0.08), (0.26, 0.2, 0.42)))
        painter = _THINGS[number % len(_THINGS)]
        faces += box(
            f"table_thing_{number}",
            rng,
            painter,
            (x + across, y + along, 0.72),
            size,
            float(rng.uniform(-45, 45)),
        )
    return faces
