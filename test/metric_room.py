"""The demo's room with boards in it, filmed, and the model of it that structure from motion could have made.

What the model is in, its frame and its unit, is known; so is where everything is in metres, z up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from reloc_ros.demo.film.trajectories import CAMERA, looking_at, mapping
from reloc_ros.demo.scene.exposure import Exposure
from reloc_ros.demo.scene.faces import Face
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.demo.scene.renderer import Renderer, View
from reloc_ros.geometry import SE3
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity

CHARUCO_MIDDLE = np.array([1.55, 1.85, 0.012])
_YAW = np.radians(25)
BOARD_RIGHT = np.array([np.cos(_YAW), np.sin(_YAW), 0])
BOARD_UP = np.array([-np.sin(_YAW), np.cos(_YAW), 0])
"""Of the board on the floor: to its right, and to its top edge."""
_AROUND = [
    looking_at(
        CHARUCO_MIDDLE + np.array([1.3 * np.cos(a), 1.3 * np.sin(a), h]),
        CHARUCO_MIDDLE + np.array([0, 0, 0.3]),
    )
    for a, h in zip(np.radians(np.linspace(-110, 0, 10)), (1.1, 1.4, 1.7, 1.3, 1.5) * 2, strict=True)
]
POSES = (*mapping().camera_from_map[::4][:28], *_AROUND)
"""camera_from_map of each picture, the truth: the walk that the demo maps, and a look at the board on the floor."""
IMAGES = len(POSES)
TRUE_FROM_SFM = Similarity(
    0.37, SE3.from_rotation_vector([0.4, -1.2, 2.0], [0, 0, 0]).rotation, np.array([3.0, -2.0, 0.5])
)
SFM_FROM_TRUE = TRUE_FROM_SFM.inverse()
NAMES = tuple(f"{i:03d}.jpg" for i in range(IMAGES))

CHARUCO = "charuco:7x5:0.09:0.07:DICT_4X4_50"
MARKER = "aruco:0.2:DICT_5X5_100:17"
TAG = "aruco:0.24:APRILTAG_36h11"
GRID = "grid:3x2:0.11:0.03:DICT_6X6_50:4"
APRILGRID = "aprilgrid:6x6:0.088:0.3"


def boards() -> list[Face]:
    """A ChArUco board flat on the rug, and on the walls an ArUco marker, an AprilTag and a grid of markers."""
    dictionary = cv2.aruco.getPredefinedDictionary
    charuco = cv2.aruco.CharucoBoard((7, 5), 0.09, 0.07, dictionary(cv2.aruco.DICT_4X4_50))
    grid = cv2.aruco.GridBoard((3, 2), 0.11, 0.03, dictionary(cv2.aruco.DICT_6X6_50), np.arange(4, 10))
    marker = dictionary(cv2.aruco.DICT_5X5_100).generateImageMarker(17, 400)
    tag = dictionary(cv2.aruco.DICT_APRILTAG_36h11).generateImageMarker(3, 480)
    up = np.array([0, 0, 1.0])
    return [
        _print(
            "charuco",
            charuco.generateImage((1260, 900)),
            CHARUCO_MIDDLE,
            0.63 * BOARD_RIGHT,
            -0.45 * BOARD_UP,
        ),
        _print("marker", marker, np.array([1.55, 2.99, 1.5]), [0.2, 0, 0], -0.2 * up),
        _print("tag", tag, np.array([0.01, 1.3, 1.85]), [0, 0.24, 0], -0.24 * up),
        _print("grid", grid.generateImage((780, 500)), np.array([0.66, 2.99, 1.5]), [0.39, 0, 0], -0.25 * up),
    ]


def aprilgrid_picture(turns: int = 2, border: int = 2, module: int = 10) -> np.ndarray:
    """Kalibr's board of 6x6 tags, (H, W) pixels, a gap wide around them.

    Its tags are AprilTag's own, upside down to OpenCV's; ids go from the lower left upwards, there are 0.3 of a tag
    between tags, and black squares between their corners.

    Args:
        turns: quarter turns of each tag from OpenCV's picture of it.
        border: squares of black around the six of a tag's code.
        module: pixels of such a square.
    """
    tag = module * (6 + 2 * border)
    gap = 3 * tag // 10
    step = tag + gap
    image = np.full((6 * step + gap, 6 * step + gap), 255, np.uint8)
    for column, row in np.ndindex(7, 7):
        image[step * row : step * row + gap, step * column : step * column + gap] = 0
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
    for number in range(36):
        x, y = gap + step * (number % 6), gap + step * (5 - number // 6)
        marker = dictionary.generateImageMarker(number, tag, borderBits=border)
        image[y : y + tag, x : x + tag] = np.rot90(marker, turns)
    return image


def aprilgrid() -> Face:
    """Kalibr's board of tags of 88 mm flat on the rug, where the ChArUco board is otherwise."""
    image = aprilgrid_picture()
    metres = len(image) * 0.088 / 100
    return _print("aprilgrid", image, CHARUCO_MIDDLE, metres * BOARD_RIGHT, -metres * BOARD_UP)


def _print(name: str, image: np.ndarray, middle: np.ndarray, right: np.ndarray, down: np.ndarray) -> Face:
    """A picture of a board on white paper that is wider than it."""
    right, down = np.asarray(right, float), np.asarray(down, float)
    margin = image.shape[0] // 6
    paper = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=255)
    paper = cv2.convertScaleAbs(paper, alpha=0.8, beta=25)
    wider = np.array(paper.shape[1::-1]) / image.shape[1::-1]
    right, down = right * wider[0], down * wider[1]
    return Face(name, middle - right / 2 - down / 2, right, down, cv2.cvtColor(paper, cv2.COLOR_GRAY2BGR))


@dataclasses.dataclass(frozen=True)
class Room:
    images_dir: Path
    views: tuple[View, ...]

    def model(self, seed: int = 0, floaters: float = 0.2) -> SfmModel:
        """A model with errors of structure from motion: poses by millimetres, points and pixels, some points wrong.

        Args:
            floaters: share of the points that are anywhere.
        """
        rng = np.random.default_rng(seed)
        true = self.points(rng)
        seen = np.stack([self.sees(i, true) for i in range(IMAGES)], axis=1)
        true, seen = true[seen.sum(axis=1) >= 3], seen[seen.sum(axis=1) >= 3]
        point, image = np.nonzero(seen)
        pixels = np.empty((len(point), 2))
        for i, pose in enumerate(POSES):
            mine = image == i
            pixels[mine] = CAMERA.project(pose.apply(true[point[mine]])) + rng.normal(0, 0.4, (mine.sum(), 2))
        found = true + rng.normal(0, 0.004, true.shape)
        wrong = rng.choice(len(true), int(floaters * len(true)), replace=False)
        found[wrong] = rng.uniform([-2, -2, -1], [5, 5, 3.5], (len(wrong), 3))
        poses = tuple(_disturbed(pose, rng) for pose in POSES)
        return SfmModel(
            cameras={1: CAMERA},
            names=NAMES,
            camera_ids=np.ones(IMAGES, dtype=np.int32),
            camera_from_map=tuple(SFM_FROM_TRUE.move_camera(pose) for pose in poses),
            points_map=SFM_FROM_TRUE.apply(found),
            point_ids=np.arange(len(true), dtype=np.int64) * 2 + 7,
            colors=rng.integers(0, 256, (len(true), 3)).astype(np.uint8),
            errors_px=rng.uniform(0.2, 1.0, len(true)),
            observation_point=point.astype(np.int32),
            observation_image=image.astype(np.int32),
            observation_px=pixels,
        )

    def points(self, rng: np.random.Generator) -> np.ndarray:
        """(P, 3) metres: what random pixels show, of the room itself."""
        points = []
        for pose, view in zip(POSES, self.views, strict=True):
            pixels = rng.integers(0, (CAMERA.width, CAMERA.height), (80, 2))
            depths = view.depths[pixels[:, 1], pixels[:, 0]]
            near = depths < 5
            rays = np.column_stack([CAMERA.unproject(pixels[near]), np.ones(near.sum())])
            points.append(pose.inverse().apply(rays * depths[near, None]))
        return np.concatenate(points)

    def sees(self, image: int, points: np.ndarray) -> np.ndarray:
        in_camera = POSES[image].apply(points)
        pixels = CAMERA.project(in_camera)
        inside = CAMERA.contains(pixels)
        rounded = np.rint(np.where(inside[:, None], pixels, 0)).astype(int)
        gap = self.views[image].depths[rounded[:, 1], rounded[:, 0]] - in_camera[:, 2]
        return inside & (np.abs(gap) < 0.03)


def _disturbed(pose: SE3, rng: np.random.Generator) -> SE3:
    turn = SE3.from_rotation_vector(np.radians(0.02) * rng.normal(size=3), np.zeros(3))
    turned = turn @ pose
    return SE3(turned.rotation, -turned.rotation @ (pose.center + rng.normal(0, 0.001, 3)))


def film_room(folder: Path, prints: Sequence[Face] | None = None) -> Room:
    """Film the room with these boards in it, or with all of `boards`."""
    renderer = Renderer((*reading_corner().faces, *(boards() if prints is None else prints)), CAMERA)
    views = []
    for i, pose in enumerate(POSES):
        view = renderer.render(pose)
        cv2.imwrite(str(folder / NAMES[i]), Exposure(noise=2.0).record(view.image, i))
        views.append(dataclasses.replace(view, image=np.zeros((0, 0, 3), np.uint8)))
    return Room(folder, tuple(views))


def scale_error(map_from_sfm: Similarity) -> float:
    """As a share of the true scale."""
    return abs(map_from_sfm.scale / TRUE_FROM_SFM.scale - 1)


def up_error_deg(up_sfm: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(up_sfm @ TRUE_FROM_SFM.rotation[2], -1, 1))))
