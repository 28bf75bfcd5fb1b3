"""The landmarks of a map: the 3D points the network learns to find."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, are_places
from reloc_ros.io.npz import of_kind, read_npz, whole
from reloc_ros.scene_size import median_distance

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

    def view_angles(self, center_map: NDArray[np.float64]) -> NDArray[np.float64]:
        """(K,) angles, rad, between where a camera's centre (3,) is seen from each and the middle of its views."""
        rays = center_map - self.positions_map
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        cosines: NDArray[np.float64] = np.einsum("ij,ij->i", rays, self.directions_map)
        return np.arccos(np.clip(cosines, -1, 1))

    def distance_from(self, camera: Camera, camera_from_map: SE3) -> float:
        """Median distance, map units, to those that a camera sees: in its picture, from where they were seen.

        Walls are not known to it. Where it sees none, the distance is that to all of them.
        """
        points, center = camera_from_map.apply(self.positions_map), camera_from_map.center
        seen = camera.contains(camera.project(points)) & (self.view_angles(center) <= self.view_cones_rad)
        return median_distance(center, self.positions_map[seen] if seen.any() else self.positions_map)

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
            version = whole(data["format"])
            if version != FORMAT:
                raise RelocError(f"{path} has landmark format {version}; this version reads {FORMAT}")
            ids, *numbers = (data[field.name] for field in dataclasses.fields(Landmarks))
            landmarks = Landmarks(of_kind(ids, np.int64), *(of_kind(array, np.float64) for array in numbers))
        except FileNotFoundError as error:
            raise RelocError(f"{path} does not exist; run reloc select first") from error
        except (ValueError, KeyError, TypeError) as error:
            raise RelocError(f"{path} is not a readable landmark file; run reloc select again") from error
        arrays = [getattr(landmarks, field.name) for field in dataclasses.fields(Landmarks)]
        count = len(landmarks.positions_map)
        if count < 4 or [array.shape for array in arrays] != [(count,), (count, 3), (count, 3), (count,)]:
            raise RelocError(f"{path} needs at least 4 landmarks with 3D positions; run reloc select again")
        if not are_places(landmarks.positions_map) or not all(np.isfinite(array).all() for array in arrays):
            raise RelocError(f"{path} holds numbers that are not finite; run reloc select again")
        return landmarks


def joined(first: Landmarks, second: Landmarks) -> Landmarks:
    """The one after the other."""
    fields = [field.name for field in dataclasses.fields(Landmarks)]
    return Landmarks(*(np.concatenate([getattr(one, name) for one in (first, second)]) for name in fields))
