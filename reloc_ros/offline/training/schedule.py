"""How long to train, how fast to learn meanwhile, and which weights to keep."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

RISE = 0.1
"""Share of the schedule in which the learning rate rises."""
COOL_DOWN = 0.1
"""Share of the schedule that an early end takes."""
SAME = 1.05
"""Errors within this factor are the same: among two dozen pictures one that is lost by chance makes more."""


def one_cycle(fraction: float) -> float:
    """Share of the learning rate: a short rise, then a cosine to nothing (Smith, "Super-Convergence", 2018)."""
    if fraction < RISE:
        return 0.04 + 0.96 * fraction / RISE
    return 0.5 * (1 + math.cos(math.pi * (fraction - RISE) / (1 - RISE)))


class Schedule:
    """One cycle over a number of steps, or over a budget of seconds, that can be told to come to its end early.

    A cycle is worth most at its end, where the rate falls to nothing. So an early end does not break off: from where
    it is decided the rate falls to nothing within `COOL_DOWN` of the whole.
    """

    def __init__(self, steps: int, budget_s: float | None) -> None:
        self.steps, self.budget_s = steps, budget_s
        self.cool_from: float | None = None

    def fraction(self, step: int, spent_s: float) -> float:
        """How much of the whole is done, 0 to 1."""
        return min(step / self.steps if self.budget_s is None else spent_s / self.budget_s, 1.0)

    @property
    def end(self) -> float:
        """The fraction at which training is over."""
        return 1.0 if self.cool_from is None else min(self.cool_from + COOL_DOWN, 1.0)

    def rate(self, fraction: float) -> float:
        """Share of the learning rate at a fraction."""
        if self.cool_from is None or fraction <= self.cool_from:
            return one_cycle(fraction)
        left = (self.end - fraction) / (self.end - self.cool_from) if self.end > self.cool_from else 0.0
        return min(one_cycle(self.cool_from) * max(left, 0.0), one_cycle(fraction))


@dataclasses.dataclass
class Keeper:
    """Keeps the weights with the lowest error, of those that are much the same the latest.

    The latest has had the most averaging by the falling rate, and a small difference is chance.
    """

    lowest: float = math.inf
    lowest_at: float = 0.0
    kept: dict[str, Any] | None = None
    """The weights."""
    kept_at: float = 0.0
    """The fraction of the schedule they are of."""

    def offer(self, error: float, fraction: float, weights: Callable[[], dict[str, Any]]) -> None:
        """Consider the weights of now; they are asked for only when they are kept."""
        if error < self.lowest:
            self.lowest, self.lowest_at = error, fraction
        if error <= SAME * self.lowest:
            self.kept, self.kept_at = weights(), fraction

    def waited(self, fraction: float) -> float:
        """Share of the schedule since the error was lowest."""
        return fraction - self.lowest_at
