import numpy as np
import pytest
from image_bag import write_image_bag

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.offline.sources.bag_intrinsics import bag_intrinsics

pytest.importorskip("rosbags")
BGR = [np.full((24, 32, 3), (40, 90, 10 * i), np.uint8) for i in range(4)]
CAMERA = Camera("brown", 32, 24, 30.0, 31.0, 15.5, 11.5, (0.1, 0.02, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
RAW, COMPRESSED = "/camera/image_raw", "/camera/image_raw/compressed"


def test_intrinsics_are_those_beside_the_images(tmp_path):
    bag = write_image_bag(tmp_path / "bag", {COMPRESSED: BGR}, CAMERA)
    assert bag_intrinsics(bag, COMPRESSED, "") == CAMERA
    rectified = write_image_bag(tmp_path / "rectified", {"/camera/image_rect": BGR}, CAMERA)
    assert bag_intrinsics(rectified, "/camera/image_rect", "") == Camera(
        "pinhole", 32, 24, 30.0, 31.0, 15.5, 11.5
    )


def test_what_the_topics_name_says_can_be_overruled_and_is_said(tmp_path, caplog):
    rect = "/camera/image_rect"
    bag = write_image_bag(tmp_path / "bag", {rect: BGR}, CAMERA)
    with caplog.at_level("INFO"):
        assert bag_intrinsics(bag, rect, "", rectified=False) == CAMERA
        assert "images of /camera/image_rect: taken for not rectified, by K and D" in caplog.text
        caplog.clear()
        assert bag_intrinsics(bag, rect, "").model == "pinhole"
    (doubt,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert "taken for rectified" in doubt and "while D moves pixels by up to" in doubt


def test_a_bag_without_intrinsics_has_none(tmp_path):
    bag = write_image_bag(tmp_path / "bag", {RAW: BGR})
    with pytest.raises(RelocError, match="has no camera_info for /camera/image_raw; measure them"):
        bag_intrinsics(bag, RAW, "measure them")
