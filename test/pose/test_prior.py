"""A prediction helps where it is right, and does no harm where it is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solvers import SOLVERS

from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.pose.pnp import Correspondences, make_solver
from reloc_ros.pose.prior import best_pose, refined_prediction, support

LIMIT = 0.02
SIGMA = 0.002


def scene(seed, count=24, outliers=0, noise=SIGMA):
    """A pose and the keypoints of a camera there, the first `outliers` of them anywhere."""
    rng = np.random.default_rng(seed)
    pose = SE3.from_rotation_vector(rng.normal(0, 0.3, 3), rng.normal(0, 0.3, 3))
    camera_points = np.column_stack([rng.uniform(-1, 1, (count, 2)), rng.uniform(1.5, 4, count)])
    rays = camera_points[:, :2] / camera_points[:, 2:] + rng.normal(0, noise, (count, 2))
    rays[:outliers] = rng.uniform(-0.6, 0.6, (outliers, 2))
    matches = Correspondences(pose.inverse().apply(camera_points), rays, np.full(count, SIGMA))
    return pose, matches, np.full(count, 0.8)


def moved(pose, metres, degrees, seed=0):
    rng = np.random.default_rng(seed)
    direction, axis = rng.normal(size=(2, 3))
    rotation_vector = np.radians(degrees) * axis / np.linalg.norm(axis)
    return SE3.from_rotation_vector(rotation_vector, metres * direction / np.linalg.norm(direction)) @ pose


@pytest.mark.parametrize("seed", range(10))
def test_a_prediction_some_centimetres_off_is_refined_to_the_pose(seed):
    pose, matches, _ = scene(seed, outliers=6)
    refined = refined_prediction(moved(pose, 0.05, 1.0, seed), matches, LIMIT)
    assert center_error(refined, pose) < 0.02
    assert rotation_error_deg(refined, pose) < 0.5


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("seed", range(10))
def test_a_wrong_prediction_never_wins_over_a_right_pose(seed, solver):
    pose, matches, scores = scene(seed, outliers=6)
    found = make_solver(solver)(matches, LIMIT)
    chosen = best_pose(found, moved(pose, 2.0, 60.0, seed), matches, scores, LIMIT)
    assert center_error(chosen, pose) < 0.02


def test_where_the_search_fails_the_prediction_stands_alone_before_the_same_evidence():
    pose, matches, scores = scene(0)
    chosen = best_pose(None, moved(pose, 0.03, 0.5), matches, scores, LIMIT)
    assert center_error(chosen, pose) < 0.02


def test_nothing_predicted_changes_nothing():
    pose, matches, scores = scene(0)
    assert best_pose(pose, None, matches, scores, LIMIT) is pose
    assert best_pose(None, None, matches, scores, LIMIT) is None


def test_a_prediction_that_explains_nothing_is_no_pose():
    pose, matches, _ = scene(1)
    assert refined_prediction(moved(pose, 0.0, 90.0), matches, LIMIT) is None


@settings(max_examples=50)
@given(seed=st.integers(0, 10_000), metres=st.floats(0, 3), degrees=st.floats(0, 180))
def test_neither_fit_nor_agreement_of_the_chosen_pose_is_less_than_the_found_ones(seed, metres, degrees):
    pose, matches, scores = scene(seed, count=12, outliers=4)
    predicted = moved(pose, metres, degrees, seed)
    found = make_solver("usac")(matches, LIMIT)
    chosen = best_pose(found, predicted, matches, scores, LIMIT)
    if found is not None:
        before, after = (support(pose, matches, scores, LIMIT) for pose in (found, chosen))
        assert after[0] >= before[0]
        assert after[1] >= before[1]
