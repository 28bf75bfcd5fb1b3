import json
import shutil
import subprocess

import cv2
import numpy as np
import pytest

from reloc_ros.errors import RelocError
from reloc_ros.offline.running.video_writer import CODECS, video_writer


def shade(value: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def read_all(path) -> tuple[list[np.ndarray], float]:
    capture = cv2.VideoCapture(str(path))
    rate_hz = capture.get(cv2.CAP_PROP_FPS)
    pictures = []
    while (read := capture.read())[0]:
        pictures.append(read[1])
    capture.release()
    return pictures, rate_hz


@pytest.mark.parametrize("suffix", CODECS)
def test_pictures_come_back_in_order_and_at_their_rate(tmp_path, suffix):
    path = tmp_path / f"video{suffix}"
    with video_writer(path, 29.97) as write:
        for value in (20, 120, 220):
            write(shade(value))
    pictures, rate_hz = read_all(path)
    np.testing.assert_allclose([picture.mean() for picture in pictures], [20, 120, 220], atol=4)
    assert rate_hz == pytest.approx(29.97, abs=0.01)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed (Debian: ffmpeg)")
@pytest.mark.parametrize("suffix", CODECS)
def test_another_program_reads_it(tmp_path, suffix):
    path = tmp_path / f"video{suffix}"
    with video_writer(path, 12) as write:
        for value in range(10):
            write(shade(20 * value, 49, 65))
    entries = "stream=width,height,avg_frame_rate,nb_read_frames"
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", entries, "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    stream = json.loads(done.stdout)["streams"][0]
    assert stream == {"width": 66, "height": 50, "avg_frame_rate": "12/1", "nb_read_frames": "10"}


def test_odd_sizes_lose_no_row_and_no_column(tmp_path):
    picture = shade(0, 49, 65)
    picture[40:, 50:] = 255
    with video_writer(tmp_path / "v.mp4", 10) as write:
        write(picture)
    (read,), _ = read_all(tmp_path / "v.mp4")
    assert read.shape == (50, 66, 3) and read[-3:, -3:].min() > 200


def test_pictures_of_other_sizes_are_fitted_into_the_first(tmp_path):
    with video_writer(tmp_path / "v.mp4", 10) as write:
        write(shade(200, 48, 64))
        write(shade(200, 96, 64))
    (_, tall), _ = read_all(tmp_path / "v.mp4")
    assert tall.shape == (48, 64, 3)
    assert tall[:, 20:44].mean() > 180 and tall[:, :12].mean() < 20


def test_a_run_that_is_stopped_leaves_what_was_there(tmp_path):
    path = tmp_path / "v.mp4"
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt), video_writer(path, 10) as write:
        write(shade(1))
        raise KeyboardInterrupt
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


def test_names_without_a_codec_and_videos_without_pictures_are_refused(tmp_path):
    with (
        pytest.raises(RelocError, match=r"must end in \.mp4, \.mov, \.mkv, \.avi"),
        video_writer(tmp_path / "v.gif", 10),
    ):
        pass
    with pytest.raises(RelocError, match="no picture"), video_writer(tmp_path / "v.mp4", 10):
        pass
    assert not list(tmp_path.iterdir())
