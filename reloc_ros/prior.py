"""A prediction of the pose as one hypothesis among those of the robust search, never the only one.

The prediction is refined with the keypoints that it explains. Then it competes with the search's own pose by the same
evidence, that of the keypoints, so a wrong prediction costs some time and nothing else: a camera that was carried
away is found by the search as if there had been no prediction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reloc_ros.geometry import SE3
from reloc_ros.pnp import Correspondences, refine, reprojection_errors

RADII = (4.0, 2.0, 1.0)
"""Reprojection errors that still count from round to round, in units of an inlier's: a prediction may be off."""
MIN_MATCHES = 4
"""Fewer do not fix a pose."""


def best_pose(
    found: SE3 | None, predicted: SE3 | None, matches: Correspondences, scores: NDArray, limit: float
) -> SE3 | None:
    """The better of the search's pose and the prediction, by `evidence`; the search's where they are equal.

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
    gain = evidence(refined, matches, scores, limit) - evidence(found, matches, scores, limit)
    return refined if gain > 0 else found


def refined_prediction(predicted: SE3, matches: Correspondences, limit: float) -> SE3 | None:
    """The pose near `predicted` that explains most keypoints; None when it explains too few."""
    pose = predicted
    for radius in RADII:
        near = reprojection_errors(pose, matches) < radius * limit
        if np.count_nonzero(near) < MIN_MATCHES:
            return None
        try:
            pose = refine(pose, matches.subset(near), iterations=5).camera_from_map
        except np.linalg.LinAlgError:  # the keypoints lie so that they fix no pose
            return None
    return pose


def evidence(camera_from_map: SE3, matches: Correspondences, scores: NDArray, limit: float) -> float:
    """What the keypoints say for a pose: their scores, each less as it is farther off, none beyond the limit.

    The truncated quadratic of MSAC (Torr and Zisserman, "MLESAC", 2000), turned round so that more is better.
    """
    errors = reprojection_errors(camera_from_map, matches)
    return float(np.sum(scores * np.clip(1 - (errors / limit) ** 2, 0, None)))
