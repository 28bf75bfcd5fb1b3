"""A rendered walk that looks away for a while, localized with the demo's bundle."""

import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from walks import read_tum

import reloc_ros.demo
from reloc_ros.demo.film.trajectories import CAMERA, stream
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.localizer import Localized, Localizer, Lost
from reloc_ros.offline.running.localize_source import localize_source
from reloc_ros.offline.running.output_files import Outputs
from reloc_ros.offline.running.overlay import ArContent
from reloc_ros.offline.running.video_writer import video_writer
from reloc_ros.offline.sources.frame import Frame
from reloc_ros.offline.sources.open_source import open_source

TRUTH = stream(1.0)
BUNDLE = Path(reloc_ros.demo.__file__).parent / "bundle"


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> Outputs:
    folder = tmp_path_factory.mktemp("walk")
    renderer = Renderer(reading_corner().faces, CAMERA, supersampling=1)
    with video_writer(folder / "walk.mp4", 1.0) as write:
        for index, (pose, exposure) in enumerate(zip(TRUTH.camera_from_map, TRUTH.exposures, strict=True)):
            write(exposure.record(renderer.render(pose).image, seed=index))
    localizer = Localizer.from_bundle(BUNDLE, "onnx")
    outputs = Outputs(folder / "poses.json", folder / "walk.tum", folder / "overlay.mp4")
    source = open_source(folder / "walk.mp4")
    localize_source(
        localizer, source, outputs.sinks(localizer.bundle, source, "onnx", ArContent(), 5.0), CAMERA
    )
    return outputs


def test_it_is_lost_exactly_where_it_looks_away(outputs):
    entries = json.loads(outputs.poses.read_text())["images"].values()
    lost = np.array([entry["status"] == "lost" for entry in entries])
    assert len(lost) == len(TRUTH) and TRUTH.away.sum() >= 4
    assert lost[TRUTH.away].all() and not lost[TRUTH.in_view].any()  # while it turns there may be either


def test_the_trajectory_is_the_true_one(outputs):
    lines = read_tum(outputs.tum)
    assert len(lines) >= TRUTH.in_view.sum()
    for time, (*place, qx, qy, qz, qw) in lines.items():
        true = TRUTH.camera_from_map[round(float(time))]
        found = SE3.from_quaternion_wxyz([qw, qx, qy, qz], place).inverse()
        assert center_error(found, true) < 0.12 and rotation_error_deg(found, true) < 3


class Cropped:
    """The walk's first image again and again, once without intrinsics and of another shape than the map's."""

    path, rate_hz, names, rotation = Path("walk"), 10.0, None, None

    def frames(self):
        image = (
            Renderer(reading_corner().faces, CAMERA, supersampling=1).render(TRUTH.camera_from_map[0]).image
        )
        for index, (picture, camera) in enumerate(
            (*3 * [(image, CAMERA)], (image[:300], None), (image, CAMERA))
        ):
            yield Frame(f"{index}", picture, stamp_ns=index * 100_000_000, camera=camera)


def test_an_image_of_another_shape_amid_a_tracked_stream_is_lost_and_the_next_is_not():
    results = []
    localize_source(
        Localizer.from_bundle(BUNDLE, "onnx"),
        Cropped(),
        [contextlib.nullcontext(lambda _, result: results.append(result))],
        tracking=True,
    )
    *before, odd, after = results
    assert all(isinstance(result, Localized) for result in (*before, after))
    assert isinstance(odd, Lost) and odd.reason == "bad_image" and "300" in odd.detail


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed (Debian: ffmpeg)")
def test_another_program_reads_the_overlay_with_all_its_frames(outputs):
    entries = "stream=width,height,nb_read_frames"
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", entries, "-of", "json"]
    done = subprocess.run([*command, str(outputs.overlay)], capture_output=True, text=True, check=True)
    (stream_found,) = json.loads(done.stdout)["streams"]
    assert (
        stream_found == {"width": 640, "height": 480, "nb_read_frames": str(len(TRUTH))} and not done.stderr
    )
