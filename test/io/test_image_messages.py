"""Pictures that cameras send a little differently than the book has it, and what is no picture."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from reloc_ros.errors import RelocError
from reloc_ros.io.image_messages import UnsupportedImage, image_from_compressed, image_from_message

PICTURE = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8), (0, 0), 3)


def compressed(data: bytes, kind: str = "jpeg") -> SimpleNamespace:
    return SimpleNamespace(format=kind, data=np.frombuffer(data, np.uint8))


def jpeg(*, progressive: bool = False, thumbnail: bool = False) -> bytes:
    """With a thumbnail, the header holds a whole JPEG of its own, as EXIF does."""
    data = cv2.imencode(".jpg", PICTURE, [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)])[1].tobytes()
    if thumbnail:
        small = b"Exif\0\0" + cv2.imencode(".jpg", PICTURE[::8, ::8])[1].tobytes()
        data = data[:2] + b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small + data[2:]
    return data


JPEGS = pytest.mark.parametrize(
    "data",
    [jpeg(), jpeg(progressive=True), jpeg(thumbnail=True), jpeg(progressive=True, thumbnail=True)],
    ids=["baseline", "progressive", "thumbnail", "progressive-thumbnail"],
)


@JPEGS
@pytest.mark.parametrize(
    "padding",
    [
        bytes(3),
        bytes(5000),
        bytes(2_000_000),
        b"\xaa" * 20_000,
        b"\xff\xd8\xff\xe0" + bytes(9),
        bytes([255]) * 7,
    ],
    ids=["3", "5000", "2 MB", "other bytes", "begin of another", "ones"],
)
def test_a_jpeg_may_be_followed_by_anything(data, padding):
    whole = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(image_from_compressed(compressed(data + padding)), whole)


@JPEGS
@pytest.mark.parametrize("padding", [b"", bytes(5000)], ids=["bare", "padded"])
@pytest.mark.parametrize("share", [0.4, 0.9, 0.999])
def test_a_cut_jpeg_is_no_picture_whatever_its_header_holds(data, padding, share):
    with pytest.raises(RelocError, match="truncated") as refused:
        image_from_compressed(compressed(data[: int(len(data) * share)] + padding))
    assert not isinstance(refused.value, UnsupportedImage)


def test_a_cut_png_and_an_empty_message_are_damage_and_not_another_kind():
    png = cv2.imencode(".png", PICTURE)[1].tobytes()
    for data in (png[: len(png) // 2], b"", bytes(300)):
        with pytest.raises(RelocError, match="not readable as png") as refused:
            image_from_compressed(compressed(data, "png"))
        assert not isinstance(refused.value, UnsupportedImage)


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("h264", b"\0\0\0\x01\x67\x42", r"video \(h264\).*republish"),
        ("h265", b"\x40\x01 broken up", r"video \(h265\).*republish"),
        ("", b"\0\0\x01\x67\x42", r"video \(H.264 or H.265\).*republish"),
        ("draco", b"DRACO", "not readable as draco"),
    ],
)
def test_video_and_unknown_kinds_are_named(kind, data, words):
    with pytest.raises(UnsupportedImage, match=words):
        image_from_compressed(compressed(data, kind))


def test_an_unknown_encoding_is_named_with_those_that_are_read():
    depth = SimpleNamespace(
        encoding="32FC1", height=2, width=2, step=8, is_bigendian=0, data=np.zeros(16, np.uint8)
    )
    with pytest.raises(UnsupportedImage, match=r"'32FC1' is not supported; use one of mono8, "):
        image_from_message(depth)


def message_of(data: np.ndarray, **fields) -> SimpleNamespace:
    given = {"height": 4, "width": 6, "encoding": "bgr8", "is_bigendian": 0, "step": 32}
    return SimpleNamespace(data=data, **(given | fields))


def test_the_padding_of_the_last_row_may_be_left_out():
    rng = np.random.default_rng(0)
    padded = rng.integers(0, 256, (4, 32), np.uint8)
    image = image_from_message(message_of(padded.ravel()[: 3 * 32 + 18]))
    np.testing.assert_array_equal(image, padded[:, :18].reshape(4, 6, 3))
    with pytest.raises(RelocError, match="truncated: 113 bytes instead of 128"):
        image_from_message(message_of(padded.ravel()[: 3 * 32 + 17]))


def test_data_of_another_encoding_than_is_said_is_refused():
    """Three bytes a pixel, called one: seen as the picture squeezed into its upper third."""
    with pytest.raises(RelocError, match="72 bytes, several times the 24 of 4 rows of 6"):
        image_from_message(message_of(np.zeros(72, np.uint8), encoding="bayer_rggb8", step=6))
    assert image_from_message(message_of(np.zeros(4 * 32 + 40, np.uint8))).shape == (
        4,
        6,
        3,
    )  # a page that was filled
