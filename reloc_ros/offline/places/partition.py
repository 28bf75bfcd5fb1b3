"""Part the landmarks of a large map into places: those that images see together stay together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import svds

from reloc_ros.offline.training.recipe import LANDMARKS_PER_HEAD

ONE_PLACE = 500
"""So many landmarks one network finds well enough."""
SHARE = 0.3
"""Of the landmarks to be parted, each side has at least this."""
IS_LOOKED_AT = 8
"""An image that sees so many landmarks of a place looks at it."""
FEWEST = 50
"""No place is made of fewer landmarks."""


def part_landmarks(seen: csr_array) -> list[NDArray[np.int64]]:
    """The rows of each place's landmarks; one place where there are no more than `ONE_PLACE`.

    The landmarks are cut in two, again and again, where the fewest images see both sides: the normalized cut of the
    graph whose edges count the images that see two landmarks, by its second singular vector (Dhillon, "Co-clustering
    documents and words using bipartite spectral graph partitioning", 2001).

    Args:
        seen: (K, I) ones where an image sees a landmark.
    """
    everything = np.arange(seen.shape[0])
    return [everything] if len(everything) <= ONE_PLACE else _parts(seen, everything)


def add_to_places(seen: csr_array, sizes: Sequence[int]) -> list[NDArray[np.int64]]:
    """The rows of each place once landmarks have been added, which come after those that had places.

    A landmark joins the place that most images which see it look at, if half of them do; the others make new places,
    if they are enough for one.

    Args:
        seen: (K, I) ones where an image sees a landmark.
        sizes: of the places that there are, in the order of their landmarks.
    """
    had = sum(sizes)
    places = np.split(np.arange(had), np.cumsum(sizes)[:-1])
    looks = np.column_stack([seen[place].sum(axis=0) >= IS_LOOKED_AT for place in places])
    added = seen[had:]
    shares = (added @ looks.astype(float)) / np.maximum(added.sum(axis=1), 1)[:, None]
    joins = shares.max(axis=1) >= 0.5
    if (~joins).sum() < FEWEST:
        joins[:] = True
    chosen = shares.argmax(axis=1)
    grown = [np.append(rows, had + np.flatnonzero(joins & (chosen == p))) for p, rows in enumerate(places)]
    return [*grown, *(_parts(seen, had + np.flatnonzero(~joins)) if not joins.all() else [])]


def _parts(seen: csr_array, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    places, waiting = [], [rows]
    while waiting:
        rows = waiting.pop()
        if len(rows) <= LANDMARKS_PER_HEAD:
            places.append(rows)
        else:
            waiting += _halves(seen, rows)
    return sorted(places, key=lambda rows: int(rows[0]))


def seen_table(images: NDArray[np.int64], landmarks: NDArray[np.int64], shape: tuple[int, int]) -> csr_array:
    """(K, I) ones where image images[n] sees landmark landmarks[n]; shape is (K, I)."""
    return coo_array((np.ones(len(images)), (landmarks, images)), shape=shape).tocsr()


def _halves(seen: csr_array, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    table = seen[rows]
    table = table[:, np.flatnonzero(table.sum(axis=0) > 0)]
    order = np.argsort(_coordinate(table), kind="stable")
    before = np.cumsum(table[order].toarray(), axis=0)  # of each image, how many it sees on the one side
    total = before[-1]
    cuts = np.arange(int(SHARE * len(rows)), int((1 - SHARE) * len(rows)) + 1)
    left = before[cuts - 1]
    across = (left * (total - left)).sum(axis=1)
    cost = across / (left @ total) + across / ((total - left) @ total)
    cut = cuts[np.argmin(cost)]
    return [np.sort(rows[order[:cut]]), np.sort(rows[order[cut:]])]


def _coordinate(table: csr_array) -> NDArray[np.float64]:
    """(K,) where landmarks that images see together lie together."""
    per_landmark, per_image = (np.sqrt(np.maximum(table.sum(axis=axis), 1.0)) for axis in (1, 0))
    scaled = diags_array(1 / per_landmark) @ table @ diags_array(1 / per_image)
    if min(scaled.shape) <= 2:
        return np.arange(table.shape[0], dtype=float)
    # The largest singular vector is known (the square roots of the degrees); the one after it tells the sides.
    start = np.random.default_rng(0).uniform(size=min(scaled.shape))
    left, values, _ = svds(scaled, k=2, v0=start)
    return left[:, np.argsort(values)[0]] / per_landmark
