"""Which camera the node takes its images for."""

import dataclasses

import pytest
from table_bundle import CAMERA, make_table_bundle

from reloc_ros.errors import RelocError
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.loaded_map import LoadedMap

PHONE = dataclasses.replace(CAMERA, fx=600.0, fy=600.0)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("bundle") / "two.bundle"
    return str(make_table_bundle(folder, cameras={"robot": CAMERA, "phone": PHONE}).path)


def load(bundle: str, **given) -> LoadedMap:
    return LoadedMap.load(Parameters(backend="onnx", **given), bundle)


def test_a_map_of_two_cameras_needs_the_name_of_the_one_in_use(bundle):
    assert load(bundle, camera_source="bundle", bundle_camera="phone").fixed_camera == PHONE
    with pytest.raises(RelocError, match=r"2 cameras, 'robot' .*, 'phone' .*bundle_camera"):
        load(bundle, camera_source="bundle")
    with pytest.raises(RelocError, match="no camera 'tablet'"):
        load(bundle, camera_source="bundle", bundle_camera="tablet")
    with pytest.raises(RelocError, match="goes with camera_source bundle"):
        load(bundle, bundle_camera="phone")
    assert load(bundle).fixed_camera is None


def test_rectified_images_take_p_of_the_file(bundle, tmp_path):
    file = tmp_path / "camera.yaml"
    file.write_text(
        "width: 640\nheight: 480\ndistortion_model: plumb_bob\nd: [0.1, 0, 0, 0, 0]\n"
        "k: [500, 0, 320, 0, 500, 240, 0, 0, 1]\np: [450, 0, 310, 0, 0, 450, 230, 0, 0, 0, 1, 0]\n"
    )
    given = {"camera_source": "file", "camera_info_file": str(file)}
    assert load(bundle, **given).fixed_camera.fx == 500
    rectified = load(bundle, image_rectified="true", **given).fixed_camera
    assert (rectified.model, rectified.fx) == ("pinhole", 450)
