import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.errors import RelocError
from reloc_ros.io.picture_head import MOST_PIXELS, is_whole_jpeg, picture_size, refuse_huge

SIZES = st.integers(1, 40)


def encoded(suffix: str, width: int, height: int, *options: int) -> bytes:
    picture = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(suffix, picture, options)[1].tobytes()


def announcing(width: int, height: int) -> bytes:
    """The head of a PNG file alone."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


@given(SIZES, SIZES, st.sampled_from([".png", ".jpg"]), st.booleans())
def test_the_size_is_that_of_the_decoded_picture(width, height, suffix, progressive):
    options = (cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)) if suffix == ".jpg" else ()
    assert picture_size(encoded(suffix, width, height, *options)) == (width, height)


def test_padding_between_segments_hides_no_size():
    data = encoded(".jpg", 30, 20)
    padded = data[:2] + b"\xff\xff\xff" + data[2:]
    assert cv2.imdecode(np.frombuffer(padded, np.uint8), 0).shape == (20, 30)
    assert picture_size(padded) == (30, 20) and is_whole_jpeg(padded)


@given(st.data())
def test_a_cut_picture_has_its_size_or_none_and_no_end(data):
    whole = encoded(".jpg", 30, 20)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert picture_size(cut) in (None, (30, 20)) and not is_whole_jpeg(cut)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8", b"\x89PNG"]))
def test_anything_at_all_has_a_size_or_none(data, start):
    size = picture_size(start + data)
    assert size is None or len(size) == 2


def test_what_announces_more_than_any_camera_takes_is_refused_before_it_is_decoded():
    refuse_huge(announcing(16384, 16384), "it")
    refuse_huge(encoded(".webp", 30, 20), "it")
    with pytest.raises(
        RelocError, match=f"it announces 16385x16384 pixels, more than {MOST_PIXELS}: it is damaged"
    ):
        refuse_huge(announcing(16385, 16384), "it")
