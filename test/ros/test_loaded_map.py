"""Which camera the node takes its images for."""

import dataclasses
import shutil

import numpy as np
import pytest
from feature_maps import make_feature_map
from table_bundle import CAMERA, make_table_bundle

from reloc_ros.bundle import FEATURES
from reloc_ros.errors import RelocError
from reloc_ros.io.manifest import digest_of, read_manifest, write_manifest
from reloc_ros.local_features.sift import SIZE
from reloc_ros.ros.control.camera_parameters import CameraParameters
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.loaded_map import LoadedMap
from reloc_ros.stream.tracker import SecondLooks

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


def rig_of(**bundles: str) -> Parameters:
    rig = tuple(CameraParameters(name, bundle=bundle) for name, bundle in bundles.items())
    return Parameters(backend="onnx", tf_mode="map_base", rig=rig)


def test_a_camera_without_local_features_is_not_followed_by_two_threads(bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "with")
    rng = np.random.default_rng(0)
    descriptors = rng.integers(0, 256, (20, SIZE)).astype(np.uint8)
    features = make_feature_map(descriptors, np.arange(20), rng.uniform(1, 2, (20, 3)))
    features.save(tmp_path / "with" / FEATURES)
    manifest = read_manifest(tmp_path / "with")
    manifest["files"][FEATURES] = digest_of(tmp_path / "with" / FEATURES)
    write_manifest(tmp_path / "with", manifest)
    loaded = LoadedMap.load(rig_of(front=str(tmp_path / "with"), rear=bundle), bundle)
    assert loaded.has_second and not loaded.of("rear").has_second
    for name in ("front", "rear"):
        assert isinstance(loaded.again.of(name).tracker, SecondLooks)
    image = np.zeros((CAMERA.height, CAMERA.width), np.uint8)
    lost = loaded.again.of("rear").tracker.localize(image, CAMERA, 1.0, None)
    assert "no local features" in lost.detail


def test_no_camera_of_several_may_have_a_map_without_metres(bundle, tmp_path):
    unknown = str(make_table_bundle(tmp_path / "unknown", scale="unknown").path)
    given = rig_of(front="", rear=unknown)
    with pytest.raises(RelocError, match="scale of the map is unknown that rear is given"):
        LoadedMap.load(given, bundle).tf_config(given)
