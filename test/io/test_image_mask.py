import cv2
import numpy as np
import pytest

from reloc_ros.errors import RelocError
from reloc_ros.io.image_mask import ImageMask


def written(tmp_path, pixels: np.ndarray) -> ImageMask:
    cv2.imwrite(str(tmp_path / "mask.png"), pixels)
    return ImageMask.load(tmp_path / "mask.png")


def test_black_is_not_used_and_the_mask_may_be_of_another_size(tmp_path):
    pixels = np.full((48, 64), 255, np.uint8)
    pixels[40:, 10:20] = 0  # ten times as large in the image
    mask = written(tmp_path, pixels)
    positions = np.array(
        [[99.4, 450.0], [99.6, 450.0], [150.0, 399.4], [199.4, 479.4], [199.6, 450.0], [0, 0]]
    )
    assert mask.allows(positions, 640, 480).tolist() == [True, False, True, False, True, True]


def test_images_of_another_shape_are_a_sentence(tmp_path):
    mask = written(tmp_path, np.full((48, 64), 255, np.uint8))
    assert mask.problem_with(640, 480) == mask.problem_with(641, 481) == ""
    assert (
        mask.problem_with(640, 360)
        == "image_mask is 64x48, but the image is 640x360, which has another shape"
    )


@pytest.mark.parametrize("data", [b"", b"no picture"])
def test_a_file_that_is_no_picture_is_a_sentence(tmp_path, data):
    (tmp_path / "mask.png").write_bytes(data)
    with pytest.raises(RelocError, match="is no picture"):
        ImageMask.load(tmp_path / "mask.png")


def test_a_file_that_is_missing_or_black_is_a_sentence(tmp_path):
    with pytest.raises(RelocError, match="cannot be read: No such file"):
        ImageMask.load(tmp_path / "nowhere.png")
    with pytest.raises(RelocError, match="black all over"):
        written(tmp_path, np.zeros((4, 4), np.uint8))
