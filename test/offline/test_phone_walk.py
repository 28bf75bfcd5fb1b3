"""A newcomer's walk with a phone: portraits in HEIC and a turned video of a varying rate, in metres with z up."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from metric_room import APRILGRID, CHARUCO_MIDDLE, aprilgrid
from phone_videos import MATRICES, QUICKLY, needs_ffmpeg, show_by, vary_rate, write_mp4

from reloc_ros.cameras import Camera
from reloc_ros.demo.film.trajectories import looking_at, mapping
from reloc_ros.demo.scene.exposure import Exposure
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.geometry import SE3
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.workspace import Workspace

pil = pytest.importorskip("PIL.Image")
pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
pytest.importorskip("pycolmap")

pytestmark = [pytest.mark.slow, needs_ffmpeg]

PHOTO = Camera("brown", 560, 420, 410.0, 410.0, 281.0, 208.0, (0.04, -0.06, 0.0003, -0.0002, 0, 0, 0, 0))
VIDEO = Camera("brown", 560, 320, 434.0, 434.0, 278.5, 161.0, (0.03, -0.05, 0.0002, 0.0003, 0, 0, 0, 0))
"""The same phone films with a part of its sensor."""
LYING = SE3(np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]), np.zeros(3))
"""stored_from_upright: the left of the stored picture is up, which EXIF calls 6."""
ROLL_DEG = 0.7
"""What a hand's pictures are off level, as a standard deviation."""


def held_upright(poses: list[SE3], seed: int) -> list[SE3]:
    """camera_from_map of the sensor, lying on its side, in a hand that is nearly level."""
    rolls = np.radians(np.random.default_rng(seed).normal(0, ROLL_DEG, len(poses)))
    return [
        LYING @ SE3.from_rotation_vector([0, 0, roll], np.zeros(3)) @ pose
        for roll, pose in zip(rolls, poses, strict=True)
    ]


def around_the_board() -> list[SE3]:
    angles, heights = np.radians(np.linspace(-110, 0, 8)), (1.1, 1.4, 1.7, 1.3, 1.5, 1.2, 1.6, 1.4)
    return [
        looking_at(
            CHARUCO_MIDDLE + np.array([1.3 * np.cos(a), 1.3 * np.sin(a), h]),
            CHARUCO_MIDDLE + np.array([0, 0, 0.3]),
        )
        for a, h in zip(angles, heights, strict=True)
    ]


PHOTO_POSES = held_upright([*mapping(10).camera_from_map, *around_the_board()], seed=1)
VIDEO_POSES = held_upright([*mapping(20).camera_from_map], seed=2)


def film(camera: Camera, poses: list[SE3]) -> list[np.ndarray]:
    """(H, W, 3) BGR of each, as the sensor sees it."""
    renderer = Renderer((*reading_corner().faces, aprilgrid()), camera)
    return [Exposure(noise=1.5).record(renderer.render(pose).image, i) for i, pose in enumerate(poses)]


def write_photos(folder: Path) -> Path:
    pillow_heif.register_heif_opener()
    folder.mkdir()
    for number, image in enumerate(film(PHOTO, PHOTO_POSES)):
        picture = pil.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        exif = picture.getexif()
        exif.update({0x010F: "Maker", 0x0110: "Phone 5", 0x0112: 6})
        exif.get_ifd(0x8769).update({0x920A: 4.25, 0xA405: 26})
        picture.save(folder / f"IMG_{number:04}.HEIC", exif=exif.tobytes(), quality=92, enc_params=QUICKLY)
    return folder


def write_video(file: Path) -> Path:
    even = write_mp4(file.with_name("even.mp4"), film(VIDEO, VIDEO_POSES))
    vary_rate(even, file, after=len(VIDEO_POSES) // 2)
    return show_by(file, MATRICES["left"])


def truth_of(name: str) -> SE3:
    number = int("".join(filter(str.isdigit, Path(name).name.partition(".")[0])))
    return (PHOTO_POSES if "IMG" in name else VIDEO_POSES)[number]


def test_photographs_and_a_video_of_a_phone_become_a_map_in_metres_with_z_up(reloc, tmp_path):
    photos, video = write_photos(tmp_path / "photos"), write_video(tmp_path / "walk.mp4")
    workspace = tmp_path / "ws"
    code, printed = reloc("map", photos, video, "-w", workspace)
    assert code == 0 and "verdict: poor" not in printed, printed
    code, printed = reloc("align", "--board", APRILGRID, "--up", "camera", "-w", workspace)
    assert code == 0, printed

    model = SfmModel.load(Workspace.open(workspace).model_path)
    assert len(model.names) >= 0.95 * (len(PHOTO_POSES) + len(VIDEO_POSES))
    true = [truth_of(name) for name in model.names]
    found_m, true_m = (np.array([pose.center for pose in poses]) for poses in (model.camera_from_map, true))
    one, other = np.triu_indices(len(true), 1)
    apart = np.linalg.norm(true_m[one] - true_m[other], axis=1)
    ratios = np.linalg.norm(found_m[one] - found_m[other], axis=1)[apart > 0.5] / apart[apart > 0.5]
    assert np.sqrt(np.mean((ratios - 1) ** 2)) < 0.005

    ups = np.array(
        [
            found.rotation.T @ pose.rotation[:, 2]
            for found, pose in zip(model.camera_from_map, true, strict=True)
        ]
    )
    up = ups.mean(axis=0) / np.linalg.norm(ups.mean(axis=0))
    assert np.degrees(np.arccos(np.clip(up[2], -1, 1))) < 0.5
