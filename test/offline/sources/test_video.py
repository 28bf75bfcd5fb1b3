import subprocess

import cv2
import numpy as np
import pytest
from moving_picture import pan
from phone_videos import MATRICES, ffmpeg, needs_ffmpeg, show_by, vary_rate, write_mp4
from walks import RATE_HZ, WALK, write_walk

from reloc_ros.offline.running.video_writer import video_writer
from reloc_ros.offline.sources.frame_extraction import judge_frames, read_frame_notes, take_frames
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


@needs_ffmpeg
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


@pytest.mark.parametrize("shown", MATRICES)
def test_a_turned_or_mirrored_video_tells_which_side_of_its_stored_pictures_is_up(tmp_path, shown):
    file = show_by(write_mp4(tmp_path / "v.mp4", pan(np.arange(12) * 8)), MATRICES[shown])
    video = Video(file)
    assert video.top == shown.partition(",")[0]
    assert next(iter(video.frames())).image.shape == (120, 160, 3)
    take_frames(video, tmp_path / "frames", tmp_path / "judged.npz")
    tops = read_frame_notes(tmp_path / "frames").tops
    assert len(tops) == 12 and set(tops.values()) == {video.top}


def test_a_video_that_is_shown_as_it_is_tells_no_side(tmp_path):
    assert Video(write_mp4(tmp_path / "v.mp4", pan([0, 8, 16]))).top is None
    assert Video(write_walk(tmp_path / "walk.avi")).top is None


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_frames_of_a_varying_rate_have_their_own_times_and_do_not_end_early(tmp_path, suffix):
    even = write_mp4(tmp_path / "even.mp4", pan(np.arange(40) * 8))
    times_s = vary_rate(even, tmp_path / f"v.{suffix}", after=20)
    video = Video(tmp_path / f"v.{suffix}")
    frames = list(video.frames())
    np.testing.assert_allclose([1e-9 * frame.stamp_ns for frame in frames], times_s, atol=2e-3)
    assert len(video.names) == len(frames) == 40
    remark = take_frames(video, tmp_path / "frames", tmp_path / "judged.npz")
    assert remark == ""
    noted = read_frame_notes(tmp_path / "frames").times_ns
    assert noted["frame_000030.jpg"] == pytest.approx(1e9 * times_s[30], abs=2e6)


@needs_ffmpeg
def test_a_trimmed_video_has_the_frames_that_are_left_and_does_not_end_early(tmp_path):
    """Phones and editors trim by an edit list: what is cut away stays in the file, and is not shown."""
    whole = tmp_path / "whole.mp4"
    even = write_mp4(tmp_path / "even.mp4", pan(np.arange(60) * 8))
    ffmpeg("-i", even, "-c:v", "mpeg4", "-q:v", 2, "-g", 60, whole)
    trimmed = tmp_path / "trimmed.mp4"
    ffmpeg("-ss", 0.5, "-i", whole, "-c", "copy", trimmed)
    video = Video(trimmed)
    assert len(video.names) == 45
    _, remark = judge_frames(video, tmp_path / "judged.npz", "")
    assert remark == "" and len(video.names) == sum(1 for _ in video.frames()) == 45


@needs_ffmpeg
def test_a_video_that_was_cut_off_behind_its_index_still_ends_early(tmp_path):
    even, file = write_mp4(tmp_path / "even.mp4", pan(np.arange(60) * 8)), tmp_path / "v.mp4"
    ffmpeg("-i", even, "-c", "copy", "-movflags", "+faststart", file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    video = Video(file)
    _, remark = judge_frames(video, tmp_path / "judged.npz", "")
    assert "ends early" in remark and "of the 60 frames that it announces can be read" in remark


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("hdr.mov", "-c:v libx265 -x265-params log-level=none -color_trc arib-std-b67 -tag:v hvc1"),
        ("hdr.webm", "-c:v libvpx-vp9"),
        ("hdr.mkv", "-c:v libx264"),
    ],
)
def test_ten_bit_video_is_read_in_eight(tmp_path, name, codec):
    """Hybrid log-gamma comes out with its highlights in white, which moves nothing."""
    pictures = [cv2.cvtColor(picture[:, :, :1], cv2.COLOR_GRAY2BGR) for picture in pan(np.arange(10) * 8)]
    plain = write_mp4(tmp_path / "plain.avi", pictures)
    limited = ("-vf", "scale=out_range=tv", "-pix_fmt", "yuv420p10le", "-crf", 10)
    command = ["-i", plain, *codec.split(), *limited, tmp_path / name]
    try:
        ffmpeg(*command)
    except subprocess.CalledProcessError:
        pytest.skip(f"this ffmpeg cannot write {codec.split()[1]} in ten bits")
    frames = list(Video(tmp_path / name).frames())
    assert len(frames) == 10 and frames[0].image.dtype == np.uint8
    for frame, picture in zip(frames, pictures, strict=True):
        assert np.corrcoef(frame.image.ravel(), picture.ravel())[0, 1] > 0.93
