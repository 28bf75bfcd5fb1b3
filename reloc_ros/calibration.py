"""How far a bundle's keypoints and poses can be trusted, as measured on map images that it was not trained on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.pnp import Correspondences, Refined


@dataclasses.dataclass(frozen=True)
class PoseScale:
    """From a covariance that takes keypoint errors for independent to one that holds.

    Neighbouring keypoints err alike, landmarks are not quite where the map says, and neither averages out.
    """

    position: float = 1.0
    """Factor of the position's standard deviation."""
    rotation: float = 1.0
    """Factor of the rotation's standard deviation."""
    position_floor: float = 0.0
    """Standard deviation per axis that remains however many keypoints agree, as a share of their distance."""
    rotation_floor_deg: float = 0.0
    """The same of the rotation."""

    def widen(self, refined: Refined, matches: Correspondences) -> Refined:
        """The same pose, which came from these matches, with a covariance that holds."""
        distances = np.linalg.norm(matches.points_map - refined.camera_from_map.center, axis=1)
        covariance = self.apply(refined.covariance, float(np.median(distances)))
        return dataclasses.replace(refined, covariance=covariance)

    def apply(self, covariance: NDArray[np.float64], distance: float) -> NDArray[np.float64]:
        """Scale a covariance (6, 6) of map_from_camera; `distance` is the median one to the landmarks."""
        factors = np.repeat([self.position, self.rotation], 3)
        floors = np.repeat([self.position_floor * distance, math.radians(self.rotation_floor_deg)], 3)
        return covariance * np.outer(factors, factors) + np.diag(floors**2)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What export measured; the defaults trust the network's own figures, as bundles without a calibration do."""

    sigma_scale: float = 1.0
    """Factor of the network's own standard deviations."""
    coarse: PoseScale = PoseScale()
    """Of poses from keypoints alone."""
    refined: PoseScale = PoseScale()
    """Of poses sharpened against the reference views."""
    min_evidence: float = 4.0
    """Below, a pose is not believed (`acceptance.evidence`). The default held for every bundle that was measured."""
    made_from: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """How it was measured, for people."""

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(data: Any) -> Calibration:
        """From the mapping that `to_json` made.

        Raises:
            RelocError: naming the entry that is missing, foreign or out of its range.
        """
        fields = _checked(data, Calibration, "calibration")
        for name in ("coarse", "refined"):
            fields[name] = PoseScale(**_checked(fields[name], PoseScale, f"calibration {name}"))
        if not isinstance(fields["made_from"], Mapping):
            raise RelocError(f"calibration made_from must be a mapping, got {fields['made_from']!r}")
        return Calibration(**fields)


UNCALIBRATED = Calibration()
"""Of a bundle that was exported without."""

_ABOVE_ZERO = {"sigma_scale", "position", "rotation", "min_evidence"}
_NOT_BELOW_ZERO = {"position_floor", "rotation_floor_deg"}


def _checked(data: Any, kind: type, name: str) -> dict[str, Any]:
    """The fields of a dataclass out of JSON: all of them, no others, and its numbers in their range."""
    expected = [field.name for field in dataclasses.fields(kind)]
    if not isinstance(data, Mapping) or set(data) != set(expected):
        raise RelocError(f"{name} must have the entries {', '.join(expected)}, got {data!r}")
    for key, value in data.items():
        if key not in _ABOVE_ZERO | _NOT_BELOW_ZERO:
            continue
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if not number or value < 0 or (value == 0 and key in _ABOVE_ZERO):
            limit = "above zero" if key in _ABOVE_ZERO else "not below zero"
            raise RelocError(f"{name} {key} must be a number {limit}, got {value!r}")
    return dict(data)
