"""The corner of a room, three textured walls whose truth is known, with reference views of it."""

from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np

from reloc_ros.cameras import Camera
from reloc_ros.demo.scene.drawing import noise
from reloc_ros.demo.scene.faces import Face
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.geometry import SE3
from reloc_ros.refinement.references import References

CAMERA = Camera("brown", 640, 480, 520.0, 522.0, 322.0, 238.0, (-0.1, 0.04, 1e-3, -1e-3, 0, 0, 0, 0))
MIDDLE = np.array([0.8, 0.8, 0.6])


def look_at(center: np.ndarray, target: np.ndarray, roll_rad: float = 0.0) -> SE3:
    """camera_from_map of a camera that looks at a target, the map's z up, then rolled."""
    forward = (target - center) / np.linalg.norm(target - center)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    turned = SE3.from_rotation_vector([0, 0, roll_rad], np.zeros(3)).rotation @ rotation
    return SE3(turned, -turned @ center)


def wall(seed: int, corner: list[float], right: list[float], down: list[float]) -> Face:
    rng = np.random.default_rng(seed)
    grey = 128 + 70 * noise(rng, 1200, 1200, (150, 150), 6)
    texture = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return Face(f"wall {seed}", np.array(corner), np.array(right), np.array(down), texture)


@functools.cache
def walls(seed: int = 0) -> tuple[Face, ...]:
    """Two walls that meet, and the floor between them; another seed is another place of the same shape."""
    return (
        wall(seed, [2.0, 0, 2.0], [-2.0, 0, 0], [0, 0, -2.0]),
        wall(seed + 1, [0, 0, 2.0], [0, 2.0, 0], [0, 0, -2.0]),
        wall(seed + 2, [0, 2.0, 0.0], [2.0, 0, 0], [0, -2.0, 0]),
    )


@functools.cache
def picture(pose_index: int, camera: Camera = CAMERA, seed: int = 0) -> np.ndarray:
    return Renderer(walls(seed), camera).render(POSES[pose_index]).image


def _poses() -> list[SE3]:
    rng = np.random.default_rng(7)
    angles = np.radians(np.linspace(20, 70, 9))
    centers = np.column_stack([2.6 * np.cos(angles), 2.6 * np.sin(angles), 1.1 + 0.2 * np.sin(9 * angles)])
    return [look_at(c, MIDDLE + rng.normal(0, 0.05, 3), rng.normal(0, 0.1)) for c in centers]


POSES = _poses()
"""The even ones are reference views, the odd ones are to be found."""


@functools.cache
def references(camera: Camera = CAMERA) -> References:
    """Five views of random points on the walls, exactly where they are."""
    rng = np.random.default_rng(1)
    points = np.concatenate([face.at(rng.uniform(0.03, 0.97, (500, 2))) for face in walls()])
    normals = np.repeat([face.normal_map for face in walls()], 500, axis=0)
    views, seen, places = [], [], []
    poses = POSES[::2]
    for view, pose in enumerate(poses):
        pixels = camera.project(pose.apply(points))
        facing = np.einsum("ij,ij->i", pose.center - points, normals) > 0
        rows = np.flatnonzero(camera.contains(pixels) & facing)
        views.append(np.full(len(rows), view))
        seen.append(rows)
        places.append(pixels[rows])
    files = [
        cv2.imencode(".png", cv2.cvtColor(picture(2 * i, camera), cv2.COLOR_BGR2GRAY))[1]
        for i in range(len(poses))
    ]
    return References(
        files=tuple(file.tobytes() for file in files),
        cameras=(camera,) * len(poses),
        camera_from_map=tuple(poses),
        points_map=points,
        normals_map=normals,
        covariances_map=np.zeros((len(points), 3, 3)),
        seen_view=np.concatenate(views).astype(np.int32),
        seen_point=np.concatenate(seen).astype(np.int32),
        seen_px=np.concatenate(places),
    )


UTM = np.array([500_123.0, 4_649_876.0, 120.0])
"""Where an outdoor robot's map may be; in single precision its northings have steps of half a metre."""


def shifted(references: References, shift: np.ndarray) -> References:
    """The same place elsewhere."""
    poses = (
        SE3(pose.rotation, pose.translation - pose.rotation @ shift) for pose in references.camera_from_map
    )
    return dataclasses.replace(
        references, camera_from_map=tuple(poses), points_map=references.points_map + shift
    )
