"""Which landmarks are said to have gone, by made-up looks at them."""

import numpy as np
import pytest

from reloc_ros.offline.pruning.judge import judge, reliability
from reloc_ros.offline.pruning.looks import Looks

LANDMARKS = 60


def made_up(rates, images: int, seed: int, shown: float = 0.5) -> Looks:
    """Images that should each show some of the landmarks; rates (K,) or (images, K) say how often they are found."""
    rng = np.random.default_rng(seed)
    looked = rng.random((images, LANDMARKS)) < shown
    return Looks(looked, looked & (rng.random((images, LANDMARKS)) < rates))


UNSEEN = made_up(np.full(LANDMARKS, 0.9), 24, seed=100)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [0.9, 0.4])
def test_those_that_are_never_found_have_gone_and_no_others_in_any_light(rate, seed):
    rates = np.full(LANDMARKS, rate)
    rates[:18] = 0.01
    judged = judge(made_up(rates, 240, seed), UNSEEN)
    assert judged.telling.all()
    np.testing.assert_array_equal(np.flatnonzero(judged.gone), np.arange(18))


def test_images_in_which_hardly_anything_is_found_speak_against_no_landmark():
    rates = np.full((80, LANDMARKS), 0.9)
    rates[20:] = 0.03
    walk = made_up(rates, 80, seed=1)
    walk.looked[20:, LANDMARKS // 2 :] = False  # half of the landmarks are asked for in such images, too
    judged = judge(Looks(walk.looked, walk.looked & walk.found), UNSEEN)
    assert not judged.gone.any()


def test_a_landmark_that_is_found_seldom_in_the_map_itself_has_not_gone():
    usual = np.full(LANDMARKS, 0.9)
    usual[:5] = 0.15
    unseen, walk = made_up(usual, 60, seed=2), made_up(usual, 60, seed=3)
    assert reliability(unseen)[:5].max() < 0.5 < reliability(unseen)[5:].min()
    assert not judge(walk, unseen).gone.any()
    assert judge(walk, UNSEEN).gone[:5].any()  # which its own rate tells


def test_what_was_looked_for_a_few_times_tells_nothing():
    rates = np.full(LANDMARKS, 0.9)
    rates[:10] = 0
    judged = judge(made_up(rates, 6, seed=4), UNSEEN)
    assert not judged.telling.any() and not judged.gone.any()


def test_without_images_that_training_did_not_see_all_count_alike():
    np.testing.assert_array_equal(reliability(Looks.of([], LANDMARKS)), np.ones(LANDMARKS))
