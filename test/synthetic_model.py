"""A made-up SfM model with exact or noisy observations, and its COLMAP text files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from scenes import noise_image

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.io.camera_files import colmap_from_camera, colmap_from_px
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.workspace import Workspace

CAMERAS = {
    "pinhole": Camera("pinhole", 640, 480, 500.0, 510.0, 321.0, 239.0),
    "brown": Camera("brown", 640, 480, 500.0, 510.0, 321.0, 239.0, (0.05, -0.02, 1e-3, -2e-3, 0, 0, 0, 0)),
    "fisheye": Camera("fisheye", 640, 480, 300.0, 310.0, 321.0, 239.0, (0.02, -0.01, 1e-3, 1e-4)),
}


def look_at(center: np.ndarray, target: np.ndarray) -> SE3:
    """camera_from_map of a camera that looks at a target, the map's z up."""
    forward = (target - center) / np.linalg.norm(target - center)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return SE3(rotation, -rotation @ center)


def make_model(
    images: int = 12, points: int = 200, noise_px: float = 0.0, camera: str = "brown", seed: int = 0
) -> SfmModel:
    """Cameras on an arc of uneven height around a ball of points; each point is seen by most of them."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2.0, images)
    centers = np.column_stack([4 * np.cos(angles), 4 * np.sin(angles), 1 + 0.5 * np.sin(5 * angles)])
    poses = tuple(look_at(center, np.zeros(3)) for center in centers)
    points_map = rng.uniform(-1, 1, (points, 3))
    point, image = np.nonzero(rng.uniform(size=(points, images)) < 0.7)
    lens = CAMERAS[camera]
    projected = np.stack([lens.project(pose.apply(points_map)) for pose in poses])
    pixels = projected[image, point]
    seen = lens.contains(pixels)
    model = SfmModel(
        cameras={1: lens},
        names=tuple(f"image_{i:03d}.jpg" for i in range(images)),
        camera_ids=np.ones(images, dtype=np.int32),
        camera_from_map=poses,
        points_map=points_map,
        point_ids=np.arange(points, dtype=np.int64) * 3 + 5,
        colors=rng.integers(0, 256, (points, 3)).astype(np.uint8),
        errors_px=np.zeros(points),
        observation_point=point[seen].astype(np.int32),
        observation_image=image[seen].astype(np.int32),
        observation_px=(pixels + rng.normal(0, noise_px, pixels.shape))[seen] if noise_px else pixels[seen],
    )
    assert (model.track_lengths >= 2).all()
    return model


def write_workspace(model: SfmModel, folder: Path, holdout: str = "none") -> Workspace:
    """A workspace of which a model is the map, and its images, pictures of noise, beside it."""
    images = folder / "images"
    images.mkdir(parents=True)
    for i, name in enumerate(model.names):
        camera = model.camera(i)
        cv2.imwrite(str(images / name), noise_image(i, camera.width, camera.height))
    workspace = Workspace.create(folder / "ws", images, model.names, holdout)
    model.save(workspace.model_path)
    return workspace


def write_colmap_text(model: SfmModel, folder: Path) -> None:
    """Write the model as COLMAP would, in text; each image gets a keypoint without a point, too."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "cameras.txt").open("w") as stream:
        stream.write("# Camera list\n")
        for key, camera in model.cameras.items():
            name, params = colmap_from_camera(camera)
            stream.write(f"{key} {name} {camera.width} {camera.height} {' '.join(map(repr, params))}\n")
    tracks: dict[int, list[str]] = {}
    with (folder / "images.txt").open("w") as stream:
        stream.write("# Image list\n")
        for i, (name, pose) in enumerate(zip(model.names, model.camera_from_map, strict=True)):
            numbers = [*pose.quaternion_wxyz.tolist(), *pose.translation.tolist()]
            key = model.camera_ids[i]
            stream.write(f"{i + 1} {' '.join(map(repr, numbers))} {key} {name}\n")
            keypoints = ["1.5 2.5 -1"]
            for m in np.flatnonzero(model.observation_image == i):
                x, y = colmap_from_px(model.observation_px[m]).tolist()
                point_id = int(model.point_ids[model.observation_point[m]])
                tracks.setdefault(point_id, []).append(f"{i + 1} {len(keypoints)}")
                keypoints.append(f"{x!r} {y!r} {point_id}")
            stream.write(" ".join(keypoints) + "\n")
    with (folder / "points3D.txt").open("w") as stream:
        for point_id, position, color in zip(model.point_ids, model.points_map, model.colors, strict=True):
            xyz = " ".join(map(repr, position.tolist()))
            rgb = " ".join(map(str, color.tolist()))
            stream.write(f"{point_id} {xyz} {rgb} 0.5 {' '.join(tracks[int(point_id)])}\n")
