"""Patches of the map's views moved in an image until they match: all together, by the pose, or each by itself.

They are compared by normalised cross-correlation, which does not know brightness and contrast.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.picture_cells import cells_of_pixels
from reloc_ros.pose.pnp import Correspondences, motion_jacobian
from reloc_ros.refinement.atlas import Atlas
from reloc_ros.refinement.patches import Grain, Patches, Picture, patch_offsets
from reloc_ros.refinement.sightings import CELLS, Warped

Array = NDArray[np.float64]

_CAUCHY = 0.5
"""Norm of the difference between normalised patches, 0 to 2, from which on a patch counts less."""
_CONVERGED_PX = 0.05
"""A step that moves the patches by less, a sixth of `_MAP_SIGMA_PX`, is the last."""
_AGREES = 0.7
"""Correlation from which on a patch agrees with the image."""
_MATCHES = 0.7
"""The same after it moved by itself."""
_MAX_MOVE_PX = 3.0
"""A patch that ends farther from where the pose put it has caught on something else."""
_MAP_SIGMA_PX = 0.3
"""What map points and reference poses are off by, as seen in the picture; added to the patch's own uncertainty."""
_ALONE_STEPS = 3
_SAME_TURN_DEG, _SAME_TRAVEL = 4.0, 0.05
"""From where on patches are warped anew; the second as a share of the distance of what is seen."""
MIN_PATCHES = 20
"""Bounds from below what six numbers of a pose are taken from."""


@dataclasses.dataclass(frozen=True)
class Support:
    """How much of the map, as the reference views show it, is seen in the image from a pose."""

    patches: int
    """Patches compared."""
    agreeing: int
    """Those that correlate well with the image where the pose puts them."""
    mean_correlation: float
    """Over all patches; 1 is a perfect match, 0 is what unrelated pictures give."""

    @property
    def share(self) -> float:
        """Of the patches, those that agree."""
        return self.agreeing / self.patches if self.patches else 0.0


NO_SUPPORT = Support(0, 0, 0.0)


class Appearance:
    """How the map looks from about one pose: patches of the nearest views, warped once for each grain."""

    def __init__(self, atlas: Atlas, seen: Warped, camera: Camera, camera_from_map: SE3) -> None:
        self._atlas, self._seen, self._camera_from_map = atlas, seen, camera_from_map
        self._patches: dict[Grain, Patches] = {}
        self.camera = camera
        """Of the image that it is compared with."""

    def suits(self, camera_from_map: SE3) -> bool:
        """Whether it would look about the same from there: a few degrees do not change how a small patch looks."""
        own = self._camera_from_map
        distances = np.linalg.norm(self._seen.points_map - own.center, axis=1)
        travel = center_error(own, camera_from_map)
        return bool(
            rotation_error_deg(own, camera_from_map) <= _SAME_TURN_DEG
            and travel <= _SAME_TRAVEL * np.median(distances)  # not for NaN, where nothing is seen
        )

    def patches(self, grain: Grain) -> Patches:
        """The first patches as they would be seen, without those that say nothing."""
        if grain not in self._patches:
            first = slice(grain.count)
            taken, inside = self._atlas.patches(
                self._seen.views[first],
                self._seen.centers_px[first],
                self._seen.view_from_image[first] * np.float32(2**grain.level),
                patch_offsets(grain.size + 2),
            )
            points = self._seen.points_map[first], self._seen.covariances_map[first]
            self._patches[grain] = Patches.of(taken, *points, grain.size, inside)
        return self._patches[grain]


def move_together(pose: SE3, picture: Picture, patches: Patches, grain: Grain, steps: int) -> SE3:
    """Gauss-Newton on the pose over the differences between the patches and the image.

    The slopes are the patches' own, which need no recomputing as the pose moves (Baker and Matthews,
    "Lucas-Kanade 20 Years On", 2004); patches that stay different count less, by a Cauchy loss.
    """
    if len(patches) < MIN_PATCHES:
        return pose
    for _ in range(steps):
        points_camera = pose.apply(patches.points_map)
        seen, inside = picture.look(picture.camera.project(points_camera), grain)
        difference = seen - patches.looks
        weights = inside / (1 + np.einsum("ns,ns->n", difference, difference) / _CAUCHY**2)
        jacobian = _pixels_from_motion(points_camera, picture.camera) * 0.5**grain.level
        jacobian[~inside] = 0  # what is not in front of the camera has none
        weighted = (weights[:, None, None] * jacobian).reshape(-1, 6)
        normal = weighted.T @ (patches.strengths @ jacobian).reshape(-1, 6)
        gradient = weighted.T @ (patches.slopes @ difference[:, :, None]).ravel()
        step = -np.linalg.solve(normal + 1e-6 * np.diag(np.diag(normal)) + 1e-12 * np.eye(6), gradient)
        pose = SE3.from_rotation_vector(step[3:], step[:3]) @ pose
        if np.abs(jacobian @ step).mean() < _CONVERGED_PX:
            break
    return pose


def move_alone(
    pose: SE3, picture: Picture, patches: Patches, grain: Grain
) -> tuple[Correspondences, NDArray[np.int64]]:
    """Move each patch by itself to where it matches best, from where the pose puts it.

    Returns:
        Where those that match came to lie, and in which cell of the picture each (N,).
    """
    start_px = picture.camera.project(pose.apply(patches.points_map))
    strengths = patches.strengths.astype(np.float64)
    strengths += 1e-3 * np.trace(strengths, axis1=1, axis2=2)[:, None, None] * np.eye(2)
    inverses = np.linalg.inv(strengths)
    moves = (inverses @ patches.slopes).astype(np.float32)
    places_px = start_px
    for _ in range(_ALONE_STEPS):
        seen, inside = picture.look(places_px, grain)
        difference = seen - patches.looks
        places_px = places_px - np.clip((moves @ difference[:, :, None])[:, :, 0], -1, 1)
    unlike = np.einsum("ns,ns->n", difference, difference)  # before the last step, a small one
    moved = np.linalg.norm(places_px - start_px, axis=1)
    # The squared norm of a difference is 2 (1 - correlation).
    good = inside & (unlike < 2 * (1 - _MATCHES)) & (moved < _MAX_MOVE_PX)
    rays = picture.camera.unproject(places_px)
    good &= np.isfinite(rays).all(axis=1)  # some move to where the lens puts nothing
    variances = unlike / grain.size**2 * 0.5 * np.trace(inverses, axis1=1, axis2=2)
    sigmas = np.sqrt(_MAP_SIGMA_PX**2 + variances[good]) / picture.camera.mean_focal
    cells = cells_of_pixels(places_px[good], (picture.camera.width, picture.camera.height), CELLS)
    matches = Correspondences(patches.points_map[good], rays[good], sigmas, patches.covariances_map[good])
    return matches, cells


def support_of(pose: SE3, picture: Picture, patches: Patches, grain: Grain) -> Support:
    """How the patches agree with the image where the pose puts them; those outside of it are not asked."""
    if len(patches) == 0:
        return NO_SUPPORT
    seen, inside = picture.look(picture.camera.project(pose.apply(patches.points_map)), grain)
    correlations = np.einsum("ns,ns->n", seen, patches.looks)[inside]
    agreeing = int(np.count_nonzero(correlations > _AGREES))
    return Support(len(correlations), agreeing, float(correlations.sum() / max(len(correlations), 1)))


def _pixels_from_motion(points_camera: Array, camera: Camera) -> Array:
    """(N, 2, 6) of pixels by a left perturbation (v, omega); without distortion, as it only guides steps."""
    inverse_depth = 1 / np.maximum(points_camera[:, 2], 1e-9)
    plane = points_camera[:, :2] * inverse_depth[:, None]
    jacobian: Array = motion_jacobian(plane, inverse_depth) * np.array([[camera.fx], [camera.fy]])
    return jacobian
