"""Light baked into the textures once: a lamp with soft shadows, daylight all around, darker corners."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reloc_ros.demo.scene.faces import Face

Array = NDArray[np.float64]
SKY_REACH_M = 0.5
"""What stands nearer than this takes light from a corner."""
CELL_M = 0.07
"""Spacing of the points of a face where light is computed; between them it is interpolated."""


@dataclasses.dataclass(frozen=True)
class Lamp:
    """A round, warm area light, and how much light comes from everywhere else."""

    center_map: tuple[float, float, float]
    radius_m: float
    strength: float = 0.85
    ambient: float = 0.58
    colour: tuple[float, float, float] = (0.90, 0.98, 1.06)
    """Gain per channel (blue, green, red) where the lamp shines; its complement tints the shade."""


def baked(faces: Sequence[Face], lamp: Lamp, rng: Generator, samples: int = 24) -> list[Face]:
    """The faces with their textures lit."""
    points, normals, shapes = _sample_points(faces)
    lamp_spots = np.array(lamp.center_map) + lamp.radius_m * rng.normal(0, 0.6, (samples, 3))
    directions = rng.normal(0, 1, (samples, 3))
    directions *= SKY_REACH_M / np.linalg.norm(directions, axis=1, keepdims=True)
    lamp_shadow = np.zeros((len(points), samples), bool)
    sky_shadow = np.zeros((len(points), samples), bool)
    flip = np.sign(normals @ directions.T)  # every direction, turned to the side the face looks to
    for face in faces:
        if not face.casts_shadow:
            continue
        center, radius = face.at([[0.5, 0.5]])[0], float(np.hypot(*face.size_m)) / 2
        near = np.flatnonzero(np.linalg.norm(points - center, axis=1) < radius + SKY_REACH_M)
        sky_shadow[near] |= _blocked(points[near], flip[near, :, None] * directions, face)
        behind = np.flatnonzero(
            _may_shade(points, np.array(lamp.center_map), 2 * lamp.radius_m, center, radius)
        )
        lamp_shadow[behind] |= _blocked(points[behind], lamp_spots - points[behind, None], face)
    sky = lamp.ambient * (0.3 + 0.7 * (1 - sky_shadow.mean(1)))
    towards = np.array(lamp.center_map) - points
    distance = np.linalg.norm(towards, axis=1)
    cosine = np.sum(normals * towards, axis=1) / distance
    # Softer than Lambert's cosine and the inverse square: a lamp in a bright room, not in a cave.
    direct = np.clip(0.3 + 0.7 * cosine, 0, None) * (cosine > 0) / np.maximum(1, distance / 1.6)
    bright = lamp.strength * direct * (1 - lamp_shadow.mean(1))
    light = bright[:, None] * np.array(lamp.colour) + sky[:, None] * (2 - np.array(lamp.colour))
    ends = np.cumsum([rows * columns for rows, columns in shapes])
    lights = np.split(light, ends[:-1])
    return [_lit(*one) for one in zip(faces, lights, shapes, strict=True)]


def _may_shade(
    points: Array, lamp: Array, lamp_radius: float, center: Array, radius: float
) -> NDArray[np.bool_]:
    """Points whose segment to the lamp passes within reach of a sphere around an occluder."""
    towards = lamp - points
    part = np.clip(np.sum((center - points) * towards, axis=1) / np.sum(towards**2, axis=1), 0, 1)
    return np.linalg.norm(points + part[:, None] * towards - center, axis=1) < radius + lamp_radius


def _sample_points(faces: Sequence[Face]) -> tuple[Array, Array, list[tuple[int, int]]]:
    points, normals, shapes = [], [], []
    for face in faces:
        columns, rows = (int(np.clip(np.ceil(size / CELL_M), 2, 48)) for size in face.size_m)
        us, vs = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
        points.append(face.at(np.stack([us.ravel(), vs.ravel()], 1)) + 2e-3 * face.normal_map)
        normals.append(np.tile(face.normal_map, (rows * columns, 1)))
        shapes.append((rows, columns))
    return np.concatenate(points), np.concatenate(normals), shapes


def _blocked(points: Array, towards: Array, face: Face) -> NDArray[np.bool_]:
    """(N, S) whether the segments from points (N, 3) along `towards` (N, S, 3) meet a face."""
    normal, right, down = face.normal_map, face.right_map, face.down_map
    right, down = right / (right @ right), down / (down @ down)
    start = face.corner_map - points
    with np.errstate(divide="ignore", invalid="ignore"):
        part = (start @ normal)[:, None] / (towards @ normal)
        u = part * (towards @ right) - (start @ right)[:, None]
        v = part * (towards @ down) - (start @ down)[:, None]
    return (part > 0) & (part < 1) & (u > 0) & (u < 1) & (v > 0) & (v < 1)


def _lit(face: Face, light: Array, shape: tuple[int, int]) -> Face:
    height, width = face.texture.shape[:2]
    light = cv2.GaussianBlur(
        light.reshape(*shape, 3).astype(np.float32), (3, 3), 0, borderType=cv2.BORDER_REPLICATE
    )
    smooth = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
    texture = np.clip(face.texture * smooth, 0, 255).astype(np.uint8)
    return dataclasses.replace(face, texture=texture)
