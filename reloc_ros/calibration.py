"""How far a bundle's keypoints and poses can be trusted, as measured on map images that it was not trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from reloc_ros.errors import RelocError

_MAY_BE_MISSING = {"verified_share", "glance"}
"""Entries that bundles did not have at first."""
_AT_MOST_ONE = {"verified_share", "glance"}
_LARGEST = 1e9
"""Factors beyond say nothing, and their squares are too much for numbers."""


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What export measured (`offline/bundling/calibrate.py`); bundles that were exported without it have the defaults.

    A covariance from the normal matrix takes the errors of keypoints and patches for independent. Neighbours err
    alike and the map itself is not exact, which does not average out; with all of them seeing the same scene, one
    factor for each kind of pose was found to make up for it, and neither factors of their own for position and
    rotation nor floors under them to do better on images that were not used to find them.
    """

    sigma_scale: float = 1.0
    """Factor of the network's own standard deviations."""
    coarse_scale: float = 1.0
    """Factor of the standard deviations of poses from keypoints alone."""
    refined_scale: float = 1.0
    """Factor of the standard deviations of poses sharpened against the reference views."""
    min_evidence: float = 4.0
    """Below, a pose is not believed (`acceptance.evidence`). The default held for every bundle that was measured."""
    verified_share: float = 0.5
    """This share of `min_evidence` is enough for a pose that the reference views verify."""
    glance: float = 0.5
    """Size of the picture that the network is shown at a glance, as a share of the whole."""
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
        expected = [field.name for field in dataclasses.fields(Calibration)]
        if not isinstance(data, Mapping) or set(data) | _MAY_BE_MISSING != set(expected):
            raise RelocError(f"calibration must have the entries {', '.join(expected)}, got {data!r}")
        for key in data.keys() - {"made_from"}:
            value = data[key]
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not 0 < value < _LARGEST:
                raise RelocError(f"calibration {key} must be a number above zero, got {value!r}")
            if key in _AT_MOST_ONE and value > 1:
                raise RelocError(
                    f"calibration {key} must be a number above zero and at most 1, got {value!r}"
                )
        if not isinstance(data["made_from"], Mapping):
            raise RelocError(f"calibration made_from must be a mapping, got {data['made_from']!r}")
        return Calibration(**data)


UNCALIBRATED = Calibration()
"""Of a bundle that was exported without."""
