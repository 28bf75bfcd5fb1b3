import dataclasses

import cv2
import numpy as np
import pytest
from feature_maps import make_feature_map
from synthetic_model import make_model

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.local_features.feature_map import FeatureMap
from reloc_ros.local_features.matching import Matcher
from reloc_ros.localizer import Localized, Lost, LostReason
from reloc_ros.offline.bundling.gather_features import gather_features
from reloc_ros.offline.measuring.features import FeatureBaseline

CAMERA = Camera("pinhole", 640, 480, 500.0, 500.0, 320.0, 240.0)
IMAGE = np.zeros((480, 640, 3), np.uint8)


@dataclasses.dataclass
class Planted:
    """Finds what it is told to find."""

    keypoints_px: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 2)))
    descriptors: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 32), np.float32))
    name: str = "planted"
    max_ratio: float = 0.8
    reach_px: float = 1.5
    side: float = np.inf

    def detect(self, image):
        return self.keypoints_px, self.descriptors


def planted(count: int = 200, of_other_places: float = 0.5):
    """A map of two descriptors a point, what a camera sees of it with a share of wrong ones, and its pose."""
    rng = np.random.default_rng(0)
    points_map = rng.uniform(-1, 1, (count, 3))
    descriptors = rng.normal(size=(count, 32)).astype(np.float32)
    both = np.concatenate([descriptors, descriptors + 0.01 * rng.normal(size=descriptors.shape)])
    known = make_feature_map(both.astype(np.float32), np.tile(np.arange(count), 2), points_map)
    pose = SE3.from_rotation_vector([0.1, -0.2, 0.05], [0.1, 0.2, 4.0])
    keypoints_px = CAMERA.project(pose.apply(points_map)) + rng.normal(0, 0.3, (count, 2))
    wrong = rng.random(count) < of_other_places
    keypoints_px[wrong] = rng.uniform(0, 480, (np.count_nonzero(wrong), 2))
    return known, Planted(keypoints_px, descriptors), pose


def test_any_features_are_localized_by_their_matches_though_half_are_wrong():
    pytest.importorskip("pycolmap")
    known, features, pose = planted()
    found = FeatureBaseline(features, known).localize(IMAGE, CAMERA)
    assert isinstance(found, Localized) and 60 < found.inliers.sum() < 140
    assert rotation_error_deg(found.camera_from_map, pose) < 0.2
    assert center_error(found.camera_from_map, pose) < 0.02


def test_ambiguous_features_match_nothing():
    known, features, _ = planted()
    twins = make_feature_map(
        known.descriptors, np.arange(len(known.descriptors)), np.tile(known.landmarks.positions_map, (2, 1))
    )
    between = Planted(features.keypoints_px, features.descriptors + np.float32(0.1))
    found = FeatureBaseline(between, twins).localize(IMAGE, CAMERA)
    assert isinstance(found, Lost) and found.reason is LostReason.TOO_FEW_KEYPOINTS


def test_map_holds_the_points_where_the_features_see_them(tmp_path):
    """Keypoints 3 px beside the map's observations: corners beside blobs, say."""
    model = make_model(camera="pinhole")
    beside = np.array([3.0, 0.0])

    class Beside(Planted):
        def detect(self, image):
            rows = model.observations_of(round(image.mean() / 20))
            rng = np.random.default_rng(0)
            keypoints_px = np.concatenate([model.observation_px[rows] + beside, rng.uniform(0, 480, (20, 2))])
            descriptors = np.zeros((len(keypoints_px), 32), np.float32)
            descriptors[: len(rows), 0] = model.observation_point[rows]
            return keypoints_px, descriptors

    for image, name in enumerate(model.names):
        cv2.imwrite(str(tmp_path / name), np.full((48, 64, 3), 20 * image, np.uint8))
    known = gather_features(Beside(reach_px=4.0), model, tmp_path).known
    own = known.descriptors[:, 0].astype(int)
    assert len(known.points) > 0.8 * len(model.observation_px)
    errors = []
    for image, pose in enumerate(model.camera_from_map):
        rows = model.observations_of(image)
        point_of = dict(zip(own.tolist(), known.points.tolist(), strict=True))
        there = np.isin(model.observation_point[rows], own)
        points = known.landmarks.positions_map[
            [point_of[p] for p in model.observation_point[rows[there]].tolist()]
        ]
        expected = model.observation_px[rows[there]] + beside
        errors.append(np.linalg.norm(model.camera(image).project(pose.apply(points)) - expected, axis=1))
    assert np.median(np.concatenate(errors)) < 1  # 3 without another triangulation
    seen = np.bincount(known.points)
    sigmas = np.sqrt(np.trace(known.covariances_map, axis1=1, axis2=2))
    assert np.median(sigmas[seen > 9]) < np.median(sigmas[seen < 6])
    with pytest.raises(RelocError, match="planted finds only"):
        gather_features(Beside(reach_px=0.1), model, tmp_path)


def test_map_that_was_saved_localizes_as_the_one_in_memory(tmp_path):
    pytest.importorskip("pycolmap")
    known, features, pose = planted()
    known.save(tmp_path / "map.npz")
    loaded = FeatureMap.load(tmp_path / "map.npz")
    np.testing.assert_array_equal(loaded.points, known.points)
    found = FeatureBaseline(features, loaded).localize(IMAGE, CAMERA)
    assert isinstance(found, Localized) and rotation_error_deg(found.camera_from_map, pose) < 0.2


def test_ratio_is_that_to_the_nearest_descriptor_of_another_point():
    descriptors = np.eye(5, 128, dtype=np.float32)
    known = make_feature_map(descriptors, np.array([7, 7, 8, 7, 9]), np.zeros((10, 3)))
    matcher = Matcher(Planted(), known)
    nearest = np.array([[0, 1, 2, 3], [2, 4, 0, 1], [1, 0, 3, 3]])
    distances = np.array([[0.1, 0.2, 0.4, 0.5], [0.3, 0.3, 0.6, 0.6], [0.2, 0.3, 0.4, 0.8]])
    points, ratios = matcher._ratios(nearest, distances)
    assert points.tolist() == [7, 8, 7]
    np.testing.assert_allclose(
        ratios, [0.1 / 0.4, 1.0, 0.2 / 0.8]
    )  # the last: another is farther than all four


def test_each_map_descriptor_matches_its_own_point():
    rng = np.random.default_rng(0)
    descriptors = np.sqrt(rng.dirichlet(np.full(128, 0.3), 600)).astype(np.float32)
    points = np.arange(600) // 2
    matcher = Matcher(Planted(), make_feature_map(descriptors, points, rng.normal(size=(300, 3))))
    found = matcher._match(rng.uniform(0, 600, (600, 2)), descriptors)
    assert len(found) == 600 and (found.landmarks == points).all() and found.scores.min() > 0.99
