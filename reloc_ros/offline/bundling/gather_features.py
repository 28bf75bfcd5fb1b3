"""Gather what the map's images show of its points, for a bundle or a baseline."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reloc_ros.errors import RelocError
from reloc_ros.landmarks import Landmarks
from reloc_ros.local_features.feature_map import FeatureMap
from reloc_ros.local_features.matching import NEIGHBOURS, Features, detect
from reloc_ros.local_features.second_way import SIDE
from reloc_ros.local_features.sift import Sift
from reloc_ros.offline.landmarks.select_landmarks import view_cones
from reloc_ros.offline.mapping.attempts import read_features
from reloc_ros.offline.mapping.options import SfmOptions
from reloc_ros.offline.mapping.reconstruct import triangulate_given
from reloc_ros.offline.model.sfm import MIN_TRIANGULATION_ANGLE_DEG, SfmModel
from reloc_ros.offline.model.triangulate import covariances, triangulate
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.gather import Group
from reloc_ros.offline.sources.photographs import read_photo
from reloc_ros.offline.workspace import Workspace
from reloc_ros.picture_cells import cells_of_pixels, ranks_in_groups

logger = logging.getLogger(__name__)

MOST = 30_000
"""Descriptors that a bundle carries, about 3 MB; more of a small place find no more images."""
CELLS = 10
"""Of an image, along a side, over which they spread."""
MAX_POINT_ERROR_PX = 2.0
"""Mean reprojection error of a point in the map's images: farther off, the keypoints are not all of one thing."""


@dataclasses.dataclass(frozen=True, eq=False)
class Gathered:
    """All that the images of a model show of its points."""

    known: FeatureMap
    views: NDArray[np.int32]
    """(M,) of each descriptor, the image that it is from, by its row in the model."""
    pixels: NDArray[np.float64]
    """(M, 2) and where it is there."""

    @property
    def told(self) -> dict[str, int]:
        """Their number, for people."""
        return {"points": len(self.known.landmarks), "descriptors": len(self.views)}

    def without(self, images: Sequence[int]) -> Gathered:
        """The same without what some images show."""
        return self.subset(~np.isin(self.views, images))

    def subset(self, kept: NDArray[np.bool_]) -> Gathered:
        """Some of the descriptors, (M,), and their points."""
        points, of_point = np.unique(self.known.points[kept], return_inverse=True)
        landmarks, covariances_map = self.known.landmarks.subset(points), self.known.covariances_map[points]
        known = FeatureMap(self.known.descriptors[kept], of_point, landmarks, covariances_map)
        return Gathered(known, self.views[kept], self.pixels[kept])


def features_to_bundle(workspace: Workspace, model: SfmModel, progress: Progress = silent) -> Gathered | None:
    """SIFT in a workspace's model, as a bundle's images will be looked at; None where there is nothing."""
    try:
        return sift_features(workspace, model, progress, SIDE)
    except RelocError as error:
        logger.warning("no local features in the bundle: %s", error)
        return None


def compact(gathered: Gathered, model: SfmModel) -> Gathered:
    """What a bundle carries of them."""
    chosen = gathered.subset(choose(gathered, model, MOST))
    if len(chosen.views) < len(gathered.views):
        logger.info("%d of %d descriptors are in the bundle", len(chosen.views), len(gathered.views))
    return chosen


def choose(gathered: Gathered, model: SfmModel, most: int) -> NDArray[np.bool_]:
    """(M,) which descriptors stand for all: as many as may be, spread over each image, and over the points.

    With those of the longest tracks alone blurred and covered images are lost: a point needs a descriptor for each look
    that it has.
    """
    cells = cells_of_pixels(gathered.pixels, model.image_sizes[gathered.views], CELLS)
    looks = ranks_in_groups(gathered.known.points, np.zeros(len(cells)))
    turns = ranks_in_groups(gathered.views * CELLS**2 + cells, looks)
    # By chance within a turn: in their own order the first turn of a large map's first points would be all.
    chance = np.random.default_rng(0).permutation(len(turns))
    kept = np.zeros(len(turns), dtype=bool)
    kept[np.lexsort((chance, turns))[:most]] = True
    return kept


def sift_features(
    workspace: Workspace, known: SfmModel, progress: Progress = silent, side: float = np.inf
) -> Gathered:
    """SIFT in a workspace's model without its held-out images, which are shrunk to a longer side.

    SIFT does not find again what other features found: where the map is made of those, its own matches make it points
    at the map's poses.
    """
    if read_features(workspace.path / "sfm" / "sparse") != "sift":
        groups, own = [Group("the map", known.names, False)], workspace.path / "judged" / "sift"
        try:
            known = triangulate_given(workspace.images_dir, groups, own, known, SfmOptions(), progress).model
        except RelocError as error:
            raise RelocError(
                f"SIFT's matches make no points at the poses of '{workspace.path}', whose map is of other features; "
                "leave SIFT out"
            ) from error
    return gather_features(Sift(side), known, workspace.images_dir, progress)


def gather_features(
    features: Features, model: SfmModel, images_dir: Path, progress: Progress = silent
) -> Gathered:
    """Gather descriptors where the model's images saw its points, which are then triangulated from the keypoints.

    Held-out images must have been taken out of the model, see `SfmModel.without`.
    """
    gathered, seen, pixels = [], [], []
    for image, name in enumerate(model.names):
        keypoints_px, descriptors, shrink = detect(features, read_photo(images_dir / name))
        rows = model.observations_of(image)
        if len(keypoints_px) and len(rows):
            distances, nearest = cKDTree(model.observation_px[rows]).query(keypoints_px)
            # Of the keypoints around an observation the nearest: several where that has several orientations.
            least = np.full(len(rows), features.reach_px / shrink)
            np.minimum.at(least, nearest, distances)
            near = distances <= least[nearest]
            gathered.append(descriptors[near])
            seen.append(rows[nearest[near]])
            pixels.append(keypoints_px[near])
        progress(f"gather {features.name}", image + 1, len(model.names))
    _refuse_few(sum(map(len, seen)), features, images_dir)
    rows = np.concatenate(seen)
    order = np.argsort(rows)
    rows = rows[order]
    points, point = np.unique(model.observation_point[rows], return_inverse=True)
    rays = model.rays(model.observation_image[rows], np.concatenate(pixels)[order], point)
    found = triangulate(rays, len(points))
    good = (found.errors_px <= MAX_POINT_ERROR_PX) & (found.angles_deg >= MIN_TRIANGULATION_ANGLE_DEG)
    kept, points_map = good[point], found.points_map[good]
    _refuse_few(np.count_nonzero(kept), features, images_dir)
    seen_point = (np.cumsum(good) - 1)[point[kept]]
    cones = view_cones(points_map, seen_point, rays.centers_map()[kept])
    landmarks = Landmarks(model.point_ids[points[good]], points_map, *cones)
    own = covariances(rays.of_points(good), points_map)
    known = FeatureMap(np.concatenate(gathered)[order[kept]], seen_point, landmarks, own)
    return Gathered(known, model.observation_image[rows[kept]], rays.pixels[kept])


def _refuse_few(count: int, features: Features, images_dir: Path) -> None:
    if count < NEIGHBOURS:
        raise RelocError(
            f"{features.name} finds only {count} of the map's points again in the images of '{images_dir}'"
        )
