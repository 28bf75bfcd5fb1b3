"""Metres and gravity of a filmed room from each source alone, with noise and a fifth of it wrong."""

from __future__ import annotations

import dataclasses
import json

import align_sources as made
import numpy as np
import PIL.Image
import pytest
from metric_room import (
    APRILGRID,
    BOARD_RIGHT,
    CHARUCO,
    CHARUCO_MIDDLE,
    GRID,
    MARKER,
    NAMES,
    POSES,
    TAG,
    TRUE_FROM_SFM,
    Room,
    aprilgrid,
    film_room,
    scale_error,
    up_error_deg,
)
from scipy.spatial.transform import Rotation, Slerp

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.atomic import write_json
from reloc_ros.offline.align import board_fit, scale_from_board
from reloc_ros.offline.align.boards import parse_board
from reloc_ros.offline.align.map_frame import align, undo_align
from reloc_ros.offline.align.sources import AlignSources
from reloc_ros.offline.align.trajectory import Poses, Trajectory
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.workspace import Workspace

MAX_SCALE_ERROR = 0.005
MAX_UP_ERROR_DEG = 0.5


@pytest.fixture(scope="session")
def room(tmp_path_factory) -> Room:
    return film_room(tmp_path_factory.mktemp("room"))


@pytest.fixture
def workspace(room, tmp_path) -> Workspace:
    workspace = Workspace.create(tmp_path / "ws", room.images_dir, NAMES, "every:5:2")
    room.model().save(workspace.model_path)
    return workspace


@pytest.fixture(scope="session")
def sightings(room):
    model = room.model()
    boards = {text: parse_board(text) for text in (CHARUCO, MARKER, TAG, GRID)}
    return {
        text: scale_from_board.find_board(model, room.images_dir, board) for text, board in boards.items()
    }


def write_tum(file, trajectory):
    with file.open("w") as stream:
        for key, pose in zip(trajectory.keys, trajectory.map_from_camera, strict=True):
            w, x, y, z = pose.quaternion_wxyz
            print(key, *pose.translation, x, y, z, w, file=stream)
    return file


def bag_in(
    workspace: Workspace, tmp_path, seed: int = 0, stamps: bool = True, mount: SE3 = made.BASE_FROM_CAMERA
):
    """A bag of odometry and IMU, and a workspace over frames of it."""
    pytest.importorskip("rosbags")
    from pose_bags import write_pose_bag

    frames = tmp_path / "frames"
    frames.mkdir()
    if stamps:
        write_json(
            frames / "frames.json", {"stamps_ns": dict(zip(NAMES, made.STAMPS_NS.tolist(), strict=True))}
        )
    again = Workspace.create(tmp_path / "from_bag", frames, NAMES, "none")
    SfmModel.load(workspace.model_path).save(again.model_path)
    return again, write_pose_bag(tmp_path / "walk", made.odometry(seed, mount), made.accelerations(seed))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("source", ["ids", "picks"])
def test_scale_of_known_distances(room, workspace, source, seed):
    room.model(seed).save(workspace.model_path)
    if source == "ids":
        distances = tuple(made.taped_distances(SfmModel.load(workspace.model_path), seed))
        frame = align(workspace, AlignSources(distances=distances, up=("none",)))
    else:
        frame = align(workspace, AlignSources(measures=tuple(made.picked_measures(room, seed)), up=("none",)))
    assert scale_error(frame.map_from_sfm) < MAX_SCALE_ERROR
    assert (frame.scales[0].used, frame.scales[0].of) == (8, 10)
    np.testing.assert_array_equal(frame.map_from_sfm.rotation, np.eye(3))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("text", [CHARUCO, MARKER, TAG, GRID])
def test_scale_and_up_of_a_board(room, sightings, text, seed):
    board, disturbed = parse_board(text), made.disturbed_sightings(sightings[text], seed)
    fits = board_fit.fit_bodies(room.model(seed), board, disturbed)
    estimate = scale_from_board.scale_estimate(board, fits)
    assert abs(estimate.scale / TRUE_FROM_SFM.scale - 1) < min(MAX_SCALE_ERROR, 5 * estimate.standard_error)
    assert 0.7 < estimate.used / estimate.of < 0.95
    assert up_error_deg(scale_from_board.up_estimate(fits, on_wall=text != CHARUCO).up_sfm) < MAX_UP_ERROR_DEG


@pytest.fixture(scope="session")
def room_with_aprilgrid(tmp_path_factory) -> Room:
    return film_room(tmp_path_factory.mktemp("kalibr"), [aprilgrid()])


@pytest.fixture(scope="session")
def kalibr_sightings(room_with_aprilgrid):
    room = room_with_aprilgrid
    return scale_from_board.find_board(room.model(), room.images_dir, parse_board(APRILGRID))


def test_kalibrs_board_gives_metres_and_the_map_frame(
    room_with_aprilgrid, kalibr_sightings, tmp_path, monkeypatch
):
    monkeypatch.setattr(scale_from_board, "find_board", lambda *_: kalibr_sightings)
    workspace = Workspace.create(tmp_path / "ws", room_with_aprilgrid.images_dir, NAMES, "none")
    room_with_aprilgrid.model().save(workspace.model_path)
    frame = align(workspace, AlignSources(board=APRILGRID, up=("board", "camera")))
    assert scale_error(frame.map_from_sfm) < MAX_SCALE_ERROR
    assert up_error_deg(frame.map_from_sfm.rotation[2]) < MAX_UP_ERROR_DEG
    assert frame.scales[0].of > 1000 and frame.scales[0].used > 0.95 * frame.scales[0].of
    right_map = frame.map_from_sfm.rotation @ TRUE_FROM_SFM.rotation.T @ BOARD_RIGHT
    np.testing.assert_allclose(right_map, [1, 0, 0], atol=0.01)
    middle_sfm = TRUE_FROM_SFM.inverse().apply(CHARUCO_MIDDLE[None])
    np.testing.assert_allclose(frame.map_from_sfm.apply(middle_sfm), 0, atol=0.006)


def test_markers_of_another_border_than_was_told_are_refused(room_with_aprilgrid):
    """They were found within themselves, 14.6 % too small, and all agreed."""
    board = parse_board("aruco:0.088:APRILTAG_36h11")
    with pytest.raises(
        RelocError, match=r"border of marker 0, 1, 2, 3, 4 and \d+ more measures 2 "
    ) as refused:
        scale_from_board.scale_of_board(room_with_aprilgrid.model(), room_with_aprilgrid.images_dir, board)
    for words in ("not 1, which", ":border=2", "aprilgrid:COLUMNSxROWS:TAG:SPACING", "by its id"):
        assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_gaps_that_are_told_otherwise_than_they_are_are_refused(room_with_aprilgrid, kalibr_sightings):
    """The spacing of an aprilgrid taken for metres: 18 % off, and most agreed."""
    model, board = room_with_aprilgrid.model(), parse_board("aprilgrid:6x6:0.088:0.0264")
    with pytest.raises(RelocError, match=r"gaps between its markers measure 0\.3 of a marker, not 0\.026"):
        board_fit.fit_bodies(model, board, kalibr_sightings)


def test_ids_that_go_the_other_way_do_not_fit(room_with_aprilgrid, kalibr_sightings):
    board = parse_board("grid:6x6:0.088:0.0264:APRILTAG_36h11:border=2")
    assert board_fit.fit_bodies(room_with_aprilgrid.model(), board, kalibr_sightings) == []


def test_a_marker_that_hangs_upside_down_is_refused_with_how_to_say_so(workspace):
    with pytest.raises(RelocError, match=r"hangs upside down.*add :turn=180"):
        align(workspace, AlignSources(board=f"{MARKER}:turn=180", up=("board-wall",)))


def test_a_board_on_the_floor_defines_the_map_frame(workspace):
    frame = align(workspace, AlignSources(board=CHARUCO, up=("board",)))
    assert scale_error(frame.map_from_sfm) < MAX_SCALE_ERROR
    assert up_error_deg(frame.map_from_sfm.rotation[2]) < MAX_UP_ERROR_DEG
    middle_sfm = TRUE_FROM_SFM.inverse().apply(CHARUCO_MIDDLE[None])
    np.testing.assert_allclose(frame.map_from_sfm.apply(middle_sfm), 0, atol=0.006)
    yaw = np.radians(25)
    right_map = frame.map_from_sfm.rotation @ TRUE_FROM_SFM.rotation.T @ [np.cos(yaw), np.sin(yaw), 0]
    np.testing.assert_allclose(right_map, [1, 0, 0], atol=0.01)


def test_a_marker_on_the_wall_defines_the_map_frame(workspace):
    frame = align(workspace, AlignSources(board=MARKER, up=("board-wall", "camera")))
    right_map = frame.map_from_sfm.rotation @ TRUE_FROM_SFM.rotation.T
    np.testing.assert_allclose(
        right_map, np.eye(3), atol=0.01
    )  # on the north wall the marker's right is east
    assert len(frame.ups) == 2 and "marker 17" in frame.origin


def test_scale_and_up_of_a_trajectory(room, workspace, tmp_path):
    tum = write_tum(tmp_path / "t.tum", made.true_trajectory(NAMES, 0))
    frame = align(workspace, AlignSources(trajectory=tum, up=("camera",)))
    assert scale_error(frame.map_from_sfm) < MAX_SCALE_ERROR
    assert up_error_deg(frame.map_from_sfm.rotation[2]) < MAX_UP_ERROR_DEG
    assert workspace.scale == "metric"


@pytest.mark.parametrize("seed", range(2))
def test_scale_and_up_of_odometry_and_imu_in_a_bag(workspace, tmp_path, seed):
    workspace, bag = bag_in(workspace, tmp_path, seed)
    x, y, z, w = (float(made.IMU_FROM_CAMERA.quaternion_wxyz[k]) for k in (1, 2, 3, 0))
    frame = align(
        workspace,
        AlignSources(
            bag=bag,
            odometry="/odom",
            body_from_camera=made.BASE_FROM_CAMERA,
            up=("imu:/imu",),
            imu_from_camera=f"{x},{y},{z},{w}",
        ),
    )
    assert scale_error(frame.map_from_sfm) < MAX_SCALE_ERROR
    assert up_error_deg(frame.map_from_sfm.rotation[2]) < MAX_UP_ERROR_DEG
    assert up_error_deg(frame.ups[1].up_sfm) < MAX_UP_ERROR_DEG
    assert frame.ups[1].used >= 25 and not frame.scales[0].notes


def timed_names(shape: str) -> list[str]:
    """Of photographs called by when they were taken."""
    return [shape.format(ns=ns, s=ns // 10**9, rest=ns % 10**9) for ns in made.STAMPS_NS.tolist()]


def dense_rows(since_ns: int = 0) -> list[tuple[int, SE3]]:
    """The cameras' path at 100 Hz, a little longer than the walk; the pictures are taken between its poses."""
    stamps = (made.STAMPS_NS - made.START_NS).astype(float)
    asked = np.arange(-40_000_000, stamps[-1] + 40_000_000, 10_000_000.0) + 3_000_000
    poses = [pose.inverse() for pose in POSES]
    turns = Slerp(stamps, Rotation.from_matrix([pose.rotation for pose in poses]))
    inside = np.clip(asked, 0, stamps[-1])
    places = np.column_stack(
        [np.interp(inside, stamps, [pose.translation[k] for pose in poses]) for k in range(3)]
    )
    rotations = turns(inside).as_matrix()
    return [(round(t) + since_ns, SE3(r, p)) for t, r, p in zip(asked, rotations, places, strict=True)]


def write_rows(file, rows, euroc=False):
    with file.open("w") as stream:
        for ns, pose in rows:
            w, x, y, z = pose.quaternion_wxyz
            if euroc:
                print(ns, *pose.translation, w, x, y, z, sep=",", file=stream)
            else:
                print(f"{ns // 10**9}.{ns % 10**9:09d}", *pose.translation, x, y, z, w, file=stream)
    return file


def named_workspace(room, tmp_path, names, notes=None) -> Workspace:
    """The room's map, its images called otherwise; there are no pictures, as none are looked at."""
    (tmp_path / "images").mkdir()
    if notes is not None:
        write_json(tmp_path / "images" / "frames.json", notes)
    workspace = Workspace.create(tmp_path / "named", tmp_path / "images", names, "none")
    dataclasses.replace(room.model(), names=tuple(names)).save(workspace.model_path)
    return workspace


@pytest.mark.parametrize("shape", ["{ns}.png", "{s}.{rest:09d}.png", "cam0/{s}_{rest:09d}.png"])
@pytest.mark.parametrize("euroc", [False, True])
def test_a_trajectory_by_time_serves_photographs_named_by_time(room, tmp_path, shape, euroc):
    workspace = named_workspace(room, tmp_path, timed_names(shape))
    file = write_rows(tmp_path / "t.txt", dense_rows(made.START_NS), euroc)
    frame = align(workspace, AlignSources(trajectory=file))
    assert scale_error(frame.map_from_sfm) < MAX_SCALE_ERROR
    assert up_error_deg(frame.map_from_sfm.rotation[2]) < MAX_UP_ERROR_DEG
    assert frame.scales[0].of == len(NAMES) and frame.scales[0].residual_m < 0.005
    assert not frame.scales[0].notes


def test_a_trajectory_of_a_body_is_carried_to_the_camera_by_its_mount(room, tmp_path):
    workspace = named_workspace(room, tmp_path, timed_names("{ns}.png"))
    camera_from_body = made.BASE_FROM_CAMERA.inverse()
    rows = [(ns, pose @ camera_from_body) for ns, pose in dense_rows(made.START_NS)]
    file = write_rows(tmp_path / "t.csv", rows, euroc=True)
    frame = align(workspace, AlignSources(trajectory=file, body_from_camera=made.BASE_FROM_CAMERA))
    assert scale_error(frame.map_from_sfm) < MAX_SCALE_ERROR and frame.scales[0].residual_m < 0.005
    by_name = write_tum(
        tmp_path / "names.tum",
        Trajectory(
            tuple(timed_names("{ns}.png")), Poses.of(p.inverse() @ camera_from_body for p in POSES), True
        ),
    )
    frame = align(workspace, AlignSources(trajectory=by_name, body_from_camera=made.BASE_FROM_CAMERA))
    assert scale_error(frame.map_from_sfm) < MAX_SCALE_ERROR and frame.scales[0].residual_m < 0.005


@pytest.mark.parametrize("clock", ["stamps_ns", "times_ns"])
def test_a_trajectory_by_time_serves_frames_of_bags_and_of_videos(room, tmp_path, clock):
    names = [f"frame_{7 * i:06d}.jpg" for i in range(len(NAMES))]
    times_ns = (made.STAMPS_NS - (made.START_NS if clock == "times_ns" else 0)).tolist()
    workspace = named_workspace(room, tmp_path, names, {clock: dict(zip(names, times_ns, strict=True))})
    rows = dense_rows(made.START_NS if clock == "stamps_ns" else 0)
    file = write_rows(tmp_path / "t.txt", [row for row in rows if row[0] >= 0])
    frame = align(workspace, AlignSources(trajectory=file))
    assert scale_error(frame.map_from_sfm) < MAX_SCALE_ERROR
    assert frame.scales[0].of == len(NAMES) and frame.scales[0].residual_m < 0.005


@pytest.mark.parametrize("told", [None, "auto", f"{made.START_NS / 1e9 + 5:.3f}"])
def test_a_video_is_found_on_a_trajectory_since_the_epoch(room, tmp_path, told):
    names = [f"frame_{7 * i:06d}.jpg" for i in range(len(NAMES))]
    times_ns = (made.STAMPS_NS - made.START_NS).tolist()
    workspace = named_workspace(room, tmp_path, names, {"times_ns": dict(zip(names, times_ns, strict=True))})
    file = write_rows(tmp_path / "t.txt", dense_rows(made.START_NS + 5 * 10**9))
    frame = align(workspace, AlignSources(trajectory=file, time_offset=told))
    assert scale_error(frame.map_from_sfm) < MAX_SCALE_ERROR
    assert up_error_deg(frame.map_from_sfm.rotation[2]) < MAX_UP_ERROR_DEG
    notes = " ".join(frame.scales[0].notes)
    assert ("clock was found to be" in notes) == (told in (None, "auto"))
    if told in (None, "auto"):
        assert float(notes.split("found to be ")[1].split()[0]) == pytest.approx(
            made.START_NS / 1e9 + 5, abs=0.05
        )


def test_gaps_of_a_trajectory_are_not_gone_between_unless_that_is_told(room, tmp_path):
    workspace = named_workspace(room, tmp_path, timed_names("{ns}.png"))
    file = write_rows(tmp_path / "t.txt", dense_rows(made.START_NS)[::50])  # 0.5 s apart
    with pytest.raises(
        RelocError, match=r"at the times of only \d of the map's images.*--time-offset.*--max-gap"
    ):
        align(workspace, AlignSources(trajectory=file, max_gap_s=0.3))
    assert align(workspace, AlignSources(trajectory=file, max_gap_s=0.6)).scales[0].of > 30


def test_an_offset_without_times_is_refused(room, tmp_path):
    workspace = named_workspace(room, tmp_path, NAMES)
    by_name = write_tum(tmp_path / "names.tum", made.true_trajectory(NAMES, 0))
    with pytest.raises(RelocError, match=r"is about times, but .* names images"):
        align(workspace, AlignSources(trajectory=by_name, time_offset="1"))
    by_time = write_rows(tmp_path / "t.txt", dense_rows(made.START_NS))
    with pytest.raises(RelocError, match="not known when the map's images were taken"):
        align(workspace, AlignSources(trajectory=by_time, time_offset="1"))


def test_a_trajectory_of_another_day_is_refused_with_both_times(room, tmp_path):
    workspace = named_workspace(room, tmp_path, timed_names("{ns}.png"))
    file = write_rows(tmp_path / "t.txt", dense_rows(made.START_NS + 10**14))
    with pytest.raises(RelocError, match=r"taken from 1700000000\.000 to .* poses are from 17000999\d\d"):
        align(workspace, AlignSources(trajectory=file))
    frame = align(workspace, AlignSources(trajectory=file, time_offset="100000"))
    assert scale_error(frame.map_from_sfm) < MAX_SCALE_ERROR


def test_projected_coordinates_are_told_of_and_give_the_same_map(room, tmp_path):
    utm = np.array([500_123.0, 4_649_876.0, 120.0])
    workspace = named_workspace(room, tmp_path, NAMES)
    frames = []
    for shift in (np.zeros(3), utm):
        trajectory = made.true_trajectory(NAMES, 0)
        poses = Poses.of(SE3(p.rotation, p.translation + shift) for p in trajectory.map_from_camera)
        moved = dataclasses.replace(trajectory, map_from_camera=poses)
        frames.append(align(workspace, AlignSources(trajectory=write_tum(tmp_path / "t.tum", moved))))
    near, far = frames
    assert far.map_from_sfm.scale == pytest.approx(near.map_from_sfm.scale, rel=1e-9)
    np.testing.assert_allclose(far.map_from_sfm.rotation, near.map_from_sfm.rotation, atol=1e-9)
    np.testing.assert_allclose(far.map_from_sfm.translation - utm, near.map_from_sfm.translation, atol=1e-6)
    assert far.scales[0].residual_m == pytest.approx(near.scales[0].residual_m, rel=1e-6)
    assert not near.scales[0].notes
    assert "steps of 0.5 m" in far.scales[0].notes[0] and "REP-105's earth frame" in far.scales[0].notes[0]


def test_without_the_mount_the_robots_positions_stand_for_the_cameras_and_that_is_told(workspace, tmp_path):
    mount = SE3.from_rotation_vector([-1.2, 1.2, -1.2], [0.02, 0, 0.01])
    workspace, bag = bag_in(workspace, tmp_path, mount=mount)
    frame = align(workspace, AlignSources(bag=bag, odometry="/odom"))
    assert "--base-from-camera" in frame.scales[0].notes[0]
    assert scale_error(frame.map_from_sfm) < 0.02


@pytest.mark.parametrize("seed", range(2))
def test_up_of_the_level_camera_and_of_the_floor(room, workspace, seed):
    made.rolled_cameras(room.model(seed), seed).save(workspace.model_path)
    frame = align(workspace, AlignSources(up=("camera", "plane")))
    assert workspace.scale == "unknown" and frame.map_from_sfm.scale == 1
    assert [up_error_deg(up.up_sfm) < MAX_UP_ERROR_DEG for up in frame.ups] == [True, True]
    assert frame.map_from_sfm.rotation[2] @ frame.ups[0].up_sfm == pytest.approx(1)


@pytest.mark.parametrize(("top", "degrees"), [("left", -90), ("right", 90), ("bottom", 180)])
def test_frames_of_a_turned_video_and_turned_photographs_are_known_to_be(room, tmp_path, top, degrees):
    """Half of the pictures are a video's; some of the photographs are turned the other way round."""
    names = tuple(("walk/" if i % 2 else "photos/") + name for i, name in enumerate(NAMES))
    write_json(tmp_path / "images" / "frames.json", {"sources": ["photos", "walk"]})
    times_ns = {name[5:]: i for i, name in enumerate(names) if i % 2}
    write_json(tmp_path / "images" / "walk" / "frames.json", {"top": top, "times_ns": times_ns})
    (tmp_path / "images" / "photos").mkdir()
    for i in range(0, len(names), 2):
        picture = PIL.Image.new("RGB", (64, 48))
        exif = picture.getexif()
        exif[0x0112] = 8
        picture.save(tmp_path / "images" / names[i], exif=exif)
    turns = [
        SE3.from_rotation_vector([0, 0, np.radians(degrees if i % 2 else 90)], np.zeros(3))
        for i in range(len(names))
    ]
    model = room.model()
    poses = tuple(turn @ pose for turn, pose in zip(turns, model.camera_from_map, strict=True))
    workspace = Workspace.create(tmp_path / "ws", tmp_path / "images", names, "none")
    dataclasses.replace(model, names=names, camera_from_map=poses).save(workspace.model_path)
    frame = align(workspace, AlignSources(up=("camera", "plane")))
    assert [up_error_deg(up.up_sfm) < MAX_UP_ERROR_DEG for up in frame.ups] == [True, True]
    assert frame.ups[0].notes == (
        f"{len(names)} of {len(names)} pictures are turned, as they or their video note",
    )


def test_the_map_stands_on_the_plane_and_looks_along_x(workspace):
    frame = align(workspace, AlignSources(board=CHARUCO, up=("plane",)))
    sfm_from_true = TRUE_FROM_SFM.inverse()
    floor = frame.map_from_sfm.apply(sfm_from_true.apply([[1.5, 1.5, 0], [2.5, 0.5, 0]]))
    np.testing.assert_allclose(floor[:, 2], 0, atol=0.02)
    first = SfmModel.load(workspace.model_path).camera_from_map[0]
    np.testing.assert_allclose(first.center[:2], 0, atol=1e-9)
    assert first.center[2] == pytest.approx(POSES[0].center[2], abs=0.02)
    assert first.rotation[2, 0] > 0.7 and first.rotation[2, 1] == pytest.approx(0, abs=1e-9)


def test_the_frame_is_written_down_and_undone(workspace):
    original = workspace.model_path.read_bytes()
    frame = align(workspace, AlignSources(board=CHARUCO, up=("camera",)))
    told = json.loads(workspace.map_frame_path.read_text())
    assert told["kind"] == "reloc map frame" and "charuco" in told["scale"][0]["source"]
    assert told["scale"][0]["standard_error"] == frame.scales[0].standard_error
    assert told["up"][0]["source"] == "the level camera" and NAMES[0] in told["origin"]
    assert workspace.summary("align")["scale"]["metres_per_unit"] == pytest.approx(0.37, rel=0.005)
    undo_align(workspace)
    assert workspace.model_path.read_bytes() == original and workspace.scale == "unknown"


def test_aligning_twice_gives_the_same_as_once(workspace):
    sources = AlignSources(board=MARKER, up=("camera",))
    align(workspace, sources)
    once = workspace.model_path.read_bytes()
    align(workspace, sources)
    assert workspace.model_path.read_bytes() == once


def test_cameras_on_a_line_give_the_scale_and_another_source_the_vertical(room, workspace, tmp_path):
    line = [np.array([0.05 * k, 0, 1.0]) for k in range(len(NAMES))]
    true = [SE3(p.rotation, -p.rotation @ place) for p, place in zip(POSES, line, strict=True)]
    sfm_from_true = TRUE_FROM_SFM.inverse()
    poses = tuple(sfm_from_true.move_camera(pose) for pose in true)
    dataclasses.replace(room.model(), camera_from_map=poses).save(workspace.model_path)
    trajectory = made.true_trajectory(NAMES, 0)
    straight = Poses.of(SE3(p.rotation.T, place) for p, place in zip(true, line, strict=True))
    tum = write_tum(tmp_path / "t.tum", dataclasses.replace(trajectory, map_from_camera=straight))
    with pytest.raises(RelocError, match=r"on one line.*add --up camera"):
        align(workspace, AlignSources(trajectory=tum))
    frame = align(workspace, AlignSources(trajectory=tum, up=("camera",)))
    assert scale_error(frame.map_from_sfm) < MAX_SCALE_ERROR
    assert up_error_deg(frame.map_from_sfm.rotation[2]) < MAX_UP_ERROR_DEG


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "needs to be told something"),
        ({"board": CHARUCO}, "metres but not what is up; add --up"),
        ({"up": ("none",)}, "--up none leaves the axes as they are"),
        ({"up": ("none", "camera"), "board": CHARUCO}, "--up none leaves the axes as they are"),
        ({"up": ("moon",)}, "--up is camera, plane.*not 'moon'"),
        ({"up": ("board",)}, "describe it with --board"),
        ({"up": ("imu:/imu",)}, "name it with --bag"),
        ({"odometry": "/odom"}, "name it with --bag"),
        ({"odometry": "/odom", "trajectory": "t.tum"}, "give one of them"),
        ({"trajectory": "t.tum", "max_gap_s": 0.0}, "--max-gap is in seconds and above zero, not 0"),
        ({"trajectory": "t.tum", "time_offset": "later"}, "a number of seconds or auto, not 'later'"),
        ({"trajectory": "t.tum", "time_offset": "nan"}, "a number of seconds or auto, not 'nan'"),
        (
            {"board": "grid:6x6:0.088", "up": ("board",), "time_offset": "1"},
            "is about a trajectory or odometry",
        ),
        ({"up": ("camera",), "picture_top": "moon"}, "--picture-top is top, left, right, bottom, not 'moon'"),
        (
            {"up": ("camera",), "board": "aruco:0.1:DICT_7X7_50"},
            "is seen in none of the map's 38 images, 3 are",
        ),
        (
            {"up": ("board",), "board": TAG.replace("0.24", "0.48"), "distances": "tape"},
            "contradict each other",
        ),
        (
            {"up": ("board", "camera"), "board": MARKER},
            r"contradict each other: what is up differs by \d\d deg",
        ),
    ],
)
def test_what_does_not_suffice_or_contradicts_is_refused_and_changes_nothing(workspace, change, words):
    before = {file.name: file.read_bytes() for file in workspace.path.iterdir()}
    if "distances" in change:
        change = change | {"distances": tuple(made.taped_distances(SfmModel.load(workspace.model_path), 0))}
    with pytest.raises(RelocError, match=words) as refused:
        align(workspace, AlignSources(**change))
    assert "\n" not in str(refused.value)
    assert {file.name: file.read_bytes() for file in workspace.path.iterdir()} == before


def test_a_wrong_mount_of_the_imu_is_refused(workspace, tmp_path):
    workspace, bag = bag_in(workspace, tmp_path)
    with pytest.raises(RelocError, match="needs --imu-from-camera"):
        align(workspace, AlignSources(bag=bag, up=("imu:/imu",)))
    with pytest.raises(RelocError, match=r"contradicts the map.*check --imu-from-camera"):
        align(workspace, AlignSources(bag=bag, up=("imu:/imu",), imu_from_camera="identity"))


def test_images_of_unknown_time_are_refused(workspace, tmp_path):
    workspace, bag = bag_in(workspace, tmp_path, stamps=False)
    with pytest.raises(RelocError, match=r"not known when the map's images were taken, such as '000\.jpg'"):
        align(workspace, AlignSources(bag=bag, odometry="/odom"))


def test_odometry_of_a_camera_that_sits_elsewhere_is_refused(workspace, tmp_path):
    workspace, bag = bag_in(workspace, tmp_path)
    with pytest.raises(RelocError, match=r"topic /odom contradicts the map.*check --base-from-camera"):
        align(workspace, AlignSources(bag=bag, odometry="/odom"))


def test_a_recording_of_another_day_is_refused(workspace, tmp_path):
    workspace, bag = bag_in(workspace, tmp_path)
    late = dict(zip(NAMES, (made.STAMPS_NS + 10**14).tolist(), strict=True))
    write_json(workspace.images_dir / "frames.json", {"stamps_ns": late})
    with pytest.raises(RelocError, match="has poses at the times of only 0 of the map's images, 4"):
        align(workspace, AlignSources(bag=bag, odometry="/odom"))
    with pytest.raises(RelocError, match="at the times of only 0 of the map's images"):
        align(workspace, AlignSources(bag=bag, up=("imu:/imu",), imu_from_camera="body"))


def test_a_board_that_was_carried_about_is_refused(room, sightings):
    moved = {
        corner: [(image, pixel + 15 * image) for image, pixel in seen]
        for corner, seen in sightings[MARKER].items()
    }
    assert board_fit.fit_bodies(room.model(), parse_board(MARKER), moved) == []


def test_similarity_inverse_and_product_are_those_of_functions():
    points = np.random.default_rng(0).normal(size=(5, 3))
    other = Similarity(2.0, SE3.from_rotation_vector([1, 2, 3], np.zeros(3)).rotation, np.array([1.0, 2, 3]))
    np.testing.assert_allclose(
        (other @ TRUE_FROM_SFM).apply(points), other.apply(TRUE_FROM_SFM.apply(points))
    )
    np.testing.assert_allclose(TRUE_FROM_SFM.inverse().apply(TRUE_FROM_SFM.apply(points)), points)
