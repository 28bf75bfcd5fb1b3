"""Which intrinsics of a camera_info hold, and what is said of one that contradicts itself."""

import logging
import types

import numpy as np
import pytest

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.io.camera_info import (
    camera_from_message,
    is_named_rectified,
    log_camera_info,
    log_given_camera,
)

K = [500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0]
P = [450.0, 0.0, 310.0, 0.0, 0.0, 450.0, 230.0, 0.0, 0.0, 0.0, 1.0, 0.0]
P_OF_K = [500.0, 0.0, 320.0, 0.0, 0.0, 500.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]
D = [-0.2, 0.05, 0.0, 0.0, 0.0]
ANGLE = np.radians(1.5)
TURNED = [np.cos(ANGLE), 0, np.sin(ANGLE), 0, 1, 0, -np.sin(ANGLE), 0, np.cos(ANGLE)]


def info(**fields):
    whole = types.SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0)
    given = {"distortion_model": "plumb_bob", "k": K, "d": D, "r": np.eye(3).ravel(), "p": P}
    size = {"width": 640, "height": 480, "binning_x": 0, "binning_y": 0, "roi": whole}
    return types.SimpleNamespace(**(size | given | fields))


def said(caplog, message, *, rectified):
    caplog.clear()
    with caplog.at_level(logging.INFO):
        log_camera_info(message, "images of /camera/image", rectified=rectified)
    (rule, *doubts) = caplog.records
    assert rule.levelno == logging.INFO and all(doubt.levelno == logging.WARNING for doubt in doubts)
    return rule.getMessage(), [doubt.getMessage() for doubt in doubts]


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("/camera/image_rect", True),
        ("/camera/image_rect_color", True),
        ("/camera/color/image_rect_raw", True),
        ("/camera/image_rect_raw/compressed", True),
        ("/left/image_rectified", True),
        ("/zed/rgb/color/rect/image", True),
        ("/camera/image_raw", False),
        ("/camera/image", False),
        ("/direct/image", False),
        ("/rectangle/image_correct", False),
    ],
)
def test_a_topics_name_tells_whether_its_images_are_rectified(topic, expected):
    assert is_named_rectified(topic) == expected


def test_the_rule_is_said_and_an_ordinary_camera_info_raises_no_doubt(caplog):
    rule, doubts = said(caplog, info(), rectified=False)
    assert "/camera/image: taken for not rectified, by K and D" in rule and doubts == []
    rule, doubts = said(caplog, info(), rectified=True)
    assert "taken for rectified, by P" in rule and doubts == []
    for ideal in (info(d=[], p=P_OF_K), info(d=[0.0] * 5, p=[0.0] * 12), info(d=[], p=P_OF_K, r=[0.0] * 9)):
        for rectified in (True, False):
            assert said(caplog, ideal, rectified=rectified)[1] == []


def test_rectified_images_without_p_are_told_by_what_they_go(caplog):
    rule, _ = said(caplog, info(d=[0.0] * 5, p=[0.0] * 12), rectified=True)
    assert "taken for rectified, by K of camera_info, as its P is all zeros" in rule


def test_distortion_of_rectified_images_that_p_knows_nothing_of_is_told_by_its_size(caplog):
    message = info(p=P_OF_K)
    shift = camera_from_message(message, rectified=True).shift_px(camera_from_message(message))
    (doubt,) = said(caplog, message, rectified=True)[1]
    assert f"P is K, as if nothing were rectified, while D moves pixels by up to {shift:.1f}" in doubt
    assert said(caplog, message, rectified=False)[1] == []
    assert said(caplog, info(p=P_OF_K, d=[1e-5, 0, 0, 0, 0]), rectified=True)[1] == []


@pytest.mark.parametrize("rectified", [True, False])
def test_intrinsics_that_differ_though_there_is_nothing_to_rectify_are_told(caplog, rectified):
    (doubt,) = said(caplog, info(d=[]), rectified=rectified)[1]
    assert "nothing to rectify, while P differs from K by up to" in doubt


def test_a_turned_or_second_camera_is_told_with_its_size(caplog):
    second = [450.0, 0.0, 310.0, -54.0, *P[4:]]
    turn, pair = said(caplog, info(r=TURNED, p=second), rectified=True)[1]
    assert "R turns the rectified camera by 1.50 degrees" in turn
    assert "second camera of a pair, 0.120 m beside the first (Tx -54, Ty 0)" in pair
    assert said(caplog, info(r=TURNED, p=second), rectified=False)[1] == []


def test_an_unnamed_distortion_model_is_told(caplog):
    (doubt,) = said(caplog, info(distortion_model=""), rectified=False)[1]
    assert "names no distortion model: the 5 numbers in D are taken for plumb_bob's" in doubt


def test_what_is_not_used_may_be_anything(caplog):
    assert said(caplog, info(p=[np.nan] * 12), rectified=False)[1] == []
    assert said(caplog, info(distortion_model="magic"), rectified=True)[1] == []


def test_rectified_images_without_p_go_by_k_where_there_is_nothing_to_rectify():
    nothing = [0.0] * 12
    expected = Camera("pinhole", 640, 480, 500.0, 500.0, 320.0, 240.0)
    assert camera_from_message(info(d=[], p=nothing), rectified=True) == expected
    for message in (info(p=nothing), info(d=[], p=nothing, r=TURNED)):
        with pytest.raises(RelocError, match="P is all zeros"):
            camera_from_message(message, rectified=True)


def test_a_region_of_the_whole_sensor_is_none():
    whole = types.SimpleNamespace(x_offset=0, y_offset=0, width=640, height=480)
    assert camera_from_message(info(roi=whole)) == camera_from_message(info())


def test_given_intrinsics_with_distortion_are_doubted_where_the_topic_is_called_rectified(caplog):
    log_given_camera(camera_from_message(info()), "/camera/image_raw")
    log_given_camera(camera_from_message(info(), rectified=True), "/camera/image_rect")
    assert caplog.records == []
    log_given_camera(camera_from_message(info()), "/camera/image_rect")
    assert "called rectified, but the intrinsics given for them have distortion" in caplog.text


@pytest.mark.parametrize(
    ("size", "k", "binning", "sentence"),
    [
        # A driver that scaled K for binning, and not the size: https://github.com/ros-perception/image_pipeline/issues/736
        ((2064, 1544), (299.5, 254.1, 183.9), 4, "is the middle of the 516x386 pixels after binning"),
        # K of 640x400 with half the size: https://github.com/orbbec/ros_astra_camera/issues/84
        ((320, 200), (540.9, 318.4, 184.4), 0, "not in the 320x200 picture or at its very corner"),
        # Scaled by the wrong factor: https://github.com/orbbec/OrbbecSDK_ROS1/issues/7
        ((3840, 2160), (13489.9, 11447.9, 6276.5), 0, "not in the 3840x2160 picture or at its very corner"),
    ],
)
def test_intrinsics_of_another_size_are_refused(size, k, binning, sentence):
    f, cx, cy = k
    message = info(
        width=size[0], height=size[1], k=[f, 0, cx, 0, f, cy, 0, 0, 1], binning_x=binning, binning_y=binning
    )
    with pytest.raises(RelocError, match=sentence):
        camera_from_message(message)


def test_binning_with_intrinsics_of_the_whole_sensor_is_applied():
    camera = camera_from_message(info(binning_x=4, binning_y=4))
    assert (camera.width, camera.height, camera.fx) == (160, 120, 125.0)


def test_a_picture_that_was_cut_is_taken_with_a_warning(caplog):
    cut = info(height=300, k=[500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0], p=P_OF_K, d=[])
    assert camera_from_message(cut).cy == 240.0
    _, doubts = said(caplog, cut, rectified=False)
    assert [
        "principal point (320, 240) is far from the middle of the 640x300" in doubt for doubt in doubts
    ] == [True]
