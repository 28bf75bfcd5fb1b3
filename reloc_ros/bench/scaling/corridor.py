"""A map of a corridor of any length, with its photographs, made in seconds: each image sees about as much."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.workspace import Workspace

Array = NDArray[np.float64]

CAMERA = Camera("pinhole", 1280, 960, 1000.0, 1000.0, 639.5, 479.5)
STEP_M = 0.25
HALF_WIDTH_M = 2.0
HEIGHT_M = 2.4
TEXELS = 250
"""Of the wallpaper, a metre."""
POINTS = 250
"""Found on a square metre."""
REACH_M = 2.2
"""No image sees farther along its wall."""
FOUND = 0.7
"""Share of the points in a picture that are observed in it."""
NOISE_PX = 0.4
TRAJECTORY = "trajectory.txt"


def make_workspace(folder: Path, images: int, seed: int = 0) -> Workspace:
    """A mapped workspace of a walk that looks at one wall on the way there and at the other on the way back.

    `trajectory.txt` beside it has the truth, a centimetre off, every tenth image is held out.
    """
    rng = np.random.default_rng(seed)
    sides = np.where(np.arange(images) < images / 2, 1.0, -1.0)
    along = STEP_M * np.minimum(np.arange(images), images - 1 - np.arange(images))
    poses = [_camera_from_map(x, side, rng) for x, side in zip(along.tolist(), sides.tolist(), strict=True)]
    names = tuple(f"{i:05d}.jpg" for i in range(images))
    photos, length_m = folder / "images", float(along.max()) + 2 * REACH_M
    photos.mkdir(parents=True)
    papers = {side: _wallpaper(length_m, rng) for side in (1.0, -1.0)}
    for name, pose, x, side in zip(names, poses, along.tolist(), sides.tolist(), strict=True):
        cv2.imwrite(str(photos / name), _photograph(papers[side], pose, x, side))
    _write_trajectory(folder / TRAJECTORY, names, poses, rng)
    workspace = Workspace.create(folder / "ws", photos, names, "every:10:0")
    _model(names, poses, along, sides, length_m, rng).save(workspace.model_path)
    workspace.record("map", {}, [workspace.model_path], {"models": 1})
    return workspace


def _camera_from_map(along: float, side: float, rng: np.random.Generator) -> SE3:
    """A camera in the middle of the corridor, y being 0 there, that looks at the wall at y = `side` * 2 m."""
    level = np.array([[side, 0, 0], [0, 0, -1.0], [0, side, 0]])  # right, down and forward in the map
    turned = Rotation.from_euler("yx", rng.normal(0, [5, 2]), degrees=True).as_matrix() @ level
    center = np.array([along, 0, HEIGHT_M / 2]) + rng.normal(0, 0.07, 3)
    return SE3(turned, -turned @ center)


def _wallpaper(length_m: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blotches of several sizes, from -`REACH_M` on along x and from the ceiling down."""
    width, height = round(length_m * TEXELS), round(HEIGHT_M * TEXELS)
    paper = np.full((height, width), 0, np.float32)
    for texels in (4, 16, 64):
        noise = rng.normal(0, 25, (height // texels, width // texels)).astype(np.float32)
        paper += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(paper + 128, 0, 255).astype(np.uint8)


def _photograph(paper: NDArray[np.uint8], pose: SE3, along: float, side: float) -> NDArray[np.uint8]:
    first = max(round(along * TEXELS), 0)  # the paper begins at -REACH_M
    seen = paper[:, first : first + round(2 * REACH_M * TEXELS)]
    # Points of the wall are (x, side * 2 m, z): a plane, in its pixels.
    x_from_px, z_from_px = np.array([1, 0, first]) / TEXELS - [0, 0, REACH_M], np.array([0, -1, 0]) / TEXELS
    z_from_px[2] = HEIGHT_M
    wall_from_px = np.stack([x_from_px, [0, 0, side * HALF_WIDTH_M], z_from_px])
    matrix = np.array([[CAMERA.fx, 0, CAMERA.cx], [0, CAMERA.fy, CAMERA.cy], [0, 0, 1]])
    image_from_px = matrix @ (pose.rotation @ wall_from_px + np.outer(pose.translation, [0, 0, 1]))
    grey = cv2.warpPerspective(seen, image_from_px, (CAMERA.width, CAMERA.height), borderValue=40)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)


def _model(
    names: tuple[str, ...],
    poses: list[SE3],
    along: Array,
    sides: Array,
    length_m: float,
    rng: np.random.Generator,
) -> SfmModel:
    walls = {}
    for side in (1.0, -1.0):
        count = round(POINTS * length_m * HEIGHT_M)
        x = np.sort(rng.uniform(-REACH_M, length_m - REACH_M, count))
        walls[side] = np.column_stack(
            [x, np.full(count, side * HALF_WIDTH_M), rng.uniform(0, HEIGHT_M, count)]
        )
    points_map = np.concatenate([walls[1.0], walls[-1.0]])
    found, pixels, images = [], [], []
    for image, (pose, x, side) in enumerate(zip(poses, along.tolist(), sides.tolist(), strict=True)):
        low, high = np.searchsorted(walls[side][:, 0], [x - REACH_M, x + REACH_M])
        projected = CAMERA.project(pose.apply(walls[side][low:high]))
        rows = np.flatnonzero(CAMERA.contains(projected) & (rng.random(high - low) < FOUND))
        found.append(rows + low + (0 if side > 0 else len(walls[1.0])))
        pixels.append(projected[rows] + rng.normal(0, NOISE_PX, (len(rows), 2)))
        images.append(np.full(len(rows), image))
    point, image = np.concatenate(found), np.concatenate(images)
    order = np.lexsort([image, point])
    count = len(points_map)
    model = SfmModel(
        cameras={1: CAMERA},
        names=names,
        camera_ids=np.ones(len(names), np.int32),
        camera_from_map=tuple(poses),
        points_map=points_map,
        point_ids=np.arange(count, dtype=np.int64),
        colors=np.full((count, 3), 128, np.uint8),
        errors_px=rng.uniform(0.2, 0.6, count),
        observation_point=point[order].astype(np.int32),
        observation_image=image[order].astype(np.int32),
        observation_px=np.concatenate(pixels)[order],
    )
    return model.keep_points(model.track_lengths >= 3)


def _write_trajectory(file: Path, names: tuple[str, ...], poses: list[SE3], rng: np.random.Generator) -> None:
    lines = []
    for name, pose in zip(names, poses, strict=True):
        quaternion = Rotation.from_matrix(pose.rotation.T).as_quat()
        numbers = (*(pose.center + rng.normal(0, 0.01, 3)), *quaternion)
        lines.append(" ".join([name, *(f"{number:.9g}" for number in numbers)]))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
