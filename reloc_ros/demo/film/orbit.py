"""`python -m reloc_ros.demo.film.orbit FOLDER`: film a cluttered room all around, to measure how a map of it does.

Each view shows a small part of the place, so few landmarks serve no view well. The folder then holds `images` and,
from real features and the poses that the renderer knows, a COLMAP model: `reloc map FOLDER/images --model FOLDER/model
-w FOLDER/map`.
"""

from __future__ import annotations

import itertools
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.demo.film.trajectories import CAMERA, Trajectory, orbit
from reloc_ros.demo.film.writer import film
from reloc_ros.demo.scene.cluttered_room import MIDDLE_MAP, cluttered_room
from reloc_ros.demo.scene.places import Scene
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.errors import RelocError
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
    database, pairs = model_dir / "database.db", model_dir / "pairs.txt"
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
    shared = shared_shares(scene, trajectory.camera_from_map, camera)
    overlapping = np.minimum(shared, shared.T) >= MIN_SHARED
    matched = (pair for pair in itertools.combinations(range(len(names)), 2) if overlapping[pair])
    pairs.write_text("".join(f"{names[i]} {names[j]}\n" for i, j in matched))
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = str(pairs)
    pycolmap.match_image_pairs(str(database), pairing_options=pairing, device=pycolmap.Device.cpu)
    posed = _posed(database, dict(zip(names, trajectory.camera_from_map, strict=True)))
    made = pycolmap.triangulate_points(posed, str(database), str(images_dir), str(model_dir))
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


def _posed(database: Path, poses: dict[str, SE3]):
    """The database's images with their camera_from_map by name, as a pycolmap.Reconstruction without points."""
    import pycolmap

    posed = pycolmap.Reconstruction()
    with closing(pycolmap.Database.open(str(database))) as opened:
        for camera in opened.read_all_cameras():  # one more for each interruption
            posed.add_camera_with_trivial_rig(camera)
        for image in opened.read_all_images():
            camera_from_map = pycolmap.Rigid3d(poses[image.name].matrix[:3])
            bare = pycolmap.Image(name=image.name, camera_id=image.camera_id, image_id=image.image_id)
            posed.add_image_with_trivial_frame(bare, camera_from_map)
    return posed


def main(
    folder: Annotated[Path, typer.Argument(help="Where to put the pictures, their truth and the model.")],
    frames: Annotated[int, typer.Option(min=20, help="Pictures.")] = 120,
) -> None:
    """Film a cluttered room all around."""
    scene, trajectory = cluttered_room(), orbit(MIDDLE_MAP, frames)
    try:
        film(folder, scene, trajectory, video=False)
        triangulate_film(folder / "images", folder / "model", scene, trajectory)
    except RelocError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(RelocError.EXIT_CODE) from None


if __name__ == "__main__":
    typer.run(main)
