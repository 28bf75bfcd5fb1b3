"""A second pose that explains an image about as well as the first: what repeats in a place looks alike from both."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reloc_ros.geometry import SE3, Array, center_error, rotation_error_deg
from reloc_ros.pose.pnp import Correspondences, reprojection_errors
from reloc_ros.scene_size import median_distance

ABOUT_AS_WELL = 0.2
"""Share of what speaks for a pose that speaks for its rival."""
_MIN_DEG, _MIN_SHARE = 10.0, 0.1
"""A rival differs by this angle, or by this share of the distance to what is seen: else it is the same pose, as some of
the keypoints that are a little off see it."""
_MIN_AGREEING = 6


def find_rival(
    camera_from_map: SE3,
    inliers: NDArray[np.bool_],
    matches: Correspondences,
    scores: Array,
    solve: Callable[[Correspondences, float], SE3 | None],
    limit: float,
) -> tuple[SE3, NDArray[np.bool_]] | None:
    """Quite another pose than most of N keypoints speak for, if it is about as likely, and which (N,) speak for it.

    They are looked for among what does not agree with the first pose, so the search costs next to nothing where little
    disagrees.

    Args:
        inliers: (N,) which agree with the first pose.
        scores: (N,) of the keypoints.
        solve, limit: the robust search, and the largest error of an inlier on the plane z = 1.
    """
    enough = ABOUT_AS_WELL * scores[inliers].sum()
    if min(inliers.sum(), (~inliers).sum()) < _MIN_AGREEING or scores[~inliers].sum() < enough:
        return None
    rival = solve(matches.subset(~inliers), limit)
    if rival is None or _is_same(camera_from_map, rival, matches.points_map[inliers]):
        return None
    agreeing = ~inliers & (reprojection_errors(rival, matches) < limit)
    return (rival, agreeing) if scores[agreeing].sum() >= enough else None


def _is_same(pose: SE3, other: SE3, points_map: Array) -> bool:
    distance = median_distance(pose.center, points_map)
    return rotation_error_deg(pose, other) < _MIN_DEG and center_error(pose, other) < _MIN_SHARE * distance
