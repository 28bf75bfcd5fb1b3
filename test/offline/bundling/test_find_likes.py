import dataclasses

import numpy as np
import pytest
from feature_maps import make_feature_map
from synthetic_model import make_model

from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.offline.bundling.find_likes import LikesFinder
from reloc_ros.offline.bundling.gather_features import Gathered
from reloc_ros.offline.model.sfm import SfmModel

ONE = make_model(camera="pinhole")
OTHER_FROM_ONE = SE3.from_rotation_vector([0, 0, 0.7], [30.0, 5.0, 0.0])
IMAGES = len(ONE.names)


def two_rooms() -> SfmModel:
    """The same balls of points twice, and the images of each."""
    poses = (*ONE.camera_from_map, *(pose @ OTHER_FROM_ONE.inverse() for pose in ONE.camera_from_map))
    points_map = np.concatenate([ONE.points_map, OTHER_FROM_ONE.apply(ONE.points_map)])
    return dataclasses.replace(
        ONE,
        names=tuple(f"{room}/{name}" for room in "ab" for name in ONE.names),
        camera_ids=np.tile(ONE.camera_ids, 2),
        camera_from_map=poses,
        points_map=points_map,
        point_ids=np.arange(len(points_map)),
        colors=np.tile(ONE.colors, (2, 1)),
        errors_px=np.tile(ONE.errors_px, 2),
        observation_point=np.concatenate(
            [ONE.observation_point, ONE.observation_point + len(ONE.points_map)]
        ),
        observation_image=np.concatenate([ONE.observation_image, ONE.observation_image + IMAGES]),
        observation_px=np.tile(ONE.observation_px, (2, 1)),
    )


def finder(alike: float) -> LikesFinder:
    """Of two rooms in which a share of the points looks alike."""
    rng = np.random.default_rng(0)
    model, count = two_rooms(), len(ONE.points_map)
    looks = rng.integers(0, 256, (2 * count, 128))
    looks[count : count + round(alike * count)] = looks[: round(alike * count)]
    seen = looks[model.observation_point] + rng.integers(-8, 9, (len(model.observation_point), 128))
    descriptors = seen.clip(0, 255).astype(np.uint8)
    known = make_feature_map(descriptors, model.observation_point.astype(np.int64), model.points_map)
    return LikesFinder(model, Gathered(known, model.observation_image, model.observation_px))


@pytest.mark.parametrize("image", [3, IMAGES + 3])
def test_an_image_of_one_of_two_rooms_that_are_alike_could_be_of_the_other(image):
    model = two_rooms()
    likes = finder(alike=0.6).find(image)
    assert len(likes) == 1
    truth = model.camera_from_map[(image + IMAGES) % (2 * IMAGES)]
    assert center_error(likes[0], truth) < 0.02 and rotation_error_deg(likes[0], truth) < 0.3


@pytest.mark.parametrize("alike", [0, 0.04])
def test_rooms_that_have_little_in_common_are_not_alike(alike):
    assert finder(alike).find(3) == []


def test_an_image_that_shows_little_is_like_nothing():
    few = finder(alike=1.0)
    few._gathered = few._gathered.subset(np.arange(len(few._gathered.views)) % 4 == 0)
    assert few.find(3) == []
