"""How things are spread over a picture: the cell that each falls in, and its turn among those of its cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def cells_of_pixels(
    pixels: NDArray[np.floating], size: ArrayLike, counts: int | tuple[int, int]
) -> NDArray[np.int64]:
    """(N,) the cell of its picture that each pixel (N, 2) falls in, see `cells_of_shares`.

    Args:
        size: width and height of the picture, (2,), or of each pixel's own, (N, 2).
    """
    return cells_of_shares((pixels + 0.5) / np.asarray(size), counts)


def cells_of_shares(shares: NDArray[np.floating], counts: int | tuple[int, int]) -> NDArray[np.int64]:
    """(N,) the cell, row by row, of places (N, 2) that are given as shares of the width and the height.

    Args:
        counts: of columns and rows, or one number for both; what is on or beyond the border is in the cell there.
    """
    columns, rows = np.broadcast_to(counts, 2)
    x, y = np.floor(shares * (columns, rows)).astype(np.int64).T
    cells: NDArray[np.int64] = y.clip(0, rows - 1) * columns + x.clip(0, columns - 1)
    return cells


def ranks_in_groups(groups: NDArray[np.integer], costs: NDArray[np.number]) -> NDArray[np.intp]:
    """(N,) the place of each in its group, the cheapest first, from 0; no cost (N,) is below zero or infinite."""
    # One sort by a single number, several times as fast as np.lexsort.
    order = np.argsort(groups + costs / (costs.max(initial=0) + 1))
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    lengths = np.diff(starts, append=len(order))
    ranks = np.empty(len(order), np.intp)
    ranks[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    return ranks
