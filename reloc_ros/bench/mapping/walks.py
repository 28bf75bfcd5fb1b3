"""Walks through rendered places that lead structure from motion astray, and the poses that are true."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc_ros.bench.mapping.scenes import (
    TWINS_APART_M,
    long_corridor,
    stairwell,
    table_with_chairs,
    twin_rooms_scene,
)
from reloc_ros.cameras import Camera
from reloc_ros.demo.film.trajectories import CAMERA, looking_at
from reloc_ros.demo.film.trajectories import mapping as mapping_walk
from reloc_ros.demo.scene.cluttered_room import MIDDLE_MAP, cluttered_room
from reloc_ros.demo.scene.exposure import Exposure
from reloc_ros.demo.scene.places import Scene, reading_corner
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.geometry import SE3

Array = NDArray[np.float64]
EVEN, DIM = Exposure(noise=1.5), Exposure(brightness=0.22, noise=3.0)


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


def dim_orbit(pictures: int = 49, width: int = 640) -> Walk:
    """Around a laden table in a dim room, up and down; a seventh of the round is missing, and one step is wide."""
    before = round(0.51 * pictures)
    angles = np.radians(
        [*np.linspace(0, 150, before, endpoint=False), *np.linspace(176, 314, pictures - before)]
    )
    heights = 1.35 + 0.35 * np.sin(4 * angles)
    places = _around(MIDDLE_MAP, angles, (2.2, 1.85), heights)
    targets = MIDDLE_MAP + np.column_stack([0 * angles, 0 * angles, 0.75 + 0.15 * np.sin(7 * angles)])
    camera = CAMERA.resized(width, width * CAMERA.height // CAMERA.width)
    return Walk("dim orbit", cluttered_room(), _looking(places, targets), DIM, camera=camera)


def six_chairs() -> Walk:
    """Once around a round table with the same chair six times; only a few prints tell its sides apart."""
    angles = np.radians(np.arange(0, 360, 7.5))
    places = _around(np.zeros(3), angles, (2.1, 2.1), 1.25 + 0.2 * np.sin(3 * angles))
    return Walk("six chairs", table_with_chairs(), _looking(places, np.tile((0, 0, 0.6), (len(angles), 1))))


def twin_rooms() -> Walk:
    """A room, a corridor, and a room that looks exactly like the first."""
    look = np.radians(np.linspace(-140, 140, 22))
    pictures = []
    for start in (0.0, TWINS_APART_M):
        middle = np.array([start + 1.5, 1.5, 0])
        places = _around(middle, look, (0.55, 0.55), 1.4 + 0.1 * np.sin(3 * look))
        ahead = np.column_stack([np.cos(look), np.sin(look), -0.15 + 0 * look])
        pictures.append(_looking(places, places + ahead))
    out = np.linspace(0, 1, 18)[:, None]
    places = (1 - out) * (2.0, 1.5, 1.4) + out * (TWINS_APART_M + 1.0, 1.5, 1.4)
    places += 0.12 * np.column_stack([0 * out, np.sin(9 * out), 0.5 * np.cos(7 * out)])
    corridor = _looking(places, places + np.array([1.0, 0.05, -0.1]))
    return Walk("twin rooms", twin_rooms_scene(), (*pictures[0], *corridor, *pictures[1]))


def stairs() -> Walk:
    """Up a flight of stairs, looking ahead."""
    up = np.linspace(0, 1, 48)
    places = np.column_stack([-1.2 + 4.4 * up, 0.12 * np.sin(8 * up), 1.5 + 2.16 * np.clip(up * 1.25, 0, 1)])
    ahead = np.column_stack([1 + 0 * up, 0.22 * np.sin(5 * up), -0.12 + 0.1 * np.cos(6 * up)])
    return Walk("stairs", stairwell(), _looking(places, places + ahead))


def corridor() -> Walk:
    """Straight ahead along a corridor."""
    along = np.linspace(0, 1, 44)
    places = np.column_stack([0.5 + 8.5 * along, 0.06 * np.sin(11 * along), 1.4 + 0.03 * np.cos(13 * along)])
    return Walk("corridor", long_corridor(), _looking(places, places + np.array([1.0, 0.0, -0.03])))


def turn(blurred: bool, focal_known: bool) -> Walk:
    """A turn on the spot: nothing in it tells a near thing from a far one."""
    angles = np.radians(np.linspace(-60, 60, 16))
    place = MIDDLE_MAP + np.array([0.9, -0.9, 1.4])
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


WALKS: dict[str, Callable[..., Walk]] = {
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
