"""Draws a room's edges into a picture of it, as they would be seen from a pose: where that is right, they fit."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.demo.scene.places import Scene
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.geometry import SE3

STEP_M = 0.02
HIDDEN_M = 0.015
"""What lies this far behind the nearest surface is hidden."""


def draw_wireframe(
    image: NDArray[np.uint8],
    room: Scene,
    camera: Camera,
    camera_from_map: SE3,
    colour: tuple[int, int, int] = (80, 255, 120),
    thickness: int = 1,
) -> NDArray[np.uint8]:
    """A copy of the image (H, W, 3) with those parts of the room's edges that nothing hides from the pose."""
    depths = Renderer(room.faces, camera, supersampling=1).render(camera_from_map).depths
    # An edge lies on the border between two surfaces: let the farther one decide.
    depths = cv2.dilate(depths, np.ones((3, 3), np.uint8))
    drawn = image.copy()
    for start, end in room.edges_map:
        points = np.linspace(start, end, 2 + int(np.linalg.norm(end - start) / STEP_M))
        points_camera = camera_from_map.apply(points)
        pixels = camera.project(points_camera)
        shown = camera.contains(pixels)
        columns, rows = np.rint(pixels[shown]).astype(int).T
        shown[shown] = points_camera[shown, 2] < depths[rows, columns] + HIDDEN_M
        for run in _runs(shown):
            corners = np.rint(8 * pixels[run]).astype(np.int32)  # three bits below the pixel
            cv2.polylines(drawn, [corners], False, colour, thickness, cv2.LINE_AA, shift=3)
    return drawn


def _runs(shown: NDArray[np.bool_]) -> list[slice]:
    """The stretches of at least two True values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], shown, [False]]).astype(int)))
    return [slice(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > 1]
