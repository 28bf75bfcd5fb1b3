"""The bundle in the repository, without ROS around it."""

import numpy as np
import pytest

from reloc_ros.bundle import Bundle
from reloc_ros.demo.film.trajectories import CAMERA, mapping, stream
from reloc_ros.demo.film.writer import pictures
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.demo.scene.places import other_place, reading_corner
from reloc_ros.geometry import center_error, rotation_error_deg
from reloc_ros.localizer import Localized, Localizer


@pytest.fixture(scope="module")
def localizer():
    return Localizer.from_bundle(EMBEDDED_BUNDLE, "onnx")


def test_it_is_small_metric_and_its_landmarks_are_in_the_room():
    bundle = Bundle.load(EMBEDDED_BUNDLE)
    assert bundle.scale == "metric"
    assert sum(file.stat().st_size for file in EMBEDDED_BUNDLE.iterdir()) < 16e6
    assert set(bundle.files) == {"landmarks.npz", "network.onnx", "network.int8.onnx", "references.npz"}
    positions = bundle.landmarks.positions_map
    assert np.all(positions > -0.05) and np.all(positions < (3.35, 3.05, 2.65))


@pytest.mark.slow
def test_pictures_of_another_place_never_give_a_pose(localizer):
    walk = mapping().part(slice(0, 80, 2))
    results = [localizer.localize(image, CAMERA) for image in pictures(other_place(), walk)]
    assert len(results) == 40
    assert not [result for result in results if isinstance(result, Localized)]


@pytest.mark.slow
def test_pictures_of_the_room_give_right_poses_and_those_of_the_garden_none(localizer):
    walk = stream(2.0)
    found = []
    for index, image in enumerate(pictures(reading_corner(), walk)):
        result = localizer.localize(image, CAMERA)
        if isinstance(result, Localized):
            assert not walk.away[index]
            truth = walk.camera_from_map[index]
            assert center_error(result.camera_from_map, truth) < 0.1
            assert rotation_error_deg(result.camera_from_map, truth) < 5
            found.append(walk.in_view[index])
    assert sum(found) >= 0.9 * sum(walk.in_view)
