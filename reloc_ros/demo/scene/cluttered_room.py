"""A closed, cluttered room for a walk all around: whichever way the camera looks, it sees a small part of the place."""

from __future__ import annotations

import functools

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reloc_ros.demo.scene import objects, surfaces
from reloc_ros.demo.scene.drawing import pick
from reloc_ros.demo.scene.faces import WALL_M, Face, Painter, Wall, box, panel
from reloc_ros.demo.scene.lighting import Lamp, baked
from reloc_ros.demo.scene.places import PRINTS, THINGS, Scene

WIDTH_M, DEPTH_M = 6.0, 5.2
MIDDLE_MAP = np.array([WIDTH_M / 2, DEPTH_M / 2, 0.0])
_WALLS: tuple[tuple[Wall, Painter], ...] = (
    (Wall("north", (0, DEPTH_M), (1, 0), WIDTH_M), surfaces.plaster),
    (Wall("east", (WIDTH_M, DEPTH_M), (0, -1), DEPTH_M), surfaces.bricks),
    (
        Wall("south", (WIDTH_M, 0), (-1, 0), WIDTH_M),
        functools.partial(surfaces.plaster, colour=(150, 176, 214)),
    ),
    (Wall("west", (0, 0), (0, 1), DEPTH_M), functools.partial(surfaces.planks, board_px=46)),
)


@functools.lru_cache(maxsize=2)
def cluttered_room(seed: int = 21) -> Scene:
    """Four walls with prints, things along them, and a laden table in the middle; no two of its sides are alike."""
    rng = np.random.default_rng(seed)
    faces = [
        panel("floor", rng, surfaces.planks, (0, DEPTH_M, 0), (WIDTH_M, 0, 0), (0, -DEPTH_M, 0), 400),
        panel("ceiling", rng, surfaces.plaster, (0, 0, WALL_M), (WIDTH_M, 0, 0), (0, DEPTH_M, 0), 120),
    ]
    for wall, painter in _WALLS:
        faces += [wall.face(rng, painter), *prints(wall, rng), *things(wall, rng)]
    faces += laden_table(rng, MIDDLE_MAP)
    lamp = Lamp((WIDTH_M / 2 + 0.4, DEPTH_M / 2 - 0.3, 2.45), 0.3)
    return Scene(tuple(baked(faces, lamp, rng)))


def prints(wall: Wall, rng: Generator) -> list[Face]:
    """Prints in a row, of kinds and heights drawn by lot; some wall stays bare."""
    faces, at = [], float(rng.uniform(0.15, 0.4))
    for number, kind in enumerate(rng.permutation(len(PRINTS))):
        width, height = rng.uniform((0.42, 0.36), (0.8, 0.68))
        if at + width > wall.length_m - 0.15:
            break
        top = rng.uniform(1.15 + height, 2.35)
        name = f"{wall.name}_print_{number}"
        faces.append(wall.hang(name, rng, PRINTS[kind], (at, top), (width, height)))
        at += width + float(rng.uniform(0.25, 0.7))
    return faces


def things(wall: Wall, rng: Generator) -> list[Face]:
    """Boxes along a wall, each with another upon it."""
    faces = []
    for number, at in enumerate(np.arange(0.45, wall.length_m - 0.4, 0.85)):
        size = rng.uniform((0.3, 0.2, 0.25), (0.5, 0.38, 0.9))
        x, y, _ = wall.place(at + rng.uniform(-0.12, 0.12), WALL_M, 0.3)
        yaw_deg = float(rng.uniform(-35, 35)) + (90 if wall.right[0] == 0 else 0)
        kind = pick(rng, THINGS)
        faces += box(f"{wall.name}_thing_{number}", rng, kind, (x, y, 0), tuple(size), yaw_deg)
        upper = tuple(rng.uniform((0.14, 0.1, 0.1), (0.26, 0.2, 0.32)))
        faces += box(f"{wall.name}_upon_{number}", rng, objects.cover, (x, y, size[2]), upper, yaw_deg + 25)
    return faces


def laden_table(rng: Generator, middle_map: NDArray[np.float64]) -> list[Face]:
    """A table with its middle over a point (3,) of the floor, and things of all kinds on it."""
    x, y, _ = middle_map
    faces = box("table", rng, surfaces.wood, (x, y, 0), (1.1, 0.66, 0.72), 12)
    spots = ((-0.38, -0.12), (-0.1, 0.16), (0.08, -0.14), (0.36, 0.1), (0.38, -0.16))
    for number, (across, along) in enumerate(spots):
        size = tuple(rng.uniform((0.12, 0.1, 0.08), (0.26, 0.2, 0.42)))
        painter, at = THINGS[number % len(THINGS)], (x + across, y + along, 0.72)
        faces += box(f"table_thing_{number}", rng, painter, at, size, float(rng.uniform(-45, 45)))
    return faces
