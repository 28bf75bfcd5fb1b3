"""A prediction of the pose as one hypothesis among those of the robust search, never the only one.

The prediction is refined with the keypoints that it explains. Then it competes with the search's own pose by what the
keypoints say, so a wrong prediction costs some time and nothing else: a camera that was carried away is found by the
search as if there had been no prediction.
"""

from __future__ import annotations

import numpy as np

from reloc_ros.geometry import SE3, Array
from reloc_ros.pose.pnp import Correspondences, minimise, reprojection_errors

RADII = (4.0, 2.0, 1.0)
"""Reprojection errors that still count from round to round, in units of an inlier's: a prediction may be off."""
MIN_MATCHES = 4
"""Fewer do not fix a pose."""


def best_pose(
    found: SE3 | None, predicted: SE3 | None, matches: Correspondences, scores: Array, limit: float
) -> SE3 | None:
    """The refined prediction where more speaks for it and no less agrees with it than for the search's pose, else that.

    What agrees decides whether a pose is believed (`acceptance.evidence`): no prediction may cost an image its pose.

    Args:
        found: camera_from_map of the robust search; None when it found none.
        predicted: where the camera is expected, camera_from_map; None when nothing is expected.
        matches: N keypoints.
        scores: (N,) theirs.
        limit: largest reprojection error of an inlier on the plane z = 1.
    """
    refined = None if predicted is None else refined_prediction(predicted, matches, limit)
    if refined is None:
        return found
    if found is None:
        return refined
    found_says, refined_says = (support(pose, matches, scores, limit) for pose in (found, refined))
    is_better = refined_says[0] > found_says[0] and refined_says[1] >= found_says[1]
    return refined if is_better else found


def refined_prediction(predicted: SE3, matches: Correspondences, limit: float) -> SE3 | None:
    """The pose near `predicted` that explains most keypoints; None when it explains too few."""
    pose = predicted
    for radius in RADII:
        near = reprojection_errors(pose, matches) < radius * limit
        if np.count_nonzero(near) < MIN_MATCHES:
            return None
        try:
            pose = minimise(pose, matches.subset(near), iterations=5)
        except np.linalg.LinAlgError:  # the keypoints lie so that they fix no pose
            return None
    return pose


def support(
    camera_from_map: SE3, matches: Correspondences, scores: Array, limit: float
) -> tuple[float, float]:
    """What the keypoints say for a pose: the scores of those within the limit, each less as it is farther off, and all.

    The first sum is the truncated quadratic of MSAC (Torr and Zisserman, "MLESAC", 2000), turned round so that more is
    better.
    """
    errors = reprojection_errors(camera_from_map, matches) / limit
    return float(scores @ np.clip(1 - errors**2, 0, None)), float(scores[errors < 1].sum())
