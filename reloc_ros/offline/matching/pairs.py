"""Which images to match: neighbours in a video, all of a few photographs, and whatever looks alike elsewhere."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.offline.matching.retrieval import database_descriptors, similarity_of
from reloc_ros.offline.progress import Progress
from reloc_ros.offline.sources.gather import Group

MATCHINGS = ("auto", "exhaustive", "sequential")
OVERLAP = 10
"""Each frame of a video is matched with so many next ones, and beyond with those at powers of two."""
EXHAUSTIVE_MOST = 60
"""So many photographs are matched each with each; of more, each with those that look most like it."""
EXHAUSTIVE_PAIRS = 1500
"""Between two groups that make no more pairs, all are matched."""
SIMILAR_PHOTOS = 20
"""So many of those that look most like it a photograph is matched with, where there are too many for all.

With the next ones, on rendered walks of 44 to 62 images, these are 39 to 53 % of all pairs and hold 74 to 100 % of all
verified matches.
"""
NEXT_PHOTOS = 4
"""Besides those, a photograph is matched with so many next ones: most people take them along a walk."""
LOOPS = 5
"""So many other places of its video a frame is compared with, to find out that the camera came back."""
ACROSS = 8
"""So many images of each other group an image is compared with."""
_SAME_PLACE = 2
"""Frames no farther apart in a video show the same place; one of them stands for all."""

Similarity = NDArray[np.float32]
Pair = tuple[int, int]


def pairs_to_match(
    database: Path, groups: Sequence[Group], matching: str, loops: bool, progress: Progress
) -> list[tuple[str, str]]:
    """The pairs of a database's images to match, by one of `MATCHINGS`; see `choose_pairs`."""
    if matching == "exhaustive":
        return exhaustive_pairs(groups)
    names = [name for group in groups for name in group.names]
    return choose_pairs(groups, lambda: similarity_of(database_descriptors(database), names, progress), loops)


def choose_pairs(
    groups: Sequence[Group], similarity: Callable[[], Similarity], loops: bool = True
) -> list[tuple[str, str]]:
    """The pairs of images to match, each once, in an order that touches few images at a time.

    Args:
        similarity: gives (N, N), how much images look alike, in the order of the groups' names; called only if
            needed.
        loops: look for places that a video comes back to.
    """
    names = [name for group in groups for name in group.names]
    starts = np.cumsum([0, *(len(group.names) for group in groups)]).tolist()
    alike = functools.cache(similarity)
    pairs: set[Pair] = set()
    for group, start in zip(groups, starts, strict=False):
        count = len(group.names)
        if group.in_sequence:
            inside = set(sequential(count))
            if loops and count > OVERLAP + 1:
                inside |= set(returns(alike()[start : start + count, start : start + count]))
        elif count <= EXHAUSTIVE_MOST:
            inside = set(combinations(range(count), 2))
        else:
            inside = set(most_similar(alike()[start : start + count, start : start + count], SIMILAR_PHOTOS))
            inside |= {(a, b) for a, b in sequential(count) if b - a <= NEXT_PHOTOS}
        pairs |= {(start + a, start + b) for a, b in inside}
    for one, other in combinations(range(len(groups)), 2):
        pairs |= _across(alike, starts[one], starts[one + 1], starts[other], starts[other + 1])
    return [(names[a], names[b]) for a, b in sorted(pairs)]


def exhaustive_pairs(groups: Sequence[Group]) -> list[tuple[str, str]]:
    """Every image with every other."""
    return list(combinations([name for group in groups for name in group.names], 2))


def sequential(count: int) -> Iterator[Pair]:
    """Frames of a video with those soon after, and with ever fewer farther on."""
    for step in sorted({*range(1, OVERLAP + 1), *(2**k for k in range(4, 10))}):
        yield from ((frame, frame + step) for frame in range(count - step))


def returns(similarity: Similarity) -> Iterator[Pair]:
    """For each frame of a video the other places that look most like it, each by its best frame."""
    count = len(similarity)
    for frame in range(count):
        likeness = similarity[frame].copy()
        likeness[max(0, frame - OVERLAP) : frame + OVERLAP + 1] = -np.inf
        for _ in range(LOOPS):
            best = int(likeness.argmax())
            if not np.isfinite(likeness[best]):
                break
            yield min(frame, best), max(frame, best)
            likeness[max(0, best - _SAME_PLACE) : best + _SAME_PLACE + 1] = -np.inf


def most_similar(similarity: Similarity, count: int) -> Iterator[Pair]:
    """Each image with the `count` others that look most like it."""
    likeness = similarity.copy()
    np.fill_diagonal(likeness, -np.inf)
    for image, others in enumerate(np.argsort(-likeness, axis=1)[:, : min(count, len(likeness) - 1)]):
        yield from ((min(image, other), max(image, other)) for other in others.tolist())


def _across(
    alike: Callable[[], Similarity], begin: int, end: int, other_begin: int, other_end: int
) -> set[Pair]:
    if (end - begin) * (other_end - other_begin) <= EXHAUSTIVE_PAIRS:
        return {(a, b) for a in range(begin, end) for b in range(other_begin, other_end)}
    likeness = alike()[begin:end, other_begin:other_end]
    pairs = set()
    for row, others in enumerate(np.argsort(-likeness, axis=1)[:, :ACROSS]):
        pairs |= {(begin + row, other_begin + int(other)) for other in others}
    for column, others in enumerate(np.argsort(-likeness.T, axis=1)[:, :ACROSS]):
        pairs |= {(begin + int(other), other_begin + column) for other in others}
    return pairs
