"""What the network found in one image."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from reloc_ros.inference.letterbox import Letterbox


@dataclasses.dataclass(frozen=True, eq=False)
class Keypoints:
    """The landmarks the network found in one image, N of K."""

    landmarks: NDArray[np.int64]
    """(N,) rows of the bundle's landmarks."""
    positions_px: NDArray[np.float64]
    """(N, 2) in the image's pixels."""
    scores: NDArray[np.float64]
    """(N,) probability that the landmark is there, 0 to 1."""
    sigmas_px: NDArray[np.float64]
    """(N,) standard deviation per axis in the image's pixels."""

    @staticmethod
    def of(
        found: NDArray[np.float32], letterbox: Letterbox, sigma_scale: float, min_sigma_px: float
    ) -> Keypoints:
        """What a backend returned, (K, 4) in network pixels, in the image's.

        Args:
            sigma_scale: factor of the network's own standard deviations.
            min_sigma_px: their floor, network pixels.
        """
        rows = np.flatnonzero(np.isfinite(found).all(axis=1))
        x, y, scores, sigmas = found[rows].astype(np.float64).T
        sigmas = np.maximum(sigma_scale * sigmas, min_sigma_px)
        positions_px = letterbox.to_source(np.column_stack([x, y]))
        return Keypoints(rows, positions_px, scores, sigmas * np.mean(letterbox.source_per_network))

    def __len__(self) -> int:
        return len(self.landmarks)

    def subset(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Keypoints:
        return Keypoints(
            self.landmarks[rows], self.positions_px[rows], self.scores[rows], self.sigmas_px[rows]
        )


NO_KEYPOINTS = Keypoints(np.zeros(0, dtype=np.int64), np.zeros((0, 2)), np.zeros(0), np.zeros(0))
