import dataclasses

import numpy as np
import pytest
from feature_maps import make_feature_map

from reloc_ros.errors import RelocError
from reloc_ros.local_features.feature_map import FeatureMap


def some_features(origin: float = 0.0, points: int = 50) -> FeatureMap:
    rng = np.random.default_rng(0)
    descriptors = rng.integers(0, 256, (3 * points, 128)).astype(np.uint8)
    known = make_feature_map(
        descriptors, np.repeat(np.arange(points), 3), origin + rng.uniform(-5, 5, (points, 3))
    )
    roots = rng.normal(size=(points, 3, 3))
    return dataclasses.replace(known, covariances_map=roots @ roots.transpose(0, 2, 1))


@pytest.mark.parametrize("origin", [0.0, 5_500_000.0])
def test_saved_features_are_the_same_again_far_from_the_origin_too(origin, tmp_path):
    known = some_features(origin)
    known.save(tmp_path / "features.npz")
    loaded = FeatureMap.load(tmp_path / "features.npz")
    np.testing.assert_array_equal(loaded.descriptors, known.descriptors)
    np.testing.assert_array_equal(loaded.points, known.points)
    np.testing.assert_array_equal(loaded.landmarks.ids, known.landmarks.ids)
    assert np.abs(loaded.landmarks.positions_map - known.landmarks.positions_map).max() < 1e-5
    np.testing.assert_allclose(loaded.covariances_map, known.covariances_map, atol=0.05)
    assert np.abs(loaded.landmarks.view_cones_rad - known.landmarks.view_cones_rad).max() < 2e-3


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "another"},
        {"points": np.array([0, 99, 1])},
        {"points": np.zeros(0, int)},
        {"descriptors": np.zeros((2, 128), np.uint8)},
        {"view_cones_rad": np.full(50, np.nan)},
        {"positions_map": np.zeros((49, 3))},
        {"origin": None},
        {"covariance_roots": np.zeros((49, 6))},
        {"origin": np.full(3, 1e300)},
        {"origin": np.zeros(3, complex)},
        {"points": np.zeros(150)},
        {"descriptors": np.zeros((150, 128), np.complex64)},
    ],
)
def test_a_damaged_file_is_refused_with_a_sentence(change, tmp_path):
    path = tmp_path / "features.npz"
    some_features().save(path)
    with np.load(path) as data:
        arrays = {name: data[name] for name in data.files} | change
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(RelocError, match="not a readable file of local features; export the bundle again"):
        FeatureMap.load(path)


def test_a_file_of_another_format_or_none_is_refused(tmp_path):
    path = tmp_path / "features.npz"
    with pytest.raises(RelocError, match="does not exist"):
        FeatureMap.load(path)
    some_features().save(path)
    with np.load(path) as data:
        arrays = {name: data[name] for name in data.files} | {"format": 7}
    np.savez(path, **arrays)
    with pytest.raises(RelocError, match="has format 7; this version reads 1"):
        FeatureMap.load(path)
