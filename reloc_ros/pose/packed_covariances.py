"""How a bundle's files carry the covariances of points: the roots of the matrices, in half precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.geometry import are_places
from reloc_ros.io.npz import of_kind

Array = NDArray[np.float64]
_ROWS, _COLUMNS = np.tril_indices(3)
_LARGEST = 6e4
"""Of a number in half precision; a point that is off by so many times the others' median tells nothing."""


def packed(covariances: Array) -> dict[str, Any]:
    """What to save of covariances (P, 3, 3), by names of their own."""
    variances, axes = np.linalg.eigh(covariances)
    sigmas = np.sqrt(np.maximum(variances, 0))
    unit = float(np.median(sigmas[:, 2])) if len(sigmas) else 0.0
    unit = unit if unit > 0 else 1.0
    roots = (axes * np.minimum(sigmas / unit, _LARGEST)[:, None]) @ axes.transpose(0, 2, 1)
    return {"root_unit": np.array(unit), "covariance_roots": roots[:, _ROWS, _COLUMNS].astype(np.float16)}


def unpacked(data: Mapping[str, NDArray[Any]], count: int) -> Array:
    """The covariances (count, 3, 3) that a file holds: zero in an older one; ValueError where they do not fit."""
    if "covariance_roots" not in data:
        return np.zeros((count, 3, 3))
    roots, unit = (of_kind(data[name], np.float64) for name in ("covariance_roots", "root_unit"))
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = roots * float(unit)
    if numbers.shape != (count, 6) or not are_places(numbers):
        raise ValueError("covariances do not fit")
    roots = np.empty((count, 3, 3))
    roots[:, _ROWS, _COLUMNS] = roots[:, _COLUMNS, _ROWS] = numbers
    return roots @ roots
