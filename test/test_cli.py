import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
from image_bag import write_image_bag
from scenes import noise_image, tiny_bundle
from synthetic_model import make_model
from table_bundle import CAMERA as TABLE_CAMERA
from table_bundle import camera_from_map, make_table_bundle, view
from walks import write_walk

from reloc_ros import cli
from reloc_ros.bundle import ONNX_MODEL, Bundle
from reloc_ros.cli import common
from reloc_ros.cli.common import tell
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.workspace import Workspace

COMMAND = [sys.executable, "-c", "from reloc_ros.cli import main; main()"]
VERBS = ["map", "clean", "align", "select", "label", "train", "eval", "export", "run", "report", "prune"]


@pytest.fixture
def workspace(tmp_path) -> Path:
    """A mapped workspace over pictures of noise, nothing done with it yet."""
    model = make_model(images=13, points=300, camera="pinhole")
    images = tmp_path / "images"
    images.mkdir()
    for i, name in enumerate(model.names):
        cv2.imwrite(str(images / name), noise_image(i, 640, 480))
    workspace = Workspace.create(tmp_path / "ws", images, model.names, "every:5:2")
    model.save(workspace.model_path)
    return workspace.path


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return tiny_bundle(tmp_path_factory.getbasetemp())


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(2):
        cv2.imwrite(str(folder / f"{i}.png"), noise_image(i, 640, 480))
    return folder


def test_help_is_fast_and_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from reloc_ros.cli import main\n"
        "sys.argv = ['reloc', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'cv2', 'numpy', 'lightning', 'scipy', 'pycolmap', 'onnxruntime', 'rclpy', 'yaml'}\n"
        "print('loaded:', *sorted(heavy & set(sys.modules)))\n"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert time.monotonic() - started < 5  # half a second on an idle machine
    assert done.stdout.strip().splitlines()[-1] == "loaded:"
    assert all(verb in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_has_an_example(reloc, verb):
    code, printed = reloc(verb, "--help")
    assert code == 0 and f"Example: reloc {verb} " in printed


def test_brackets_in_a_path_are_printed_as_they_are(capsys):
    tell("photos [bold]/a [1].jpg is kept")
    assert capsys.readouterr().err == "photos [bold]/a [1].jpg is kept\n"


def lines_of(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line]


def test_without_a_terminal_progress_is_a_line_a_phase_and_one_every_ten_seconds(capsys, monkeypatch):
    monkeypatch.setattr(common, "LINE_PERIOD_S", 0.3)
    with common.bars() as progress:
        for done in range(1, 41):
            progress("read images", done, 40)
        time.sleep(0.75)
        progress("match", 0, 7)
    told = lines_of(capsys.readouterr().err)
    assert (told[0], told[-1]) == ("read images: 1 of 40, 0 s", "match: 0 of 7, 0 s")
    assert {line.rpartition(",")[0] for line in told[1:-1]} == {"read images: 40 of 40"}
    assert 1 <= len(told[1:-1]) <= 3


def test_without_a_terminal_a_verb_that_works_in_silence_says_so(capsys, monkeypatch):
    monkeypatch.setattr(common, "LINE_PERIOD_S", 0.2)
    with common.bars() as progress:
        time.sleep(0.3)
        monkeypatch.setattr(common, "LINE_PERIOD_S", 60)
        time.sleep(0.3)
        with common.phase(progress, "export"):
            pass
    told = lines_of(capsys.readouterr().err)
    assert {line.partition(":")[0] for line in told[:-1]} == {"working"}
    assert told[-1] == "export: 0 s"


def test_every_verb_that_works_says_what_it_does(reloc, labelled, bundle, photos, tmp_path):
    told = {
        ("clean", "-w", labelled): "clean:",
        ("select", "-w", labelled, "--count", "16"): "select:",
        ("label", "-w", labelled): "compare patches: 1 of",
        ("report", "-w", labelled, "-o", tmp_path / "page.html"): "report:",
        ("align", "-w", labelled, "--up", "camera"): "align:",
        ("run", bundle, photos, "--poses", tmp_path / "p.json"): "load the bundle: 0 s localize: 1 of 2, 0 s",
    }
    for arguments, words in told.items():
        printed = reloc(*arguments)[1]
        assert words in printed, printed
        assert "\x1b" not in printed and "━" not in printed


def test_version_is_printed(reloc):
    from reloc_ros.version import __version__

    assert reloc("--version") == (0, f"reloc_ros {__version__}")


@pytest.mark.parametrize(
    "arguments",
    [("fly",), ("select",), ("run",), ("train", "-w", "x", "--steps", "many"), ("train", "--wide")],
)
def test_wrong_usage_is_code_two_without_a_traceback(reloc, arguments):
    code, printed = reloc(*arguments)
    assert code == 2 and "Usage" in printed and "Traceback" not in printed


@pytest.mark.parametrize(
    "arguments",
    [
        ("select",),
        ("label",),
        ("train",),
        ("eval",),
        ("export", "-o", "out"),
        ("report", "-o", "r.html"),
        ("align", "--up", "none"),
        ("clean",),
    ],
)
def test_missing_workspace_is_refused(refused, tmp_path, arguments):
    sentence = refused(*arguments, "-w", tmp_path / "nothing")
    assert "nothing' is not a workspace" in sentence and "reloc map" in sentence


def test_damaged_workspace_is_refused(refused, workspace):
    (workspace / "workspace.json").write_text("{")
    assert "damaged" in refused("select", "-w", workspace)


def test_damaged_model_is_refused(refused, workspace):
    model = workspace / "model.npz"
    model.write_bytes(model.read_bytes()[:1000])
    assert "model.npz' is damaged" in refused("select", "-w", workspace)


def test_cleaning_and_aligning_tell_what_they_did_and_are_undone(reloc, workspace):
    before = (workspace / "model.npz").read_bytes()
    code, printed = reloc("clean", "-w", workspace, "--sphere", "0 0 0 1.2", "--keep-outliers")
    assert code == 0 and "of 300 points kept" in printed and "removed: outside the crop" in printed
    assert (workspace / "cloud.ply").is_file()
    a, b = SfmModel.load(workspace / "model.npz").point_ids[[0, -1]]
    code, printed = reloc("align", "-w", workspace, "--distance", f"{a} {b} 0.82", "--up", "camera")
    assert code == 0 and "m per unit" in printed and "up +-" in printed and "the level camera" in printed
    assert "second one would" in printed and "origin: where 'image_000.jpg' was taken" in printed
    assert Workspace.open(workspace).scale == "metric"
    assert "back" in reloc("clean", "-w", workspace, "--undo")[1]
    assert "reconstruction again" in reloc("align", "-w", workspace, "--undo")[1]
    assert (workspace / "model.npz").read_bytes() == before


@pytest.mark.parametrize("arguments", [("clean", "--box", "0 0 0 1 1 1"), ("align", "--up", "camera")])
def test_undo_stands_alone(reloc, workspace, arguments):
    code, printed = reloc(*arguments, "--undo", "-w", workspace)
    assert code == 2 and "--undo" in printed and "Traceback" not in printed


@pytest.mark.parametrize(
    ("verb", "needs"),
    [
        (("label",), "reloc select"),
        (("train",), "reloc label"),
        (("export", "-o", "out"), "reloc train"),
        (("eval",), "reloc train"),
    ],
)
def test_a_step_too_early_names_the_step_before(refused, workspace, verb, needs):
    assert needs in refused(*verb, "-w", workspace)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("select", "--count", 5), "at least 8 landmarks"),
        (("select", "--count", "many"), "--count is a whole number or auto, not 'many'"),
        (("select", "--count", "auto", "--max", 5), "--max must be at least 20 landmarks, got 5"),
        (("select", "--count", 100000), "lower --count"),
        (("clean", "--box", "1 2 3"), "--box is 6 numbers, not '1 2 3'"),
        (("clean", "--sphere", "0 0 0 wide"), "--sphere is 4 numbers, not '0 0 0 wide'"),
        (("clean", "--import", "none.ply"), "there is no file 'none.ply'"),
        (("clean", "--ply", "cloud.obj"), "name it .ply, not 'cloud.obj'"),
        (("prune",), "takes walks"),
        (("prune", "none.mp4"), "there is no 'none.mp4'"),
        (("prune", "none.mp4", "--undo"), "takes walks"),
        (("align",), "needs to be told something"),
        (("align", "--board", "aruco:0.1:DICT_4X4_50"), "add --up"),
        (("align", "--distance", "1 2 3", "--up", "none"), "the map has no point 1"),
        (("align", "--base-from-camera", "1 2"), "--base-from-camera is"),
        (("label", "--voxel-size", 0.05), "--voxel-size belongs to --method voxels"),
        (("label", "--import", "k.json", "--method", "depth"), "leave out --method"),
        (("label", "--plain"), "--plain belongs to --export FILE"),
        (("eval", "--conditions", "fog"), "unknown condition 'fog'"),
        (("eval", "--conditions", ""), "condition"),
    ],
)
def test_impossible_choices_are_refused(refused, workspace, arguments, words):
    assert words in refused(*arguments, "-w", workspace)


@pytest.fixture
def labelled(reloc, workspace) -> Path:
    assert reloc("select", "-w", workspace, "--count", 16)[0] == 0
    assert reloc("label", "-w", workspace)[0] == 0
    return workspace


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--encoder", "vgg"), "unknown encoder 'vgg'"),
        (("--encoder-weights", "nowhere.pth"), "encoder weights nowhere.pth do not exist"),
        (("--steps", 0), "steps"),
        (("--steps", -5), "steps"),
        (("--minutes", -1), "minutes"),
        (("--minutes", 0), "minutes"),
        (("--seed", -1), "seed"),
    ],
)
def test_impossible_training_is_refused(reloc, labelled, arguments, words):
    code, printed = reloc("train", "-w", labelled, *arguments)
    assert code == 2 and words in printed and "Traceback" not in printed


def test_unreadable_image_in_the_map_is_refused_by_name(refused, labelled):
    file = next((labelled.parent / "images").glob("*_000.jpg"))
    file.write_bytes(b"not an image")
    assert f"cannot read image '{file}': it is damaged" in refused("train", "-w", labelled)


def test_steps_say_what_they_did_and_do_it_once(reloc, workspace):
    code, printed = reloc("select", "-w", workspace, "--count", 16)
    assert code == 0 and "16 landmarks of 300 points; 10 images see" in printed
    made = (workspace / "landmarks.npz").stat().st_mtime_ns
    assert reloc("select", "-w", workspace, "--count", 16)[0] == 0
    assert (workspace / "landmarks.npz").stat().st_mtime_ns == made
    code, printed = reloc("label", "-w", workspace)
    assert code == 0 and "10 images see" in printed
    assert "unknown visibility test 'xray'" in reloc("label", "-w", workspace, "--method", "xray")[1]


def test_report_writes_one_page_and_refuses_a_folder_that_is_not_there(reloc, refused, workspace, tmp_path):
    code, printed = reloc("report", "-w", workspace, "-o", tmp_path / "r.html")
    assert code == 0 and "MB" in printed and (tmp_path / "r.html").is_file()
    assert "there is no folder" in refused("report", "-w", workspace, "-o", tmp_path / "nowhere" / "r.html")


def test_labels_are_drawn_written_and_taken_back_as_they_are(reloc, labelled, tmp_path):
    """What was asked for before is not made anew by another method."""
    assert reloc("label", "-w", labelled, "--method", "voxels", "--voxel-size", 0.05)[0] == 0
    made, file = (labelled / "labels.npz").read_bytes(), tmp_path / "keypoints.json"
    code, printed = reloc("label", "-w", labelled, "--preview", "--export", file)
    assert code == 0 and "blue is seen, red hidden, grey unknown" in printed
    assert (labelled / "label_preview.mp4").stat().st_size > 0 and (
        labelled / "labels.npz"
    ).read_bytes() == made
    entries = json.loads(file.read_text())
    del entries[min(entries)]
    file.write_text(json.dumps(entries))
    code, printed = reloc("label", "-w", labelled, "--import", file, "--preview")
    assert code == 0 and "1 map images are not in" in printed
    imported = (labelled / "labels.npz").read_bytes()
    for arguments in (
        ("--export", tmp_path / "again.json"),
        (),
    ):  # hand work is not lost by the plain command
        assert reloc("label", "-w", labelled, *arguments)[0] == 0
        assert (labelled / "labels.npz").read_bytes() == imported
    assert reloc("label", "-w", labelled, "--method", "depth")[0] == 0
    assert (labelled / "labels.npz").read_bytes() != imported


@pytest.mark.parametrize("size", [0, -1, 0.5, "nan"])
def test_impossible_voxel_sizes_are_refused_and_labels_kept(refused, labelled, size):
    made = (labelled / "labels.npz").read_bytes()
    sentence = refused("label", "-w", labelled, "--method", "voxels", "--voxel-size", size)
    assert "a share of the scene's extent from 0.001 to 0.2" in sentence
    assert (labelled / "labels.npz").read_bytes() == made


def test_run_writes_a_pose_or_a_reason_for_every_image(reloc, bundle, photos, tmp_path):
    (photos / "broken.jpg").write_bytes(b"not an image")
    code, printed = reloc("run", bundle, photos, "--poses", tmp_path / "poses.json")
    assert code == 0 and "of 3 images localized by onnx" in printed
    entries = json.loads((tmp_path / "poses.json").read_text())["images"]
    assert sorted(entries) == ["0.png", "1.png", "broken.jpg"]
    assert entries["broken.jpg"]["reason"] == "bad_image"


def test_run_refuses_an_empty_and_a_missing_folder(refused, bundle, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "holds no images" in refused("run", bundle, tmp_path / "empty")
    assert "give a video, a bag or a folder" in refused("run", bundle, tmp_path / "nowhere")


def test_run_refuses_a_missing_and_a_truncated_bundle(refused, bundle, photos, tmp_path):
    assert "reloc export" in refused("run", tmp_path / "nothing", photos)
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    (copy / ONNX_MODEL).write_bytes((copy / ONNX_MODEL).read_bytes()[:-1000])
    assert f"{copy / ONNX_MODEL} is truncated or altered" in refused("run", copy, photos)


def test_run_refuses_unknown_backends(refused, bundle, photos):
    assert "unknown backend 'magic'" in refused("run", bundle, photos, "--backend", "magic")
    assert "backend tensorrt" in refused("run", bundle, photos, "--backend", "tensorrt")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cameras.txt", "1 PINHOLE 640\n", "damaged or not a COLMAP camera file"),
        ("cameras.txt", "", "holds 0 cameras"),
        ("cameras.bin", "x", "damaged or not a COLMAP camera file"),
        ("camera.yaml", "[", "not readable as yaml"),
        ("camera.yaml", "width: 640\nheight: 480\n", "lacks"),
        (
            "camera.yaml",
            f"width: 640\nheight: 480\ndistortion_model: plumb_bob\nk: {[0.0] * 9}\nd: []\n",
            "all zeros",
        ),
        ("camera.png", "x", "no camera file"),
    ],
)
def test_run_refuses_a_bad_camera_file_by_name(refused, bundle, photos, tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    sentence = refused("run", bundle, photos, "--camera", tmp_path / name)
    assert words in sentence and name in sentence


def test_run_refuses_a_missing_camera_file(refused, bundle, photos, tmp_path):
    assert "cannot read camera file" in refused("run", bundle, photos, "--camera", tmp_path / "c.yaml")


def test_a_camera_of_another_size_loses_every_image_with_the_reason(reloc, bundle, photos, tmp_path):
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 800 600 500 500 400 300\n")
    poses = tmp_path / "poses.json"
    code, _ = reloc("run", bundle, photos, "--camera", tmp_path / "cameras.txt", "--poses", poses)
    entries = json.loads(poses.read_text())["images"].values()
    assert code == 0 and all("800x600" in entry["detail"] for entry in entries)


def test_a_run_that_localizes_nothing_says_why_by_reason(reloc, bundle, photos, tmp_path):
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 800 600 500 500 400 300\n")
    (photos / "broken.png").write_bytes(b"no picture")
    arguments = ("--camera", tmp_path / "cameras.txt", "--poses", tmp_path / "poses.json")
    code, printed = reloc("run", bundle, photos, *arguments)
    assert code == 0 and "0 of 3 images localized" in printed
    assert "- bad_image, 3 images, such as 0.png: " in printed and "800x600" in printed


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    return make_table_bundle(tmp_path_factory.mktemp("table") / "table.bundle").path


def test_run_on_a_video_tells_how_many_images_are_lost_and_why(reloc, table, tmp_path):
    video = write_walk(tmp_path / "walk.mp4")
    outputs = [tmp_path / name for name in ("p.json", "p.tum", "o.mp4")]
    options = zip(("--poses", "--tum", "--overlay"), outputs, strict=True)
    code, printed = reloc("run", table, video, *itertools.chain(*options))
    assert code == 0, printed
    assert "9 of 12 images localized by onnx" in printed and "(lost: no_keypoints 3)" in printed
    assert "ends early" not in printed and all(path.is_file() for path in outputs)


def test_run_says_when_a_video_ends_early_and_uses_what_there_is(reloc, table, tmp_path):
    whole = write_walk(tmp_path / "walk.avi", (1, 2, 3) * 20)
    (tmp_path / "cut.avi").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    code, printed = reloc("run", table, tmp_path / "cut.avi", "--poses", tmp_path / "p.json")
    used = len(json.loads((tmp_path / "p.json").read_text())["images"])
    assert code == 0 and 10 < used < 60
    assert f"ends early: {used} of 60 frames could be read and were used" in printed


def test_run_on_a_bag_writes_a_bag(reloc, refused, table, tmp_path):
    pytest.importorskip("rosbags")
    views = [view(index) for index in (1, 2, 0, 3)]
    bag = write_image_bag(tmp_path / "walk", {"/camera/image_raw": views}, TABLE_CAMERA)
    arguments = ("run", table, bag, "--poses", tmp_path / "p.json", "--bag", tmp_path / "out.mcap")
    code, printed = reloc(*arguments)
    assert code == 0 and "3 of 4 images localized" in printed and (tmp_path / "out.mcap").is_file()
    assert "a bag is never replaced" in refused(*arguments)
    bare = write_image_bag(tmp_path / "bare", {"/camera/image_raw": views})
    assert "give the intrinsics with --camera" in refused("run", table, bare, "--poses", tmp_path / "p.json")


def test_run_localizes_by_detections_and_says_what_it_assumes(reloc, table, tmp_path):
    video = write_walk(tmp_path / "walk.mp4", (0,))
    landmarks = Bundle.load(table).landmarks.positions_map
    pixels = TABLE_CAMERA.project(camera_from_map(4).apply(landmarks))
    rows = [[*xy, 0.9] if TABLE_CAMERA.contains(xy)[0] else [0, 0, 0] for xy in pixels.tolist()]
    (tmp_path / "d.json").write_text(json.dumps({"frame_000000.png": rows}))
    arguments = ("--detections", tmp_path / "d.json", "--poses", tmp_path / "p.json")
    code, printed = reloc("run", table, video, *arguments)
    assert code == 0 and "1 of 1 images localized by the keypoints of" in printed
    assert "with a sigma of 2 px" in printed


def test_run_refuses_what_it_cannot_do_with_the_options(refused, table, tmp_path):
    video = write_walk(tmp_path / "walk.mp4")
    (tmp_path / "text.txt").write_text("hello")
    assert "neither a video" in refused("run", table, tmp_path / "text.txt")
    assert "name that with --overlay" in refused("run", table, video, "--mesh", "chair.ply")
    assert "must end in .mp4" in refused("run", table, video, "--overlay", tmp_path / "o.gif")
    overlay = ("--overlay", tmp_path / "o.mp4")
    assert "cannot read mesh" in refused("run", table, video, *overlay, "--mesh", tmp_path / "no.ply")
    assert "'x y z'" in refused("run", table, video, *overlay, "--mesh-pose", "here")
    assert "is read from" in refused("run", table, video, "--poses", video)
    assert "is not a bag" in refused("run", table, video, "--topic", "/camera")
    assert "as JSON" in refused("run", table, video, "--detections", tmp_path / "text.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text.txt", "walk.mp4"]


@pytest.mark.slow
def test_run_that_is_stopped_leaves_no_file_and_says_so(table, tmp_path):
    video = write_walk(tmp_path / "walk.mp4", (1, 2, 3) * 500)
    (tmp_path / "out").mkdir()
    outputs = ("--poses", tmp_path / "out" / "p.json", "--overlay", tmp_path / "out" / "o.mp4")
    process = subprocess.Popen(
        [*COMMAND, "run", str(table), str(video), *map(str, outputs)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 60
        while not list((tmp_path / "out").glob(".new-*o.mp4")) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        printed = " ".join("".join(process.communicate(timeout=60)).split())
    finally:
        process.kill()
    assert process.returncode == 130, printed
    assert "images; files are written only when all are done" in printed
    assert "Traceback" not in printed and not list((tmp_path / "out").iterdir())


def test_map_refuses_missing_and_empty_image_folders(refused, tmp_path):
    assert "nowhere" in refused("map", tmp_path / "nowhere", "-w", tmp_path / "ws")
    (tmp_path / "empty").mkdir()
    assert "holds no images" in refused("map", tmp_path / "empty", "-w", tmp_path / "ws")


def test_a_package_that_is_not_installed_is_named(refused, labelled, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning", None)
    monkeypatch.delitem(sys.modules, "reloc_ros.offline.training.train", raising=False)
    sentence = refused("train", "-w", labelled)
    assert "needs the Python package lightning" in sentence and "reloc_ros[offline]" in sentence


@pytest.mark.parametrize(
    "absent, words",
    [("diagnostic_msgs", "source a ROS 2 distribution"), ("reloc_ros.msg", "messages, which colcon builds")],
)
def test_the_node_says_what_it_lacks_where_there_is_no_ros(absent, words):
    if absent == "reloc_ros.msg":
        pytest.importorskip("diagnostic_msgs")
    code = f"import sys; sys.modules[{absent!r}] = None; from reloc_ros.cli import node; node()"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    printed = " ".join(run.stderr.split())
    assert printed.startswith("error: the node needs") and words in printed


def test_a_defect_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["reloc", "select", "-w", "x"])
    monkeypatch.setattr(Workspace, "open", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main()


@pytest.mark.slow
@pytest.mark.parametrize(
    "sign_of_life", ["run", "run/checkpoints/last.ckpt"], ids=["before training", "in training"]
)
def test_control_c_ends_with_130_and_says_how_to_go_on(labelled, sign_of_life):
    process = subprocess.Popen(
        [*COMMAND, "train", "-w", str(labelled), "--steps", "100000", "--width", "64"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has them, and what they start, ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 120
        while not (labelled / "train" / sign_of_life).exists() and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        printed = "".join(process.communicate(timeout=60))
    finally:
        process.kill()
    assert process.returncode == 130, printed
    assert "stopped; run the same command to go on" in printed
    assert "Traceback" not in printed and "Warning" not in printed


def test_control_c_is_no_fault_of_a_library_that_is_being_loaded(table, tmp_path):
    """One in C++ takes what the handler raises for its own, and whoever needs it then says that it is not installed."""
    (tmp_path / "onnxruntime.py").write_text(
        "import os, signal, time\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT); time.sleep(10)\n"
        "except BaseException as error:\n    raise ImportError('initialization failed') from error\n"
    )
    video = write_walk(tmp_path / "walk.mp4")
    run = subprocess.run(
        [*COMMAND, "run", str(table), str(video), "--poses", str(tmp_path / "p.json"), "--backend", "onnx"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 130, run.stderr
    assert "stopped; run the same command" in run.stdout + run.stderr and "Traceback" not in run.stderr


def test_names_with_brackets_are_printed_as_they_are(refused, tmp_path):
    assert "my [bold] bundle" in refused("run", tmp_path / "my [bold] bundle", tmp_path)
