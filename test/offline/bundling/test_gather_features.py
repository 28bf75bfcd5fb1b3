import cv2
import numpy as np
import pytest
from feature_maps import make_feature_map
from synthetic_model import make_model

import reloc_ros.offline.bundling.gather_features
from reloc_ros.errors import RelocError
from reloc_ros.offline.bundling.gather_features import Gathered, choose, gather_features

MODEL = make_model(camera="pinhole")


@pytest.fixture
def gathered() -> Gathered:
    """A descriptor for every observation."""
    count = len(MODEL.observation_point)
    descriptors = np.random.default_rng(0).integers(0, 256, (count, 128)).astype(np.uint8)
    known = make_feature_map(descriptors, MODEL.observation_point.astype(np.int64), MODEL.points_map)
    return Gathered(known, MODEL.observation_image, MODEL.observation_px)


def test_a_part_of_the_descriptors_brings_its_points_along(gathered):
    kept = np.zeros(len(gathered.views), bool)
    kept[7::11] = True
    part = gathered.subset(kept)
    np.testing.assert_array_equal(part.known.descriptors, gathered.known.descriptors[kept])
    before, after = (one.known.landmarks.positions_map[one.known.points] for one in (gathered, part))
    np.testing.assert_array_equal(after, before[kept])
    assert part.told == {"points": len(np.unique(gathered.known.points[kept])), "descriptors": kept.sum()}


def test_what_some_images_show_can_be_left_out(gathered):
    part = gathered.without([1, 4])
    assert set(part.views.tolist()) == set(range(12)) - {1, 4}
    assert part.known.points.max() == len(part.known.landmarks) - 1


def test_where_a_map_has_more_cells_than_a_bundle_has_descriptors_all_points_have_the_same_chance(gathered):
    kept = gathered.known.points[choose(gathered, MODEL, 60)]
    early = np.count_nonzero(kept < len(MODEL.points_map) // 2)
    assert 15 <= early <= 45


def test_a_bundle_carries_as_many_as_it_may_of_every_image_and_nearly_every_point(gathered):
    assert choose(gathered, MODEL, 10_000).all()
    kept = choose(gathered, MODEL, 240)
    assert kept.sum() == 240
    counts = np.bincount(gathered.views[kept], minlength=12)
    assert counts.min() >= 10
    assert len(np.unique(gathered.known.points[kept])) > 60


class Observed:
    """Finds what each image observed."""

    name, max_ratio, reach_px, side = "observed", 0.8, 5.0, np.inf

    def __init__(self) -> None:
        self.image = 0

    def detect(self, image):
        found = MODEL.observation_px[MODEL.observations_of(self.image)]
        self.image += 1
        return found, np.zeros((len(found), 4), np.uint8)


def test_features_of_which_no_point_is_left_are_refused(tmp_path, monkeypatch):
    for name in MODEL.names:
        cv2.imwrite(str(tmp_path / name), np.zeros((480, 640, 3), np.uint8))
    assert len(gather_features(Observed(), MODEL, tmp_path).known.landmarks) > 60
    monkeypatch.setattr(reloc_ros.offline.bundling.gather_features, "MAX_POINT_ERROR_PX", -1.0)
    with pytest.raises(RelocError, match="observed finds only 0 of the map's points again"):
        gather_features(Observed(), MODEL, tmp_path)
