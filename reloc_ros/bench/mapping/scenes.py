"""Places made to mislead structure from motion: things that repeat, rooms that are alike, little to hold on to."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from reloc_ros.demo.scene import objects, posters, surfaces
from reloc_ros.demo.scene.faces import Face, Painter, box, panel
from reloc_ros.demo.scene.places import Scene

TWINS_APART_M = 7.0
"""From a corner of the first of the twin rooms to the same corner of the second."""
_PRINTS: tuple[Painter, ...] = (posters.city_map, posters.painting, posters.contour_map, posters.lettering)


def _wall(
    name: str, rng: Generator, painter: Painter, start: ArrayLike, along: ArrayLike, height_m: float = 2.6
) -> Face:
    """A wall whose lower left end, as seen from the front, is at `start` (3,)."""
    start = np.asarray(start, np.float64)
    return panel(name, rng, painter, start + np.array([0, 0, height_m]), along, (0, 0, -height_m), 320)


def _print_on(
    wall: Face, name: str, rng: Generator, painter: Painter, at: float, size: tuple[float, float]
) -> Face:
    """A print in front of a wall: `at` metres along it, its lower edge 1.1 m above the wall's."""
    along = wall.right_map / np.linalg.norm(wall.right_map)
    corner = wall.corner_map + wall.down_map + at * along + 0.006 * wall.normal_map + (0, 0, 1.1 + size[1])
    return panel(name, rng, painter, corner, size[0] * along, (0, 0, -size[1]), 640, casts_shadow=False)


def _room(rng: Generator, size: tuple[float, float], opening: str = "") -> list[Face]:
    """Walls with prints, a floor and boxes; the corner is at the origin, and one wall may be left out."""
    width, depth = size
    walls = {
        "north": ((0, depth, 0), (width, 0, 0), surfaces.plaster),
        "east": ((width, depth, 0), (0, -depth, 0), surfaces.bricks),
        "south": ((width, 0, 0), (-width, 0, 0), surfaces.planks),
        "west": ((0, 0, 0), (0, depth, 0), surfaces.plaster),
    }
    faces = [panel("floor", rng, surfaces.planks, (0, depth, 0), (width, 0, 0), (0, -depth, 0), 320)]
    for number, (name, (start, along, painter)) in enumerate(walls.items()):
        wall = _wall(name, rng, painter, start, along)
        hung = [
            _print_on(wall, f"{name}_{at}", rng, _PRINTS[(number + place) % 4], at, (0.7, 0.55))
            for place, at in enumerate((0.3, 1.2, 2.1))
        ]
        faces += [] if name == opening else [wall, *hung]
    for number, (x, y) in enumerate(((0.35, 2.6), (0.35, 0.4), (2.0, 2.65), (1.9, 0.35))):
        extent = tuple(rng.uniform((0.3, 0.3, 0.4), (0.5, 0.5, 0.9)))
        faces += box(
            f"box_{number}", rng, (objects.carton, objects.cover)[number % 2], (x, y, 0), extent, 20 * number
        )
    return faces


def _shifted(faces: list[Face], by_m: tuple[float, float, float], name: str) -> list[Face]:
    return [
        dataclasses.replace(face, name=f"{name}_{face.name}", corner_map=face.corner_map + by_m)
        for face in faces
    ]


@functools.lru_cache(maxsize=1)
def twin_rooms_scene() -> Scene:
    # The second room is entered through its west wall and the first one left through its east wall: both lack both.
    room = [
        face
        for face in _room(np.random.default_rng(11), (3.0, 3.0))
        if not face.name.startswith(("east", "west"))
    ]
    rng = np.random.default_rng(12)
    between = TWINS_APART_M - 3.0
    end_west, end_east = _wall("end_west", rng, surfaces.bricks, (-0.02, 0, 0), (0, 3.0, 0)), None
    faces = [*room, end_west, *_shifted(room, (TWINS_APART_M, 0, 0), "second")]
    end_east = _wall("end_east", rng, surfaces.bricks, (TWINS_APART_M + 3.02, 3, 0), (0, -3.0, 0))
    north = _wall("corridor_north", rng, surfaces.planks, (3.0, 2.2, 0), (between, 0, 0))
    south = _wall("corridor_south", rng, surfaces.bricks, (3.0 + between, 0.8, 0), (-between, 0, 0))
    faces += [end_east, north, south]
    faces += [_print_on(north, f"n{at}", rng, _PRINTS[int(at) % 4], at, (0.6, 0.5)) for at in (0.3, 1.4, 2.6)]
    faces += [
        _print_on(south, f"s{at}", rng, _PRINTS[int(at + 2) % 4], at, (0.5, 0.6)) for at in (0.7, 1.8, 3.0)
    ]
    faces.append(
        panel("corridor_floor", rng, surfaces.mosaic, (3, 2.2, 0), (between, 0, 0), (0, -1.4, 0), 320)
    )
    return Scene(tuple(faces))


@functools.lru_cache(maxsize=1)
def table_with_chairs() -> Scene:
    rng = np.random.default_rng(31)
    grey = functools.partial(surfaces.plaster, colour=(170, 170, 170))
    faces = [panel("floor", rng, grey, (-3, 3, 0), (6, 0, 0), (0, -6, 0), 200)]
    walls = [
        _wall("north", rng, grey, (-3, 3, 0), (6, 0, 0)),
        _wall("east", rng, grey, (3, 3, 0), (0, -6, 0)),
        _wall("south", rng, grey, (3, -3, 0), (-6, 0, 0)),
        _wall("west", rng, grey, (-3, -3, 0), (0, 6, 0)),
    ]
    faces += walls
    faces += [_print_on(walls[0], "north_print", rng, posters.city_map, 2.4, (0.9, 0.7))]
    faces += [_print_on(walls[2], "south_print", rng, posters.painting, 3.2, (0.6, 0.7))]
    faces += box("table", rng, surfaces.wood, (0, 0, 0), (0.9, 0.9, 0.74), 0)
    for side in range(6):
        yaw = 60.0 * side
        out = np.array([np.cos(np.radians(yaw)), np.sin(np.radians(yaw)), 0])
        same = np.random.default_rng(77)  # the same chair each time
        faces += box(f"seat_{side}", same, objects.cushion, 0.95 * out, (0.42, 0.42, 0.44), yaw)
        faces += box(f"back_{side}", same, surfaces.mosaic, 1.18 * out, (0.06, 0.42, 0.92), yaw)
    return Scene(tuple(faces))


@functools.lru_cache(maxsize=1)
def stairwell() -> Scene:
    rng = np.random.default_rng(41)
    faces = [panel("floor", rng, surfaces.planks, (-2.5, 1, 0), (2.5, 0, 0), (0, -2, 0), 320)]
    for step in range(12):
        name = f"step_{step}"
        at = (0.15 + 0.28 * step, 0, 0)
        faces += box(name, rng, surfaces.wood, at, (0.28, 2.0, 0.18 * (step + 1)))
    left = _wall("left", rng, surfaces.bricks, (-2.5, 1.0, 0), (8.5, 0, 0), 4.6)
    right = _wall("right", rng, surfaces.planks, (6.0, -1.0, 0), (-8.5, 0, 0), 4.6)
    end = _wall("end", rng, surfaces.plaster, (6.0, 1.0, 0), (0, -2.0, 0), 4.6)
    faces += [left, right, end]
    faces.append(panel("landing", rng, surfaces.planks, (3.4, 1, 2.16), (2.6, 0, 0), (0, -2, 0), 320))
    for number, at in enumerate((1.2, 3.0, 4.6, 6.2)):
        hung = _print_on(left, f"l{number}", rng, _PRINTS[number], at, (0.7, 0.6))
        faces.append(dataclasses.replace(hung, corner_map=hung.corner_map + np.array([0, 0, 0.45 * number])))
        hung = _print_on(right, f"r{number}", rng, _PRINTS[number - 1], at, (0.6, 0.7))
        faces.append(
            dataclasses.replace(hung, corner_map=hung.corner_map + np.array([0, 0, 0.45 * (3 - number)]))
        )
    faces += [_print_on(end, "e", rng, posters.city_map, 0.5, (0.9, 0.7))]
    return Scene(tuple(faces))


@functools.lru_cache(maxsize=1)
def long_corridor() -> Scene:
    rng = np.random.default_rng(51)
    faces = [panel("floor", rng, surfaces.planks, (0, 0.9, 0), (12, 0, 0), (0, -1.8, 0), 240)]
    north = _wall("north", rng, surfaces.bricks, (0, 0.9, 0), (12, 0, 0))
    south = _wall("south", rng, surfaces.plaster, (12, -0.9, 0), (-12, 0, 0))
    end = _wall("end", rng, surfaces.planks, (12, 0.9, 0), (0, -1.8, 0))
    faces += [north, south, end, _print_on(end, "end_print", rng, posters.contour_map, 0.5, (0.8, 0.6))]
    for number, at in enumerate(np.arange(0.8, 11.0, 1.9)):
        faces.append(_print_on(north, f"n{number}", rng, _PRINTS[number % 4], float(at), (0.7, 0.55)))
        faces.append(
            _print_on(south, f"s{number}", rng, _PRINTS[(number + 1) % 4], float(at) + 0.4, (0.6, 0.6))
        )
    for number, x in enumerate((2.0, 4.6, 7.2, 9.8)):
        size = tuple(rng.uniform((0.3, 0.25, 0.4), (0.5, 0.3, 0.8)))
        faces += box(f"box_{number}", rng, objects.carton, (x, 0.7 * (-1) ** number, 0), size, 10 * number)
    return Scene(tuple(faces))
