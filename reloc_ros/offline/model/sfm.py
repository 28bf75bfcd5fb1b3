"""The structure-from-motion model: cameras, registered images, points, and who saw what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.atomic import atomic_path
from reloc_ros.io.nested_text import parse_json
from reloc_ros.io.npz import MOST_BYTES_OF_A_MAP, read_npz
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.model.triangulate import Rays, covariances, triangulate

FORMAT = 1
MIN_TRIANGULATION_ANGLE_DEG = 1.5
MAX_ERROR_PX = 4.0
"""COLMAP's own limits for keeping a point."""
_ALIKE = 0.01
"""Share of half a diagonal by which two estimates of one camera shift a pixel at most; so wrong are distances then."""


@dataclass(frozen=True, eq=False)
class SfmModel:
    """A sparse model in the map frame. I images, P points, M observations."""

    cameras: Mapping[int, Camera]
    """By camera id."""
    names: tuple[str, ...]
    """(I,) registered images, in name order."""
    camera_ids: NDArray[np.int64]
    """(I,) the key into `cameras` of each image."""
    camera_from_map: tuple[SE3, ...]
    """(I,) the pose of each image."""
    points_map: NDArray[np.float64]
    """(P, 3)"""
    point_ids: NDArray[np.int64]
    """(P,) ids that stay when points are dropped."""
    colors: NDArray[np.uint8]
    """(P, 3) red, green, blue."""
    errors_px: NDArray[np.float64]
    """(P,) mean reprojection error over the observations of a point."""
    observation_point: NDArray[np.int32]
    """(M,) index into the points, ascending, and within a point ascending by image."""
    observation_image: NDArray[np.int32]
    """(M,) index into the images."""
    observation_px: NDArray[np.float64]
    """(M, 2) where it was seen, in our pixel convention."""

    @property
    def image_sizes(self) -> NDArray[np.int64]:
        """(I, 2) width and height of each image in pixels."""
        sizes = {key: (camera.width, camera.height) for key, camera in self.cameras.items()}
        return np.array([sizes[key] for key in self.camera_ids.tolist()]).reshape(-1, 2)

    @property
    def rotations(self) -> NDArray[np.float64]:
        """(I, 3, 3) rotations of `camera_from_map`."""
        return np.array([pose.rotation for pose in self.camera_from_map]).reshape(-1, 3, 3)

    @property
    def translations(self) -> NDArray[np.float64]:
        """(I, 3) translations of `camera_from_map`."""
        return np.array([pose.translation for pose in self.camera_from_map]).reshape(-1, 3)

    @property
    def centers_map(self) -> NDArray[np.float64]:
        """(I, 3) camera centres."""
        return np.array([pose.center for pose in self.camera_from_map]).reshape(-1, 3)

    @property
    def track_lengths(self) -> NDArray[np.int64]:
        """(P,) the number of observations of each point."""
        return np.bincount(self.observation_point, minlength=len(self.points_map))

    @property
    def main_camera(self) -> Camera:
        """The camera that took most images."""
        ids, counts = np.unique(self.camera_ids, return_counts=True)
        return self.cameras[int(ids[counts.argmax()])]

    def distinct_cameras(self) -> dict[str, Camera]:
        """The cameras that differ by more than estimates of one camera do, the one of most images first.

        Named by the folder (the source) of their images, or else by one of these.
        """
        ids, counts = np.unique(self.camera_ids, return_counts=True)
        kept: list[int] = []
        for key in ids[np.argsort(-counts, kind="stable")].tolist():
            if not any(_are_alike(self.cameras[key], self.cameras[other]) for other in kept):
                kept.append(key)
        folders = np.array([name.rpartition("/")[0].partition("/")[0] for name in self.names])
        named = {}
        for key in kept:
            mine = self.camera_ids == key
            folder = folders[mine][0]
            others = np.isin(self.camera_ids, kept) & ~mine & (folders == folder)
            is_own = folder and (folders[mine] == folder).all() and not others.any()
            named[str(folder) if is_own else self.names[int(mine.argmax())]] = self.cameras[key]
        return named

    def camera(self, image: int) -> Camera:
        """The camera that took an image, by the image's index."""
        return self.cameras[int(self.camera_ids[image])]

    def observations_of(self, image: int) -> NDArray[np.int64]:
        """Rows, ascending, of the observations in an image; cheap to ask for each image in turn."""
        return self._by_image[image]

    @cached_property
    def _by_image(self) -> list[NDArray[np.int64]]:
        return rows_of_groups(self.observation_image, len(self.names))

    def rays(self, images: NDArray[np.integer], pixels: ArrayLike, points: NDArray[np.integer]) -> Rays:
        """Lines of sight of points (N,), in the points' order, from images (N,) through pixels (N, 2)."""
        return Rays(
            cameras={key: self.cameras[key] for key in np.unique(self.camera_ids[images]).tolist()},
            camera_ids=self.camera_ids[images],
            rotations=self.rotations[images],
            translations=self.translations[images],
            points=points.astype(np.int32),
            pixels=np.asarray(pixels, dtype=np.float64),
        )

    @property
    def observed_rays(self) -> Rays:
        """The lines of sight of all observations."""
        return self.rays(self.observation_image, self.observation_px, self.observation_point)

    def project_observed(self) -> NDArray[np.float64]:
        """Project each observation's point into its image: (M, 2) px, NaN behind the camera."""
        return self.observed_rays.project(self.points_map)

    @property
    def covariances_map(self) -> NDArray[np.float64]:
        """(P, 3, 3) of the points, by their observations alone."""
        return covariances(self.observed_rays, self.points_map)

    def without(self, held_out: ArrayLike, min_observations: int = 2) -> SfmModel:
        """The model as it stands without some images: nothing of theirs is left in it.

        Points that fewer than `min_observations` of the remaining images saw are dropped. The others are
        triangulated anew, from the remaining observations alone, and dropped if COLMAP would not have kept
        them. The remaining images' poses and the intrinsics are taken as they are.

        Args:
            held_out: (I,) bool.
        """
        held_out = np.asarray(held_out, dtype=bool)
        if held_out.shape != (len(self.names),):
            raise ValueError(f"held_out needs shape ({len(self.names)},), got {held_out.shape}")
        if not held_out.any():
            return self
        kept = self.keep_images(~held_out)
        kept = kept.keep_points(kept.track_lengths >= min_observations)
        result = triangulate(kept.observed_rays, len(kept.points_map))
        kept = replace(kept, points_map=result.points_map, errors_px=result.errors_px)
        good = (result.errors_px <= MAX_ERROR_PX) & (result.angles_deg >= MIN_TRIANGULATION_ANGLE_DEG)
        return kept.keep_points(good)

    def without_points(self, point_ids: ArrayLike) -> SfmModel:
        """The model without the points of these ids; none of the others changes."""
        dropped = np.isin(self.point_ids, point_ids)
        return self.keep_points(~dropped) if dropped.any() else self

    def transformed(self, new_from_map: Similarity) -> SfmModel:
        """The model in another frame, of another scale."""
        return replace(
            self,
            points_map=new_from_map.apply(self.points_map),
            camera_from_map=tuple(new_from_map.move_camera(pose) for pose in self.camera_from_map),
        )

    def save(self, path: str | Path) -> None:
        """Write to an .npz, atomically; the same model gives the same bytes."""
        cameras = {str(key): camera.to_json() for key, camera in sorted(self.cameras.items())}
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(
                stream,
                format=FORMAT,
                kind="reloc sfm model",
                cameras=json.dumps(cameras),
                names=np.array(self.names, dtype=np.str_),
                camera_ids=self.camera_ids,
                rotations=self.rotations,
                translations=self.translations,
                **{field: getattr(self, field) for field in _ARRAYS},
            )

    @classmethod
    def load(cls, path: str | Path) -> SfmModel:
        """Read what `save` wrote; anything else is refused with a sentence."""
        path = Path(path)
        if not path.is_file():
            raise RelocError(f"there is no model at '{path}'; run `reloc map` first")
        try:
            contents = read_npz(path, MOST_BYTES_OF_A_MAP)
        except ValueError as error:
            raise RelocError(f"model '{path}' is damaged; run `reloc map` again") from error
        if str(contents.get("kind")) != "reloc sfm model":
            raise RelocError(f"'{path}' is not a model that `reloc map` wrote")
        if str(contents.get("format")) != str(FORMAT):
            raise RelocError(
                f"model '{path}' has format {contents.get('format')}, this version reads {FORMAT}"
            )
        try:
            return cls._from_arrays(contents)
        except (ValueError, KeyError, TypeError, AttributeError, RelocError) as error:
            raise RelocError(f"model '{path}' is damaged; run `reloc map` again") from error

    @classmethod
    def _from_arrays(cls, contents: Mapping[str, NDArray[Any]]) -> SfmModel:
        cameras = parse_json(str(contents["cameras"]))
        poses = zip(contents["rotations"], contents["translations"], strict=True)
        return cls(
            cameras={int(key): Camera.from_json(value) for key, value in cameras.items()},
            names=tuple(contents["names"].tolist()),
            camera_ids=contents["camera_ids"],
            camera_from_map=tuple(SE3(rotation, translation) for rotation, translation in poses),
            **{field: contents[field] for field in _ARRAYS},
        )

    def keep_images(self, keep: NDArray[np.bool_]) -> SfmModel:
        """The model with some of the images, (I,) bool, and all of its points as they are."""
        kept = np.flatnonzero(keep).tolist()
        model = replace(
            self,
            names=tuple(self.names[image] for image in kept),
            camera_ids=self.camera_ids[keep],
            camera_from_map=tuple(self.camera_from_map[image] for image in kept),
            observation_image=(np.cumsum(keep) - 1)[self.observation_image].astype(np.int32),
        )
        return model.keep_observations(keep[self.observation_image])

    def keep_points(self, keep: NDArray[np.bool_]) -> SfmModel:
        """The model with some of the points, (P,) bool."""
        model = replace(
            self,
            **{field: getattr(self, field)[keep] for field in _OF_POINTS},
            observation_point=(np.cumsum(keep) - 1)[self.observation_point].astype(np.int32),
        )
        return model.keep_observations(keep[self.observation_point])

    def keep_observations(self, keep: NDArray[np.bool_]) -> SfmModel:
        """The model with some of the observations, (M,) bool; a point may be left with none."""
        return replace(self, **{field: getattr(self, field)[keep] for field in _OF_OBSERVATIONS})


def rows_of_groups(groups: NDArray[np.integer], count: int) -> list[NDArray[np.int64]]:
    """The rows, ascending, of each of `count` groups, given the group of each row (N,)."""
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.cumsum(np.bincount(groups, minlength=count))[:-1])


def _are_alike(one: Camera, other: Camera) -> bool:
    """Whether they may be two estimates of one camera."""
    fitted = other.for_image(one.width, one.height)
    return fitted is not None and one.shift_px(fitted) <= _ALIKE * 0.5 * np.hypot(one.width, one.height)


_OF_POINTS = ("points_map", "point_ids", "colors", "errors_px")
_OF_OBSERVATIONS = ("observation_point", "observation_image", "observation_px")
_ARRAYS = _OF_POINTS + _OF_OBSERVATIONS
