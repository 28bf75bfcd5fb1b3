"""How much images look alike as a whole, from the very features that are matched afterwards.

VLAD (Jegou et al., "Aggregating local descriptors into a compact image representation", CVPR 2010) over a small
vocabulary made of the images themselves, normalized within each word (Arandjelovic and Zisserman, "All about
VLAD", CVPR 2013). No vocabulary has to be had from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.offline.evenly import evenly
from reloc_ros.offline.progress import Progress, silent

WORDS = 64
"""Of the vocabulary; a descriptor of an image then has 8192 numbers."""
_TRAINING = 30_000
"""So many descriptors the vocabulary is made of."""
_PER_IMAGE = 3000
"""So many descriptors of an image are enough to tell how it looks."""

Descriptors = NDArray[np.float32]


def similarity_of(
    read: Callable[[str], Descriptors], names: Sequence[str], progress: Progress = silent
) -> NDArray[np.float32]:
    """(N, N) cosines between the images' global descriptors.

    Args:
        read: gives an image's SIFT descriptors, (M, 128).
    """
    share = max(1, _TRAINING // max(1, len(names)))
    words = make_vocabulary(np.concatenate([_some(read(name), share) for name in names]))
    described = np.zeros((len(names), words.size), np.float32)
    for index, name in enumerate(names):
        described[index] = vlad(_some(read(name), _PER_IMAGE), words)
        progress("compare images", index + 1, len(names))
    return described @ described.T


def make_vocabulary(descriptors: Descriptors) -> Descriptors:
    """(K, 128) centres of the clusters that descriptors fall into; the same each time."""
    count = min(WORDS, len(descriptors))
    if count == 0:
        return np.zeros((1, 128), np.float32)
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 15, 1e-3)
    _, _, words = cv2.kmeans(descriptors, count, None, stop, 1, cv2.KMEANS_PP_CENTERS)
    return words


def vlad(descriptors: Descriptors, words: Descriptors) -> NDArray[np.float32]:
    """(K * 128,) of length one: how the descriptors lie around each word; zero for an image without any."""
    total = np.zeros_like(words)
    if len(descriptors):
        nearest = (descriptors @ words.T - (words**2).sum(axis=1) / 2).argmax(axis=1)
        counts = np.bincount(nearest, minlength=len(words))
        order = np.argsort(nearest, kind="stable")
        starts = np.cumsum(counts) - counts
        used = counts > 0
        total[used] = np.add.reduceat(descriptors[order], starts[used], axis=0)
        total -= counts[:, None] * words
    total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    flat = total.ravel()
    return flat / max(float(np.linalg.norm(flat)), 1e-12)


def database_descriptors(database: Path) -> Callable[[str], Descriptors]:
    """A reader of the RootSIFT descriptors in a COLMAP database, by image name."""
    import pycolmap

    with pycolmap.Database.open(str(database)) as opened:
        ids = {image.name: image.image_id for image in opened.read_all_images()}

    def read(name: str) -> Descriptors:
        with pycolmap.Database.open(str(database)) as opened:
            found = opened.read_descriptors(ids[name]).data
        # COLMAP stores square roots of L1-normalized SIFT as bytes.
        return np.asarray(found, dtype=np.float32).reshape(-1, 128) / 512

    return read


def _some(descriptors: Descriptors, most: int) -> Descriptors:
    return descriptors[evenly(len(descriptors), most)]
