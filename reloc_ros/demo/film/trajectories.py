"""Where the camera goes: a walk that maps the reading corner, and another one that is localized in it."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc_ros.cameras import Camera
from reloc_ros.demo.scene.exposure import Exposure
from reloc_ros.geometry import SE3

Array = NDArray[np.float64]

CAMERA = Camera(
    "brown", 640, 480, 522.0, 523.0, 322.4, 237.7, (-0.11, 0.05, 0.0006, -0.0004, 0.0, 0.0, 0.0, 0.0)
)
"""The demo's camera: 63 degrees wide, with the mild barrel distortion of a small lens."""


@dataclasses.dataclass(frozen=True, eq=False)
class Trajectory:
    """The truth of every frame of a film."""

    times_s: Array
    """(N,) from the start of the film."""
    camera_from_map: tuple[SE3, ...]
    exposures: tuple[Exposure, ...]
    in_view: NDArray[np.bool_]
    """(N,) the mapped place fills at least half of the picture: these frames are to be localized."""
    away: NDArray[np.bool_]
    """(N,) nothing of the mapped place is in the picture: these frames are to be lost."""

    def __len__(self) -> int:
        return len(self.camera_from_map)

    def part(self, rows: slice) -> Trajectory:
        """Some of its frames only."""
        return Trajectory(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True)
class _Key:
    """Where the camera is at a time, and what it points at; metres in the map."""

    time_s: float
    at: tuple[float, float, float]
    target: tuple[float, float, float]


# Four sweeps: far and high, nearer and low, near and high, then close to the walls.
_MAPPING_KEYS = (
    _Key(0.0, (3.05, 1.35, 1.40), (0.9, 2.2, 0.9)),
    _Key(2.0, (2.80, 0.55, 1.50), (0.8, 2.3, 0.8)),
    _Key(4.0, (2.05, 0.10, 1.60), (0.9, 2.3, 0.9)),
    _Key(6.0, (1.25, 0.10, 1.45), (1.2, 2.8, 0.8)),
    _Key(8.0, (1.30, 0.60, 0.95), (1.7, 2.9, 0.8)),
    _Key(10.0, (1.95, 0.75, 0.85), (0.5, 2.3, 0.8)),
    _Key(12.0, (2.75, 1.00, 0.95), (0.3, 1.6, 0.9)),
    _Key(14.0, (2.80, 1.35, 1.60), (0.3, 2.4, 0.9)),
    _Key(16.0, (2.10, 0.95, 1.75), (1.3, 2.7, 0.8)),
    _Key(18.0, (1.50, 0.85, 1.70), (2.1, 2.8, 1.0)),
    _Key(20.0, (1.45, 1.10, 1.25), (2.0, 3.0, 1.1)),
    _Key(22.0, (1.70, 1.35, 1.30), (0.7, 3.0, 1.2)),
    _Key(24.0, (1.90, 1.30, 1.20), (0.0, 1.8, 1.1)),
    _Key(26.0, (2.10, 1.00, 1.25), (0.0, 1.1, 1.0)),
    _Key(28.0, (2.55, 0.75, 1.25), (0.5, 1.6, 0.8)),
)

# Through the room, a full turn that passes over the garden, and through the room again.
_STREAM_KEYS = (
    _Key(0.0, (2.60, 0.85, 1.30), (0.6, 2.3, 0.9)),
    _Key(2.0, (2.20, 0.50, 1.20), (0.9, 2.5, 0.8)),
    _Key(4.0, (1.55, 0.45, 1.30), (1.4, 2.8, 0.9)),
    _Key(6.0, (1.70, 1.05, 1.45), (1.2, 3.0, 1.1)),
    _Key(8.0, (2.15, 1.00, 1.50), (1.8, 3.0, 1.2)),
    _Key(9.0, (2.45, 0.70, 1.50), (3.1, 2.4, 1.3)),
    _Key(9.8, (2.55, 0.55, 1.45), (4.3, 0.9, 1.3)),
    _Key(11.0, (2.65, 0.45, 1.40), (4.0, -0.8, 1.3)),
    _Key(13.0, (2.60, 0.50, 1.40), (3.0, -1.4, 1.35)),
    _Key(13.8, (2.50, 0.55, 1.40), (1.7, -1.2, 1.2)),
    _Key(14.6, (2.40, 0.65, 1.35), (0.7, 0.4, 1.1)),
    _Key(15.6, (2.30, 0.85, 1.30), (0.4, 1.6, 1.0)),
    _Key(17.5, (1.95, 0.95, 1.05), (0.4, 2.0, 0.9)),
    _Key(19.5, (1.60, 0.70, 1.00), (0.9, 2.6, 0.8)),
    _Key(21.5, (2.00, 0.30, 1.40), (1.0, 2.4, 0.8)),
    _Key(24.0, (2.75, 0.75, 1.45), (0.7, 2.3, 0.9)),
)
_STREAM_AWAY_S = (9.6, 13.8)
_STREAM_TURNING_S = (8.6, 14.8)
_STREAM_DIM_S = (18.0, 21.0)


def mapping(frames: int = 113) -> Trajectory:
    """The walk that the map is made from: 28 s through the room in even light, 4 frames a second."""
    times_s = np.linspace(_MAPPING_KEYS[0].time_s, _MAPPING_KEYS[-1].time_s, frames)
    return _in_even_light(times_s, _walk(_MAPPING_KEYS, times_s, seed=3))


def stream(rate_hz: float = 12.0) -> Trajectory:
    """The walk that is localized: 24 s, garden alone from 9.6 to 13.8 s, dim, warm light from 18 to 21 s."""
    times_s = np.arange(0.0, _STREAM_KEYS[-1].time_s, 1 / rate_hz)
    poses = _walk(_STREAM_KEYS, times_s, seed=8)
    away = (times_s >= _STREAM_AWAY_S[0]) & (times_s <= _STREAM_AWAY_S[1])
    turning = (times_s > _STREAM_TURNING_S[0]) & (times_s < _STREAM_TURNING_S[1])
    return Trajectory(times_s, poses, tuple(map(_stream_exposure, times_s)), ~turning, away)


def orbit(middle_map: ArrayLike, frames: int = 120) -> Trajectory:
    """Twice around a room in even light: first by its middle, looking outward, then along its walls, looking inward.

    Args:
        middle_map: (3,) the middle of the floor of a room of at least 5.6 by 4.8 m.
    """
    turn = np.linspace(0.0, 2.0, frames)
    angles = 2 * np.pi * turn
    # Around the end of the first turn the camera steps back and swings from outward to inward.
    inward = np.clip((turn - 0.9) / 0.2, 0, 1)
    inward = inward**2 * (3 - 2 * inward)
    radii = (1 - inward)[:, None] * (1.1, 0.95) + inward[:, None] * (2.2, 1.85)
    headings = angles + np.pi * inward
    heights = 1.4 + 0.2 * np.sin(3 * angles)
    around = radii * np.column_stack([np.cos(angles), np.sin(angles)])
    places = np.column_stack([around, heights]) + np.asarray(middle_map)
    ahead = np.column_stack([np.cos(headings), np.sin(headings), -0.14 + 0.1 * np.sin(5 * angles)])
    times_s = np.arange(frames) / 4.0
    poses = tuple(map(_by_hand, places, places + ahead, _sway(5, times_s)))
    return _in_even_light(times_s, poses)


def _in_even_light(times_s: Array, poses: tuple[SE3, ...]) -> Trajectory:
    """A walk with the place always in view."""
    away = np.zeros(len(poses), bool)
    return Trajectory(times_s, poses, (Exposure(noise=1.5),) * len(poses), ~away, away)


def _stream_exposure(time_s: float) -> Exposure:
    dim = float(np.clip(min(time_s - _STREAM_DIM_S[0], _STREAM_DIM_S[1] - time_s) / 0.5, 0, 1))
    return Exposure(1 - 0.55 * dim, 1 + 0.25 * dim, (1 - 0.2 * dim, 1.0, 1.0), 1.5 + 1.5 * dim)


def _walk(keys: tuple[_Key, ...], times_s: Array, seed: int) -> tuple[SE3, ...]:
    """Smooth poses at the times, with the sway of a hand."""
    key_times = np.array([key.time_s for key in keys])
    places = _spline(key_times, np.array([key.at for key in keys]), times_s)
    targets = _spline(key_times, np.array([key.target for key in keys]), times_s)
    sway = _sway(seed, times_s)
    return tuple(map(_by_hand, places, targets, sway))


def _by_hand(place_map: Array, target_map: Array, sway: Array) -> SE3:
    steady = looking_at(place_map + 0.012 * sway[:3], target_map)
    return SE3.from_rotation_vector(np.radians(1.2) * sway[3:], np.zeros(3)) @ steady


def looking_at(place_map: ArrayLike, target_map: ArrayLike) -> SE3:
    """The upright camera_from_map at one point, (3,), with another, (3,), in the middle of its picture."""
    place = np.asarray(place_map, np.float64)
    forward = np.asarray(target_map, np.float64) - place
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return SE3(rotation, -rotation @ place)


def _spline(key_times: Array, values: Array, times: Array) -> Array:
    """Cubic Hermite curve through values (K, D) at uneven times, its slopes from their neighbours."""
    slopes = np.gradient(values, key_times, axis=0)
    span = np.clip(np.searchsorted(key_times, times, side="right") - 1, 0, len(key_times) - 2)
    length = (key_times[span + 1] - key_times[span])[:, None]
    s = (times - key_times[span])[:, None] / length
    return (
        (1 + 2 * s) * (1 - s) ** 2 * values[span]
        + s * (1 - s) ** 2 * length * slopes[span]
        + s**2 * (3 - 2 * s) * values[span + 1]
        + s**2 * (s - 1) * length * slopes[span + 1]
    )


def _sway(seed: int, times_s: Array) -> Array:
    """(N, 6) slow, irregular motion within about -1 to 1: sines of frequencies with no common period."""
    rng = np.random.default_rng(seed)
    frequencies_hz, phases = rng.uniform(0.15, 0.9, (3, 6)), rng.uniform(0, 2 * np.pi, (3, 6))
    return np.sin(2 * np.pi * frequencies_hz * times_s[:, None, None] + phases).mean(1)
