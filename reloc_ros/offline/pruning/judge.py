"""Which landmarks are found too seldom in a walk for them to be still where they were.

A landmark is not compared with its neighbours: what moves takes them along. Nor with its own rate on the map's images
alone: another light makes all of them rarer. It is compared with what was found of all others *in the same images*,
times how much less often than others it was found in map images that training did not see.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from reloc_ros.offline.pruning.looks import Looks

Array = NDArray[np.float64]

RARER = 0.7
"""A landmark has gone that is surely found less than this share of the times it would be if it were there:"""
CHANCE = 0.01
"""so seldom that of those found that often one in a hundred is."""
PRIOR = 3.0
"""Images in which each landmark is taken to have been found as often as others, before any is counted: training left
few map images unseen."""


@dataclasses.dataclass(frozen=True, eq=False)
class Judgement:
    """Of K landmarks."""

    looked: NDArray[np.int64]
    """(K,) images that should have shown it,"""
    found: NDArray[np.int64]
    """(K,) and those in which it was found."""
    expected: Array
    """(K,) in how many it would have been found if it were there."""
    telling: NDArray[np.bool_]
    """(K,) whether it was looked for so often that never finding it says that it has gone."""
    gone: NDArray[np.bool_]
    """(K,) whether it has."""


def judge(walk: Looks, unseen: Looks) -> Judgement:
    """Judge landmarks by images of a walk, each from another viewpoint, and map images that training did not see."""
    worth = reliability(unseen)
    looked, found = walk.looked.sum(axis=0), walk.found.sum(axis=0)
    gone = np.zeros(len(worth), dtype=bool)
    while True:
        expected = _expected(walk, worth, ~gone)
        chance = RARER * np.clip(expected / np.maximum(looked, 1), 0, 1)
        # What has gone makes its images look worse than they are: without it, others may turn out to have gone, too.
        now = gone | (binom.cdf(found, looked, chance) < CHANCE)
        if (now == gone).all():
            telling = binom.pmf(0, looked, chance) < CHANCE
            return Judgement(looked, found, expected, telling | gone, gone)
        gone = now


def reliability(unseen: Looks) -> Array:
    """(K,) how often each landmark is found, as a share of how often others are in the same images; 1 at the most."""
    count = unseen.looked.shape[1]
    expected = _expected(unseen, np.ones(count), np.ones(count, dtype=bool))
    return np.clip((unseen.found.sum(axis=0) + PRIOR) / (expected + PRIOR), 0, 1)


def _expected(looks: Looks, worth: Array, counted: NDArray[np.bool_]) -> Array:
    """(K,) in how many images each would be found, by what each image shows of those that count (K,)."""
    hoped = (looks.looked * worth * counted).sum(axis=1)
    rates = (looks.found & counted).sum(axis=1) / np.maximum(hoped, 1e-9)
    expected: Array = (looks.looked * np.clip(rates, 0, 1)[:, None]).sum(axis=0) * worth
    return expected
