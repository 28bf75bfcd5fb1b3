"""What each source of metres or gravity would say of the filmed room: with noise, and a fifth of it wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
from metric_room import CAMERA, IMAGES, NAMES, POSES, TRUE_FROM_SFM, Room

from reloc_ros.geometry import SE3
from reloc_ros.offline.align.timed_readings import Accelerations, StampedPoses
from reloc_ros.offline.align.trajectory import Poses, Trajectory
from reloc_ros.offline.model.sfm import SfmModel

WRONG = 0.2
START_NS = 1_700_000_000_000_000_000
STAMPS_NS = START_NS + np.arange(IMAGES, dtype=np.int64) * 250_000_000
IMU_FROM_CAMERA = SE3.from_rotation_vector([1.2, -1.1, 1.3], np.zeros(3))
BASE_FROM_CAMERA = SE3.from_rotation_vector([-1.2, 1.2, -1.2], [0.3, 0.1, 1.0])


def a_fifth(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.choice(count, round(WRONG * count), replace=False)


def taped_distances(model: SfmModel, seed: int) -> list[str]:
    """Ten distances between points of the model, by a tape good to 2 mm; two of them are misread."""
    rng = np.random.default_rng(seed)
    true = TRUE_FROM_SFM.apply(model.points_map)
    # A person measures between what is really there and far apart.
    real = _real(model)
    lines = []
    while len(lines) < 10:
        a, b = rng.choice(real, 2, replace=False)
        metres = np.linalg.norm(true[a] - true[b])
        if metres > 0.8:
            lines.append((model.point_ids[a], model.point_ids[b], metres + rng.normal(0, 0.002)))
    for k in a_fifth(rng, 10):
        lines[k] = (*lines[k][:2], lines[k][2] * rng.choice([0.7, 1.3]))
    return [f"{a} {b} {metres:.4f}" for a, b, metres in lines]


def _real(model: SfmModel) -> np.ndarray:
    """Points that are where their observations say."""
    errors = np.linalg.norm(model.project_observed() - model.observation_px, axis=1)
    worst = np.zeros(len(model.points_map))
    np.maximum.at(worst, model.observation_point, np.nan_to_num(errors, nan=1e3))
    return np.flatnonzero(worst < 8)


def picked_measures(room: Room, seed: int, noise_px: float = 0.7) -> list[str]:
    """Ten lengths between places clicked in six images each; two of the lengths are misread."""
    rng = np.random.default_rng(seed)
    points = room.points(rng)
    seen = np.stack([room.sees(i, points) for i in range(IMAGES)], axis=1)
    often = np.flatnonzero(seen.sum(axis=1) >= 8)

    def clicks(point: int) -> str:
        images = rng.choice(np.flatnonzero(seen[point]), 6, replace=False)
        pixels = [CAMERA.project(POSES[i].apply(points[point][None]))[0] for i in images]
        moved = [np.clip(pixel + rng.normal(0, noise_px, 2), 0, [639, 479]) for pixel in pixels]
        return " ".join(f"{NAMES[i]}:{x:.1f},{y:.1f}" for i, (x, y) in zip(images, moved, strict=True))

    found = []
    while len(found) < 10:
        a, b = rng.choice(often, 2, replace=False)
        metres = np.linalg.norm(points[a] - points[b])
        if metres > 0.8:
            found.append((clicks(a), clicks(b), metres + rng.normal(0, 0.002)))
    for k in a_fifth(rng, 10):
        found[k] = (*found[k][:2], found[k][2] * rng.choice([0.7, 1.3]))
    return [f"{a} ; {b} = {metres:.4f}" for a, b, metres in found]


def disturbed_sightings(sightings, seed: int):
    """In a fifth of the images all corners of the board are elsewhere: something else was taken for it."""
    rng = np.random.default_rng(seed)
    images = sorted({image for seen in sightings.values() for image, _ in seen})
    shifts = {images[k]: rng.uniform(20, 60, 2) * rng.choice([-1, 1], 2) for k in a_fifth(rng, len(images))}
    return {
        corner: [(i, pixel + shifts.get(i, 0) + rng.normal(0, 0.1, 2)) for i, pixel in seen]
        for corner, seen in sightings.items()
    }


def true_trajectory(names: tuple[str, ...], seed: int, noise: float = 0.004) -> Trajectory:
    """map_from_camera of every image; a fifth are a metre off."""
    rng = np.random.default_rng(seed)
    offsets = rng.normal(0, noise, (len(names), 3))
    wrong = a_fifth(rng, len(names))
    offsets[wrong] += rng.uniform(0.5, 1.5, (len(wrong), 3)) * rng.choice([-1, 1], (len(wrong), 3))
    poses = (pose.inverse() for pose in POSES)
    moved = (SE3(pose.rotation, pose.translation + o) for pose, o in zip(poses, offsets, strict=True))
    return Trajectory(names, Poses.of(moved), has_orientations=True)


def odometry(seed: int, base_from_camera: SE3 = BASE_FROM_CAMERA) -> StampedPoses:
    """The base's pose at the time of each image; a fifth are wrong."""
    trajectory = true_trajectory(tuple(map(str, range(IMAGES))), seed)
    poses = trajectory.map_from_camera.at(base_from_camera.inverse())
    return StampedPoses(STAMPS_NS, poses)


def accelerations(seed: int, shake: float = 0.1) -> Accelerations:
    """An IMU at 100 Hz around each image: noise, a bias, and a fifth of the readings hit by something."""
    rng = np.random.default_rng(seed)
    ticks = np.arange(-5, 6) * 10_000_000
    stamps, readings = [], []
    for stamp_ns, pose in zip(STAMPS_NS, POSES, strict=True):
        push = IMU_FROM_CAMERA.rotation @ pose.rotation @ (rng.normal(0, shake, 3) + np.array([0, 0, 9.81]))
        stamps.append(stamp_ns + ticks)
        readings.append(push + 0.02 + rng.normal(0, 0.1, (len(ticks), 3)))
    for k in a_fifth(rng, IMAGES):
        readings[k] += rng.normal(0, 3, 3)
    return Accelerations(np.concatenate(stamps), np.concatenate(readings))


def rolled_cameras(model: SfmModel, seed: int) -> SfmModel:
    """A fifth of the pictures were not held level: turned to portrait, or askew."""
    rng = np.random.default_rng(seed)
    poses = list(model.camera_from_map)
    for k in a_fifth(rng, IMAGES):
        roll = np.radians(rng.choice([90, -90, 30, -30, 20]))
        poses[k] = SE3.from_rotation_vector([0, 0, roll], np.zeros(3)) @ poses[k]
    return dataclasses.replace(model, camera_from_map=tuple(poses))
