import dataclasses

import cv2
import numpy as np
import pytest
from image_bag import write_image_bag
from moving_picture import pan, write_video

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.offline.sources.frame_extraction import read_frame_notes
from reloc_ros.offline.sources.gather import SourceOptions, gather

CAMERA = Camera("pinhole", 160, 120, 150.0, 151.0, 79.5, 59.5)


@pytest.fixture
def sources(tmp_path):
    """A video, a bag and photographs of a wall."""
    (tmp_path / "photos" / "left").mkdir(parents=True)
    for index, picture in enumerate(pan([0, 40, 80])):
        cv2.imwrite(str(tmp_path / "photos" / "left" / f"photo {index}.png"), picture)
    write_video(tmp_path / "day.avi", pan(np.arange(10) * 8))
    write_image_bag(tmp_path / "drive", {"/camera/image_raw": pan(np.arange(10) * 8)}, CAMERA)
    return tmp_path


def test_photographs_stay_where_they_are_and_frames_go_to_the_workspace(sources):
    photos = gather([sources / "photos"], sources / "ws")
    assert photos.images_dir == sources / "photos" and not (sources / "ws").exists()
    assert not photos.groups[0].in_sequence
    video = gather([sources / "day.avi"], sources / "ws")
    assert video.images_dir == sources / "ws" / "frames"
    assert video.groups[0].in_sequence and video.names[0] == "frame_000000.jpg"


def test_several_sources_are_brought_together_each_in_a_folder_of_its_own(sources):
    pytest.importorskip("rosbags")
    given = [sources / "day.avi", sources / "drive", sources / "photos"]
    gathered = gather(given, sources / "ws")
    assert [group.label for group in gathered.groups] == ["day", "drive", "photos"]
    assert [group.in_sequence for group in gathered.groups] == [True, True, False]
    assert all((gathered.images_dir / name).is_file() for name in gathered.names)
    assert "photos/left/photo 1.png" in gathered.names
    linked = gathered.images_dir / "photos" / "left" / "photo 1.png"
    assert linked.samefile(sources / "photos" / "left" / "photo 1.png")
    noted = read_frame_notes(gathered.images_dir)
    assert set(noted.stamps_ns) == {name for name in gathered.names if name.startswith("drive/")}
    assert set(noted.times_ns) == {name for name in gathered.names if name.startswith("day/")}


def test_gathering_again_does_nothing_and_other_sources_replace_what_was_there(sources):
    phases = []
    given = [sources / "day.avi", sources / "photos"]
    for _ in range(2):
        phases.append(set())
        gather(given, sources / "ws", progress=lambda phase, done, total: phases[-1].add(phase))
    assert phases == [{"judge frames, day", "extract frames, day"}, set()]
    alone = gather([sources / "day.avi"], sources / "ws")
    assert all(name.startswith("frame_") for name in alone.names)
    again = gather(given, sources / "ws")
    assert {name.partition("/")[0] for name in again.names} == {"day", "photos"}


def test_sources_of_one_name_are_told_apart_and_the_same_one_twice_is_refused(sources):
    (sources / "later").mkdir()
    write_video(sources / "later" / "day.avi", pan(np.arange(10) * 9))
    gathered = gather([sources / "day.avi", sources / "later" / "day.avi"], sources / "ws")
    assert [group.label for group in gathered.groups] == ["day", "day-2"]
    with pytest.raises(RelocError, match="given twice"):
        gather([sources / "day.avi", sources / "day.avi"], sources / "ws")


def test_a_name_that_ends_in_a_number_is_no_second_one_of_its_beginning(sources):
    write_video(sources / "day-2.avi", pan(np.arange(10) * 9))
    gathered = gather([sources / "day-2.avi", sources / "day.avi"], sources / "ws")
    assert [group.label for group in gathered.groups] == ["day-2", "day"]
    assert len(gathered.names) == len(set(gathered.names))
    assert all((gathered.images_dir / name).is_file() for name in gathered.names)


def test_a_bag_gives_its_intrinsics_when_asked_to(sources):
    pytest.importorskip("rosbags")
    assert gather([sources / "drive"], sources / "ws").groups[0].camera is None
    known = gather([sources / "drive"], sources / "ws", SourceOptions(bag_camera=True))
    assert known.groups[0].camera == CAMERA
    write_image_bag(sources / "bare", {"/camera/image_raw": pan(np.arange(10) * 8)})
    with pytest.raises(RelocError, match="no camera_info"):
        gather([sources / "bare"], sources / "ws", SourceOptions(bag_camera=True))
    skewed = dataclasses.replace(CAMERA, skew=2.5)
    write_image_bag(sources / "skewed", {"/camera/image_raw": pan(np.arange(10) * 8)}, skewed)
    with pytest.raises(RelocError, match=r"skew of 2\.5 px"):
        gather([sources / "skewed"], sources / "other", SourceOptions(bag_camera=True))
    assert not (sources / "other").exists()


def test_options_that_fit_no_source_are_refused(sources):
    with pytest.raises(RelocError, match="none of the sources is a bag"):
        gather([sources / "day.avi"], sources / "ws", SourceOptions(topic="/image"))
    with pytest.raises(RelocError, match="none of the sources is a bag"):
        gather([sources / "day.avi"], sources / "ws", SourceOptions(bag_camera=True))


def test_what_cannot_be_a_source_is_refused_with_what_to_do(sources):
    (sources / "old.bag").touch()
    with pytest.raises(RelocError, match="ROS 1 bag; convert it"):
        gather([sources / "old.bag"], sources / "ws")
    with pytest.raises(RelocError, match="single image; give the folder"):
        gather([sources / "photos" / "left" / "photo 0.png"], sources / "ws")
    with pytest.raises(RelocError, match=r"there is no .*nothing"):
        gather([sources / "nothing"], sources / "ws")


def test_photographs_that_colmap_cannot_read_are_copied_once_and_the_others_linked(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for index, picture in enumerate(pan([0, 40, 80])):
        cv2.imwrite(str(photos / f"{index}.{'webp' if index else 'png'}"), picture)
    for name in ("a.mov", "b.MOV", "notes.txt", ".hidden"):
        (photos / name).touch()
    phases = []
    for _ in range(2):
        phases.append(set())
        gathered = gather(
            [photos], tmp_path / "ws", progress=lambda phase, done, total: phases[-1].add(phase)
        )
        assert gathered.names == ("photos/0.png", "photos/1.webp.jpg", "photos/2.webp.jpg")
        assert all((gathered.images_dir / name).is_file() for name in gathered.names)
        skipped, converted = gathered.remarks
        assert skipped == f"'{photos}' also holds other files, which were skipped: 2 .mov, 1 .txt"
        assert converted.startswith("2 WebP images of")
    assert phases == [{"convert images, photos"}, set()]
    assert (gathered.images_dir / "photos" / "0.png").samefile(photos / "0.png")
    assert gather([photos], tmp_path / "ws", for_colmap=False).images_dir == photos
