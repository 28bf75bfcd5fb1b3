import cv2
import numpy as np
import pytest

from reloc_ros.errors import RelocError
from reloc_ros.offline.sources.open_source import open_source
from reloc_ros.offline.sources.photographs import PhotoFolder


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "deeper").mkdir(parents=True)
    for value, name in enumerate(("b.png", "a.png", "deeper/c.png")):
        cv2.imwrite(str(folder / name), np.full((48, 64, 3), value, dtype=np.uint8))
    return folder


def test_a_folder_gives_its_images_in_name_order_without_stamps(photos):
    source = open_source(photos)
    assert isinstance(source, PhotoFolder) and source.rate_hz is None
    frames = list(source.frames())
    assert [frame.name for frame in frames] == list(source.names) == ["a.png", "b.png", "deeper/c.png"]
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [1, 0, 2]
    assert {frame.stamp_ns for frame in frames} == {None}


def test_an_image_that_cannot_be_read_is_a_frame_with_the_reason(photos):
    (photos / "a.png").write_bytes(b"not an image")
    first, *others = open_source(photos).frames()
    assert first.image is None and "a.png" in first.problem
    assert all(frame.image is not None for frame in others)


@pytest.mark.parametrize("name", ["notes.txt", "broken.mp4"])
def test_files_that_are_no_video_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"hello there, this is not a video")
    with pytest.raises(
        RelocError, match=f"{name}' is neither a video that can be read, nor a bag or a folder"
    ):
        open_source(tmp_path / name)


def test_single_images_missing_files_and_empty_folders_are_refused(tmp_path, photos):
    with pytest.raises(RelocError, match="single image; give the folder"):
        open_source(photos / "a.png")
    with pytest.raises(RelocError, match="give a video, a bag or a folder of images"):
        open_source(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RelocError, match="holds no images"):
        open_source(tmp_path / "empty")


def test_only_bags_have_topics(photos):
    with pytest.raises(RelocError, match="leave --topic out"):
        open_source(photos, "/camera")


def test_a_bag_of_ros_1_is_refused_with_what_converts_it(tmp_path):
    pytest.importorskip("rosbags")
    (tmp_path / "old.bag").touch()
    with pytest.raises(
        RelocError, match=r"ROS 1 bag; convert it: rosbags-convert --src .*old\.bag --dst old"
    ):
        open_source(tmp_path / "old.bag")
