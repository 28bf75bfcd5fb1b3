"""A COLMAP model of a rendered film: real features and matches, and the poses, which the renderer knows."""

from __future__ import annotations

import itertools
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.demo.film.trajectories import CAMERA, Trajectory
from reloc_ros.demo.scene.places import Scene
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.geometry import SE3
from reloc_ros.io.camera_files import colmap_from_camera

MIN_SHARED = 0.25
"""Two pictures are matched when this share of what one shows is in the other, hidden or not."""


def triangulate_film(
    images_dir: Path, model_dir: Path, scene: Scene, trajectory: Trajectory, camera: Camera = CAMERA
) -> None:
    """Write a COLMAP model of a film's pictures, in name order; features and matches stay beside it.

    Only pictures that share something are matched: others would give no match, after hours.
    """
    import pycolmap

    model_dir.mkdir(parents=True, exist_ok=True)
    names = sorted(file.name for file in images_dir.iterdir())
    database = model_dir / "database.db"
    reader = pycolmap.ImageReaderOptions()
    reader.camera_model, params = colmap_from_camera(camera)
    reader.camera_params = ",".join(map(repr, params))
    pycolmap.logging.minloglevel = int(pycolmap.logging.Level.ERROR)
    pycolmap.extract_features(
        str(database),
        str(images_dir),
        image_names=names,
        camera_mode=pycolmap.CameraMode.SINGLE,
        reader_options=reader,
        device=pycolmap.Device.cpu,
    )
    pairs = model_dir / "pairs.txt"
    shared = shared_shares(scene, trajectory.camera_from_map, camera)
    pairs.write_text("".join(f"{names[i]} {names[j]}\n" for i, j in _overlapping(shared)))
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = str(pairs)
    pycolmap.match_image_pairs(str(database), pairing_options=pairing, device=pycolmap.Device.cpu)
    posed = model_dir / "posed"
    _write_posed(posed, database, dict(zip(names, trajectory.camera_from_map, strict=True)), camera)
    made = pycolmap.triangulate_points(
        pycolmap.Reconstruction(str(posed)), str(database), str(images_dir), str(model_dir)
    )
    made.write_binary(str(model_dir))


def shared_shares(
    scene: Scene, camera_from_map: tuple[SE3, ...], camera: Camera = CAMERA
) -> NDArray[np.float64]:
    """(N, N) the share of what picture i shows that lies within picture j."""
    small = camera.resized(camera.width // 8, camera.height // 8)
    renderer = Renderer(scene.faces, small, supersampling=1)
    pixels = np.stack(np.meshgrid(np.arange(2, small.width, 5), np.arange(2, small.height, 5)), -1)
    pixels = pixels.reshape(-1, 2)
    rays = np.column_stack([small.unproject(pixels), np.ones(len(pixels))])
    shares = np.zeros((len(camera_from_map),) * 2)
    for i, pose in enumerate(camera_from_map):
        depths = renderer.render(pose).depths[pixels[:, 1], pixels[:, 0]]
        shown = np.isfinite(depths)
        places = pose.inverse().apply(rays[shown] * depths[shown, None])
        for j, other in enumerate(camera_from_map):
            shares[i, j] = small.contains(small.project(other.apply(places))).mean() if shown.any() else 0
    return shares


def _overlapping(shares: NDArray[np.float64]) -> list[tuple[int, int]]:
    both = np.minimum(shares, shares.T)
    return [pair for pair in itertools.combinations(range(len(both)), 2) if both[pair] >= MIN_SHARED]


def _write_posed(folder: Path, database: Path, poses: dict[str, SE3], camera: Camera) -> None:
    """A COLMAP text model without points, numbered as the database is."""
    import pycolmap

    with closing(pycolmap.Database.open(str(database))) as opened:
        images = sorted(opened.read_all_images(), key=lambda image: image.image_id)
        camera_ids = sorted({image.camera_id for image in images})  # one more for each interruption
    folder.mkdir(exist_ok=True)
    model, params = colmap_from_camera(camera)
    numbers = " ".join(map(repr, params))
    lines = [f"{key} {model} {camera.width} {camera.height} {numbers}\n" for key in camera_ids]
    (folder / "cameras.txt").write_text("".join(lines))
    (folder / "points3D.txt").write_text("")
    with (folder / "images.txt").open("w") as stream:
        for image in images:
            pose = poses[image.name]
            numbers = " ".join(map(repr, [*pose.quaternion_wxyz.tolist(), *pose.translation.tolist()]))
            stream.write(f"{image.image_id} {numbers} {image.camera_id} {image.name}\n\n")
