"""What a camera should see of the landmarks."""

import dataclasses

import numpy as np
import pytest
from synthetic_model import look_at, make_model

from reloc_ros.offline.landmarks.select_landmarks import cloud_landmarks
from reloc_ros.offline.pruning.looks import Expectation

MODEL = make_model(images=13, points=200, camera="pinhole")
LANDMARKS = cloud_landmarks(MODEL)
CAMERA = MODEL.camera(0)


@pytest.fixture(scope="module")
def expectation():
    return Expectation(MODEL, LANDMARKS)


def test_from_among_the_map_s_cameras_most_is_expected_where_it_projects(expectation):
    pose = look_at(MODEL.centers_map[6] + [0.1, 0, 0.1], np.zeros(3))
    expected, pixels = expectation.of(CAMERA, pose)
    assert expected.mean() > 0.6
    np.testing.assert_allclose(pixels, CAMERA.project(pose.apply(LANDMARKS.positions_map)))


def test_nothing_is_expected_outside_of_the_picture_from_afar_or_from_behind(expectation):
    center = MODEL.centers_map[6]
    for pose in (
        look_at(center, 2 * center),
        look_at(2.5 * center, np.zeros(3)),
        look_at(-center, np.zeros(3)),
    ):
        assert not expectation.of(CAMERA, pose)[0].any()


def test_what_is_behind_something_is_not_expected():
    # A screen halfway between one camera and the landmarks, dense enough to fill the voxels.
    pose = MODEL.camera_from_map[6]
    u, v = np.meshgrid(*[np.linspace(-1.2, 1.2, 200)] * 2)
    screen = pose.inverse().apply(np.column_stack([u.ravel(), v.ravel(), np.full(u.size, 2.0)]))
    count = len(screen)
    hidden = dataclasses.replace(
        MODEL,
        points_map=np.concatenate([MODEL.points_map, np.repeat(screen, 2, axis=0)]),
        point_ids=np.append(MODEL.point_ids, 10_000 + np.arange(2 * count)),
        colors=np.concatenate([MODEL.colors, np.zeros((2 * count, 3), np.uint8)]),
        errors_px=np.append(MODEL.errors_px, np.zeros(2 * count)),
    )
    assert Expectation(MODEL, LANDMARKS).of(CAMERA, pose)[0].sum() > 100
    assert Expectation(hidden, LANDMARKS).of(CAMERA, pose)[0].sum() < 10
