"""Where the photographs of a building are taken, and where the pictures are that are asked about."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reloc_ros.bench.building.rooms import CORRIDOR, DEPTH_M, WIDTH_M, Building
from reloc_ros.demo.film.trajectories import looking_at
from reloc_ros.geometry import SE3

Array = NDArray[np.float64]
_RADII_M = np.array([WIDTH_M / 2 - 0.9, DEPTH_M / 2 - 0.9])
"""Of the round through a room; along the walls there are things."""
_BEFORE_END_M = 0.8
_SWAY_DEG, _SWAYS_A_M = 35.0, 1.3
"""How the camera looks left and right as it goes along the corridor."""
_CORRIDOR_IN_ROOMS = 1 / 2
"""A piece of the corridor gets so many pictures as this share of a room."""


def pictures_of_places(building: Building, images: int) -> dict[str, int]:
    """How many of the pictures of one session are taken in each place; their sum is `images`."""
    weights = {CORRIDOR: _CORRIDOR_IN_ROOMS * building.columns} | dict.fromkeys(building.rooms, 1.0)
    ends = np.rint(images * np.cumsum(list(weights.values())) / sum(weights.values())).astype(int)
    return dict(zip(weights, np.diff(ends, prepend=0).tolist(), strict=True))


def walk(building: Building, place: str, count: int, rng: Generator) -> list[SE3]:
    """Poses camera_from_map of one round through a room that looks across it, or up and down the corridor."""
    if place == CORRIDOR:
        way = np.linspace(0, 2, count, endpoint=False) + rng.uniform(0, 2 / max(count, 1))
        along = _BEFORE_END_M + (building.length_m - 2 * _BEFORE_END_M) * (1 - np.abs(1 - way))
        yaws = np.where(way < 1, 0.0, 180.0) + _SWAY_DEG * np.sin(_SWAYS_A_M * along)
        return [_in_corridor(x, yaw, rng) for x, yaw in zip(along.tolist(), yaws.tolist(), strict=True)]
    angles = 2 * np.pi * (np.arange(count) + rng.random()) / max(count, 1)
    return [_in_room(building.middle_map(place), angle, 1.0, 0.25, rng) for angle in angles.tolist()]


def queries(building: Building, place: str, count: int, rng: Generator) -> list[SE3]:
    """Poses camera_from_map off the walks, by lot."""
    if place == CORRIDOR:
        along = rng.uniform(_BEFORE_END_M, building.length_m - _BEFORE_END_M, count)
        return [_in_corridor(x, rng.uniform(0, 360), rng) for x in along.tolist()]
    middle = building.middle_map(place)
    polar = rng.uniform((0, 0.7), (2 * np.pi, 1.05), (count, 2))
    return [_in_room(middle, angle, share, 0.6, rng) for angle, share in polar.tolist()]


def _in_room(middle_map: Array, angle: float, share: float, off_m: float, rng: Generator) -> SE3:
    """On the round, or a share of it from the middle, looking across to somewhere not `off_m` off the middle."""
    round_m = share * _RADII_M * (np.cos(angle), np.sin(angle)) + rng.normal(0, 0.08, 2)
    at = middle_map + np.array([*round_m, rng.uniform(1.25, 1.75)])
    return looking_at(at, middle_map + rng.uniform((-off_m, -off_m, 0.8), (off_m, off_m, 1.3)))


def _in_corridor(along: float, yaw_deg: float, rng: Generator) -> SE3:
    at = np.array([along, rng.uniform(-0.3, 0.3), rng.uniform(1.3, 1.7)])
    yaw = np.radians(yaw_deg)
    return looking_at(at, at + np.array([np.cos(yaw), np.sin(yaw), rng.uniform(-0.25, 0.1)]))
