"""A model against the matches it was made from, on a model whose matches are exact."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from synthetic_model import make_model

from reloc_ros.geometry import SE3
from reloc_ros.offline.mapping.consistency import (
    OddStep,
    beyond_odd_steps,
    consistent_parts,
    measure_agreement,
    odd_steps,
    places_in_order,
)
from reloc_ros.offline.matching.features import VerifiedPair

MODEL = make_model(points=400)
ORDER = [MODEL.names]


def verified(model=MODEL, near_only=False):
    """The matches that the model's own observations make."""
    pairs = []
    for a, b in itertools.combinations(range(len(model.names)), 2):
        of_a, of_b = (np.flatnonzero(model.observation_image == image) for image in (a, b))
        _, at_a, at_b = np.intersect1d(
            model.observation_point[of_a], model.observation_point[of_b], return_indices=True
        )
        if len(at_a) and not (near_only and b - a > 2):
            px = model.observation_px[of_a[at_a]], model.observation_px[of_b[at_b]]
            pairs.append(VerifiedPair((model.names[a], model.names[b]), *px))
    return pairs


def moved(images):
    """The model with some images carried off to where they never were."""
    away = SE3.from_rotation_vector(np.array([0.1, 0.5, 0.0]), np.array([0.6, -0.4, 0.3]))
    poses = tuple(
        pose @ away if image in images else pose for image, pose in enumerate(MODEL.camera_from_map)
    )
    return dataclasses.replace(MODEL, camera_from_map=poses)


def test_a_right_model_agrees_with_all_its_matches():
    agreement = measure_agreement(MODEL, verified(), ORDER)
    assert agreement.shares.min() > 0.95
    assert len(agreement.parts) == 1 and not agreement.is_folded


def test_images_that_were_carried_off_together_are_a_part_of_their_own():
    half = range(6, 12)
    agreement = measure_agreement(moved(half), verified(), ORDER)
    assert {tuple(part.tolist()) for part in agreement.parts} == {tuple(range(6)), tuple(half)}
    assert agreement.is_folded


def test_a_single_image_in_the_wrong_place_is_parted_from_the_rest():
    agreement = measure_agreement(moved([4]), verified(), ORDER)
    assert sorted(map(len, agreement.parts)) == [1, 11] and agreement.parts[1].tolist() == [4]


def test_without_an_order_wrong_images_are_parted_as_well():
    agreement = measure_agreement(moved(range(8, 12)), verified(), ())
    assert [len(part) for part in agreement.parts] == [8, 4]


def test_far_images_that_look_alike_do_not_part_a_walk():
    """Matches between things that only look the same are as many, but for another pose."""
    ends = (MODEL.names[0], MODEL.names[11])
    pairs = [
        dataclasses.replace(pair, second_px=pair.second_px[::-1].copy()) if pair.names == ends else pair
        for pair in verified()
    ]
    agreement = measure_agreement(MODEL, pairs, ORDER)
    assert agreement.shares.min() < 0.3
    assert len(agreement.parts) == 1


def test_names_in_no_order_say_nothing_of_a_walk():
    shuffled = [MODEL.names[i] for i in np.random.default_rng(1).permutation(len(MODEL.names))]
    near = verified(near_only=True)
    assert places_in_order(near, [shuffled]) == {}
    assert len(places_in_order(near, ORDER)) == len(MODEL.names)


@pytest.mark.parametrize("seed", range(5))
def test_parts_are_found_again_in_any_order_of_the_pairs(seed):
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1, 2], [9, 6, 4])
    pairs = np.array(list(itertools.combinations(range(19), 2)))
    weights = np.where(truth[pairs[:, 0]] == truth[pairs[:, 1]], 50, -30) + rng.integers(-20, 20, len(pairs))
    order = rng.permutation(len(pairs))
    parts = consistent_parts(19, pairs[order], weights[order])
    assert [part.tolist() for part in parts] == [list(range(9)), list(range(9, 15)), list(range(15, 19))]


def test_an_image_with_few_matches_is_not_held_to_disagree():
    lonely = MODEL.names[7]
    pairs = [
        dataclasses.replace(pair, first_px=pair.first_px[:9], second_px=pair.second_px[:9])
        if lonely in pair.names
        else pair
        for pair in verified()
    ]
    agreement = measure_agreement(MODEL, pairs, ORDER)
    assert len(agreement.kept) == len(MODEL.names)


def test_what_contradicts_its_neighbours_is_not_kept_because_it_has_no_word_with_the_largest_part():
    """Where the walk's own chain of matches is broken twice, the contradiction lies between two smaller parts."""
    pairs = [pair for pair in verified() if not {(5, 6), (4, 6), (5, 7)} & {_numbers(pair)}]
    near = [pair for pair in pairs if _numbers(pair)[1] - _numbers(pair)[0] <= 2]
    agreement = measure_agreement(moved([0, 1]), near, ORDER)
    assert agreement.kept.tolist() == list(range(6, 12)) and agreement.is_folded


def _numbers(pair):
    return tuple(MODEL.names.index(name) for name in pair.names)


PLACES = {name: (0, at) for at, name in enumerate(MODEL.names)}


def goes_on_smaller(from_image):
    """The walk goes on at a tenth of its scale from an image on, about the camera before it: no match tells."""
    last = MODEL.camera_from_map[from_image - 1].center
    poses = [
        SE3(pose.rotation, -pose.rotation @ (last + 0.1 * (pose.center - last)))
        if image >= from_image
        else pose
        for image, pose in enumerate(MODEL.camera_from_map)
    ]
    return dataclasses.replace(MODEL, camera_from_map=tuple(poses))


def halves(model, at):
    """The points of a model made anew for each half of its images."""
    points = model.observation_point + len(model.points_map) * (model.observation_image >= at)
    used, points = np.unique(points, return_inverse=True)
    of = used % len(model.points_map)
    return dataclasses.replace(
        model,
        points_map=model.points_map[of],
        point_ids=np.arange(len(of)),
        colors=model.colors[of],
        errors_px=model.errors_px[of],
        observation_point=points.astype(np.int32),
    )


def test_a_walk_at_an_even_pace_has_no_odd_step():
    assert odd_steps(MODEL, PLACES) == []


def test_a_walk_that_goes_on_at_another_scale_is_cut_where_no_points_hold_it():
    model = goes_on_smaller(7)
    steps = odd_steps(model, PLACES)
    assert MODEL.names[6:8] in [step.names for step in steps] and len(steps) <= 4
    assert 7 < max(step.ratio for step in steps) < 20
    assert not beyond_odd_steps(model, PLACES, steps).any()  # points that both sides see say that it is so
    beyond = beyond_odd_steps(halves(model, 7), PLACES, steps)
    assert beyond.tolist() == [False] * 7 + [True] * 5
    joined = [pair for pair in verified() if not _numbers(pair)[0] < 6 < _numbers(pair)[1]]
    agreement = measure_agreement(halves(model, 7), joined, ORDER)
    assert agreement.shares.min() > 0.95  # epipolar lines know no length
    assert [part.tolist() for part in agreement.parts] == [list(range(7)), list(range(7, 12))]
    assert agreement.is_folded


def test_a_wide_step_is_confirmed_by_its_own_matches_and_by_points_on_either_side():
    model = goes_on_smaller(7)
    assert odd_steps(model, PLACES) and measure_agreement(model, verified(), ORDER).odd_steps == ()
    apart = measure_agreement(halves(model, 7), verified(), ORDER)
    assert MODEL.names[6:8] in [step.names for step in apart.odd_steps]
    at_odds = [
        dataclasses.replace(pair, second_px=pair.second_px[::-1].copy()) if _numbers(pair) == (6, 7) else pair
        for pair in verified()
    ]
    found = measure_agreement(model, at_odds, ORDER)
    assert [step.names for step in found.odd_steps] == [MODEL.names[6:8]]


def test_a_walk_whose_steps_run_away_is_cut_though_points_hold_it():
    steps = [OddStep(names, 9.0) for names in itertools.pairwise(MODEL.names)]
    assert not beyond_odd_steps(MODEL, PLACES, steps[:5]).any()
    assert beyond_odd_steps(MODEL, PLACES, steps[:6]).tolist() == 6 * [True] + 6 * [False]


def test_a_model_without_points_is_not_cut():
    model = goes_on_smaller(7)
    bare = model.keep_points(np.zeros(len(model.points_map), dtype=bool))
    assert not beyond_odd_steps(bare, PLACES, odd_steps(bare, PLACES)).any()


def test_a_step_that_was_wide_indeed_is_told_and_nothing_dropped():
    poses = [SE3.from_rotation_vector(np.zeros(3), np.array([i + 9.0 * (i > 8), 0, 0])) for i in range(12)]
    model = dataclasses.replace(MODEL, camera_from_map=tuple(poses))
    steps = odd_steps(model, PLACES)
    assert [step.names for step in steps] == [MODEL.names[8:10]] and steps[0].ratio == pytest.approx(10)
    assert not beyond_odd_steps(model, PLACES, steps).any()


def test_images_in_no_order_have_no_odd_steps():
    assert odd_steps(goes_on_smaller(7), {}) == []
