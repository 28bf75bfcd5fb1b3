"""The landmarks of a map: the 3D points the network learns to find."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.npz import read_npz

FORMAT = 1


@dataclasses.dataclass(frozen=True, eq=False)
class Landmarks:
    """K landmarks; row k is what the network's k-th keypoint means."""

    ids: NDArray[np.int64]
    """(K,) the points' ids in the SfM model."""
    positions_map: NDArray[np.float64]
    """(K, 3) in the map frame."""
    directions_map: NDArray[np.float64]
    """(K, 3) unit vectors from each landmark towards the middle of the views that saw it."""
    view_cones_rad: NDArray[np.float64]
    """(K,) half-angle around the direction within which it was seen."""

    def __len__(self) -> int:
        return len(self.ids)

    def subset(self, rows: NDArray[np.int64]) -> Landmarks:
        return Landmarks(
            self.ids[rows], self.positions_map[rows], self.directions_map[rows], self.view_cones_rad[rows]
        )

    def save(self, path: Path) -> None:
        """Write as .npz to `path`; the caller makes that atomic."""
        with path.open("wb") as stream:
            np.savez_compressed(
                stream,
                format=FORMAT,
                ids=self.ids,
                positions_map=self.positions_map,
                directions_map=self.directions_map,
                view_cones_rad=self.view_cones_rad,
            )

    @staticmethod
    def load(path: Path) -> Landmarks:
        try:
            data = read_npz(path)
            version = int(data["format"])
            if version != FORMAT:
                raise RelocError(f"{path} has landmark format {version}; this version reads {FORMAT}")
            landmarks = Landmarks(*(data[field.name] for field in dataclasses.fields(Landmarks)))
        except FileNotFoundError as error:
            raise RelocError(f"{path} does not exist; run reloc select first") from error
        except (ValueError, KeyError) as error:
            raise RelocError(f"{path} is not a readable landmark file; run reloc select again") from error
        arrays = [getattr(landmarks, field.name) for field in dataclasses.fields(Landmarks)]
        count = len(landmarks.positions_map)
        if count < 4 or [array.shape for array in arrays] != [(count,), (count, 3), (count, 3), (count,)]:
            raise RelocError(f"{path} needs at least 4 landmarks with 3D positions; run reloc select again")
        if not all(np.isfinite(array).all() for array in arrays):
            raise RelocError(f"{path} holds numbers that are not finite; run reloc select again")
        return landmarks


def interleaved_groups(positions_map: NDArray[np.float64], groups: int) -> NDArray[np.int64]:
    """The group, 0 to `groups` - 1, of each of (K, 3) landmarks, neighbours in different ones; sizes differ by one.

    Each goes, in turn, where its nearest fellow is farthest. So every group covers the whole place: each head has
    something to learn from every image, none has to tell close neighbours apart, and one alone still gives a pose.
    Groups that each hold a part of the place would leave a head without positives in most images.
    """
    count = len(positions_map)
    if not 1 <= groups <= count:
        raise RelocError(f"{count} landmarks make 1 to {count} groups, not {groups}")
    group_of = np.full(count, -1)
    for k in range(count):
        sizes = np.bincount(group_of[:k], minlength=groups)
        open_groups = np.flatnonzero(sizes == sizes.min())
        distances = np.linalg.norm(positions_map[:k] - positions_map[k], axis=1)
        nearest = [distances[group_of[:k] == group].min(initial=np.inf) for group in open_groups]
        group_of[k] = open_groups[int(np.argmax(nearest))]
    return group_of
