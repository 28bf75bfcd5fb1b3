"""Sharpen a first pose against the map's reference views, by how the surfaces around its points look.

Small patches of the nearest views are warped to how the first pose would see them, and moved in the image until
they match: first all together, by the six numbers of the pose, in coarse and then finer pictures; at last each by
itself, and the pose is solved from where they came to lie. Patches are compared by normalised cross-correlation,
which does not know brightness and contrast.
"""

from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.atlas import Atlas, halved
from reloc_ros.geometry import SE3, Camera
from reloc_ros.pnp import Correspondences, refine, reprojection_errors
from reloc_ros.references import References
from reloc_ros.sightings import Chosen, Sightings

Array = NDArray[np.float64]
Patches32 = NDArray[np.float32]


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
        return self.agreeing / self.patches if self.patches else 0.0


NO_SUPPORT = Support(0, 0, 0.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Refinement:
    """A pose sharpened, or the first one and why it was kept."""

    camera_from_map: SE3
    covariance: Array | None
    """(6, 6) as in `pnp.Refined`; None when the first pose was kept."""
    support: Support
    """Of the sharpened pose, even where it was not believed."""
    doubt: str | None
    """Why the sharpened pose was not believed, None when it was."""


@dataclasses.dataclass(frozen=True)
class _Round:
    """One resolution at which all patches move together."""

    level: int
    """How often the picture was halved."""
    patches: int
    size: int
    """Side of a patch, pixels of that level, odd."""
    steps: int


_ROUNDS = (_Round(3, 100, 7, 8), _Round(2, 100, 9, 4), _Round(1, 200, 9, 3))
_FINAL = _Round(0, 600, 7, 3)
"""Here each patch moves by itself."""
_MIN_PATCHES = 20
_MIN_LEVEL_PX = 24
"""A level with a shorter side than this is left out."""
_MIN_CONTRAST = 2.0
"""Standard deviation of a patch, grey levels; smoother ones say nothing."""
_CAUCHY = 0.5
"""Norm of the difference between normalised patches, 0 to 2, from which on a patch counts less."""
_CONVERGED_PX = 0.02
_AGREES = 0.7
"""Correlation from which on a patch agrees with the image."""
_MIN_SHARE = 0.3
_MAX_MISFIT = 2.0
"""Of the landmarks, relative to what it was before, or to their sigma if that is more."""
_MAX_MOVE_PX = 3.0
"""A patch that ends farther from where the pose put it has caught on something else."""
_MAP_SIGMA_PX = 0.3
"""What map points and reference poses are off by, as seen in the picture; added to the patch's own uncertainty."""


class Refiner:
    """Sharpens poses in one map."""

    def __init__(self, references: References) -> None:
        self._sightings = Sightings(references)
        self._atlas = Atlas(references.pictures())
        self._references = references
        self._focal = float(np.median([_mean_focal(camera) for camera in references.cameras]))

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
        picture = _Picture.of(image, camera, self._focal)
        chosen = self._sightings.choose(start, picture.camera, _FINAL.patches)
        pose = start
        for round_ in _ROUNDS:
            if min(picture.level(round_.level).shape) >= _MIN_LEVEL_PX:
                patches = self._take(pose, picture, chosen, round_)
                pose = _move_together(pose, picture, patches, round_)
        patches = self._take(pose, picture, chosen, _FINAL)
        if len(patches) < _MIN_PATCHES:
            return Refinement(
                start, None, NO_SUPPORT, f"{len(patches)} patches can be compared, {_MIN_PATCHES} needed"
            )
        matches = _match(pose, picture, patches, _FINAL)
        if len(matches) < _MIN_PATCHES:
            support = _support(pose, picture, patches, _FINAL)
            return Refinement(start, None, support, f"{len(matches)} patches match, {_MIN_PATCHES} needed")
        solved = refine(pose, matches)
        support = _support(solved.camera_from_map, picture, patches, _FINAL)
        before = _support(start, picture, patches, _FINAL)
        doubt = _doubt(support, before, *(_misfit(p, landmarks) for p in (solved.camera_from_map, start)))
        if doubt is not None:
            return Refinement(start, None, support, doubt)
        return Refinement(solved.camera_from_map, solved.covariance, support, None)

    def _take(self, pose: SE3, picture: _Picture, chosen: Chosen, round_: _Round) -> _Patches:
        """The patches as the pose would see them at the round's level, without those that say nothing."""
        chosen = chosen.subset(slice(round_.patches))
        warps, good = self._sightings.views_from_image(pose, picture.camera, chosen)
        rows = chosen.rows
        taken, inside = self._atlas.patches(
            self._references.seen_view[rows],
            self._references.seen_px[rows].astype(np.float32),
            warps * np.float32(2**round_.level),
            _offsets(round_.size + 2),
        )
        return _Patches.of(taken, self._sightings.points_map(chosen), round_.size, good & inside)


@dataclasses.dataclass(frozen=True, eq=False)
class _Picture:
    """The image in grey, no finer than the reference views, with its halves."""

    levels: list[NDArray[np.float32]]
    camera: Camera
    """Of the finest level."""

    @staticmethod
    def of(image: NDArray[np.uint8], camera: Camera, focal: float) -> _Picture:
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        shrink = focal / _mean_focal(camera)
        if shrink < 0.99:
            size = (max(round(camera.width * shrink), 1), max(round(camera.height * shrink), 1))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
            camera = _resized(camera, *size)
        # From here on in floating point: in the dark, whole grey levels are coarse.
        return _Picture([grey.astype(np.float32)], camera)

    def level(self, level: int) -> NDArray[np.float32]:
        while len(self.levels) <= level:
            self.levels.append(halved(self.levels[-1]))
        return self.levels[level]


@dataclasses.dataclass(frozen=True, eq=False)
class _Patches:
    """N patches of S pixels, as the reference views show them."""

    points_map: Array
    """(N, 3) what lies at their centres."""
    looks: Patches32
    """(N, S) of mean 0 and norm 1."""
    slopes: Patches32
    """(N, 2, S) how the normalised patch changes as it moves right and down by a pixel."""
    strengths: Patches32
    """(N, 2, 2) slopes times their transpose."""

    @staticmethod
    def of(taken: Patches32, points_map: Array, size: int, good: NDArray[np.bool_]) -> _Patches:
        """From patches with a margin of one pixel around, (N, (size + 2)^2)."""
        grey = taken.reshape(-1, size + 2, size + 2)
        looks, norms = _normalised(grey[:, 1:-1, 1:-1].reshape(-1, size * size))
        kept = np.flatnonzero(good & (norms > _MIN_CONTRAST * size))
        grey, looks, norms = grey[kept], looks[kept], norms[kept]
        slopes = np.empty((len(kept), 2, size, size), np.float32)
        np.subtract(grey[:, 1:-1, 2:], grey[:, 1:-1, :-2], out=slopes[:, 0])
        np.subtract(grey[:, 2:, 1:-1], grey[:, :-2, 1:-1], out=slopes[:, 1])
        slopes = slopes.reshape(len(kept), 2, size * size)
        slopes *= (0.5 / norms)[:, None, None]
        # Only what changes the normalised patch: not its mean, and not its contrast.
        slopes -= slopes.mean(axis=2, keepdims=True)
        slopes -= (slopes @ looks[:, :, None]) * looks[:, None]
        return _Patches(points_map[kept], looks, slopes, slopes @ slopes.transpose(0, 2, 1))

    def __len__(self) -> int:
        return len(self.looks)


def _move_together(pose: SE3, picture: _Picture, patches: _Patches, round_: _Round) -> SE3:
    """Gauss-Newton on the pose over the differences between the patches and the image.

    The slopes are the patches' own, which need no recomputing as the pose moves (Baker and Matthews,
    "Lucas-Kanade 20 Years On", 2004); patches that stay different count less, by a Cauchy loss.
    """
    if len(patches) < _MIN_PATCHES:
        return pose
    for _ in range(round_.steps):
        points_camera = pose.apply(patches.points_map)
        seen, inside = _look(picture, picture.camera.project(points_camera), round_)
        difference = seen - patches.looks
        weights = inside / (1 + np.einsum("ns,ns->n", difference, difference) / _CAUCHY**2)
        jacobian = _pixels_from_motion(points_camera, picture.camera) * 0.5**round_.level
        jacobian[~inside] = 0  # what is not in front of the camera has none
        weighted = (weights[:, None, None] * jacobian).reshape(-1, 6)
        normal = weighted.T @ (patches.strengths @ jacobian).reshape(-1, 6)
        gradient = weighted.T @ (patches.slopes @ difference[:, :, None]).ravel()
        step = -np.linalg.solve(normal + 1e-6 * np.diag(np.diag(normal)) + 1e-12 * np.eye(6), gradient)
        pose = SE3.from_rotation_vector(step[3:], step[:3]) @ pose
        if np.median(np.abs(jacobian @ step)) < _CONVERGED_PX:
            break
    return pose


def _match(pose: SE3, picture: _Picture, patches: _Patches, round_: _Round) -> Correspondences:
    """Move each patch by itself to where it matches best, from where the pose puts it."""
    start_px = picture.camera.project(pose.apply(patches.points_map))
    strengths = patches.strengths.astype(np.float64)
    strengths += 1e-3 * np.trace(strengths, axis1=1, axis2=2)[:, None, None] * np.eye(2)
    inverses = np.linalg.inv(strengths)
    moves = (inverses @ patches.slopes).astype(np.float32)
    places_px = start_px.copy()
    for _ in range(round_.steps):
        seen, _ = _look(picture, places_px, round_)
        step = (moves @ (seen - patches.looks)[:, :, None])[:, :, 0]
        places_px -= np.clip(step, -1, 1)
    seen, inside = _look(picture, places_px, round_)
    difference = np.einsum("ns,ns->n", seen - patches.looks, seen - patches.looks)
    moved = np.linalg.norm(places_px - start_px, axis=1)
    good = inside & (difference < 2 * (1 - 0.6)) & (moved < _MAX_MOVE_PX)
    variances = _MAP_SIGMA_PX**2 + difference / round_.size**2 * 0.5 * np.trace(inverses, axis1=1, axis2=2)
    rays = picture.camera.unproject(places_px[good])
    sigmas = np.sqrt(variances[good]) / _mean_focal(picture.camera)
    return Correspondences(patches.points_map[good], rays, sigmas)


def _support(pose: SE3, picture: _Picture, patches: _Patches, round_: _Round) -> Support:
    seen, inside = _look(picture, picture.camera.project(pose.apply(patches.points_map)), round_)
    correlations = np.einsum("ns,ns->n", seen, patches.looks)[inside]
    if not inside.any():
        return NO_SUPPORT
    return Support(
        len(correlations), int(np.count_nonzero(correlations > _AGREES)), float(correlations.mean())
    )


def _doubt(after: Support, before: Support, misfit_after: float, misfit_before: float) -> str | None:
    """Why a sharpened pose is not believed, None when it is.

    It is believed when much of what the map shows around there is seen in the image, more so than from the first
    pose, and when it still explains the landmarks that gave the first pose.
    """
    if after.share < _MIN_SHARE or after.agreeing < _MIN_PATCHES:
        return f"{after.agreeing} of {after.patches} patches agree with the image"
    if after.mean_correlation < before.mean_correlation:
        return "the patches agreed better before"
    if misfit_after > _MAX_MISFIT * max(misfit_before, 1.0):
        return f"the landmarks lie {misfit_after:.1f} sigmas off, {misfit_before:.1f} before"
    return None


def _misfit(pose: SE3, landmarks: Correspondences) -> float:
    """Median reprojection error of the landmarks, in units of their sigma."""
    return float(np.median(reprojection_errors(pose, landmarks) / landmarks.sigmas))


def _look(picture: _Picture, places_px: Array, round_: _Round) -> tuple[Patches32, NDArray[np.bool_]]:
    """The image's normalised patches (N, S) around places of the finest level (N, 2), and which lie inside (N,)."""
    grey = picture.level(round_.level)
    places = ((places_px + 0.5) * 0.5**round_.level - 0.5).astype(np.float32)
    margin = round_.size // 2
    last = np.array(grey.shape[::-1], np.float32) - 1 - margin
    inside = ((places >= margin) & (places <= last)).all(axis=1)  # false for NaN
    places[~inside] = margin
    offsets = _offsets(round_.size)
    maps = [places[:, i : i + 1] + offsets[i] for i in range(2)]
    seen, _ = _normalised(cv2.remap(grey, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return seen, inside


def _normalised(patches: Patches32) -> tuple[Patches32, Patches32]:
    """Patches (N, S) with mean 0 and norm 1, and the norms they had; patches without any contrast become 0."""
    centered = patches - patches.mean(axis=1, keepdims=True)
    norms = np.sqrt(np.einsum("ns,ns->n", centered, centered))
    return centered / np.maximum(norms, 1e-3)[:, None], norms


def _pixels_from_motion(points_camera: Array, camera: Camera) -> Array:
    """(N, 2, 6) of pixels by a left perturbation (v, omega); without distortion, as it only guides steps."""
    inverse_depth, zero = 1 / np.maximum(points_camera[:, 2], 1e-9), np.zeros(len(points_camera))
    x, y = points_camera[:, 0] * inverse_depth, points_camera[:, 1] * inverse_depth
    # As in `reloc_ros.pnp`: d(x, y) / d(v, omega) of x = X/Z under P -> P + omega x P + v.
    rows_x = np.column_stack([inverse_depth, zero, -x * inverse_depth, -x * y, 1 + x * x, -y]) * camera.fx
    rows_y = np.column_stack([zero, inverse_depth, -y * inverse_depth, -1 - y * y, x * y, x]) * camera.fy
    return np.stack([rows_x, rows_y], axis=1)


@functools.lru_cache(maxsize=16)
def _offsets(size: int) -> Patches32:
    """(2, size^2) the pixels of a patch from its centre."""
    steps = np.arange(size, dtype=np.float32) - size // 2
    return np.stack(np.meshgrid(steps, steps)).reshape(2, -1)


@functools.lru_cache(maxsize=16)
def _resized(camera: Camera, width: int, height: int) -> Camera:
    """Kept, since a camera works out the reach of its distortion once."""
    return camera.resized(width, height)


def _mean_focal(camera: Camera) -> float:
    return 0.5 * (camera.fx + camera.fy)
