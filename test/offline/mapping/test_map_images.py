import dataclasses
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from moving_picture import pan, write_video
from synthetic_model import make_model, write_colmap_text

from reloc_ros.cameras import Camera
from reloc_ros.demo.film.writer import write_tum
from reloc_ros.errors import RelocError
from reloc_ros.offline.align.map_frame import align
from reloc_ros.offline.align.sources import AlignSources
from reloc_ros.offline.align.trajectory import Poses, Trajectory
from reloc_ros.offline.align.trajectory_fit import fit_trajectory
from reloc_ros.offline.mapping.map_images import map_images
from reloc_ros.offline.mapping.options import SfmOptions
from reloc_ros.offline.mapping.reconstruct import run_sfm
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.sources.gather import Group
from reloc_ros.offline.workspace import Workspace

ROOT = Path(__file__).parents[3]


def truth(photos) -> Trajectory:
    return Trajectory(photos.names, Poses.of(pose.inverse() for pose in photos.camera_from_map), True)


def test_photographs_become_a_model_with_the_true_poses(photos, mapped):
    workspace, summary = mapped
    model = SfmModel.load(workspace.model_path)
    assert summary.registered == len(model.names) == len(photos.names)
    assert summary.held_out == 2
    assert summary.points == len(model.points_map) > 500
    # It is known, so not to be changed; the half pixel went there and back.
    assert model.cameras[1] == photos.camera
    fit = fit_trajectory(model, truth(photos))
    true_centers = np.array([pose.center for pose in photos.camera_from_map])
    errors_m = np.linalg.norm(fit.map_from_sfm.apply(model.centers_map) - true_centers, axis=1)
    assert errors_m.max() < 0.01
    assert fit.orientation_offset_deg < 0.2


def test_mapping_again_does_nothing(photos, small_sfm, mapped):
    workspace, summary = mapped
    before = workspace.model_path.stat().st_mtime_ns
    phases = set()
    again, repeated = map_images(
        photos.folder,
        workspace.path,
        None,
        "every:6:3",
        small_sfm,
        progress=lambda phase, done, total: phases.add(phase),
    )
    assert repeated.was_current and not summary.was_current
    assert not phases
    assert again.model_path.stat().st_mtime_ns == before


def test_another_holdout_keeps_the_reconstruction_and_forgets_the_steps(photos, small_sfm, mapped, tmp_path):
    shutil.copytree(mapped[0].path, tmp_path / "ws")
    Workspace.open(tmp_path / "ws").record("select", {})
    phases = set()
    workspace, summary = map_images(
        photos.folder,
        tmp_path / "ws",
        None,
        "last:4",
        small_sfm,
        progress=lambda phase, done, total: phases.add(phase),
    )
    assert not phases
    assert summary.held_out == 4
    assert workspace.summary("select") is None


def test_unknown_camera_is_found(photos, tmp_path):
    pytest.importorskip("pycolmap")
    options = SfmOptions(max_features=1500, max_image_size=480, matching="sequential")
    made = run_sfm(photos.folder, [Group("photos", photos.names, False)], tmp_path, options)
    camera = made.model.cameras[1]
    assert len(made.model.names) == len(photos.names)
    assert camera.fx == pytest.approx(photos.camera.fx, rel=0.05)
    assert made.model.errors_px.mean() < 1


STOPPED = """
import signal, sys
from reloc_ros.offline.mapping.map_images import map_images
from reloc_ros.offline.sources.gather import Group
from reloc_ros.offline.mapping.options import SfmOptions

def progress(phase, done, total):
    if phase == sys.argv[3] and done >= total // 3:
        signal.raise_signal(getattr(signal, sys.argv[4]))

signal.signal(signal.SIGINT, signal.default_int_handler)
map_images(sys.argv[1], sys.argv[2], None, "none", SfmOptions(max_features=2000, max_image_size=400),
progress=progress)
"""


@pytest.mark.slow
def test_ctrl_c_or_a_kill_in_any_phase_leaves_a_workspace_that_goes_on(photos, tmp_path):
    pytest.importorskip("pycolmap")
    film_of(photos, tmp_path / "v.avi", photos.names)
    phases = ("judge frames", "extract frames", "extract features", "match images", "reconstruct")
    seen = set()
    for phase in phases:
        for kill in ("SIGINT", "SIGKILL"):
            command = [
                sys.executable,
                "-c",
                STOPPED,
                str(tmp_path / "v.avi"),
                str(tmp_path / "ws"),
                phase,
                kill,
            ]
            stopped = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
            assert stopped.returncode in (-getattr(signal, kill), 1), stopped.stderr
            assert kill == "SIGKILL" or "KeyboardInterrupt" in stopped.stderr, stopped.stderr
            with pytest.raises(RelocError, match="reloc map"):
                Workspace.open(tmp_path / "ws")
    options = SfmOptions(max_features=2000, max_image_size=400)
    _, summary = map_images(
        tmp_path / "v.avi",
        tmp_path / "ws",
        None,
        "none",
        options,
        progress=lambda phase, done, total: seen.add((phase, done)),
    )
    assert summary.registered == len(photos.names)
    assert not [phase for phase, _ in seen if phase in ("judge frames", "extract frames")]
    assert not list((tmp_path / "ws" / "sfm").glob("scratch-*"))


@pytest.fixture
def given(tmp_path):
    """A COLMAP model that one has, and a folder with its images."""
    model = make_model()
    write_colmap_text(model, tmp_path / "colmap")
    (tmp_path / "images").mkdir()
    for name in model.names:
        cv2.imwrite(str(tmp_path / "images" / name), np.zeros((480, 640, 3), np.uint8))
    return tmp_path


def test_given_model_is_taken_over_with_its_images_left_where_they_are(given):
    workspace, summary = map_images(given / "images", given / "ws", given / "colmap", "every:4:1")
    assert summary.registered == 12 and summary.held_out == 3
    assert Workspace.open(given / "ws").images_dir == given / "images"
    assert not list(workspace.path.rglob("*.jpg"))
    assert SfmModel.load(workspace.model_path).names == make_model().names


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda root: (root / "images" / "image_003.jpg").unlink(), r"lacks, the first is 'image_003\.jpg'"),
        (
            lambda root: (root / "images" / "image_000.jpg").write_bytes(b"x"),
            r"cannot read image .*image_000",
        ),
        (
            lambda root: cv2.imwrite(
                str(root / "images" / "image_000.jpg"), np.zeros((240, 320, 3), np.uint8)
            ),
            "is 320x240",
        ),
        (lambda root: (root / "colmap" / "points3D.txt").write_text("1 2"), "cut short"),
        (lambda root: shutil.rmtree(root / "colmap"), "no COLMAP model folder"),
    ],
)
def test_given_model_that_does_not_fit_is_refused_and_no_workspace_made(given, break_it, message):
    break_it(given)
    with pytest.raises(RelocError, match=message):
        map_images(given / "images", given / "ws", given / "colmap", "none")
    assert not (given / "ws").exists()


def test_a_workspace_stays_as_it_was_where_all_placed_images_would_be_held_out(given):
    workspace, _ = map_images(given / "images", given / "ws", given / "colmap", "every:4:1")
    workspace.record("select", {})
    workspace.pruned_path.write_text("{}")
    before = snapshot(workspace.path)
    cv2.imwrite(str(given / "images" / "a.jpg"), np.zeros((480, 640, 3), np.uint8))
    with pytest.raises(RelocError, match="holds out every image that could be placed"):
        map_images(given / "images", given / "ws", given / "colmap", "last:12")
    assert snapshot(workspace.path) == before


def snapshot(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def test_mistakes_show_before_the_work_begins(given):
    with pytest.raises(RelocError, match="hold-out"):
        map_images(given / "images", given / "ws", None, "sometimes")
    with pytest.raises(RelocError, match="leaves none"):
        map_images(given / "images", given / "ws", given / "colmap", "last:12")
    with pytest.raises(RelocError, match=r"there is no .*none.*give a video, a bag or a folder of images"):
        map_images(given / "none", given / "ws")
    write_video(given / "video.avi", pan(np.arange(10) * 6))
    with pytest.raises(RelocError, match="give the folder with the images that it was made from"):
        map_images(given / "video.avi", given / "ws", given / "colmap")
    with pytest.raises(RelocError, match="camera model 'FISH'"):
        SfmOptions(camera_model="FISH")
    with pytest.raises(RelocError, match="skew of 3 px"):
        SfmOptions(camera=Camera("pinhole", 640, 480, 500.0, 500.0, 320.0, 240.0, (), 3.0))
    with pytest.raises(RelocError, match="matching 'all'"):
        SfmOptions(matching="all")
    assert not (given / "ws").exists()


def test_images_without_texture_are_refused_with_advice(given):
    pytest.importorskip("pycolmap")
    with pytest.raises(RelocError, match="more overlap"):
        map_images(given / "images", given / "ws")


def test_two_images_are_too_few(given):
    for name in make_model().names[2:]:
        (given / "images" / name).unlink()
    with pytest.raises(RelocError, match="2 images"):
        map_images(given / "images", given / "ws", holdout="none")


def test_unreadable_image_is_named(given):
    pytest.importorskip("pycolmap")
    (given / "images" / "image_005.jpg").write_bytes(b"\xff\xd8")
    with pytest.raises(RelocError, match=r"image_005\.jpg"):
        map_images(given / "images", given / "ws")


def test_known_camera_of_another_size_is_refused(given, photos):
    pytest.importorskip("pycolmap")
    camera = photos.camera.resized(320, 240)
    with pytest.raises(RelocError, match="is 640x480, the given camera takes 320x240"):
        map_images(given / "images", given / "ws", options=SfmOptions(camera=camera))


@pytest.mark.slow
def test_a_video_becomes_a_map_that_its_trajectory_by_time_aligns(photos, small_sfm, tmp_path):
    pytest.importorskip("pycolmap")
    film_of(photos, tmp_path / "v.avi", photos.names)
    workspace, summary = map_images(tmp_path / "v.avi", tmp_path / "ws", None, "none", small_sfm)
    assert summary.registered == len(photos.names)
    assert workspace.images_dir == tmp_path / "ws" / "frames"
    write_tum(tmp_path / "truth.tum", [i / 4 for i in range(len(photos.names))], photos.camera_from_map)
    frame = align(workspace, AlignSources(trajectory=tmp_path / "truth.tum"))
    assert frame.scales[0].of == len(photos.names)
    model = SfmModel.load(workspace.model_path)
    true_centers = np.array([pose.center for pose in photos.camera_from_map])
    assert np.linalg.norm(model.centers_map - true_centers, axis=1).max() < 0.02


def film_of(photos, file, names, rate_hz=4):
    return write_video(file, [cv2.imread(str(photos.folder / name)) for name in names], rate_hz)


@pytest.mark.slow
def test_a_video_and_photographs_of_one_place_become_one_map(photos, small_sfm, tmp_path):
    pytest.importorskip("pycolmap")
    video, rest = photos.names[:7], photos.names[7:]
    film_of(photos, tmp_path / "day.avi", video)
    (tmp_path / "evening").mkdir()
    for name in rest:
        picture = cv2.imread(str(photos.folder / name)).astype(np.float64)
        darker = np.clip(255 * (picture / 255) ** 1.5, 0, 255).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "evening" / name), darker)
    sources = [tmp_path / "day.avi", tmp_path / "evening"]
    workspace, summary = map_images(sources, tmp_path / "ws", None, "none", small_sfm)
    model = SfmModel.load(workspace.model_path)
    assert summary.registered == len(photos.names) and summary.models == 1
    assert {name.partition("/")[0] for name in model.names} == {"day", "evening"}
    assert len(model.cameras) == 2
    _, repeated = map_images(sources, tmp_path / "ws", None, "none", small_sfm)
    assert repeated.was_current and repeated == dataclasses.replace(summary, was_current=True)


@pytest.mark.slow
def test_the_global_mapper_takes_the_matches_that_are_there(photos, small_sfm, mapped, tmp_path):
    shutil.copytree(mapped[0].path, tmp_path / "ws")
    phases = set()
    options = dataclasses.replace(small_sfm, mapper="global")
    workspace, summary = map_images(
        photos.folder,
        tmp_path / "ws",
        None,
        "none",
        options,
        progress=lambda phase, done, total: phases.add(phase),
    )
    assert phases == {"read images", "extract features", "match images", "reconstruct"}
    assert summary.registered == len(photos.names)
    model = SfmModel.load(workspace.model_path)
    assert model.cameras[1] == photos.camera
    metric_from_sfm = fit_trajectory(model, truth(photos)).map_from_sfm
    true_centers = np.array([pose.center for pose in photos.camera_from_map])
    assert np.linalg.norm(metric_from_sfm.apply(model.centers_map) - true_centers, axis=1).max() < 0.02


def test_a_model_of_a_videos_frames_is_taken_with_just_these_frames(given):
    names = make_model().names
    numbers = [3 * index for index in range(len(names))]
    model = dataclasses.replace(make_model(), names=tuple(f"frame_{number:06d}.jpg" for number in numbers))
    shutil.rmtree(given / "colmap")
    write_colmap_text(model, given / "colmap")
    wall = [cv2.resize(picture, (640, 480)) for picture in pan(np.arange(40) * 4)]
    write_video(given / "v.avi", wall)
    workspace, summary = map_images(given / "v.avi", given / "ws", given / "colmap", "none")
    assert summary.registered == summary.images == 12
    assert workspace.image_names == model.names
    write_video(given / "short.avi", wall[:20])
    with pytest.raises(RelocError, match=r"no frame for 'frame_000021\.jpg'"):
        map_images(given / "short.avi", given / "ws2", given / "colmap", "none")


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("/data/set/", r"'/data/set/image_000\.jpg'; names are to be relative to that folder"),
        ("set/", r"12 images that .* lacks.*the folder that the names in the model begin in"),
        ("C:\\data\\", r"12 images that .* lacks.*the folder that the names in the model begin in"),
    ],
)
def test_a_model_that_names_images_by_other_folders_says_so(given, prefix, said):
    file = given / "colmap" / "images.txt"
    file.write_text(file.read_text().replace(" image_", f" {prefix}image_"))
    with pytest.raises(RelocError, match=said):
        map_images(given / "images", given / "ws", given / "colmap", "none")


def test_what_a_given_model_contradicts_itself_in_is_said(given):
    file = given / "colmap" / "points3D.txt"
    file.write_text("\n".join(file.read_text().splitlines()[5:]) + "\n")
    _, summary = map_images(given / "images", given / "ws", given / "colmap", "none")
    assert any("points3D.txt does not hold" in remark for remark in summary.remarks), summary.remarks


def test_two_models_in_a_folder_are_named(given):
    for number in "01":
        shutil.copytree(given / "colmap", given / "sparse" / number)
    with pytest.raises(RelocError, match=r"several COLMAP models; name one of .*sparse/0, .*sparse/1"):
        map_images(given / "images", given / "ws", given / "sparse", "none")


def test_a_workspace_that_a_killed_run_left_goes_on(given):
    for left in ("ws/.new-1234-frames", "ws/judged", "ws/sfm/scratch-1/0"):
        (given / left).mkdir(parents=True)
    _, summary = map_images(given / "images", given / "ws", given / "colmap", "none")
    assert summary.registered == 12
