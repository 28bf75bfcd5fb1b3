"""The building: rooms with open doors on both sides of a corridor, the first and the last on its north side alike."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reloc_ros.demo.scene import surfaces
from reloc_ros.demo.scene.cluttered_room import laden_table, prints, things
from reloc_ros.demo.scene.drawing import pick
from reloc_ros.demo.scene.exposure import Exposure
from reloc_ros.demo.scene.faces import WALL_M, Face, Painter, Wall, panel
from reloc_ros.demo.scene.lighting import Lamp, baked

Array = NDArray[np.float64]
WIDTH_M, DEPTH_M = 4.2, 3.8
"""Of a room, along the corridor and away from it."""
HALF_CORRIDOR_M = 1.2
"""The corridor lies along x, on both sides of y = 0."""
DOOR_AT_M, DOOR_M, DOOR_HEIGHT_M = 0.5, 0.9, 2.05
"""A door's distance from the room's corner, its width and height."""
CORRIDOR = "corridor"
_MOVED_SHARE, _MOVED_M = 0.3, 0.3
"""Of the things along the walls and of the prints, from one session to another; prints are taken away."""
_THING, _PRINT = re.compile(r"(\w+)_(?:thing|upon)_(\d+)\."), re.compile(r"\w+_print_\d+$")


@dataclasses.dataclass(frozen=True)
class Light:
    """The light of a session, and what the camera makes of it."""

    shift_m: tuple[float, float]
    """Of the lamp from the middle."""
    strength: float
    ambient: float
    exposure: Exposure

    def lamp(self, x: float, y: float) -> Lamp:
        """The lamp of a room or of a piece of the corridor whose middle is there."""
        return Lamp((x + self.shift_m[0], y + self.shift_m[1], 2.45), 0.3, self.strength, self.ambient)


LIGHTS = (
    Light((0.4, -0.3), 0.85, 0.58, Exposure(noise=1.5)),
    Light((-0.8, 0.5), 1.05, 0.30, Exposure(0.85, cast=(0.86, 0.97, 1.06), noise=2.0)),
    Light((0.9, 0.7), 0.30, 0.80, Exposure(1.05, 0.9, (1.08, 1.0, 0.94), 1.5)),
    Light((-0.5, -0.7), 0.75, 0.40, Exposure(0.4, noise=3.0)),
)
"""Noon, a lamp in the evening, an overcast morning, dusk; one a session."""


@dataclasses.dataclass(frozen=True)
class Building:
    """A building with `columns` rooms on each side of the corridor."""

    columns: int = 6

    @property
    def twins(self) -> tuple[str, str]:
        """The two rooms that are alike."""
        return "north0", f"north{self.columns - 1}"

    @property
    def length_m(self) -> float:
        return self.columns * WIDTH_M

    @property
    def rooms(self) -> tuple[str, ...]:
        return tuple(f"{side}{column}" for side in ("north", "south") for column in range(self.columns))

    def middle_map(self, room: str) -> Array:
        """(3,) of a room's floor."""
        is_north, column = room.startswith("north"), int(room[5:])
        y = HALF_CORRIDOR_M + DEPTH_M / 2
        return np.array([(column + 0.5) * WIDTH_M, y if is_north else -y, 0.0])

    def place_of(self, point_map: Array) -> str | None:
        """The room that a point (3,) is in, or the corridor; None outside."""
        x, y, _ = point_map
        if not (0 <= x <= self.length_m and abs(y) <= HALF_CORRIDOR_M + DEPTH_M):
            return None
        side = "north" if y > 0 else "south"
        column = min(int(x // WIDTH_M), self.columns - 1)
        return CORRIDOR if abs(y) < HALF_CORRIDOR_M else f"{side}{column}"

    def seen_from(self, place: str, session: int) -> list[Face]:
        """What can be seen from a room, its neighbour through the doors included, or from the corridor."""
        opposite = {"north": "south", "south": "north"}
        rooms = self.rooms if place == CORRIDOR else (place, opposite[place[:5]] + place[5:])
        columns = [face for column in range(self.columns) for face in self._corridor(column, session)]
        return [*columns, *(face for room in rooms for face in self._room(room, session))]

    def _room(self, room: str, session: int) -> list[Face]:
        # Twins are of one number, and so the same to the last texel, in each session.
        alike = self.twins[0] if room in self.twins else room
        own = _lit_room(self.rooms.index(alike), session)
        middle = self.middle_map(room) - (WIDTH_M / 2, DEPTH_M / 2, 0)
        return [_placed(face, room, middle, turned=room.startswith("south")) for face in own]

    def _corridor(self, column: int, session: int) -> tuple[Face, ...]:
        ends = {0: "west", self.columns - 1: "east"}
        return _lit_corridor(column, ends.get(column), session)


def _placed(face: Face, room: str, corner_map: Array, turned: bool) -> Face:
    """A face of a room that has its door to the south, in the building."""
    turn, about = np.diag([-1.0, -1, 1]), np.array([WIDTH_M, DEPTH_M, 0])
    corner, right, down = face.corner_map, face.right_map, face.down_map
    if turned:
        corner, right, down = turn @ corner + about, turn @ right, turn @ down
    return dataclasses.replace(
        face, name=f"{room}.{face.name}", corner_map=corner + corner_map, right_map=right, down_map=down
    )


@functools.cache
def _lit_room(number: int, session: int) -> tuple[Face, ...]:
    rng = np.random.default_rng([number, session])
    faces = _refurnished(_painted_room(number), rng) if session else _painted_room(number)
    return tuple(baked(faces, LIGHTS[session].lamp(WIDTH_M / 2, DEPTH_M / 2), rng))


@functools.cache
def _painted_room(number: int) -> tuple[Face, ...]:
    """Its corner at the origin and its door to the south."""
    rng = np.random.default_rng(100 + number)
    after_door = WIDTH_M - DOOR_AT_M - DOOR_M
    walls = [
        Wall("north", (0, DEPTH_M), (1, 0), WIDTH_M),
        Wall("east", (WIDTH_M, DEPTH_M), (0, -1), DEPTH_M),
        Wall("west", (0, 0), (0, 1), DEPTH_M),
        *_beside_door("south", (WIDTH_M, 0), (-1, 0), after_door),
    ]
    painters = [*(_paint(rng) for _ in range(3)), *[_paint(rng)] * 2]
    faces = _floor_and_ceiling("", rng, (0, DEPTH_M), DEPTH_M)
    for wall, painter in zip(walls, painters, strict=True):
        faces += [wall.face(rng, painter), *prints(wall, rng), *things(wall, rng)]
    faces.append(_lintel("south", rng, painters[-1], (WIDTH_M - after_door, 0), -1))
    return (*faces, *laden_table(rng, np.array([WIDTH_M / 2, DEPTH_M / 2, 0])))


@functools.cache
def _lit_corridor(column: int, end: str | None, session: int) -> tuple[Face, ...]:
    """The part of the corridor between two rooms, closed at one `end` if it is the first or the last."""
    rng, left, half = np.random.default_rng(200 + column), column * WIDTH_M, HALF_CORRIDOR_M
    right = left + WIDTH_M
    faces = _floor_and_ceiling("corridor_", rng, (left, half), 2 * half)
    # A room has its door near its left corner as seen from inside, so near the right one as seen from the corridor.
    for side, (x, y), sign in (("north", (left, half), 1), ("south", (right, -half), -1)):
        painter = _paint(rng)
        for wall in _beside_door(f"corridor_{side}", (x, y), (sign, 0), DOOR_AT_M):
            faces += [wall.face(rng, painter), *prints(wall, rng)]
        faces.append(_lintel(f"corridor_{side}", rng, painter, (x + sign * DOOR_AT_M, y), sign))
    ends = {
        "west": Wall("corridor_west", (left, -half), (0, 1), 2 * half),
        "east": Wall("corridor_east", (right, half), (0, -1), 2 * half),
    }
    if end is not None:
        faces += [ends[end].face(rng, _paint(rng)), *prints(ends[end], rng)]
    light = LIGHTS[session]
    return tuple(baked(faces, light.lamp(left + WIDTH_M / 2, 0), np.random.default_rng([column, session])))


def _beside_door(
    name: str, left_end: tuple[float, float], right: tuple[int, int], before: float
) -> list[Wall]:
    """The two parts of a wall of a room's width, the first `before` long, that leave a door between them."""
    second = left_end[0] + right[0] * (before + DOOR_M), left_end[1]
    rest = WIDTH_M - DOOR_M - before
    return [Wall(f"{name}_left", left_end, right, before), Wall(f"{name}_right", second, right, rest)]


def _lintel(name: str, rng: Generator, painter: Painter, left_end: tuple[float, float], sign: int) -> Face:
    """The wall above a door."""
    right, down = (sign * DOOR_M, 0, 0), (0, 0, DOOR_HEIGHT_M - WALL_M)
    return panel(f"{name}_lintel", rng, painter, (*left_end, WALL_M), right, down, 480)


def _floor_and_ceiling(
    prefix: str, rng: Generator, corner: tuple[float, float], depth_m: float
) -> list[Face]:
    x, y = corner
    floor, right = pick(rng, (surfaces.planks, surfaces.mosaic)), (WIDTH_M, 0, 0)
    return [
        panel(f"{prefix}floor", rng, floor, (x, y, 0), right, (0, -depth_m, 0), 360),
        panel(
            f"{prefix}ceiling", rng, surfaces.plaster, (x, y - depth_m, WALL_M), right, (0, depth_m, 0), 120
        ),
    ]


def _paint(rng: Generator) -> Painter:
    """What a wall is covered with."""
    blue, green, red = rng.integers(130, 225, 3).tolist()
    coloured = functools.partial(surfaces.plaster, colour=(blue, green, red))
    boards = functools.partial(surfaces.planks, board_px=int(rng.integers(40, 70)))
    return pick(rng, (surfaces.bricks, boards, coloured, coloured))


def _refurnished(faces: Sequence[Face], rng: Generator) -> list[Face]:
    """Some of the things along the walls moved with what is on them, and some of the prints gone."""
    steps: dict[tuple[str, ...], Array] = {}
    kept = []
    for face in faces:
        if thing := _THING.match(face.name):
            key = thing.groups()
            if key not in steps:
                step = rng.uniform(-_MOVED_M, _MOVED_M, 2) * (rng.random() < _MOVED_SHARE)
                steps[key] = np.array([*step, 0.0])
            kept.append(dataclasses.replace(face, corner_map=face.corner_map + steps[key]))
        elif not _PRINT.match(face.name) or rng.random() >= _MOVED_SHARE:
            kept.append(face)
    return kept
