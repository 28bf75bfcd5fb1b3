import collections
import contextlib
import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from table_bundle import CAMERA, LANDMARKS, camera_from_map, make_table_bundle, view
from walks import AWAY, RATE_HZ, WALK, read_tum, truth, write_walk

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.localizer import Localized, Localizer, Lost
from reloc_ros.offline.running.detections import read_detections
from reloc_ros.offline.running.localize_source import localize_source
from reloc_ros.offline.running.output_files import Outputs
from reloc_ros.offline.running.overlay import ArContent, parse_pose
from reloc_ros.offline.sources.open_source import open_source


@pytest.fixture(scope="module")
def localizer(tmp_path_factory) -> Localizer:
    bundle = make_table_bundle(tmp_path_factory.mktemp("bundle") / "table.bundle")
    return Localizer.from_bundle(bundle.path, "onnx")


@pytest.fixture
def collected():
    """A sink, and the results that it was given."""
    given: list[tuple[object, Localized | Lost]] = []
    return contextlib.nullcontext(lambda *result: given.append(result)), given


def run_all(localizer, source, outputs, **options):
    sinks = outputs.sinks(localizer.bundle, source, "test", ArContent(), 5.0)
    return localize_source(localizer, source, sinks, **options)


def test_a_video_is_lost_exactly_where_it_looks_away(localizer, tmp_path):
    source = open_source(write_walk(tmp_path / "walk.mp4"))
    outputs = Outputs(tmp_path / "p.json", tmp_path / "p.tum", tmp_path / "o.mp4")
    seen = []
    tally = run_all(localizer, source, outputs, progress=lambda *step: seen.append(step))
    entries = json.loads((tmp_path / "p.json").read_text())["images"].values()
    assert [i for i, entry in enumerate(entries) if entry["status"] == "lost"] == list(AWAY)
    assert (tally.images, tally.localized) == (len(WALK), len(WALK) - len(AWAY))
    assert tally.reasons == collections.Counter(no_keypoints=len(AWAY))
    assert seen == [("localize", i + 1, len(WALK)) for i in range(len(WALK))]
    lines = read_tum(tmp_path / "p.tum")
    expected = [(i / RATE_HZ, pose) for i, pose in enumerate(truth()) if pose is not None]
    assert len(lines) == len(expected)
    for (time, numbers), (true_time, true_pose) in zip(lines.items(), expected, strict=True):
        assert float(time) == pytest.approx(true_time, abs=1e-3)
        x, y, z, w = numbers[3:]
        pose = SE3.from_quaternion_wxyz([w, x, y, z], numbers[:3]).inverse()
        assert center_error(pose, true_pose) < 0.02 and rotation_error_deg(pose, true_pose) < 0.5


def test_the_overlay_has_a_red_picture_for_each_lost_frame_and_a_green_one_for_each_other(
    localizer, tmp_path
):
    source = open_source(write_walk(tmp_path / "walk.mp4"))
    run_all(localizer, source, Outputs(tmp_path / "p.json", overlay=tmp_path / "o.mp4"))
    capture = cv2.VideoCapture(str(tmp_path / "o.mp4"))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(RATE_HZ)
    red = []
    while (read := capture.read())[0]:
        _, green_level, red_level = read[1][:30].reshape(-1, 3).mean(axis=0)
        red.append(red_level > green_level)
    assert [i for i, is_red in enumerate(red) if is_red] == list(AWAY) and len(red) == len(WALK)


def test_an_image_that_cannot_be_read_is_lost_and_the_others_are_not(localizer, tmp_path, collected):
    sink, results = collected
    folder = tmp_path / "photos"
    folder.mkdir()
    cv2.imwrite(str(folder / "b.png"), view(3))
    (folder / "a.png").write_bytes(b"not an image")
    outputs = Outputs(tmp_path / "p.json", overlay=tmp_path / "o.mp4")
    source = open_source(folder)
    localize_source(
        localizer, source, [sink, *outputs.sinks(localizer.bundle, source, "test", ArContent(), 5.0)]
    )
    (bad, lost), (good, found) = results
    assert (bad.name, good.name) == ("a.png", "b.png")
    assert isinstance(lost, Lost) and lost.reason == "bad_image" and "a.png" in lost.detail
    assert isinstance(found, Localized)
    assert cv2.VideoCapture(str(tmp_path / "o.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 2


def test_given_intrinsics_come_before_all_others(localizer, tmp_path, collected):
    sink, results = collected
    localize_source(
        localizer, open_source(write_walk(tmp_path / "walk.mp4")), [sink], CAMERA.resized(320, 240)
    )
    assert all("calibrated for 320x240" in result.detail for _, result in results)
    assert {frame.camera.width for frame, _ in results} == {320}


def test_a_stopped_run_writes_nothing_and_keeps_what_was_there(localizer, tmp_path):
    (tmp_path / "out").mkdir()
    for name in ("p.json", "p.tum", "o.mp4"):
        (tmp_path / "out" / name).write_text("before")
    source = open_source(write_walk(tmp_path / "walk.mp4"))
    outputs = Outputs(*(tmp_path / "out" / name for name in ("p.json", "p.tum", "o.mp4")))

    def stop(phase: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all(localizer, source, outputs, progress=stop)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["o.mp4", "p.json", "p.tum"]
    assert {path.read_text() for path in (tmp_path / "out").iterdir()} == {"before"}


def test_a_folder_that_may_not_be_written_is_named(localizer, tmp_path):
    (tmp_path / "file").write_text("")
    source = open_source(write_walk(tmp_path / "walk.mp4"))
    with pytest.raises(RelocError, match=f"cannot write .*{tmp_path / 'file'}"):
        run_all(localizer, source, Outputs(tmp_path / "file" / "p.json"))


def detected(localizer, index: int, noise_px: float = 0.0) -> list[list[float]]:
    """Where the landmarks are in the view of one of the table's poses."""
    pixels = CAMERA.project(camera_from_map(index).apply(localizer.bundle.landmarks.positions_map))
    seen = CAMERA.contains(pixels)
    pixels += noise_px * np.random.default_rng(index).normal(size=pixels.shape)
    return [[*xy, 0.8] if is_seen else [0, 0, 0] for xy, is_seen in zip(pixels.tolist(), seen, strict=True)]


def test_detections_made_elsewhere_go_the_same_way(localizer, tmp_path, collected):
    sink, results = collected
    # The images are all black, in which the network sees nothing: what is found comes from the detections alone.
    source = open_source(write_walk(tmp_path / "walk.mp4", (0, 0, 0, 0)))
    wild = [[x, y, c] if i % 4 else [320, 240, c] for i, (x, y, c) in enumerate(detected(localizer, 5, 0.5))]
    nowhere = [[0, 0, 0]] * LANDMARKS
    content = {"frame_000000.png": detected(localizer, 3, 0.5), "frame_000001": wild, "frame_000002": nowhere}
    (tmp_path / "d.json").write_text(json.dumps(content))
    detections = read_detections(tmp_path / "d.json", LANDMARKS, source.names)
    localize_source(localizer, source, [sink], detections=detections)
    good, partly_wrong, empty, absent = (result for _, result in results)
    assert isinstance(good, Localized) and isinstance(partly_wrong, Localized)
    assert good.inliers.all() and not partly_wrong.inliers.all()
    for result, index in ((good, 3), (partly_wrong, 5)):
        assert center_error(result.camera_from_map, camera_from_map(index)) < 0.02
    assert isinstance(empty, Lost) and empty.reason == "no_keypoints"
    assert isinstance(absent, Lost) and "no detections in this image" in absent.detail


def test_a_smaller_sigma_of_detections_makes_a_smaller_covariance(localizer, tmp_path, collected):
    sink, results = collected
    (tmp_path / "d.json").write_text(json.dumps({"frame_000000": detected(localizer, 3)}))
    for sigma_px in (1.0, 2.0):
        source = open_source(write_walk(tmp_path / "walk.mp4", (0,)))
        detections = read_detections(tmp_path / "d.json", LANDMARKS, source.names, sigma_px)
        localize_source(localizer, source, [sink], detections=detections)
    (_, sharp), (_, blunt) = results
    np.testing.assert_allclose(blunt.covariance, 4 * sharp.covariance, rtol=1e-6)


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        (Outputs("walk.mp4"), "'walk.mp4' is read from"),
        (Outputs("p.json", overlay="./walk.mp4"), "is read from"),
        (Outputs("table.bundle"), "'table.bundle' is read from"),
        (Outputs("p.json", tum="p.json"), "cannot hold two kinds of results"),
        (Outputs("folder"), "'folder' is a folder"),
        (Outputs("p.json", overlay="o.gif"), "must end in .mp4, .mov, .mkv, .avi"),
        (Outputs("p.json", overlay="o"), "must end in .mp4, .mov, .mkv, .avi"),
        (Outputs("p.json", bag="o.bag"), "must end in .mcap, .db3, or nothing for a folder"),
        (Outputs("p.json", bag="folder"), "'folder' exists, and a bag is never replaced"),
        (Outputs("p.json", bag="b.mcap"), "'walk.mp4' is not a bag, so its images have no stamps"),
        (Outputs("p.json", copy=True), "name it with --bag"),
    ],
)
def test_outputs_that_cannot_be_are_refused_before_anything_is_done(tmp_path, monkeypatch, outputs, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "walk.mp4").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    paths = {name: path and Path(path) for name, path in vars(outputs).items() if name != "copy"}
    with pytest.raises(RelocError) as error:
        Outputs(**paths, copy=outputs.copy).check(Path("walk.mp4"), Path("table.bundle"))
    assert words in str(error.value)


@pytest.mark.parametrize(
    "name", ["photos/a.jpg", "table.bundle/network.onnx", "walk.bag/x.db3", "found.json"]
)
def test_parts_of_what_is_read_are_not_overwritten_and_new_files_beside_photos_are_fine(tmp_path, name):
    for part in ("photos/a.jpg", "table.bundle/manifest.json", "table.bundle/network.onnx", "found.json"):
        (tmp_path / part).parent.mkdir(exist_ok=True)
        (tmp_path / part).write_text("")
    for part in ("walk.bag/metadata.yaml", "walk.bag/x.db3", "photos/poses.json"):
        (tmp_path / part).parent.mkdir(exist_ok=True)
        (tmp_path / part).write_text("")
    inputs = [tmp_path / given for given in ("photos", "table.bundle", "walk.bag", "found.json")]
    with pytest.raises(RelocError, match="is read from"):
        Outputs(tmp_path / name).check(*inputs, None)
    for fine in ("photos/poses.json", "photos/new.jpg", "other.json"):
        Outputs(tmp_path / fine).check(*inputs, None)


def test_a_source_through_a_link_is_still_the_source(tmp_path):
    (tmp_path / "walk.mp4").write_bytes(b"")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "walk.mp4")
    with pytest.raises(RelocError, match="is read from"):
        Outputs(tmp_path / "p.json", overlay=tmp_path / "link.mp4").check(
            tmp_path / "walk.mp4", tmp_path / "b"
        )


@pytest.mark.parametrize("text", ["1 2 3 0 0 0.7071068 0.7071068", "1,2,3,0,0,2,2"])
def test_poses_are_read_as_in_a_trajectory(text):
    pose = parse_pose(text)
    np.testing.assert_allclose(pose.translation, [1, 2, 3])
    np.testing.assert_allclose(pose.rotation @ [1, 0, 0], [0, 1, 0], atol=1e-7)
    assert (parse_pose("1 2 3").rotation == np.eye(3)).all()


@pytest.mark.parametrize("text", ["", "1 2", "1 2 3 4", "1 2 x", "1 2 nan", "1 2 3 0 0 0 0"])
def test_poses_that_are_none_are_refused(text):
    with pytest.raises(RelocError, match="the mesh's pose must be 'x y z'"):
        parse_pose(text)


def test_axes_stand_amid_the_landmarks_unless_told_otherwise(localizer):
    middle = np.median(localizer.bundle.landmarks.positions_map, axis=0)
    there = ArContent().in_map(localizer.bundle).corners_map.reshape(-1, 3)
    assert np.linalg.norm(there - middle, axis=1).min() < 0.1 * np.linalg.norm(there - middle, axis=1).max()
    moved = (
        ArContent(map_from_mesh=parse_pose("1 2 3"), scale=2.0)
        .in_map(localizer.bundle)
        .corners_map.reshape(-1, 3)
    )
    np.testing.assert_allclose(moved, 2 * (there - middle) + (1, 2, 3), atol=1e-9)


@pytest.mark.parametrize("scale", [0, -1, np.nan, np.inf])
def test_scales_that_are_none_are_refused(scale):
    with pytest.raises(RelocError, match="scale must be above 0"):
        ArContent.read(None, None, scale)


def test_without_intrinsics_a_map_of_two_cameras_asks_by_name_before_anything_is_written(tmp_path):
    other = dataclasses.replace(CAMERA, fx=1.1 * CAMERA.fx, fy=1.1 * CAMERA.fy)
    bundle = make_table_bundle(tmp_path / "two.bundle", cameras={"phone": other, "robot": CAMERA})
    localizer = Localizer.from_bundle(bundle.path, "onnx")
    source = open_source(write_walk(tmp_path / "walk.mp4"))
    outputs = Outputs(tmp_path / "p.json")
    with pytest.raises(
        RelocError, match=r"2 cameras, 'phone' .*, 'robot' .*; name the one that took the images"
    ):
        run_all(localizer, source, outputs)
    assert not (tmp_path / "p.json").exists()
    assert run_all(localizer, source, outputs, camera="robot").localized == len(WALK) - len(AWAY)
    assert run_all(localizer, source, outputs, camera=CAMERA).localized == len(WALK) - len(AWAY)
