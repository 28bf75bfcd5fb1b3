"""Sharpen a first pose against the map's reference views, by how the surfaces around its points look.

Small patches of the nearest views are warped to how the first pose would see them, and moved in the image until
they match: first all together, by the six numbers of the pose, in coarse and then finer pictures; at last each by
itself, and the pose is solved from where they came to lie. Patches are compared by normalised cross-correlation,
which does not know brightness and contrast.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.picture_cells import cells_of_pixels
from reloc_ros.pose.pnp import Correspondences, motion_jacobian, refine, reprojection_errors
from reloc_ros.refinement.atlas import Atlas
from reloc_ros.refinement.patches import Grain, Patches, Picture, patch_offsets
from reloc_ros.refinement.references import References
from reloc_ros.refinement.sightings import CELLS, Sightings, Warped

Array = NDArray[np.float64]

_TOGETHER = ((Grain(4, 7, 60), 6), (Grain(3, 7, 60), 4), (Grain(2, 9, 80), 4), (Grain(1, 9, 150), 3))
"""What is compared, coarse first, and how many steps the pose takes at most. The coarsest catches a first pose 3 deg
and 4 % off; the finest also tells how much agrees, as it minds blur and noise less than the full picture."""
_ENOUGH = 0.5
"""Share of agreeing patches that leaves no doubt about where they led."""
_ALONE = Grain(0, 7, 600)
_ALONE_STEPS = 3
_MIN_PATCHES = 20
"""Bounds from below what six numbers of a pose are taken from."""
_MIN_LEVEL_PX = 16
"""A level with a shorter side than this is left out."""
_CAUCHY = 0.5
"""Norm of the difference between normalised patches, 0 to 2, from which on a patch counts less."""
_CONVERGED_PX = 0.05
"""A step that moves the patches by less, a sixth of `_MAP_SIGMA_PX`, is the last."""
_AGREES = 0.7
"""Correlation from which on a patch agrees with the image."""
_MATCHES = 0.7
"""The same after it moved by itself."""
_MIN_SHARE = 0.2
"""Of agreeing patches. Pictures of other places, mirrored ones and other poses had 0.12 at most, true poses 0.28 at
least, 0.16 with two fifths of the picture covered."""
_MAX_MISFIT = 2.0
"""Of the landmarks, relative to what it was before, or to their sigma if that is more."""
_MAX_MOVE_PX = 3.0
"""A patch that ends farther from where the pose put it has caught on something else."""
_MAP_SIGMA_PX = 0.3
"""What map points and reference poses are off by, as seen in the picture; added to the patch's own uncertainty."""


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


@dataclasses.dataclass(frozen=True, eq=False)
class Refinement:
    """A pose sharpened, or the first one and why it was kept."""

    camera_from_map: SE3
    covariance: Array | None
    """(6, 6) as in `pnp.Refined`, from how far the patches lie from where the pose puts them; None with `doubt`."""
    support: Support
    """Of the sharpened pose, even where it was not believed."""
    doubt: str | None
    """Why the sharpened pose was not believed, None when it was."""


class Refiner:
    """Sharpens poses in one map."""

    def __init__(self, references: References) -> None:
        self._sightings = Sightings(references)
        self._atlas = Atlas(references.pictures())
        self._focal = float(np.median([camera.mean_focal for camera in references.cameras]))

    def refine(
        self, image: NDArray[np.uint8], camera: Camera, start: SE3, landmarks: Correspondences
    ) -> Refinement:
        """Sharpen a first pose.

        Args:
            image: (H, W, 3) BGR or (H, W) grey.
            camera: its intrinsics.
            start: the first camera_from_map.
            landmarks: what the first pose was found from; a sharpened pose must still explain them.
        """
        picture = Picture(image, camera, self._focal)
        # A degree or two does not change how a small patch looks: it is warped once.
        seen = self._sightings.choose(start, picture.camera, _ALONE.count)
        pose, before, support = self._approach(start, picture, seen, _TOGETHER)
        if support.share < _ENOUGH:  # little to go by: the coarsest picture may have led astray
            second = self._approach(start, picture, seen, _TOGETHER[1:])
            if second[2].mean_correlation > support.mean_correlation:
                pose, before, support = second
        if doubt := _doubt(before, support):
            return Refinement(start, None, support, doubt)
        matches, cells = _move_alone(pose, picture, self._take(seen, _ALONE), _ALONE)
        if len(matches) < _MIN_PATCHES:
            return Refinement(start, None, support, f"{len(matches)} patches match, {_MIN_PATCHES} needed")
        solved = refine(pose, matches, iterations=3, cauchy_scale=1.0)
        if doubt := _contradiction(landmarks, start, solved.camera_from_map):
            return Refinement(start, None, support, doubt)
        # Neighbouring patches err alike, as the map and the lens do: those of one cell count as one measurement.
        return Refinement(solved.camera_from_map, solved.covariance * len(matches) / cells, support, None)

    def _approach(
        self, start: SE3, picture: Picture, seen: Warped, rounds: tuple[tuple[Grain, int], ...]
    ) -> tuple[SE3, Support, Support]:
        """Where all patches together move the pose, and the support of `start` and of that in the last round."""
        pose = start
        for grain, steps in rounds:
            patches = self._take(seen, grain)
            if min(picture.level(grain.level).shape) >= _MIN_LEVEL_PX:
                pose = _move_together(pose, picture, patches, grain, steps)
        return pose, _support(start, picture, patches, grain), _support(pose, picture, patches, grain)

    def _take(self, seen: Warped, grain: Grain) -> Patches:
        """The first patches as they would be seen, without those that say nothing."""
        first = slice(grain.count)
        taken, inside = self._atlas.patches(
            seen.views[first],
            seen.centers_px[first],
            seen.view_from_image[first] * np.float32(2**grain.level),
            patch_offsets(grain.size + 2),
        )
        return Patches.of(taken, seen.points_map[first], grain.size, inside)


def _move_together(pose: SE3, picture: Picture, patches: Patches, grain: Grain, steps: int) -> SE3:
    """Gauss-Newton on the pose over the differences between the patches and the image.

    The slopes are the patches' own, which need no recomputing as the pose moves (Baker and Matthews,
    "Lucas-Kanade 20 Years On", 2004); patches that stay different count less, by a Cauchy loss.
    """
    if len(patches) < _MIN_PATCHES:
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


def _move_alone(pose: SE3, picture: Picture, patches: Patches, grain: Grain) -> tuple[Correspondences, int]:
    """Move each patch by itself to where it matches best, from where the pose puts it.

    Returns:
        Where those that match came to lie, and over how many cells of the picture they spread.
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
    matches = Correspondences(patches.points_map[good], rays[good], sigmas)
    return matches, len(np.unique(cells))


def _support(pose: SE3, picture: Picture, patches: Patches, grain: Grain) -> Support:
    """How the patches agree with the image where the pose puts them; those outside of it are not asked."""
    if len(patches) == 0:
        return NO_SUPPORT
    seen, inside = picture.look(picture.camera.project(pose.apply(patches.points_map)), grain)
    correlations = np.einsum("ns,ns->n", seen, patches.looks)[inside]
    agreeing = int(np.count_nonzero(correlations > _AGREES))
    return Support(len(correlations), agreeing, float(correlations.sum() / max(len(correlations), 1)))


def _doubt(before: Support, after: Support) -> str | None:
    """Why what is seen in the image does not speak for a pose, None when it does.

    Enough of what the map shows around there must be seen, and more so than from the first pose.
    """
    if after.agreeing < _MIN_PATCHES or after.share < _MIN_SHARE:
        return f"{after.agreeing} of {after.patches} patches agree with the image"
    if after.mean_correlation < before.mean_correlation:
        return f"the patches correlate by {after.mean_correlation:.2f}, {before.mean_correlation:.2f} before"
    return None


def _contradiction(landmarks: Correspondences, start: SE3, sharpened: SE3) -> str | None:
    """Why the landmarks speak against a sharpened pose, None when they do not."""
    before, after = (_misfit(pose, landmarks) for pose in (start, sharpened))
    if after > _MAX_MISFIT * max(before, 1.0):
        return f"the landmarks lie {after:.1f} sigmas off, {before:.1f} before"
    return None


def _misfit(pose: SE3, landmarks: Correspondences) -> float:
    """Median reprojection error of the landmarks, in units of their sigma."""
    return float(np.median(reprojection_errors(pose, landmarks) / landmarks.sigmas))


def _pixels_from_motion(points_camera: Array, camera: Camera) -> Array:
    """(N, 2, 6) of pixels by a left perturbation (v, omega); without distortion, as it only guides steps."""
    inverse_depth = 1 / np.maximum(points_camera[:, 2], 1e-9)
    plane = points_camera[:, :2] * inverse_depth[:, None]
    return motion_jacobian(plane, inverse_depth) * np.array([[camera.fx], [camera.fy]])
