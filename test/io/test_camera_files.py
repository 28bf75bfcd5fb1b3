import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.io import camera_files
from reloc_ros.io.camera_files import (
    camera_from_colmap,
    colmap_from_camera,
    colmap_from_px,
    px_from_colmap,
    read_camera_file,
)

OPENCV_PARAMS = [500.0, 510.0, 320.0, 240.0, 0.1, -0.05, 0.001, 0.002]


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=1))
def test_half_pixel_goes_there_and_back(points):
    np.testing.assert_allclose(px_from_colmap(colmap_from_px(points)), points, atol=1e-9)


def test_the_centre_of_the_top_left_pixel_is_a_half_in_colmap_and_zero_here():
    np.testing.assert_array_equal(px_from_colmap([0.5, 0.5]), [0, 0])


@pytest.mark.parametrize(
    "camera",
    [
        Camera("pinhole", 640, 480, 500, 510, 319.5, 239.5),
        Camera("brown", 640, 480, 500, 510, 319.5, 239.5, (0.1, -0.05, 0.001, 0.002, 0, 0, 0, 0)),
        Camera("brown", 640, 480, 500, 510, 319.5, 239.5, (0.1, -0.05, 0.001, 0.002, 0.1, 0.2, 0.3, 0.4)),
        Camera("fisheye", 640, 480, 300, 310, 319.5, 239.5, (0.1, -0.05, 0.001, 0.002)),
    ],
)
def test_camera_goes_to_colmap_and_back(camera):
    name, params = colmap_from_camera(camera)
    assert params[2:4] == [320.0, 240.0]
    assert camera_from_colmap(name, camera.width, camera.height, params) == camera


def test_binary_and_text_cameras_read_alike(tmp_path):
    text, binary = tmp_path / "cameras.txt", tmp_path / "cameras.bin"
    text.write_text("# comment\n\n7 OPENCV 640 480 " + " ".join(map(repr, OPENCV_PARAMS)) + "\n")
    binary.write_bytes(struct.pack("<QIiQQ8d", 1, 7, 4, 640, 480, *OPENCV_PARAMS))
    camera = read_camera_file(text)
    assert camera == read_camera_file(binary)
    assert (camera.cx, camera.cy) == (319.5, 239.5)


@pytest.mark.parametrize(
    ("name", "number", "params"),
    [
        ("SIMPLE_PINHOLE", 0, [500.0, 320.0, 240.0]),
        ("PINHOLE", 1, [500.0, 510.0, 320.0, 240.0]),
        ("SIMPLE_RADIAL", 2, [500.0, 320.0, 240.0, 0.1]),
        ("RADIAL", 3, [500.0, 320.0, 240.0, 0.1, 0.01]),
        ("OPENCV", 4, OPENCV_PARAMS),
        ("OPENCV_FISHEYE", 5, OPENCV_PARAMS),
        ("FULL_OPENCV", 6, [*OPENCV_PARAMS, 0.1, 0.2, 0.3, 0.4]),
        ("SIMPLE_RADIAL_FISHEYE", 8, [500.0, 320.0, 240.0, 0.1]),
        ("RADIAL_FISHEYE", 9, [500.0, 320.0, 240.0, 0.1, 0.01]),
        ("SIMPLE_FISHEYE", 14, [500.0, 320.0, 240.0]),
        ("FISHEYE", 15, [500.0, 510.0, 320.0, 240.0]),
    ],
)
def test_every_colmap_model_projects_as_pycolmap_does(tmp_path, name, number, params):
    pycolmap = pytest.importorskip("pycolmap")
    file = tmp_path / "cameras.bin"
    file.write_bytes(struct.pack(f"<QIiQQ{len(params)}d", 1, 7, number, 640, 480, *params))
    points = np.random.default_rng(0).uniform([-0.5, -0.4, 1], [0.5, 0.4, 2], (50, 3))
    genuine = pycolmap.Camera(model=name, width=640, height=480, params=params)
    expected = px_from_colmap(genuine.img_from_cam(points))
    np.testing.assert_allclose(read_camera_file(file).project(points), expected, atol=1e-6)


CALIBRATION_YAML = """
image_width: 640
image_height: 480
camera_name: front
camera_matrix: {rows: 3, cols: 3, data: [500, 0, 319.5, 0, 510, 239.5, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.05, 0.001, 0.002, 0.0]}
"""
MESSAGE_YAML = """
header: {frame_id: camera}
height: 480
width: 640
distortion_model: plumb_bob
d: [0.1, -0.05, 0.001, 0.002, 0.0]
k: [500.0, 0.0, 319.5, 0.0, 510.0, 239.5, 0.0, 0.0, 1.0]
binning_x: 0
roi: {x_offset: 0, y_offset: 0, height: 0, width: 0, do_rectify: false}
---
"""


@pytest.mark.parametrize("text", [CALIBRATION_YAML, MESSAGE_YAML, MESSAGE_YAML.replace("k:", "K:")])
def test_both_forms_of_camera_info_read_alike_and_keep_their_pixels(tmp_path, text):
    file = tmp_path / "camera.yaml"
    file.write_text(text)
    expected = Camera("brown", 640, 480, 500, 510, 319.5, 239.5, (0.1, -0.05, 0.001, 0.002, 0, 0, 0, 0))
    assert read_camera_file(file) == expected


KALIBR = """cam0:
  camera_model: pinhole
  distortion_coeffs: [-0.28, 0.07, 0.0002, 0.00002]
  distortion_model: radtan
  intrinsics: [458.7, 457.3, 367.2, 248.4]
  resolution: [752, 480]
  rostopic: /cam0/image_raw
"""
"""A camchain.yaml; sensor.yaml of EuRoC's data sets calls two of these otherwise, and has no cam0."""


@pytest.mark.parametrize("changes", [(), ("radtan", "radial-tangential", "_coeffs", "_coefficients")])
@pytest.mark.parametrize("fisheye", [False, True])
def test_calibrations_of_kalibr_are_read(tmp_path, changes, fisheye):
    text = KALIBR
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        text = text.replace(old, new)
    text = text.partition("\n")[2].replace("  ", "") if changes else text
    text = (
        text.replace("radtan", "equidistant").replace("radial-tangential", "equidistant") if fisheye else text
    )
    (tmp_path / "camchain.yaml").write_text(text)
    d = (-0.28, 0.07, 0.0002, 0.00002)
    expected = Camera(
        "fisheye" if fisheye else "brown",
        752,
        480,
        458.7,
        457.3,
        367.2,
        248.4,
        d + (0.0,) * 4 * (not fisheye),
    )
    assert read_camera_file(tmp_path / "camchain.yaml") == expected


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("camera.yaml", b"", "no fields"),
        ("camera.yaml", b"just words", "no fields"),
        ("camera.yaml", b"{", "not readable as yaml"),
        ("camera.yaml", b"\xff\xfe\x00", "not readable as yaml|no fields"),
        ("camera.yaml", b"width: 640", "lacks"),
        ("camera.yaml", MESSAGE_YAML.replace("binning_x: 0", "binning_x: 2").encode(), "binning"),
        ("camera.yaml", MESSAGE_YAML.replace("height: 0", "height: 100").encode(), "region of interest"),
        ("camera.yaml", MESSAGE_YAML.replace("roi: {", "roi: [").replace("}", "]").encode(), "camera.yaml"),
        ("camera.yaml", MESSAGE_YAML.replace("500.0", "0.0").encode(), "camera.yaml"),
        ("camera.yaml", MESSAGE_YAML.replace("width: 640", "width: wide").encode(), "not a camera_info"),
        ("camera.yaml", KALIBR.replace("pinhole", "omni").encode(), "omni with distortion radtan.*undistort"),
        (
            "camera.yaml",
            (KALIBR + KALIBR.replace("cam0:", "cam1:")).encode(),
            "it holds cam0, cam1 of Kalibr; leave",
        ),
        ("camera.yaml", MESSAGE_YAML.replace("width: 640", "width: .inf").encode(), "not a camera_info"),
        (
            "camera.yaml",
            MESSAGE_YAML.replace("width: 640", "width: 2024-13-45").encode(),
            "not readable as yaml",
        ),
        ("camera.yaml", b"[" * 60 + b"]" * 60, "not readable as yaml .*levels deep"),
        ("camera.yaml", KALIBR.replace(", 248.4]", "]").encode(), "not a camera_info"),
        ("camera.yaml", b"%YAML:1.0\n---\nCamera1.fx: 458.7\n", "OpenCV and ORB-SLAM write such"),
        ("cameras.txt", b"", "0 cameras"),
        ("cameras.txt", b"1 PINHOLE 640 480 1 2 3 4\n2 PINHOLE 640 480 1 2 3 4\n", "2 cameras"),
        ("cameras.txt", b"1 PINHOLE 640 480 1 2 3\n", "4 parameters"),
        ("cameras.txt", b"1 FOV 640 480 1 1 3 4 5\n", "FOV"),
        ("cameras.txt", b"some prose\n", "damaged"),
        ("cameras.bin", b"", "damaged"),
        ("cameras.bin", struct.pack("<QIiQQ2d", 1, 7, 4, 640, 480, 1, 2), "damaged"),
        ("cameras.bin", struct.pack("<QIiQQ", 1, 7, 7, 640, 480), "FOV is not supported; use one of"),
        ("cameras.bin", struct.pack("<QIiQQ", 1, 7, 99, 640, 480), "number 99"),
        ("camera.json", b"{}", "no camera file"),
    ],
)
def test_bad_camera_file_is_one_sentence_that_names_it(tmp_path, name, contents, message):
    file = tmp_path / name
    file.write_bytes(contents)
    with pytest.raises(RelocError, match=message) as error:
        read_camera_file(file)
    assert str(file) in str(error.value) and "\n" not in str(error.value)


def test_missing_camera_file_is_refused(tmp_path):
    with pytest.raises(RelocError, match="cannot read"):
        read_camera_file(tmp_path / "cameras.txt")


COLMAP = {
    "SIMPLE_PINHOLE": ([500, 320.5, 240.5], (500, 500), []),
    "PINHOLE": ([500, 510, 320.5, 240.5], (500, 510), []),
    "SIMPLE_RADIAL": ([500, 320.5, 240.5, 0.1], (500, 500), [0.1, 0, 0, 0]),
    "RADIAL": ([500, 320.5, 240.5, 0.1, -0.2], (500, 500), [0.1, -0.2, 0, 0]),
    "OPENCV": ([500, 510, 320.5, 240.5, 0.1, -0.2, 1e-3, 2e-3], (500, 510), [0.1, -0.2, 1e-3, 2e-3]),
    "FULL_OPENCV": (
        [500, 510, 320.5, 240.5, 0.1, -0.2, 1e-3, 2e-3, 0.01, 0.02, 0.03, 0.04],
        (500, 510),
        [0.1, -0.2, 1e-3, 2e-3, 0.01, 0.02, 0.03, 0.04],
    ),
    "OPENCV_FISHEYE": (
        [500, 510, 320.5, 240.5, 0.1, -0.02, 1e-3, 2e-3],
        (500, 510),
        [0.1, -0.02, 1e-3, 2e-3],
    ),
}


@pytest.mark.parametrize("name", COLMAP)
def test_colmap_model_projects_as_the_opencv_model_it_is_named_after(name):
    params, (fx, fy), d = COLMAP[name]
    camera = camera_from_colmap(name, 640, 480, params)
    points = np.random.default_rng(1).uniform([-0.4, -0.3, 0.9], [0.4, 0.3, 2], (20, 3))
    k = np.array([[fx, 0, 320.0], [0, fy, 240.0], [0, 0, 1]])
    project = cv2.fisheye.projectPoints if name == "OPENCV_FISHEYE" else cv2.projectPoints
    expected, _ = project(points[:, None], np.zeros(3), np.zeros(3), k, np.array(d, dtype=float))
    np.testing.assert_allclose(camera.project(points), expected[:, 0], atol=1e-9)


def test_unsupported_and_mismatched_colmap_models_are_refused():
    with pytest.raises(RelocError, match="THIN_PRISM_FISHEYE is not supported"):
        camera_from_colmap("THIN_PRISM_FISHEYE", 640, 480, [1.0] * 12)
    with pytest.raises(RelocError, match="OPENCV has 8 parameters, got 4"):
        camera_from_colmap("OPENCV", 640, 480, [500, 500, 320.5, 240.5])


def test_the_table_of_models_is_pycolmaps_own():
    pycolmap = pytest.importorskip("pycolmap")
    ours = {number: (model.name, model.params_count) for number, model in camera_files._COLMAP_MODELS.items()}
    for name, number in pycolmap.CameraModelId.__members__.items():
        if name == "INVALID":
            continue
        genuine = pycolmap.Camera.create_from_model_name(1, name, 500.0, 640, 480)
        assert (ours | camera_files._UNSUPPORTED_MODELS)[int(number)] == (name, len(genuine.params))


UNSUPPORTED = camera_files._UNSUPPORTED_MODELS


@pytest.mark.parametrize("number", UNSUPPORTED)
@pytest.mark.parametrize("suffix", [".bin", ".txt"])
def test_what_is_no_special_case_is_refused_by_name_with_what_to_do(tmp_path, number, suffix):
    name, count = UNSUPPORTED[number]
    file = write_cameras(tmp_path / f"cameras{suffix}", {7: (number, name, [1.0] * count)})
    with pytest.raises(RelocError, match=f"{name} is not supported; use one of .*undistort the images"):
        read_camera_file(file)


@pytest.mark.parametrize("number", UNSUPPORTED)
@pytest.mark.parametrize("suffix", [".bin", ".txt"])
def test_a_camera_that_no_image_uses_does_not_matter(tmp_path, number, suffix):
    name, count = UNSUPPORTED[number]
    cameras = {
        1: (number, name, [1.0] * count),
        2: (4, "OPENCV", OPENCV_PARAMS),
        3: (1, "PINHOLE", [-1.0] * 4),
    }
    file = write_cameras(tmp_path / f"cameras{suffix}", cameras)
    used = camera_files.read_colmap_cameras(file, {2})
    assert used == {2: camera_from_colmap("OPENCV", 640, 480, OPENCV_PARAMS)}
    with pytest.raises(RelocError, match=name):
        camera_files.read_colmap_cameras(file, {1, 2})


def write_cameras(file, cameras):
    if file.suffix == ".txt":
        lines = (f"{key} {name} 640 480 {' '.join(map(repr, p))}\n" for key, (_, name, p) in cameras.items())
        file.write_text("".join(lines))
    else:
        parts = (
            struct.pack(f"<IiQQ{len(p)}d", key, number, 640, 480, *p)
            for key, (number, _, p) in cameras.items()
        )
        file.write_bytes(struct.pack("<Q", len(cameras)) + b"".join(parts))
    return file


def test_colmap_is_given_no_camera_with_skew():
    with pytest.raises(RelocError, match=r"skew of 4\.27 px"):
        colmap_from_camera(Camera("pinhole", 640, 480, 500, 510, 319.5, 239.5, (), 4.27))


def yaml_of(tmp_path, text, *changes):
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "camera.yaml"
    file.write_text(text)
    return file


def test_camera_calibrations_name_of_the_lens_stands_for_the_distortion_model(tmp_path):
    four = ("[0.1, -0.05, 0.001, 0.002, 0.0]", "[0.1, -0.05, 0.001, 0.002]")
    fisheye = ("distortion_model: plumb_bob", "camera_model: fisheye")
    camera = read_camera_file(yaml_of(tmp_path, CALIBRATION_YAML, four, fisheye))
    assert camera == Camera("fisheye", 640, 480, 500, 510, 319.5, 239.5, (0.1, -0.05, 0.001, 0.002))
    pinhole = ("distortion_model: plumb_bob", "camera_model: pinhole")
    assert read_camera_file(yaml_of(tmp_path, CALIBRATION_YAML, four, pinhole)).model == "brown"
    both = ("distortion_model: plumb_bob", "distortion_model: plumb_bob\ncamera_model: fisheye")
    with pytest.raises(RelocError, match="camera_model fisheye contradicts distortion_model plumb_bob"):
        read_camera_file(yaml_of(tmp_path, CALIBRATION_YAML, both))
    neither = ("distortion_model: plumb_bob", "")
    with pytest.raises(RelocError, match="lacks 'distortion_model'"):
        read_camera_file(yaml_of(tmp_path, CALIBRATION_YAML, neither))


def test_a_region_of_interest_of_the_whole_sensor_is_none(tmp_path):
    whole = ("height: 0, width: 0", "height: 480, width: 640")
    assert read_camera_file(yaml_of(tmp_path, MESSAGE_YAML, whole)) == read_camera_file(
        yaml_of(tmp_path, MESSAGE_YAML)
    )
    for roi in ("height: 480, width: 320", "height: 480, width: 0"):
        with pytest.raises(RelocError, match="region of interest"):
            read_camera_file(yaml_of(tmp_path, MESSAGE_YAML, (whole[0], roi)))


def test_rectified_images_take_p_of_a_file(tmp_path):
    p = "projection_matrix: {rows: 3, cols: 4, data: [400, 0, 300, 0, 0, 410, 200, 0, 0, 0, 1, 0]}"
    file = yaml_of(tmp_path, CALIBRATION_YAML + p)
    assert read_camera_file(file).model == "brown"
    assert read_camera_file(file, rectified=True) == Camera("pinhole", 640, 480, 400, 410, 300, 200)


CASES = Path(__file__).parents[3] / "shared" / "cases"
EXPECTED = {
    "gemini336l_echo.yaml": ("brown", (-0.030605049803853035, 0.03520144522190094), 0.0),
    "ost_fisheye.yaml": ("fisheye", (0.175653, -0.031772), -0.96635),
    "roi_is_the_whole_sensor_echo.yaml": ("brown", (-0.12297, 0.13763), 0.0),
    "skew_echo.yaml": ("fisheye", (-1.152516, 2.913204), 4.26466),
    "t265_echo.yaml": ("fisheye", (-0.009274626150727272, 0.04619137942790985), 0.0),
    "must_refuse_nonzero_k6.yaml": None,
}


@pytest.mark.parametrize("name", sorted({*EXPECTED, *(file.name for file in CASES.glob("*.yaml"))}))
def test_files_as_drivers_write_them_come_out_as_their_names_say(name):
    if not (CASES / name).is_file():
        pytest.skip(f"{CASES} does not hold {name}; the tests above make files alike")
    if name.startswith("must_refuse"):
        with pytest.raises(RelocError, match="number 8 of the 8 in D is 1, not zero"):
            read_camera_file(CASES / name)
        return
    camera = read_camera_file(CASES / name)
    assert (camera.model, camera.coefficients[:2], camera.skew) == EXPECTED[name]
    v, u = np.mgrid[: camera.height : 7, : camera.width : 7]
    pixels = np.column_stack([u.ravel(), v.ravel()]).astype(float)
    rays = np.column_stack([camera.unproject(pixels), np.ones(len(pixels))])
    seen = np.isfinite(rays).all(axis=1)
    assert seen.mean() > 0.6
    np.testing.assert_allclose(camera.project(rays[seen]), pixels[seen], atol=1e-8)
