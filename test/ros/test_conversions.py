"""Messages in, core types out; every wrong message is one sentence."""

from __future__ import annotations

import array

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st
from scenes import png_that_claims
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.camera_info import camera_from_message
from reloc_ros.io.image_messages import BitDepth, image_from_compressed, image_from_message
from reloc_ros.ros.conversions import (
    camera_info_from,
    fixed_camera_for,
    message_camera_for,
    pose_from_se3,
    se3_from_transform,
    seconds_from_stamp,
    transform_from_se3,
)

HEIGHT, WIDTH = 12, 16
BGR = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
GREY = BGR[:, :, 0]
FLAT = np.full((HEIGHT, WIDTH, 3), (40, 90, 200), np.uint8)


def message_of(pixels, encoding, *, padding=0, big=False):
    rows = pixels.reshape(pixels.shape[0], -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    data = array.array("B", rows.tobytes())
    return Image(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        step=rows.shape[1],
        data=data,
        is_bigendian=int(big),
    )


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "sent", "expected"),
    [
        ("bgr8", BGR, BGR),
        ("8UC3", BGR, BGR),
        ("rgb8", BGR[:, :, ::-1].copy(), BGR),
        ("bgra8", np.dstack([BGR, GREY]), BGR),
        ("rgba8", np.dstack([BGR[:, :, ::-1], GREY]), BGR),
        ("mono8", GREY, GREY),
        ("8UC1", GREY, GREY),
        ("bgr16", BGR.astype(np.uint16) * 257, BGR),
        ("rgb16", BGR[:, :, ::-1].astype(np.uint16) * 257, BGR),
        ("mono16", GREY.astype(np.uint16) * 257, GREY),
    ],
)
def test_encodings_decode_to_bgr_or_grey(encoding, sent, expected, padding):
    np.testing.assert_array_equal(image_from_message(message_of(sent, encoding, padding=padding)), expected)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_right_aligned_sensor_values_keep_their_brightness(bits):
    values = GREY.astype(np.uint16) << (bits - 8)
    values[0, 0] = (1 << bits) - 1
    decoded = image_from_message(message_of(values, "16UC1"))
    np.testing.assert_array_equal(decoded.ravel()[1:], GREY.ravel()[1:])


def test_byte_order_counts_for_wide_values_only():
    wide = GREY.astype(np.uint16) * 257
    np.testing.assert_array_equal(
        image_from_message(message_of(wide.astype(">u2"), "mono16", big=True)), GREY
    )
    np.testing.assert_array_equal(image_from_message(message_of(BGR, "bgr8", big=True)), BGR)


@pytest.mark.parametrize(
    ("encoding", "red_at"),
    [("bayer_rggb8", (0, 0)), ("bayer_bggr8", (1, 1)), ("bayer_gbrg8", (1, 0)), ("bayer_grbg8", (0, 1))],
)
def test_bayer_patterns_are_named_by_their_first_pixels(encoding, red_at):
    blue, green, red = FLAT[0, 0]
    mosaic = np.full((HEIGHT, WIDTH), green, np.uint8)
    y, x = red_at
    mosaic[y::2, x::2] = red
    mosaic[1 - y :: 2, 1 - x :: 2] = blue
    decoded = image_from_message(message_of(mosaic, encoding))
    np.testing.assert_array_equal(decoded[4:-4, 4:-4], FLAT[4:-4, 4:-4])
    wide = image_from_message(message_of(mosaic.astype(np.uint16) * 257, encoding.replace("8", "16")))
    np.testing.assert_array_equal(wide[4:-4, 4:-4], FLAT[4:-4, 4:-4])


@pytest.mark.parametrize(
    ("encoding", "luma_first"), [("yuv422", 0), ("uyvy", 0), ("yuv422_yuy2", 1), ("yuyv", 1)]
)
def test_both_orders_of_yuv422_give_the_colour_back(encoding, luma_first):
    # BT.601, video range.
    blue, green, red = FLAT[0, 0].astype(float)
    y = 16 + 0.257 * red + 0.504 * green + 0.098 * blue
    u = 128 - 0.148 * red - 0.291 * green + 0.439 * blue
    v = 128 + 0.439 * red - 0.368 * green - 0.071 * blue
    pair = [[u, y], [v, y]] if luma_first == 0 else [[y, u], [y, v]]
    pixels = np.tile(np.rint(pair).astype(np.uint8), (HEIGHT, WIDTH // 2, 1)).reshape(HEIGHT, WIDTH, 2)
    decoded = image_from_message(message_of(pixels, encoding))
    assert np.abs(decoded.astype(int) - FLAT).max() <= 3


@pytest.mark.parametrize(("encoding", "chroma"), [("nv12", "uv"), ("nv21", "vu")])
@pytest.mark.parametrize("padding", [0, 6])
def test_both_orders_of_yuv420_give_the_colour_back(encoding, chroma, padding):
    blue, green, red = FLAT[0, 0].astype(float)
    y = 16 + 0.257 * red + 0.504 * green + 0.098 * blue
    u = 128 - 0.148 * red - 0.291 * green + 0.439 * blue
    v = 128 + 0.439 * red - 0.368 * green - 0.071 * blue
    height, width = 2 * HEIGHT, 2 * WIDTH
    planes = np.full((height * 3 // 2, width), np.rint(y), dtype=np.uint8)
    planes[height:, chroma.index("u") :: 2], planes[height:, chroma.index("v") :: 2] = np.rint(u), np.rint(v)
    message = message_of(planes, encoding, padding=padding)
    message.height = height
    decoded = image_from_message(message)
    assert decoded.shape == (height, width, 3)
    assert np.abs(decoded.astype(int) - FLAT[0, 0]).max() <= 3
    message.data = message.data[: -padding - 1]
    with pytest.raises(RelocError, match="truncated"):
        image_from_message(message)


def wrong_messages():
    good = message_of(BGR, "bgr8")
    yield "encoding", Image(height=1, width=1, step=4, encoding="32FC1", data=array.array("B", bytes(4)))
    yield "encoding", Image()
    yield "0x12", Image(height=12, width=0, step=0, encoding="bgr8")
    yield "step", Image(height=HEIGHT, width=WIDTH, step=WIDTH, encoding="bgr8", data=good.data)
    yield "truncated", Image(height=HEIGHT, width=WIDTH, step=good.step, encoding="bgr8", data=good.data[:-1])
    yield "even size", message_of(np.zeros((4, 3, 2), np.uint8), "yuv422")


@pytest.mark.parametrize(("word", "message"), list(wrong_messages()))
def test_images_that_are_none_are_refused_with_a_sentence(word, message):
    with pytest.raises(RelocError, match=word):
        image_from_message(message)


@given(
    encoding=st.sampled_from(
        ["bgr8", "mono8", "mono16", "yuv422", "nv12", "bayer_rggb8", "rgba16", "nonsense", ""]
    ),
    width=st.integers(0, 9),
    height=st.integers(0, 9),
    step=st.integers(0, 80),
    size=st.integers(0, 800),
)
def test_any_message_is_an_image_of_its_size_or_refused(encoding, width, height, step, size):
    message = Image(
        encoding=encoding, width=width, height=height, step=step, data=array.array("B", bytes(size))
    )
    try:
        pixels = image_from_message(message)
    except RelocError:
        return
    assert pixels.shape[:2] == (height, width)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("extension", [".png", ".jpg"])
@pytest.mark.parametrize("pixels", [FLAT, FLAT[:, :, 0]], ids=["colour", "grey"])
def test_compressed_images_decode(extension, pixels):
    decoded = image_from_compressed(compressed(pixels, extension))
    assert decoded.shape == pixels.shape
    assert np.abs(decoded.astype(int) - pixels).max() <= 3


@pytest.mark.parametrize("extension", [None, ".png"], ids=["raw", "png"])
def test_a_bright_pixel_does_not_darken_the_images_after_it_again_and_again(extension):
    """A camera of 12 bits, right-aligned, whose brightest value varies."""
    depth, grey = BitDepth(), np.full((4, 6), 250, np.uint16)
    bright = grey.copy()
    bright[0, 0] = 4000

    def seen(values, depth):
        if extension is None:
            return image_from_message(message_of(values, "mono16"), depth)[1, 1]
        return image_from_compressed(compressed(values, extension), depth)[1, 1]

    assert [seen(values, depth) for values in (grey, bright, grey, bright, grey)] == [250, 15, 15, 15, 15]
    assert seen(grey, BitDepth()) == 250  # another stream


def compressed(pixels, extension):
    message = CompressedImage(format=extension[1:])
    message.data.frombytes(cv2.imencode(extension, pixels)[1].tobytes())
    return message


def test_sixteen_bit_png_is_brought_to_eight():
    decoded = image_from_compressed(compressed(GREY.astype(np.uint16) * 257, ".png"))
    np.testing.assert_array_equal(decoded, GREY)


@pytest.mark.parametrize(
    ("word", "make"),
    [
        ("truncated", lambda: cut(compressed(BGR, ".jpg"), 100)),
        ("not readable", lambda: cut(compressed(BGR, ".png"), 20)),
        ("not readable", CompressedImage),
        ("depth", lambda: CompressedImage(format="16UC1; compressedDepth png")),
    ],
)
def test_compressed_images_that_are_none_are_refused(word, make):
    with pytest.raises(RelocError, match=word):
        image_from_compressed(make())


def test_a_header_that_claims_more_pixels_than_opencv_takes_is_a_sentence():
    message = CompressedImage(format="png", data=array.array("B", png_that_claims(60_000, 60_000)))
    with pytest.raises(RelocError, match="announces 60000x60000 pixels"):
        image_from_compressed(message)


def cut(message, size):
    message.data = message.data[:size]
    return message


def info(**fields):
    k = [500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0]
    given = {
        "width": 640,
        "height": 480,
        "distortion_model": "plumb_bob",
        "k": k,
        "d": [0.1, 0.0, 0.0, 0.0, 0.0],
    }
    return CameraInfo(**(given | fields))


def test_camera_info_is_the_camera_of_its_fields():
    camera = camera_from_message(info())
    assert (camera.model, camera.width, camera.height) == ("brown", 640, 480)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (500.0, 510.0, 320.0, 240.0)


@pytest.mark.parametrize(
    "camera",
    [
        Camera("pinhole", 640, 480, 500.0, 510.0, 320.0, 240.0),
        Camera("brown", 640, 480, 500.0, 510.0, 320.0, 240.0, (-0.1, 0.05, 1e-3, 1e-3, 0.01, 0, 0, 0)),
        Camera("fisheye", 640, 480, 280.0, 280.0, 320.0, 240.0, (0.02, -0.01, 0, 0)),
    ],
    ids=lambda camera: camera.model,
)
def test_cameras_survive_the_way_to_a_message_and_back(camera):
    assert camera_from_message(camera_info_from(camera, Header())) == camera


def test_a_window_and_binning_of_the_sensor_change_the_pixels_and_not_the_rays():
    whole = camera_from_message(info())
    roi = RegionOfInterest(x_offset=100, y_offset=40, width=400, height=200)
    part = camera_from_message(info(roi=roi, binning_x=2, binning_y=2))
    assert (part.width, part.height) == (200, 100)
    # Binned pixel (10, 20) covers sensor pixels 120..121 by 80..81.
    np.testing.assert_allclose(part.unproject([[10, 20]]), whole.unproject([[120.5, 80.5]]), atol=1e-9)


def test_rectified_images_go_by_p_without_distortion():
    p = [400.0, 0.0, 300.0, 0.0, 0.0, 410.0, 200.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    camera = camera_from_message(info(p=p), rectified=True)
    assert camera == Camera("pinhole", 640, 480, 400.0, 410.0, 300.0, 200.0)


@pytest.mark.parametrize(
    ("word", "fields"),
    [
        ("all zeros", {"k": [0.0] * 9}),
        ("finite", {"k": [np.nan] * 9}),
        ("finite", {"d": [np.inf, 0.0, 0.0, 0.0, 0.0]}),
        ("magic", {"distortion_model": "magic"}),
        ("coefficients", {"d": [0.1, 0.2]}),
        ("at least 1x1", {"width": 0, "height": 0}),
        ("does not fit", {"roi": RegionOfInterest(x_offset=600, width=100, height=10)}),
        ("at least 1x1", {"roi": RegionOfInterest(width=100)}),
    ],
)
def test_camera_info_that_is_no_camera_is_refused_with_a_sentence(word, fields):
    with pytest.raises(RelocError, match=word):
        camera_from_message(info(**fields))


def test_camera_info_of_another_size_than_the_image_is_refused():
    with pytest.raises(RelocError, match="640x480 images, but the image is 320x240"):
        message_camera_for(info(), np.zeros((240, 320), np.uint8))


def test_a_camera_given_once_serves_every_resolution_of_its_shape():
    camera = camera_from_message(info())
    half = fixed_camera_for(camera, np.zeros((240, 320), np.uint8))
    assert half == camera.resized(320, 240)
    with pytest.raises(RelocError, match="another shape"):
        fixed_camera_for(camera, np.zeros((360, 640), np.uint8))


finite = st.floats(-100, 100)


@given(st.tuples(finite, finite, finite), st.tuples(finite, finite, finite))
def test_transforms_survive_the_way_to_a_message_and_back(rotation_vector, translation):
    transform = SE3.from_rotation_vector(rotation_vector, translation)
    back = se3_from_transform(transform_from_se3(transform))
    np.testing.assert_allclose(back.matrix, transform.matrix, atol=1e-9)
    pose = pose_from_se3(transform)
    np.testing.assert_allclose([pose.position.x, pose.position.y, pose.position.z], transform.translation)
    assert pose.orientation == transform_from_se3(transform).rotation


def test_stamps_become_seconds():
    assert seconds_from_stamp(Time(sec=12, nanosec=500_000_000)) == 12.5


@pytest.mark.parametrize(
    "encoding", ["bgr8", "rgb8", "bgra8", "rgba8", "mono8", "bayer_rggb8", "yuv422", "yuv422_yuy2"]
)
def test_decoding_agrees_with_cv_bridge(encoding):
    bridge = pytest.importorskip(
        "cv_bridge.core", reason="cv_bridge comes with a ROS distribution"
    ).CvBridge()
    channels = {"mono8": 1, "bayer_rggb8": 1, "bgra8": 4, "rgba8": 4, "yuv422": 2, "yuv422_yuy2": 2}.get(
        encoding, 3
    )
    pixels = np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH, channels), dtype=np.uint8)
    message = message_of(pixels, encoding)
    expected = bridge.imgmsg_to_cv2(message, "mono8" if encoding == "mono8" else "bgr8")
    np.testing.assert_array_equal(image_from_message(message), expected)


@pytest.mark.parametrize(
    ("part", "number"),
    [
        ("translation", np.nan),
        ("translation", np.inf),
        ("translation", -1e300),
        ("rotation", np.nan),
        ("rotation", np.inf),
    ],
)
def test_a_transform_that_is_nowhere_is_refused(part, number):
    message = transform_from_se3(SE3.identity())
    getattr(message, part).y = number
    with pytest.raises(RelocError, match="needs"):
        se3_from_transform(message)
