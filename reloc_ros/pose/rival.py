"""A second pose that explains an image about as well as the first: what repeats in a place looks alike from both."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reloc_ros.geometry import SE3, Array, center_error, rotation_error_deg
from reloc_ros.pose.pnp import Correspondences, reprojection_errors
from reloc_ros.scene_size import median_distance

ABOUT_AS_WELL = 0.2
"""Share of what speaks for a pose that speaks for its rival. Matched features had 0.31 or more in rooms that are
alike, and 0.02 at most in others."""
CLEARLY_BETTER = 0.25
"""By so much more of the reference views' patches agree with a pose that its rival is none. In rooms alike to the last
texel the views of one agreed by 0.14 less with pictures of it than those of the other, as they were taken from
elsewhere."""
RULED_OUT = 0.25
"""Where less of the patches agree with a pose, the image is not from there: from true poses 0.28 did at least. That
others agree with more proves nothing in rooms that are alike: there it may be a matter of what was moved, and when."""
_MIN_DEG, _MIN_SHARE = 10.0, 0.1
"""A rival differs by this angle, or by this share of the distance to what is seen: else it is the same pose, as some of
the keypoints that are a little off see it."""
_MIN_AGREEING = 5
_MOST = 6
"""So many rivals are looked for."""


def find_rivals(
    camera_from_map: SE3,
    inliers: NDArray[np.bool_],
    matches: Correspondences,
    scores: Array,
    solve: Callable[[Correspondences, float], SE3 | None],
    limit: float,
    share: float = ABOUT_AS_WELL,
) -> list[tuple[SE3, NDArray[np.bool_]]]:
    """Quite other poses than most of N keypoints speak for, if they are about as likely, and which (N,) speak for each.

    They are looked for among what does not agree with the first pose, so the search costs next to nothing where little
    disagrees.

    Args:
        inliers: (N,) which agree with the first pose.
        scores: (N,) of the keypoints.
        solve, limit: the robust search, and the largest error of an inlier on the plane z = 1.
        share: of what speaks for the first pose that must speak for a rival.
    """
    enough, rest = share * scores[inliers].sum(), ~inliers
    found: list[tuple[SE3, NDArray[np.bool_]]] = []
    if inliers.sum() < _MIN_AGREEING:
        return found
    distance = median_distance(camera_from_map.center, matches.points_map[inliers])
    while len(found) < _MOST and rest.sum() >= _MIN_AGREEING and scores[rest].sum() >= enough:
        rival = solve(matches.subset(rest), limit)
        if rival is None or is_same(camera_from_map, rival, distance):
            break
        agreeing = rest & (reprojection_errors(rival, matches) < limit)
        if scores[agreeing].sum() < enough:
            break
        found.append((rival, agreeing))
        rest = rest & ~agreeing
    return found


def is_same(pose: SE3, other: SE3, distance: float) -> bool:
    """Whether poses of a camera that sees what is so far away differ by no more than doubtful keypoints explain."""
    return rotation_error_deg(pose, other) < _MIN_DEG and center_error(pose, other) < _MIN_SHARE * distance
