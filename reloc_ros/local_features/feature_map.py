"""What the map's images show of its points: descriptors, as a bundle carries them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.geometry import are_places
from reloc_ros.io.npz import load_bundled, of_kind
from reloc_ros.landmarks import Landmarks
from reloc_ros.pose.packed_covariances import packed, unpacked

FORMAT = 1
_KIND = "reloc local features"


@dataclasses.dataclass(frozen=True, eq=False)
class FeatureMap:
    """M descriptors of P points: one for each view that saw a point, or fewer."""

    descriptors: NDArray[Any]
    """(M, D), of the features' own type: bytes of SIFT."""
    points: NDArray[np.int64]
    """(M,) the row of `landmarks` each is of."""
    landmarks: Landmarks
    """The P points."""
    covariances_map: NDArray[np.float64]
    """(P, 3, 3) of their places, by the views that saw them; zero in older bundles."""

    def save(self, path: Path) -> None:
        """Write as .npz to `path`; the caller makes that atomic."""
        # Single precision would round projected coordinates, of millions of metres, to half a metre.
        origin = np.median(self.landmarks.positions_map, axis=0)
        descriptors = self.descriptors
        if descriptors.dtype != np.uint8:
            descriptors = descriptors.astype(np.float16)  # as hloc stores them
        with path.open("wb") as stream:
            np.savez_compressed(
                stream,
                kind=_KIND,
                format=FORMAT,
                descriptors=descriptors,
                points=self.points.astype(np.int32),
                ids=self.landmarks.ids,
                origin=origin,
                positions_map=(self.landmarks.positions_map - origin).astype(np.float32),
                directions_map=self.landmarks.directions_map.astype(np.float16),
                view_cones_rad=self.landmarks.view_cones_rad.astype(np.float16),
                **packed(self.covariances_map),
            )

    @staticmethod
    def load(path: Path) -> FeatureMap:
        """Read what `save` wrote; anything else is refused with a sentence."""
        return load_bundled(path, _KIND, (FORMAT,), "local features", _from_arrays)


def _from_arrays(data: dict[str, NDArray[Any]]) -> FeatureMap:
    landmarks = Landmarks(
        of_kind(data["ids"], np.int64),
        of_kind(data["positions_map"], np.float64) + of_kind(data["origin"], np.float64),
        of_kind(data["directions_map"], np.float64),
        of_kind(data["view_cones_rad"], np.float64),
    )
    points, covariances = of_kind(data["points"], np.int64), unpacked(data, len(landmarks))
    features = FeatureMap(data["descriptors"], points, landmarks, covariances)
    _check(features)
    return features


def _check(features: FeatureMap) -> None:
    """Refuse what does not fit together."""
    landmarks, points, count = features.landmarks, features.points, len(features.landmarks)
    numbers = (landmarks.positions_map, landmarks.directions_map, landmarks.view_cones_rad)
    if [array.shape for array in numbers] != [(count, 3), (count, 3), (count,)]:
        raise ValueError("points do not fit")
    if features.descriptors.dtype not in (np.uint8, np.float16):
        raise ValueError("descriptors are of no kind that is saved")
    if features.descriptors.ndim != 2 or points.shape != features.descriptors.shape[:1]:
        raise ValueError("descriptors do not fit")
    if not are_places(*numbers) or not np.isfinite(features.descriptors).all():
        raise ValueError("numbers are not finite")
    if len(points) == 0 or points.min() < 0 or points.max() >= count:
        raise ValueError("descriptors are of points that are not there")
