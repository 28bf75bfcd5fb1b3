"""A picture for people: where the landmarks were found, and which of them agree with the pose."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.pose.finder import Localized, Lost

GREEN, RED, YELLOW, WHITE, BLACK = (80, 220, 80), (60, 60, 240), (60, 220, 240), (255, 255, 255), (0, 0, 0)
"""BGR."""


def annotated(image: NDArray[np.uint8], result: Localized | Lost | None, text: str) -> NDArray[np.uint8]:
    """A copy of an image (H, W, 3) BGR or (H, W) grey with its keypoints and a line of text, (H, W, 3) BGR.

    Green agrees with the pose, red does not; yellow was found while there is no pose. A circle is two standard
    deviations wide.
    """
    picture = np.array(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image, np.uint8)
    unit = _unit(picture)
    if result is not None:
        draw_keypoints(picture, result)
    for color, thickness in ((BLACK, 3), (WHITE, 1)):
        place = round(8 * unit), round(20 * unit)
        thickness = max(round(thickness * unit), 1)
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * unit, color, thickness, cv2.LINE_AA)
    return picture


def draw_keypoints(picture: NDArray[np.uint8], result: Localized | Lost) -> None:
    """Draw the keypoints of a result into its image (H, W, 3) BGR, see `annotated`."""
    unit = _unit(picture)
    keypoints = result.keypoints
    localized = isinstance(result, Localized)
    for (x, y), sigma_px, inlier in zip(
        keypoints.positions_px, keypoints.sigmas_px, result.inliers, strict=True
    ):
        color = (GREEN if inlier else RED) if localized else YELLOW
        center = round(float(x)), round(float(y))
        radius, line = max(round(2 * float(sigma_px)), round(3 * unit)), max(round(unit), 1)
        cv2.circle(picture, center, radius, color, line, cv2.LINE_AA)
        cv2.circle(picture, center, line, color, -1, cv2.LINE_AA)


def _unit(picture: NDArray[np.uint8]) -> float:
    """How large to draw, 1 in a picture of 480 rows."""
    return max(len(picture) / 480, 0.5)
