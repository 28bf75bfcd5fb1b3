"""How landmarks serve the views of a map: how many each view sees, well spread over its picture."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.labels import Labels, Visibility
from reloc_ros.offline.landmarks.visibility import Seen
from reloc_ros.picture_cells import cells_of_pixels

VIEW_NEEDS = 32
"""So many well-spread landmarks a view is to see: with two fifths of it covered, twenty are left."""
CELLS_ACROSS = 6
"""Each view is divided into this many columns and rows; a landmark in an empty cell is worth most."""
CELL_HOLDS = 2
"""Of the landmarks in one cell of a view, only so many count as well spread."""


@dataclasses.dataclass(frozen=True, eq=False)
class Selection:
    """The landmarks of a map, and how they serve its views."""

    landmarks: Landmarks
    seen: csr_array
    """(K, I * cells) which map image sees each landmark in which cell, see `cells_seen`."""
    attainable: NDArray[np.int64]
    """(I,) how many well-spread ones each image would see if every candidate were a landmark."""

    @property
    def spread(self) -> NDArray[np.int64]:
        """(I,) well-spread landmarks that each map image sees."""
        return spread_of_counts(self.seen.sum(axis=0))

    @property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Images, and the landmark that each of them sees."""
        landmarks, cells = self.seen.nonzero()
        return cells // CELLS_ACROSS**2, landmarks

    @property
    def poor(self) -> NDArray[np.bool_]:
        """(I,) whether a view cannot see what it needs, for want of points."""
        return self.attainable < VIEW_NEEDS

    @property
    def unmet(self) -> NDArray[np.bool_]:
        """(I,) whether a view sees fewer than it needs though there are points: more landmarks would help it."""
        return self.spread < np.minimum(self.attainable, VIEW_NEEDS)


def well_spread(labels: Labels, image_sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    """(I,) how many landmarks each image sees, of one cell of it at most `CELL_HOLDS`.

    Args:
        image_sizes: (I, 2) width and height of each.
    """
    return spread_of_counts(cells_labelled(labels, image_sizes).sum(axis=0))


def spread_of_counts(counts: NDArray) -> NDArray[np.int64]:
    """(I,) the same from the number of landmarks in each cell of each image, I * cells of them in any shape."""
    return np.minimum(counts.reshape(-1, CELLS_ACROSS**2), CELL_HOLDS).sum(axis=1).astype(np.int64)


def cells_labelled(labels: Labels, image_sizes: NDArray[np.integer]) -> csr_array:
    """The same as `cells_seen`, of the landmarks that are labelled as seen."""
    images, landmarks = np.nonzero(labels.visibility == Visibility.SEEN)
    seen = Seen(images, landmarks, labels.keypoints_px[images, landmarks])
    return cells_seen(seen, labels.visibility.shape[1], image_sizes)


def cells_seen(seen: Seen, landmarks: int, image_sizes: NDArray[np.integer]) -> csr_array:
    """(K, I * cells) 1 where one of K landmarks is seen in that cell of that image."""
    cells = cells_of_pixels(seen.keypoints_px, image_sizes[seen.images], CELLS_ACROSS)
    columns = seen.images * CELLS_ACROSS**2 + cells
    shape = (landmarks, len(image_sizes) * CELLS_ACROSS**2)
    return csr_array((np.ones(len(columns)), (seen.landmarks, columns)), shape=shape)
