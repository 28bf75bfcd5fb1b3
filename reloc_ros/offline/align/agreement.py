"""What the sources of metres and of gravity say about a map, whether they agree, and the frame that they give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.offline.evenly import evenly
from reloc_ros.offline.model.similarity import Similarity

Array = NDArray[np.float64]

MAX_SCALE_GAP = 0.05
"""Sources whose scales differ by more than this share contradict each other, unless their errors explain it."""
MAX_UP_GAP_DEG = 10.0
"""The same for what is up; a floor or a hand-held camera may well be a few degrees off."""
MAX_SCALE_ERROR = 0.1
MAX_UP_ERROR_DEG = 5.0
"""A source less certain than these two is of no use."""
_SIGMAS = 4.0
"""Standard errors of their difference that explain a gap."""
_MIN_AGREEING_SHARE = 0.75
"""Of several measurements of one kind; the tests leave room for one in five to be wrong."""


@dataclass(frozen=True)
class ScaleEstimate:
    """How many metres one unit of the reconstruction has."""

    source: str
    scale: float
    standard_error: float
    used: int
    """Measurements that agree with the estimate ..."""
    of: int
    """... of so many."""
    residual_m: float
    """Root mean square of what those are off by."""
    notes: tuple[str, ...] = ()
    """Sentences for a person."""

    def to_json(self) -> dict[str, Any]:
        facts = asdict(self)
        return {"metres_per_unit": facts.pop("scale"), **facts}


@dataclass(frozen=True, eq=False)
class UpEstimate:
    """Which way is up in the reconstruction."""

    source: str
    up_sfm: Array
    """(3,) unit vector."""
    standard_error_deg: float
    used: int
    of: int
    residual_deg: float | None
    """Typical angle between a measurement that was used and the estimate; None where those are positions."""
    floor_sfm: float | None = None
    """Height along `up_sfm` of the plane that the map is to stand on, in units of the reconstruction."""
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {key: fact for key, fact in asdict(self).items() if key not in ("up_sfm", "floor_sfm")}


@dataclass(frozen=True, eq=False)
class MapFrame:
    """How the map frame is defined."""

    map_from_sfm: Similarity
    scales: tuple[ScaleEstimate, ...]
    """The first is the one that counts, the others agree with it; none for a map of unknown scale."""
    ups: tuple[UpEstimate, ...]
    """Likewise; none where the axes are those of the reconstruction."""
    origin: str
    axes: str

    def to_json(self) -> dict[str, Any]:
        return {
            "map_from_sfm": self.map_from_sfm.to_json(),
            "origin": self.origin,
            "axes": self.axes,
            "scale": [scale.to_json() for scale in self.scales],
            "up": [up.to_json() for up in self.ups],
        }


AS_RECONSTRUCTED = MapFrame(
    Similarity.identity(), (), (), "that of the reconstruction", "those of the reconstruction"
)


def most_certain_scale(estimates: Sequence[ScaleEstimate]) -> ScaleEstimate:
    """The estimate with the smallest error, once the others have been found to agree with it."""
    best = min(estimates, key=lambda estimate: estimate.standard_error / estimate.scale)
    error = best.standard_error / best.scale
    if error > MAX_SCALE_ERROR:
        raise RelocError(
            f"{best.source} gives the scale to no better than {100 * error:.0f} %; measure a longer distance, or one "
            "that is seen from more sides"
        )
    for other in estimates:
        gap = abs(np.log(other.scale / best.scale))
        errors = np.hypot(error, other.standard_error / other.scale)
        if gap > max(MAX_SCALE_GAP, _SIGMAS * errors):
            raise RelocError(
                f"{best.source} and {other.source} contradict each other: one unit of the reconstruction is "
                f"{best.scale:.4g} m by the one and {other.scale:.4g} m by the other; leave out the one that is wrong"
            )
    return best


def first_up(estimates: Sequence[UpEstimate]) -> UpEstimate:
    """The first estimate, once the others have been found to agree with it."""
    first = estimates[0]
    for estimate in estimates:
        if estimate.standard_error_deg > MAX_UP_ERROR_DEG:
            raise RelocError(
                f"{estimate.source} gives the vertical to no better than {estimate.standard_error_deg:.0f} deg; "
                "use another source of --up"
            )
        gap = angle_deg(first.up_sfm, estimate.up_sfm)
        errors = np.hypot(first.standard_error_deg, estimate.standard_error_deg)
        if gap > max(MAX_UP_GAP_DEG, _SIGMAS * errors):
            raise RelocError(
                f"{first.source} and {estimate.source} contradict each other: what is up differs by {gap:.0f} deg; "
                "leave out the one that is wrong"
            )
    return first


def agreeing(ratios: Array, errors: Array, labels: Sequence[str], subject: str) -> NDArray[np.bool_]:
    """Which of several measured scales agree with most of them.

    Args:
        ratios: (N,) metres per unit, each measured by itself.
        errors: (N,) standard errors of them.
        labels: of them, for the sentence that refuses them.
        subject: all of them, in the plural.

    Raises:
        RelocError: fewer than three quarters agree, so nobody can say which of them are wrong.
    """
    gaps = np.abs(np.log(ratios[:, None] / ratios))
    relative = errors / ratios
    limits = np.maximum(MAX_SCALE_GAP, _SIGMAS * np.hypot(relative[:, None], relative))
    agree = gaps <= limits
    # Of those with the most that agree, the one in their middle.
    middle = np.lexsort([np.where(agree, gaps, 0).sum(axis=1), -agree.sum(axis=1)])[0]
    if agree[middle].sum() < _MIN_AGREEING_SHARE * len(ratios):
        listed = "; ".join(f"{label}: {ratio:.4g}" for label, ratio in zip(labels, ratios, strict=True))
        raise RelocError(
            f"the {subject} contradict each other; metres per unit of the reconstruction by each: {listed}; "
            "measure again or leave out the wrong one"
        )
    return agree[middle]


def angle_deg(a: Array, b: Array) -> float:
    """Between two unit vectors, accurate near zero."""
    return float(np.degrees(2 * np.arcsin(min(1.0, np.linalg.norm(a - b) / 2))))


def robust_direction(directions: Array) -> tuple[Array, NDArray[np.bool_], float]:
    """The direction that most of some (N, 3) unit vectors have, which of them, and the scatter of those in degrees.

    Least median of angles over the vectors themselves, then the mean of those within three times the scatter.
    """
    chosen = evenly(len(directions), 300)
    gaps = np.linalg.norm(directions[chosen, None] - directions, axis=2)
    best = directions[chosen[int(np.argmin(np.median(gaps, axis=1)))]]
    for _ in range(5):
        gaps = np.linalg.norm(directions - best, axis=1)
        # The median length of an error with two normal parts is 1.177 sigma.
        used = gaps <= max(3 * np.median(gaps) / 1.177, 1e-6)
        best = directions[used].mean(axis=0)
        best /= np.linalg.norm(best)
    scatter = np.sqrt(np.mean(np.sum((directions[used] - best) ** 2, axis=1)))
    return best, used, float(np.degrees(scatter))
