import cv2
import numpy as np
import pytest
from image_bag import PERIOD_NS, START_NS, write_image_bag
from moving_picture import pan, write_video

from reloc_ros.errors import RelocError
from reloc_ros.offline.sources.bag_images import BagTopic
from reloc_ros.offline.sources.frame import frame_name
from reloc_ros.offline.sources.frame_extraction import (
    FrameNotes,
    keep_frames,
    read_frame_notes,
    take_frames,
)
from reloc_ros.offline.sources.open_source import open_source
from reloc_ros.offline.sources.photographs import list_photos
from reloc_ros.offline.sources.video import Video


def numbers(folder):
    return [int(name[6:-4]) for name in list_photos(folder)]


def take(tmp_path, count=250, video="v.avi", progress=lambda *_: None):
    return take_frames(Video(tmp_path / video), tmp_path / "frames", tmp_path / "judged.npz", count, progress)


def test_frames_are_sharp_numbered_by_their_place_and_dense_where_the_camera_moves_fast(tmp_path):
    slow, fast = np.arange(60) * 2, 120 + np.arange(60) * 6
    pictures = pan([*slow, *fast])
    blurred = [cv2.GaussianBlur(p, (0, 0), 3.0) if i % 3 else p for i, p in enumerate(pictures)]
    write_video(tmp_path / "v.avi", blurred)
    assert take(tmp_path, 20) == ""
    taken = numbers(tmp_path / "frames")
    assert 16 <= len(taken) <= 22
    assert sum(number % 3 == 0 for number in taken) > 0.75 * len(taken)  # a third of all are sharp
    assert sum(number >= 60 for number in taken) > 2 * sum(number < 60 for number in taken)
    times_ns = read_frame_notes(tmp_path / "frames").times_ns
    assert times_ns == {frame_name(number): number * 40_000_000 for number in taken}  # 25 a second


def test_a_video_of_few_moving_frames_gives_each_of_them(tmp_path):
    write_video(tmp_path / "v.avi", pan(np.arange(5) * 12))
    take(tmp_path)
    assert numbers(tmp_path / "frames") == [0, 1, 2, 3, 4]


def test_a_film_that_stands_still_is_refused_with_what_to_do(tmp_path):
    write_video(tmp_path / "v.avi", pan([40] * 30))
    with pytest.raises(RelocError, match=r"v\.avi' does not move; film while you walk"):
        take(tmp_path)


def test_frames_are_taken_again_only_when_the_video_or_the_count_changes_and_judged_once(tmp_path):
    phases = []
    write_video(tmp_path / "v.avi", pan(np.arange(40) * 6))
    for count in (5, 5, 10):
        phases.append(set())
        take(tmp_path, count, progress=lambda phase, done, total: phases[-1].add(phase))
    assert phases == [{"judge frames", "extract frames"}, set(), {"extract frames"}]
    write_video(tmp_path / "v.avi", pan(np.arange(40) * 7))
    take(tmp_path, 10, progress=lambda phase, done, total: phases[-1].add(phase))
    assert phases[-1] == {"judge frames", "extract frames"}


def test_interrupted_extraction_leaves_no_frames_and_keeps_what_was_judged(tmp_path):
    def interrupt(phase, done, total):
        if phase == "extract frames":
            raise KeyboardInterrupt

    write_video(tmp_path / "v.avi", pan(np.arange(20) * 6))
    with pytest.raises(KeyboardInterrupt):
        take(tmp_path, 5, progress=interrupt)
    assert {file.name for file in tmp_path.iterdir()} == {"v.avi", "judged.npz"}


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "v.mp4").write_text("words")
    with pytest.raises(RelocError, match="neither a video that can be read"):
        Video(tmp_path / "v.mp4")
    with pytest.raises(RelocError, match=r"there is no .*none\.mp4"):
        open_source(tmp_path / "none.mp4")
    write_video(tmp_path / "v.avi", pan(np.arange(20)))
    with pytest.raises(RelocError, match="from 1 frames"):
        take(tmp_path, count=1)


def test_a_video_that_ends_early_gives_what_there_is_and_says_so(tmp_path):
    file = write_video(tmp_path / "v.avi", pan(np.arange(60) * 6))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    film = Video(file)
    film.names = tuple(map(frame_name, range(60)))  # what most indexes say; this one is lost
    remark = take_frames(film, tmp_path / "frames", tmp_path / "judged.npz", 10)
    assert "ends early" in remark and "of the 60 frames that it announces can be read" in remark
    assert 20 < max(numbers(tmp_path / "frames")) < 40
    assert take_frames(film, tmp_path / "frames", tmp_path / "judged.npz", 10) == remark


def test_a_folder_of_somebody_else_is_not_written_over(tmp_path):
    write_video(tmp_path / "v.avi", pan(np.arange(20) * 6))
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "holiday.jpg").touch()
    with pytest.raises(RelocError, match="name another workspace"):
        take(tmp_path)
    assert (tmp_path / "frames" / "holiday.jpg").exists()


def test_frames_of_a_bag_keep_their_times_and_unreadable_messages_are_passed_over(tmp_path):
    pytest.importorskip("rosbags")
    pictures = pan(np.arange(20) * 8)
    pictures[7] = np.zeros((1, 0, 3), np.uint8)
    bag = write_image_bag(tmp_path / "bag", {"/camera/image_raw": pictures})
    take_frames(BagTopic(bag), tmp_path / "frames", tmp_path / "judged.npz", 250)
    assert numbers(tmp_path / "frames") == [number for number in range(20) if number != 7]
    noted = read_frame_notes(tmp_path / "frames")
    assert noted.stamps_ns["frame_000011.jpg"] == START_NS + 11 * PERIOD_NS
    assert not noted.times_ns


def test_named_frames_are_kept_or_written_and_missing_ones_refused(tmp_path):
    write_video(tmp_path / "v.avi", pan(np.arange(20) * 6))
    film = Video(tmp_path / "v.avi")
    keep_frames(film, tmp_path / "frames", [3, 8])
    assert numbers(tmp_path / "frames") == [3, 8]
    before = (tmp_path / "frames" / "frame_000003.jpg").stat().st_mtime_ns
    keep_frames(film, tmp_path / "frames", [3])
    assert (tmp_path / "frames" / "frame_000003.jpg").stat().st_mtime_ns == before
    with pytest.raises(RelocError, match=r"no frame for 'frame_000099\.jpg'"):
        keep_frames(film, tmp_path / "frames", [3, 99])


def test_nothing_is_noted_of_photographs(tmp_path):
    assert read_frame_notes(tmp_path) == FrameNotes({}, {}, {})
