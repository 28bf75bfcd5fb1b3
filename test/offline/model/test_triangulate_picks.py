import numpy as np
import pytest
from synthetic_model import make_model

from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.triangulate_picks import place_point


@pytest.fixture(scope="module")
def model() -> SfmModel:
    return make_model(images=20, noise_px=0.3)


def test_a_fifth_of_wrong_sightings_does_not_move_a_point(model):
    point = int(np.argmax(model.track_lengths))
    mine = model.observation_point == point
    images, pixels = model.observation_image[mine], model.observation_px[mine].copy()
    wrong = np.arange(0, len(images), 5)
    pixels[wrong] += [60, -45]
    placed = place_point(model, images, pixels)
    assert np.linalg.norm(placed.position - model.points_map[point]) < 0.01
    assert not placed.used[wrong].any() and placed.used.sum() == len(images) - len(wrong)


def test_the_covariance_says_how_far_off_a_placed_point_is(model):
    point = int(np.argmax(model.track_lengths))
    images = model.observation_image[model.observation_point == point]
    true = np.array(
        [
            model.camera(i).project(model.camera_from_map[i].apply(model.points_map[point][None]))[0]
            for i in images
        ]
    )
    squares = []
    for seed in range(60):
        noise = np.random.default_rng(seed).normal(0, 1.0, true.shape)
        placed = place_point(model, images, true + noise)
        gap = placed.position - model.points_map[point]
        squares.append(gap @ np.linalg.solve(placed.covariance, gap))
    assert 2 < np.mean(squares) < 4.5  # chi-square of three
