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
from reloc_ros.io.image_mask import ImageMask
from reloc_ros.pose.pnp import Correspondences, minimise, refine, reprojection_errors
from reloc_ros.refinement.alignment import (
    MIN_PATCHES,
    Appearance,
    Support,
    move_alone,
    move_together,
    support_of,
)
from reloc_ros.refinement.atlas import Atlas
from reloc_ros.refinement.patches import Grain, Picture, shrunk_camera
from reloc_ros.refinement.references import References
from reloc_ros.refinement.sightings import CELLS, Sightings

Array = NDArray[np.float64]

_TOGETHER = ((Grain(4, 7, 60), 6), (Grain(3, 7, 60), 4), (Grain(2, 9, 80), 4), (Grain(1, 9, 150), 3))
"""What is compared, coarse first, and how many steps the pose takes at most. The coarsest catches a first pose 3 deg
and 4 % off; the finest also tells how much agrees, as it minds blur and noise less than the full picture."""
_ENOUGH = 0.5
"""Share of agreeing patches that leaves no doubt about where they led."""
_NEAR = 3
"""Of the rounds: where the patches agree in the last of so many from the first pose on, it is where the others lead."""
_ALONE = Grain(0, 7, 600)
_FOLLOWING = ((Grain(2, 9, 80), 2), (Grain(1, 9, 150), 3))
"""The same where the pose is expected within a few pixels."""
_FOLLOWING_ALONE = Grain(0, 7, 300)
_MIN_CELLS = 12
"""Of the picture's, over which the patches that match spread, where nothing but them speaks for a pose."""
_MAX_SPLIT_PX = 2.0
"""How far apart the poses of two halves of the patches may put them, in the median."""
_MIN_LEVEL_PX = 16
"""A level with a shorter side than this is left out."""
_MIN_SHARE = 0.2
"""Of agreeing patches. Pictures of other places, mirrored ones and other poses had 0.12 at most, true poses 0.28 at
least, 0.16 with two fifths of the picture covered."""
_LIKES_OF = 4
"""Nearest views whose likes are those of a pose."""
_MAX_MISFIT = 2.0
"""Of the landmarks, relative to what it was before, or to their sigma if that is more."""


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
        sizes = np.array([[camera.width, camera.height] for camera in references.cameras])
        self._atlas = Atlas(sizes, references.picture)
        self._focal = float(np.median([camera.mean_focal for camera in references.cameras]))
        self._likes: dict[int, list[tuple[SE3, SE3]]] = {}
        for view, like in zip(references.like_view.tolist(), references.like_camera_from_map, strict=True):
            self._likes.setdefault(view, []).append((references.camera_from_map[view], like))

    def refine(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        start: SE3,
        landmarks: Correspondences,
        mask: ImageMask | None = None,
    ) -> Refinement:
        """Sharpen a first pose.

        Args:
            image: (H, W, 3) BGR or (H, W) grey.
            camera: its intrinsics.
            start: the first camera_from_map.
            landmarks: what the first pose was found from; a sharpened pose must still explain them.
            mask: what of the image shows the robot and is not compared.
        """
        picture = Picture(image, camera, self._focal, mask)
        # A degree or two does not change how a small patch looks: it is warped once.
        looks = self.appearance(camera, start)
        pose, support = _settle(start, picture, looks)
        if doubt := _doubt(_support(start, picture, looks, _TOGETHER), support):
            return Refinement(start, None, support, doubt)
        matches, cells = move_alone(pose, picture, looks.patches(_ALONE), _ALONE)
        if len(matches) < MIN_PATCHES:
            return Refinement(start, None, support, f"{len(matches)} patches match, {MIN_PATCHES} needed")
        sharpened = _solve(start, pose, matches, cells, support)
        if sharpened.doubt is None and (doubt := _contradiction(landmarks, start, sharpened.camera_from_map)):
            return Refinement(start, None, support, doubt)
        return sharpened

    def agreement(
        self, image: NDArray[np.uint8], camera: Camera, start: SE3, mask: ImageMask | None = None
    ) -> Support:
        """How the patches agree with where they lead from a first pose; arguments as for `refine`."""
        picture = Picture(image, camera, self._focal, mask)
        return _settle(start, picture, self.appearance(camera, start))[1]

    def likes(self, camera_from_map: SE3, camera: Camera) -> list[SE3]:
        """Other poses from which the map looks about as from this one, as it turned out when the bundle was made."""
        if not self._likes:
            return []
        views = self._sightings.nearest_views(camera_from_map, camera)[:_LIKES_OF]
        pairs = [pair for view in views.tolist() for pair in self._likes.get(view, ())]
        return [camera_from_map @ view.inverse() @ like for view, like in pairs]

    def appearance(self, camera: Camera, camera_from_map: SE3) -> Appearance:
        """How the map looks to a camera from about there."""
        seen = self._sightings.choose(camera_from_map, shrunk_camera(camera, self._focal), _ALONE.count)
        return Appearance(self._atlas, seen, camera, camera_from_map)

    def follow(
        self, image: NDArray[np.uint8], looks: Appearance, expected: SE3, mask: ImageMask | None = None
    ) -> Refinement:
        """Sharpen the pose that is expected of an image, where nothing else than the patches speaks for it.

        So they must agree as those of a sharpened pose of no doubt do, be spread, and lead to the same pose by halves.

        Args:
            image: (H, W, 3) BGR or (H, W) grey, of the camera that `looks` was made for.
            looks: from a pose some degrees off at most.
            expected: camera_from_map, a few pixels off at most.
            mask: as for `refine`.
        """
        picture = Picture(image, looks.camera, self._focal, mask)
        # Not compared with the expected pose's, which may be as exact as the patches can tell.
        pose = _approach(expected, picture, looks, _FOLLOWING)
        support = _support(pose, picture, looks, _FOLLOWING)
        if support.agreeing < MIN_PATCHES or support.share < _ENOUGH:
            doubt = f"{support.agreeing} of {support.patches} patches agree with the image"
            return Refinement(expected, None, support, doubt)
        matches, cells = move_alone(pose, picture, looks.patches(_FOLLOWING_ALONE), _FOLLOWING_ALONE)
        spread = len(np.unique(cells))
        if len(matches) < 2 * MIN_PATCHES or spread < _MIN_CELLS:
            doubt = f"{len(matches)} patches in {spread} cells of the picture match"
            return Refinement(expected, None, support, doubt)
        sharpened = _solve(expected, pose, matches, cells, support)
        if sharpened.doubt is not None:
            return sharpened
        split_px = _split(sharpened.camera_from_map, matches, cells) * picture.camera.mean_focal
        if split_px > _MAX_SPLIT_PX:
            return Refinement(
                expected, None, support, f"halves of the patches put them {split_px:.1f} px apart"
            )
        return sharpened


_Rounds = tuple[tuple[Grain, int], ...]


def _settle(start: SE3, picture: Picture, looks: Appearance) -> tuple[SE3, Support]:
    """Where all patches together lead from a first pose, and how they agree with the image there."""
    near = _support(start, picture, looks, _TOGETHER[:_NEAR]).share >= _ENOUGH
    pose = _approach(start, picture, looks, _TOGETHER[_NEAR - 1 if near else 0 :])
    support = _support(pose, picture, looks, _TOGETHER)
    if support.share < _ENOUGH:  # little to go by: the coarsest picture may have led astray
        other = _approach(start, picture, looks, _TOGETHER[1:])
        other_support = _support(other, picture, looks, _TOGETHER)
        if other_support.mean_correlation > support.mean_correlation:
            pose, support = other, other_support
    return pose, support


def _approach(start: SE3, picture: Picture, looks: Appearance, rounds: _Rounds) -> SE3:
    """Where all patches together move the pose."""
    pose = start
    for grain, steps in rounds:
        if min(picture.level(grain.level).shape) >= _MIN_LEVEL_PX:
            pose = move_together(pose, picture, looks.patches(grain), grain, steps)
    return pose


def _support(pose: SE3, picture: Picture, looks: Appearance, rounds: _Rounds) -> Support:
    """How the patches of the last round agree with the image from a pose."""
    grain = rounds[-1][0]
    return support_of(pose, picture, looks.patches(grain), grain)


def _solve(
    start: SE3, pose: SE3, matches: Correspondences, cells: NDArray[np.int64], support: Support
) -> Refinement:
    """The pose by where the patches came to lie, from the one that they led to together; `start` if they fix none."""
    try:
        solved = refine(pose, matches, iterations=3, cauchy_scale=1.0)
    except np.linalg.LinAlgError:
        return Refinement(start, None, support, "the patches fix no pose")
    # Neighbouring patches err alike, as the map and the lens do: those of one cell count as one measurement.
    covariance = solved.covariance * len(matches) / len(np.unique(cells))
    return Refinement(solved.camera_from_map, covariance, support, None)


def _split(pose: SE3, matches: Correspondences, cells: NDArray[np.int64]) -> float:
    """How far apart the poses of both colours of a chessboard of cells put the points, median on the plane z = 1."""
    black = (cells // CELLS + cells) % 2 == 0
    places = []
    for half in (black, ~black):
        try:
            moved = minimise(pose, matches.subset(half), 1, cauchy_scale=1.0)
        except np.linalg.LinAlgError:  # a half fixes none
            return np.inf
        points = moved.apply(matches.points_map)
        places.append(points[:, :2] / points[:, 2:])
    return float(np.median(np.linalg.norm(places[0] - places[1], axis=1)))


def _doubt(before: Support, after: Support) -> str | None:
    """Why what is seen in the image does not speak for a pose, None when it does.

    Enough of what the map shows around there must be seen, and more so than from the first pose.
    """
    if after.agreeing < MIN_PATCHES or after.share < _MIN_SHARE:
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
