"""Maps of local features that tests make up."""

import numpy as np

from reloc_ros.landmarks import Landmarks
from reloc_ros.local_features.feature_map import FeatureMap


def make_feature_map(descriptors: np.ndarray, points: np.ndarray, points_map: np.ndarray) -> FeatureMap:
    """Of points that were seen from everywhere."""
    directions = np.tile([0.0, 0.0, -1.0], (len(points_map), 1))
    landmarks = Landmarks(np.arange(len(points_map)), points_map, directions, np.full(len(points_map), np.pi))
    return FeatureMap(descriptors, points, landmarks, np.zeros((len(points_map), 3, 3)))
