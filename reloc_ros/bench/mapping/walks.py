"""Walks through rendered places that lead structure from motion astray, and the poses that are true."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from reloc_ros.demo.film.trajectories import CAMERA, looking_at
from reloc_ros.demo.film.trajectories import mapping as mapping_walk
from reloc_ros.demo.scene import goods, maps, materials, prints
from reloc_ros.demo.scene.exposure import Exposure
from reloc_ros.demo.scene.faces import Face, Painter, box, panel
from reloc_ros.demo.scene.places import Scene, reading_corner
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.demo.scene.room import MIDDLE_MAP, cluttered_room
from reloc_ros.geometry import SE3, Camera

Array = NDArray[np.float64]
EVEN, DIM = Exposure(noise=1.5), Exposure(brightness=0.22, noise=3.0)
_PRINTS: tuple[Painter, ...] = (maps.city_map, prints.painting, maps.contour_map, prints.lettering)


@dataclasses.dataclass(frozen=True, eq=False)
class Walk:
    """Pictures of a place, in the order they are taken, and what is known about them."""

    name: str
    scene: Scene
    camera_from_map: tuple[SE3, ...]
    """Metres, z up."""
    exposure: Exposure = EVEN
    motion_px: tuple[float, ...] = ()
    """Length of each picture's motion blur; none if empty."""
    focal_known: bool = False
    """The intrinsics are given to `reloc map`."""
    has_depth: bool = True
    """Without, the camera only turned: no map can be made, and none may be called usable."""
    camera: Camera = CAMERA

    def pictures(self) -> Iterator[NDArray[np.uint8]]:
        """(H, W, 3) BGR, one a pose."""
        renderer = Renderer(self.scene.faces, self.camera)
        for index, pose in enumerate(self.camera_from_map):
            image = renderer.render(pose).image
            if self.motion_px:
                image = _moved(image, self.motion_px[index], angle_deg=37.0 * index)
            yield self.exposure.record(image, seed=index)

    def write(self, folder: Path) -> tuple[str, ...]:
        """Write the pictures as JPEG; their names are in the order of the walk."""
        folder.mkdir(parents=True, exist_ok=True)
        names = tuple(f"{index:05}.jpg" for index in range(len(self.camera_from_map)))
        for name, image in zip(names, self.pictures(), strict=True):
            cv2.imwrite(str(folder / name), image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        return names


def dim_orbit() -> Walk:
    """Around a laden table in a dim room, up and down; a seventh of the round is missing, and one step is wide."""
    angles = np.radians(np.concatenate([np.arange(0, 150, 6.0), np.arange(176, 315, 6.0)]))
    heights = 1.35 + 0.35 * np.sin(4 * angles)
    places = _around(MIDDLE_MAP, angles, (2.2, 1.85), heights)
    targets = MIDDLE_MAP + np.column_stack([0 * angles, 0 * angles, 0.75 + 0.15 * np.sin(7 * angles)])
    return Walk("dim orbit", cluttered_room(), _looking(places, targets), DIM)


def six_chairs() -> Walk:
    """Once around a round table with the same chair six times; only a few prints tell its sides apart."""
    angles = np.radians(np.arange(0, 360, 7.5))
    places = _around(np.zeros(3), angles, (2.1, 2.1), 1.25 + 0.2 * np.sin(3 * angles))
    return Walk("six chairs", _table_with_chairs(), _looking(places, np.tile((0, 0, 0.6), (len(angles), 1))))


def twin_rooms() -> Walk:
    """A room, a corridor, and a room that looks exactly like the first."""
    look = np.radians(np.linspace(-140, 140, 22))
    pictures = []
    for start in (0.0, _TWIN_APART_M):
        middle = np.array([start + 1.5, 1.5, 0])
        places = _around(middle, look, (0.55, 0.55), 1.4 + 0.1 * np.sin(3 * look))
        ahead = np.column_stack([np.cos(look), np.sin(look), -0.15 + 0 * look])
        pictures.append(_looking(places, places + ahead))
    out = np.linspace(0, 1, 18)[:, None]
    places = (1 - out) * (2.0, 1.5, 1.4) + out * (_TWIN_APART_M + 1.0, 1.5, 1.4)
    places += 0.12 * np.column_stack([0 * out, np.sin(9 * out), 0.5 * np.cos(7 * out)])
    corridor = _looking(places, places + (1.0, 0.05, -0.1))
    return Walk("twin rooms", _twin_rooms(), (*pictures[0], *corridor, *pictures[1]))


def stairs() -> Walk:
    """Up a flight of stairs, looking ahead."""
    up = np.linspace(0, 1, 48)
    places = np.column_stack([-1.2 + 4.4 * up, 0.12 * np.sin(8 * up), 1.5 + 2.16 * np.clip(up * 1.25, 0, 1)])
    ahead = np.column_stack([1 + 0 * up, 0.22 * np.sin(5 * up), -0.12 + 0.1 * np.cos(6 * up)])
    return Walk("stairs", _stairwell(), _looking(places, places + ahead))


def corridor() -> Walk:
    """Straight ahead along a corridor."""
    along = np.linspace(0, 1, 44)
    places = np.column_stack([0.5 + 8.5 * along, 0.06 * np.sin(11 * along), 1.4 + 0.03 * np.cos(13 * along)])
    return Walk("corridor", _corridor(), _looking(places, places + (1.0, 0.0, -0.03)))


def turn(blurred: bool, focal_known: bool) -> Walk:
    """A turn on the spot: nothing in it tells a near thing from a far one."""
    angles = np.radians(np.linspace(-60, 60, 16))
    place = MIDDLE_MAP + (0.9, -0.9, 1.4)
    ahead = np.column_stack([np.cos(angles), np.sin(angles), -0.1 + 0.05 * np.sin(4 * angles)])
    name = f"turn, {'blurred' if blurred else 'sharp'}, focal length {'known' if focal_known else 'unknown'}"
    return Walk(
        name,
        cluttered_room(),
        _looking(np.tile(place, (len(angles), 1)), place + ahead),
        motion_px=(7.0,) * len(angles) if blurred else (),
        focal_known=focal_known,
        has_depth=False,
    )


def half_blurred() -> Walk:
    """A good walk of which every second picture is blurred by motion."""
    poses = mapping_walk(60).camera_from_map
    return Walk("half blurred", reading_corner(), poses, motion_px=(0.0, 18.0) * 30)


def plain() -> Walk:
    """A good walk through a good place, so that a verdict cannot be right by always saying no."""
    return Walk("plain", reading_corner(), mapping_walk(48).camera_from_map)


WALKS: dict[str, Callable[[], Walk]] = {
    "plain": plain,
    "orbit": dim_orbit,
    "chairs": six_chairs,
    "twins": twin_rooms,
    "stairs": stairs,
    "corridor": corridor,
    "half-blurred": half_blurred,
    "turn": functools.partial(turn, False, False),
    "turn-known": functools.partial(turn, False, True),
    "turn-blurred": functools.partial(turn, True, False),
    "turn-blurred-known": functools.partial(turn, True, True),
}

_TWIN_APART_M = 7.0


def _around(middle_map: ArrayLike, angles: Array, radii: tuple[float, float], heights: Array) -> Array:
    flat = np.column_stack([radii[0] * np.cos(angles), radii[1] * np.sin(angles), heights])
    return flat + np.asarray(middle_map)


def _looking(places_map: ArrayLike, targets_map: ArrayLike) -> tuple[SE3, ...]:
    return tuple(map(looking_at, np.asarray(places_map), np.asarray(targets_map)))


def _moved(image: NDArray[np.uint8], length_px: float, angle_deg: float) -> NDArray[np.uint8]:
    """The picture smeared along a line."""
    if length_px < 1:
        return image
    size = int(np.ceil(length_px)) | 1
    kernel = np.zeros((size, size), np.float32)
    half = (length_px - 1) / 2 * np.array([np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))])
    middle = size // 2
    ends = [tuple(np.rint(middle + sign * half).astype(int).tolist()) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, lineType=cv2.LINE_AA)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def _wall(
    name: str, rng: Generator, painter: Painter, start: ArrayLike, along: ArrayLike, height_m: float = 2.6
) -> Face:
    """A wall whose lower left end, as seen from the front, is at `start` (3,)."""
    start = np.asarray(start, np.float64)
    return panel(name, rng, painter, start + (0, 0, height_m), along, (0, 0, -height_m), 320)


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
        "north": ((0, depth, 0), (width, 0, 0), materials.plaster),
        "east": ((width, depth, 0), (0, -depth, 0), materials.bricks),
        "south": ((width, 0, 0), (-width, 0, 0), materials.planks),
        "west": ((0, 0, 0), (0, depth, 0), materials.plaster),
    }
    faces = [panel("floor", rng, materials.planks, (0, depth, 0), (width, 0, 0), (0, -depth, 0), 320)]
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
            f"box_{number}", rng, (goods.carton, goods.cover)[number % 2], (x, y, 0), extent, 20 * number
        )
    return faces


def _shifted(faces: list[Face], by_m: tuple[float, float, float], name: str) -> list[Face]:
    return [
        dataclasses.replace(face, name=f"{name}_{face.name}", corner_map=face.corner_map + by_m)
        for face in faces
    ]


@functools.lru_cache(maxsize=1)
def _twin_rooms() -> Scene:
    # The second room is entered through its west wall and the first one left through its east wall: both lack both.
    room = [
        face
        for face in _room(np.random.default_rng(11), (3.0, 3.0))
        if not face.name.startswith(("east", "west"))
    ]
    rng = np.random.default_rng(12)
    between = _TWIN_APART_M - 3.0
    end_west, end_east = _wall("end_west", rng, materials.bricks, (-0.02, 0, 0), (0, 3.0, 0)), None
    faces = [*room, end_west, *_shifted(room, (_TWIN_APART_M, 0, 0), "second")]
    end_east = _wall("end_east", rng, materials.bricks, (_TWIN_APART_M + 3.02, 3, 0), (0, -3.0, 0))
    north = _wall("corridor_north", rng, materials.planks, (3.0, 2.2, 0), (between, 0, 0))
    south = _wall("corridor_south", rng, materials.bricks, (3.0 + between, 0.8, 0), (-between, 0, 0))
    faces += [end_east, north, south]
    faces += [_print_on(north, f"n{at}", rng, _PRINTS[int(at) % 4], at, (0.6, 0.5)) for at in (0.3, 1.4, 2.6)]
    faces += [
        _print_on(south, f"s{at}", rng, _PRINTS[int(at + 2) % 4], at, (0.5, 0.6)) for at in (0.7, 1.8, 3.0)
    ]
    faces.append(
        panel("corridor_floor", rng, materials.mosaic, (3, 2.2, 0), (between, 0, 0), (0, -1.4, 0), 320)
    )
    return Scene("twin_rooms", tuple(faces))


@functools.lru_cache(maxsize=1)
def _table_with_chairs() -> Scene:
    rng = np.random.default_rng(31)
    grey = functools.partial(materials.plaster, colour=(170, 170, 170))
    faces = [panel("floor", rng, grey, (-3, 3, 0), (6, 0, 0), (0, -6, 0), 200)]
    walls = [
        _wall("north", rng, grey, (-3, 3, 0), (6, 0, 0)),
        _wall("east", rng, grey, (3, 3, 0), (0, -6, 0)),
        _wall("south", rng, grey, (3, -3, 0), (-6, 0, 0)),
        _wall("west", rng, grey, (-3, -3, 0), (0, 6, 0)),
    ]
    faces += walls
    faces += [_print_on(walls[0], "north_print", rng, maps.city_map, 2.4, (0.9, 0.7))]
    faces += [_print_on(walls[2], "south_print", rng, prints.painting, 3.2, (0.6, 0.7))]
    faces += box("table", rng, materials.wood, (0, 0, 0), (0.9, 0.9, 0.74), 0)
    for side in range(6):
        yaw = 60.0 * side
        out = np.array([np.cos(np.radians(yaw)), np.sin(np.radians(yaw)), 0])
        same = np.random.default_rng(77)  # the same chair each time
        faces += box(f"seat_{side}", same, goods.cushion, 0.95 * out, (0.42, 0.42, 0.44), yaw)
        faces += box(f"back_{side}", same, materials.mosaic, 1.18 * out, (0.06, 0.42, 0.92), yaw)
    return Scene("table_with_chairs", tuple(faces))


@functools.lru_cache(maxsize=1)
def _stairwell() -> Scene:
    rng = np.random.default_rng(41)
    faces = [panel("floor", rng, materials.planks, (-2.5, 1, 0), (2.5, 0, 0), (0, -2, 0), 320)]
    for step in range(12):
        name = f"step_{step}"
        at = (0.15 + 0.28 * step, 0, 0)
        faces += box(name, rng, materials.wood, at, (0.28, 2.0, 0.18 * (step + 1)), pixels_per_m=320)
    left = _wall("left", rng, materials.bricks, (-2.5, 1.0, 0), (8.5, 0, 0), 4.6)
    right = _wall("right", rng, materials.planks, (6.0, -1.0, 0), (-8.5, 0, 0), 4.6)
    end = _wall("end", rng, materials.plaster, (6.0, 1.0, 0), (0, -2.0, 0), 4.6)
    faces += [left, right, end]
    faces.append(panel("landing", rng, materials.planks, (3.4, 1, 2.16), (2.6, 0, 0), (0, -2, 0), 320))
    for number, at in enumerate((1.2, 3.0, 4.6, 6.2)):
        hung = _print_on(left, f"l{number}", rng, _PRINTS[number], at, (0.7, 0.6))
        faces.append(dataclasses.replace(hung, corner_map=hung.corner_map + (0, 0, 0.45 * number)))
        hung = _print_on(right, f"r{number}", rng, _PRINTS[number - 1], at, (0.6, 0.7))
        faces.append(dataclasses.replace(hung, corner_map=hung.corner_map + (0, 0, 0.45 * (3 - number))))
    faces += [_print_on(end, "e", rng, maps.city_map, 0.5, (0.9, 0.7))]
    return Scene("stairwell", tuple(faces))


@functools.lru_cache(maxsize=1)
def _corridor() -> Scene:
    rng = np.random.default_rng(51)
    faces = [panel("floor", rng, materials.planks, (0, 0.9, 0), (12, 0, 0), (0, -1.8, 0), 240)]
    north = _wall("north", rng, materials.bricks, (0, 0.9, 0), (12, 0, 0))
    south = _wall("south", rng, materials.plaster, (12, -0.9, 0), (-12, 0, 0))
    end = _wall("end", rng, materials.planks, (12, 0.9, 0), (0, -1.8, 0))
    faces += [north, south, end, _print_on(end, "end_print", rng, maps.contour_map, 0.5, (0.8, 0.6))]
    for number, at in enumerate(np.arange(0.8, 11.0, 1.9)):
        faces.append(_print_on(north, f"n{number}", rng, _PRINTS[number % 4], float(at), (0.7, 0.55)))
        faces.append(
            _print_on(south, f"s{number}", rng, _PRINTS[(number + 1) % 4], float(at) + 0.4, (0.6, 0.6))
        )
    for number, x in enumerate((2.0, 4.6, 7.2, 9.8)):
        size = tuple(rng.uniform((0.3, 0.25, 0.4), (0.5, 0.3, 0.8)))
        faces += box(f"box_{number}", rng, goods.carton, (x, 0.7 * (-1) ** number, 0), size, 10 * number)
    return Scene("corridor", tuple(faces))
