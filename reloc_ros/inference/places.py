"""Which places of a large map an image may show, told from the encoder's features alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.io.npz import load_bundled, of_kind

FORMAT = 1
_KIND = "reloc places"
ENOUGH = (0.5, 0.9)
"""The likeliest places that together have this probability are looked for at the first attempts,"""
MOST = 3
"""but no more than so many."""


@dataclasses.dataclass(frozen=True, eq=False)
class PlaceClassifier:
    """Multinomial logistic regression on the mean of each of the encoder's feature channels."""

    weights: NDArray[np.float32]
    """(P, C) of each place."""
    biases: NDArray[np.float32]
    """(P,)"""

    def likely_of(self, description: NDArray[np.float32], attempt: int) -> list[int]:
        """The places to look for at an attempt, the likeliest first, by the means (C,) of the encoder's channels."""
        logits = (self.weights @ description + self.biases).astype(np.float64)
        odds = np.exp(logits - logits.max())
        order = np.argsort(-odds, kind="stable")
        count = 1 + int(np.searchsorted(np.cumsum(odds[order]) / odds.sum(), ENOUGH[attempt]))
        return [int(place) for place in order[: min(count, MOST)]]

    def save(self, path: Path) -> None:
        """Write as .npz to `path`; the caller makes that atomic."""
        with path.open("wb") as stream:
            np.savez_compressed(stream, kind=_KIND, format=FORMAT, weights=self.weights, biases=self.biases)

    @staticmethod
    def load(path: Path) -> PlaceClassifier:
        """Read what `save` wrote; anything else is refused with a sentence."""
        return load_bundled(path, _KIND, (FORMAT,), "what tells places apart", _from_arrays)


def _from_arrays(data: dict[str, NDArray[Any]]) -> PlaceClassifier:
    weights, biases = (of_kind(data[name], np.float32) for name in ("weights", "biases"))
    if weights.ndim != 2 or biases.shape != weights.shape[:1]:
        raise ValueError("arrays do not fit")
    if not (np.isfinite(weights).all() and np.isfinite(biases).all()):
        raise ValueError("numbers are not finite")
    return PlaceClassifier(weights, biases)


def described(features: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """(C,) the mean over the picture of all channels of the encoder's maps (1, C, h, w)."""
    return np.concatenate([maps[0].mean(axis=(1, 2)) for maps in features])
