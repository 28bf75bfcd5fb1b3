import dataclasses

import numpy as np
import pytest
from synthetic_model import make_model

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks import visibility
from reloc_ros.offline.landmarks.labels import Labels, Visibility
from reloc_ros.offline.landmarks.select_landmarks import cloud_landmarks
from reloc_ros.offline.landmarks.visibility import label_images, seen_pairs
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity

SEEN, HIDDEN, UNKNOWN = Visibility.SEEN, Visibility.HIDDEN, Visibility.UNKNOWN
CAMERA = Camera("pinhole", 640, 480, 500.0, 500.0, 319.5, 239.5)
CENTERS = np.array([[-0.1, 0, 0], [0, 0, 0], [0.1, 0, 0]])


def grid(x: tuple[float, float], z: float, spacing: float = 0.02) -> np.ndarray:
    u, v = np.meshgrid(np.arange(*x, spacing), np.arange(-1, 1, spacing))
    return np.column_stack([u.ravel(), v.ravel(), np.full(u.size, z)])


@pytest.fixture(scope="module")
def model() -> SfmModel:
    """Three cameras look along z at a near wall on their left and a far wall on their right; all of it is observed.

    The last point is alone in front of nothing, and only the first camera observed it.
    """
    points = np.concatenate([grid((-1.5, 0), 2.0), grid((0.3, 1.2), 4.0), [[2.0, 0.8, 4.0]]])
    poses = tuple(SE3(np.eye(3), -center) for center in CENTERS)
    alone = len(points) - 1
    observations = []
    for i, pose in enumerate(poses):
        pixels = CAMERA.project(pose.apply(points))
        rows = [p for p in np.flatnonzero(CAMERA.contains(pixels)) if p != alone or i == 0]
        observations += [(p, i, *pixels[p]) for p in rows]
    table = np.array(sorted(observations))
    return SfmModel(
        cameras={1: CAMERA},
        names=("left.jpg", "middle.jpg", "right.jpg"),
        camera_ids=np.ones(3, dtype=np.int32),
        camera_from_map=poses,
        points_map=points,
        point_ids=np.arange(len(points), dtype=np.int64) + 100,
        colors=np.zeros((len(points), 3), dtype=np.uint8),
        errors_px=np.zeros(len(points)),
        observation_point=table[:, 0].astype(np.int32),
        observation_image=table[:, 1].astype(np.int32),
        observation_px=table[:, 2:],
    )


PLACES = {
    "on the near wall": (-0.5, 0.1, 2.0),
    "on the far wall": (0.8, -0.2, 4.0),
    "behind the near wall": (-0.9, 0.0, 4.0),
    "in front of nothing": (1.9, 0.0, 4.0),
    "outside the image": (9.0, 0.0, 4.0),
    "behind the camera": (0.0, 0.0, -4.0),
}


def landmarks(direction=(0.0, 0.0, -1.0), cone_deg: float = 25.0, first_id: int = 0) -> Landmarks:
    count = len(PLACES)
    return Landmarks(
        np.arange(count) + first_id,
        np.array(list(PLACES.values())),
        np.tile(np.asarray(direction, dtype=float), (count, 1)),
        np.full(count, np.radians(cone_deg)),
    )


def states(labels: Labels) -> dict[str, set[int]]:
    return {place: set(labels.visibility[:, k].tolist()) for k, place in enumerate(PLACES)}


def test_depth_tells_seen_hidden_and_unknown_apart(model):
    assert states(label_images(model, landmarks())) == {
        "on the near wall": {SEEN},
        "on the far wall": {SEEN},
        "behind the near wall": {HIDDEN},
        "in front of nothing": {UNKNOWN},
        "outside the image": {HIDDEN},
        "behind the camera": {HIDDEN},
    }


def test_voxels_tell_seen_and_hidden_apart(model):
    assert states(label_images(model, landmarks(), "voxels")) == {
        "on the near wall": {SEEN},
        "on the far wall": {SEEN},
        "behind the near wall": {HIDDEN},
        "in front of nothing": {SEEN},
        "outside the image": {HIDDEN},
        "behind the camera": {HIDDEN},
    }


def test_landmark_seen_from_its_back_only_is_hidden(model):
    found = states(label_images(model, landmarks(direction=(0, 0, 1))))
    assert found["on the near wall"] == found["on the far wall"] == {HIDDEN}


def test_landmark_seen_from_far_beside_its_cone_is_unknown(model):
    sideways = (np.sin(np.radians(75)), 0, -np.cos(np.radians(75)))
    found = states(label_images(model, landmarks(direction=sideways, cone_deg=10)))
    assert found["on the far wall"] == {UNKNOWN} and found["behind the near wall"] == {HIDDEN}


@pytest.mark.parametrize("method", ["depth", "voxels"])
def test_what_was_observed_was_seen_whatever_the_test_says(model, method):
    alone = Landmarks(
        model.point_ids[-1:], model.points_map[-1:], np.array([[0.0, 0.0, 1.0]]), np.array([0.1])
    )
    labels = label_images(model, alone, method)
    assert labels.visibility[0, 0] == SEEN
    if method == "depth":
        assert labels.visibility[1:, 0].tolist() == [HIDDEN, HIDDEN]  # the direction says so


def test_what_was_observed_but_projects_outside_is_hidden(model):
    """The pose does not fit that observation, and there is no keypoint to train on."""
    outside = Landmarks(
        model.point_ids[-1:], np.array([[9.0, 0.8, 4.0]]), np.array([[0.0, 0.0, -1.0]]), np.array([0.1])
    )
    assert label_images(model, outside).visibility[0, 0] == HIDDEN


def test_keypoints_are_the_projections(model):
    labels = label_images(model, landmarks())
    assert labels.names == model.names and labels.keypoints_px.shape == (3, 6, 2)
    for i, pose in enumerate(model.camera_from_map):
        expected = CAMERA.project(pose.apply(landmarks().positions_map))
        np.testing.assert_allclose(labels.keypoints_px[i], expected, atol=1e-3)
    assert np.isnan(labels.keypoints_px[:, 5]).all()


def test_labelling_is_in_no_unit(model):
    """The scale of a map is arbitrary, and nothing may depend on it."""
    for scale in (0.01, 100.0):
        scaled = dataclasses.replace(
            model,
            points_map=scale * model.points_map,
            camera_from_map=tuple(SE3(p.rotation, scale * p.translation) for p in model.camera_from_map),
        )
        bigger = dataclasses.replace(landmarks(), positions_map=scale * landmarks().positions_map)
        for method in ("depth", "voxels"):
            np.testing.assert_array_equal(
                label_images(scaled, bigger, method).visibility,
                label_images(model, landmarks(), method).visibility,
            )


def test_image_that_observed_nothing_knows_nothing(model):
    keep = model.observation_image != 1
    blind = dataclasses.replace(
        model,
        observation_point=model.observation_point[keep],
        observation_image=model.observation_image[keep],
        observation_px=model.observation_px[keep],
    )
    visibility = label_images(blind, landmarks()).visibility[1]
    assert visibility[:4].tolist() == [UNKNOWN] * 4 and visibility[4:].tolist() == [HIDDEN] * 2


def test_progress_counts_the_images(model):
    told = []
    label_images(model, landmarks(), progress=lambda *step: told.append(step))
    assert told == [("label", i, 3) for i in (1, 2, 3)]


def test_unknown_method_is_refused_and_the_known_ones_named(model):
    with pytest.raises(
        RelocError, match="unknown visibility test 'xray'; use one of appearance, depth, voxels"
    ):
        label_images(model, landmarks(), "xray")


@pytest.mark.parametrize("camera", ["pinhole", "brown", "fisheye"])
def test_pairs_seen_are_those_that_the_labels_by_depth_call_seen(camera):
    """Of two places far apart as of one, each image looking at its own surroundings alone."""
    one = make_model(images=9, points=400, camera=camera)
    moved = one.transformed(Similarity(1.0, np.eye(3), np.array([50.0, 0, 0])))
    both = dataclasses.replace(
        one,
        names=(*one.names, *(f"far_{name}" for name in one.names)),
        camera_ids=np.tile(one.camera_ids, 2),
        camera_from_map=one.camera_from_map + moved.camera_from_map,
        points_map=np.concatenate([one.points_map, moved.points_map]),
        point_ids=np.concatenate([one.point_ids, one.point_ids + 10_000]),
        colors=np.tile(one.colors, (2, 1)),
        errors_px=np.tile(one.errors_px, 2),
        observation_point=np.concatenate([one.observation_point, one.observation_point + 400]),
        observation_image=np.concatenate([one.observation_image, one.observation_image + 9]),
        observation_px=np.tile(one.observation_px, (2, 1)),
    )
    landmarks = cloud_landmarks(both)
    labels = label_images(both, landmarks)
    images, rows = np.nonzero(labels.visibility == SEEN)
    seen = seen_pairs(both, landmarks)
    np.testing.assert_array_equal(seen.images, images)
    np.testing.assert_array_equal(seen.landmarks, rows)
    np.testing.assert_array_equal(seen.keypoints_px, labels.keypoints_px[images, rows])
    sought = [0]
    with pytest.MonkeyPatch.context() as patch:
        depth_test = visibility._depth_test
        patch.setattr(
            visibility,
            "_depth_test",
            lambda model, some: (sought.append(len(some)), depth_test(model, some))[1],
        )
        seen_pairs(both, landmarks)
    assert max(sought) <= 400
