"""What each map image shows of each landmark: where it projects to, and whether it is seen, hidden or unknown."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.io.npz import read_npz, whole
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.model.sfm import SfmModel

FORMAT = 1


class Visibility(enum.IntEnum):
    UNKNOWN = -1
    HIDDEN = 0
    SEEN = 1


@dataclasses.dataclass(frozen=True, eq=False)
class Labels:
    """What each map image shows of each landmark."""

    names: tuple[str, ...]
    """The I map images."""
    keypoints_px: NDArray[np.float32]
    """(I, K, 2) projections in image pixels; NaN behind the camera."""
    visibility: NDArray[np.int8]
    """(I, K) of `Visibility`; a landmark outside the image is HIDDEN."""

    def of_images(self, rows: NDArray[np.int64]) -> Labels:
        """The labels of some of the images."""
        names = tuple(self.names[row] for row in rows)
        return Labels(names, self.keypoints_px[rows], self.visibility[rows])

    def of_landmarks(self, rows: NDArray[np.int64]) -> Labels:
        """The labels of some of the landmarks."""
        return Labels(self.names, self.keypoints_px[:, rows], self.visibility[:, rows])

    def save(self, path: Path) -> None:
        """Write as .npz to `path`; the caller makes that atomic."""
        with path.open("wb") as stream:
            np.savez_compressed(
                stream,
                format=FORMAT,
                names=np.array(self.names),
                keypoints_px=self.keypoints_px,
                visibility=self.visibility,
            )

    @staticmethod
    def load(path: Path) -> Labels:
        try:
            data = read_npz(path)
            version = whole(data["format"])
            if version != FORMAT:
                raise RelocError(f"{path} has label format {version}; this version reads {FORMAT}")
            return Labels(tuple(data["names"].tolist()), data["keypoints_px"], data["visibility"])
        except FileNotFoundError as error:
            raise RelocError(f"{path} does not exist; run reloc label first") from error
        except (ValueError, KeyError, TypeError) as error:
            raise RelocError(f"{path} is not a readable label file; run reloc label again") from error


def unlabelled(model: SfmModel, landmarks: Landmarks) -> Labels:
    """The projections alone: each landmark unknown where it projects into the image, hidden elsewhere."""
    keypoints, states = [], []
    for index, pose in enumerate(model.camera_from_map):
        camera = model.camera(index)
        pixels = camera.project(pose.apply(landmarks.positions_map))
        keypoints.append(pixels.astype(np.float32))
        states.append(np.where(camera.contains(pixels), Visibility.UNKNOWN, Visibility.HIDDEN))
    return Labels(model.names, np.stack(keypoints), np.stack(states).astype(np.int8))


def observed_landmarks(model: SfmModel, landmarks: Landmarks) -> NDArray[np.bool_]:
    """(I, K) whether an image's features became part of the landmark's point; landmarks of other origin have none."""
    observed = np.zeros((len(model.names), len(landmarks)), dtype=bool)
    observed[observed_pairs(model, landmarks)] = True
    return observed


def observed_pairs(model: SfmModel, landmarks: Landmarks) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """The same as images (N,) and landmarks (N,)."""
    row_of_id = {point_id: k for k, point_id in enumerate(landmarks.ids.tolist())}
    row_of_point = np.array([row_of_id.get(point_id, -1) for point_id in model.point_ids.tolist()])
    rows = row_of_point[model.observation_point]
    return model.observation_image[rows >= 0], rows[rows >= 0]
