"""A few of many, where neighbours are alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """Rows, ascending, of at most `most` of `count`, each once, evenly from the first to the last."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)
