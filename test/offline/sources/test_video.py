import shutil
import subprocess

import cv2
import numpy as np
import pytest
from walks import RATE_HZ, WALK, write_walk

from reloc_ros.offline.running.video_writer import video_writer
from reloc_ros.offline.sources.open_source import open_source
from reloc_ros.offline.sources.video import Video


def test_a_video_gives_its_frames_in_order_with_their_times(tmp_path):
    source = open_source(write_walk(tmp_path / "walk.mp4"))
    assert isinstance(source, Video) and source.rate_hz == pytest.approx(RATE_HZ)
    frames = list(source.frames())
    assert [frame.name for frame in frames] == list(source.names)
    assert frames[3].name == "frame_000003.jpg"
    assert [round(frame.image.mean() / 10) for frame in frames] == list(WALK)
    np.testing.assert_allclose(
        [frame.stamp_ns for frame in frames], np.arange(len(WALK)) * 1e9 / RATE_HZ, atol=1e6
    )


def test_times_grow_even_where_the_container_knows_none(tmp_path, monkeypatch):
    source = open_source(write_walk(tmp_path / "walk.mp4"))

    class Timeless:
        def __init__(self, capture):
            self.grab, self.retrieve, self.release = capture.grab, capture.retrieve, capture.release

        def get(self, what):
            return 0.0

    timeless = Timeless(source._open())
    monkeypatch.setattr(source, "_open", lambda: timeless)
    stamps = [frame.stamp_ns for frame in source.frames()]
    np.testing.assert_allclose(np.diff(stamps), 1e9 / RATE_HZ, atol=1)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed (Debian: ffmpeg)")
@pytest.mark.parametrize("turned_deg", [90, 180, 270])
def test_a_video_held_upright_is_as_the_sensor_saw_it_and_says_how_to_turn_it(tmp_path, turned_deg):
    """As another program turns it."""
    lying, upright = tmp_path / "lying.mp4", tmp_path / "upright.mp4"
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32] = 255
    with video_writer(lying, 10) as write:
        write(picture)
    rotate = ("-c", "copy", "-metadata:s:v:0", f"rotate={turned_deg}")
    command = ["ffmpeg", "-v", "error", "-y", "-i"]
    subprocess.run([*command, lying, *rotate, upright], check=True)
    subprocess.run([*command, upright, "-frames:v", "1", tmp_path / "shown.png"], check=True)
    source = open_source(upright)
    (frame,) = source.frames()
    assert frame.image.shape == (48, 64, 3) and frame.image[10, 10].min() > 200
    shown = cv2.imread(str(tmp_path / "shown.png"))
    turned = cv2.rotate(frame.image, source.rotation)
    assert turned.shape == shown.shape and np.abs(turned.astype(int) - shown).max() < 10


def test_a_video_that_ends_early_gives_what_there_is(tmp_path):
    whole = write_walk(tmp_path / "walk.avi", WALK * 4)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    source = open_source(cut)
    count = sum(1 for _ in source.frames())
    assert 10 < count < len(source.names) == len(WALK) * 4
