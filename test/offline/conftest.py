"""A handful of rendered photographs with known poses, and a model that pycolmap makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3


@dataclass(frozen=True)
class Photos:
    folder: Path
    names: tuple[str, ...]
    camera: Camera
    camera_from_map: tuple[SE3, ...]
    """The truth, in metres."""


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Photos:
    from reloc_ros.demo.film.trajectories import CAMERA, mapping
    from reloc_ros.demo.scene.places import reading_corner
    from reloc_ros.demo.scene.renderer import Renderer

    folder = tmp_path_factory.mktemp("photos")
    poses = mapping().camera_from_map[0:60:5]
    renderer = Renderer(reading_corner().faces, CAMERA)
    names = tuple(
        f"photo {i:03d}.jpg" for i in range(len(poses))
    )  # with a space, as phones and chats write them
    for name, pose in zip(names, poses, strict=True):
        cv2.imwrite(str(folder / name), renderer.render(pose).image)
    return Photos(folder, names, CAMERA, poses)


@pytest.fixture(scope="session")
def small_sfm(photos):
    """Options that make the photos' model in a few seconds."""
    from reloc_ros.offline.mapping.options import SfmOptions

    return SfmOptions(camera=photos.camera, max_features=1500, max_image_size=480)


@pytest.fixture(scope="session")
def mapped(photos, small_sfm, tmp_path_factory):
    """A workspace over the photos, of which two are held out."""
    pytest.importorskip("pycolmap")
    from reloc_ros.offline.mapping.map_images import map_images

    return map_images(photos.folder, tmp_path_factory.mktemp("work") / "ws", None, "every:6:3", small_sfm)
