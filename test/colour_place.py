"""A place whose landmarks are discs of a colour of their own, photographs of it, and a network that finds them."""

from pathlib import Path

import cv2
import numpy as np

from reloc_ros.bundle import Bundle, NetworkShape
from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.bundling.trial_pictures import Photo

CAMERA = Camera("pinhole", 320, 240, 250.0, 250.0, 160.0, 120.0)
SHAPE = NetworkShape("none", landmarks=48, width=320, height=256)
POSES = [SE3.from_rotation_vector([0.05 * i, -0.04 * i, 0.02], [0.1 * i, 0, 4.0]) for i in range(4)]
_LEVELS = (70, 130, 190, 250)
COLOURS = np.array([(b, g, r) for b in _LEVELS for g in _LEVELS for r in _LEVELS])[: SHAPE.landmarks]


def make_landmarks() -> Landmarks:
    positions = np.random.default_rng(0).uniform(-1, 1, (SHAPE.landmarks, 3)) * [1.2, 0.9, 0.6]
    directions = np.tile([0.0, 0.0, -1.0], (SHAPE.landmarks, 1))
    return Landmarks(np.arange(SHAPE.landmarks), positions, directions, np.full(SHAPE.landmarks, 1.0))


def photographs() -> list[Photo]:
    """Every landmark is a disc of a colour of its own."""
    photos = []
    for pose in POSES:
        image = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
        for pixel, colour in zip(
            CAMERA.project(pose.apply(make_landmarks().positions_map)), COLOURS, strict=True
        ):
            cv2.circle(image, np.rint(16 * pixel).astype(int).tolist(), 16 * 5, colour.tolist(), -1, shift=4)
        photos.append(Photo(image, CAMERA, pose))
    return photos


class ColourFinder:
    """Finds the landmarks by their colours, and errs by `error_px` where it says that it errs by `told_px`."""

    name = "colours"
    any_size = False
    attempts = 1

    def __init__(self, error_px: float, told_px: float) -> None:
        self.error_px, self.told_px, self.runs = error_px, told_px, 0

    def infer(self, image: np.ndarray, attempt: int = 0) -> np.ndarray:
        self.runs += 1
        rng = np.random.default_rng(self.runs)
        found = np.zeros((SHAPE.landmarks, 4), np.float32)
        # Each colour channel is one of four levels; the three together are the landmark's number.
        nearest = np.abs(np.arange(256)[:, None] - _LEVELS)
        digit = np.where(nearest.min(axis=1) <= 12, nearest.argmin(axis=1), 1000)[image]
        number = digit @ [16, 4, 1]
        for row in range(SHAPE.landmarks):
            y, x = np.nonzero(number == row)
            if 15 <= len(x) <= 300:
                found[row] = (*np.mean([x, y], axis=1) + rng.normal(0, self.error_px, 2), 0.9, self.told_px)
        return found


def bundle() -> Bundle:
    return Bundle(Path("made up"), "unknown", CAMERA, SHAPE, make_landmarks(), {}, {})
