"""Choosing landmarks by hand: what is chosen, what each view sees of it, and the way back."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc_ros.errors import RelocError
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.labels import Labels, Visibility
from reloc_ros.offline.landmarks.points_file import RELIABLE_TRACK, SAME, joined
from reloc_ros.offline.landmarks.select_landmarks import attainable_spread, cloud_landmarks, picture_widths
from reloc_ros.offline.landmarks.spread import Selection, cells_labelled
from reloc_ros.offline.landmarks.visibility import label_images
from reloc_ros.offline.model.sfm import SfmModel

BEHIND = 0.2
"""A point as far behind another, relative to their depth, is as good a guess as one at the edge of the tolerance."""
BESIDE = 1.2
"""A landmark this many times as deep as the cloud point before it is not what a click means."""

_Rows = tuple[int, ...]


def pick(
    origin: ArrayLike, direction: ArrayLike, points: NDArray[np.float64], tolerance_rad: float
) -> int | None:
    """The row of `points` (N, 3) that a ray means: one near to it by angle, and in front rather than behind.

    Args:
        origin: (3,) where the eye is.
        direction: (3,) of any length, where the click points.
        tolerance_rad: points farther from the ray than this are not meant.
    """
    ray = np.asarray(direction, dtype=np.float64)
    ray = ray / np.linalg.norm(ray)
    offsets = points - np.asarray(origin, dtype=np.float64)
    depths = offsets @ ray
    angles = np.arctan2(np.linalg.norm(offsets - depths[:, None] * ray, axis=1), depths)
    near = np.flatnonzero((angles <= tolerance_rad) & (depths > 0))
    if len(near) == 0:
        return None
    behind = np.log(depths[near] / depths[near].min()) / BEHIND
    return int(near[np.argmin(angles[near] / tolerance_rad + behind)])


class LandmarkEditor:
    """Landmarks of a model, chosen one by one, with undo and redo.

    What is seen where is the depth test of `reloc label`: it takes a moment for a new landmark, and nothing after.
    """

    def __init__(self, model: SfmModel, saved: Landmarks, draft: Landmarks | None = None) -> None:
        """Start from the `saved` landmarks, none or more, or from an unsaved `draft` made of them."""
        self.model = model
        self.attainable = attainable_spread(model)
        self.cloud = cloud_landmarks(model)
        """Every point of the model as the landmark that it would be."""
        self.pickable = np.flatnonzero(model.track_lengths >= min(RELIABLE_TRACK, model.track_lengths.max()))
        """Rows of the points that are shown and can be chosen."""
        self._apart = SAME * picture_widths(model)
        self._met = saved  # every landmark there has been; a state is the rows of it that are chosen
        self._labels = _label(model, saved)
        self._saved: _Rows = tuple(range(len(saved)))
        self._rows = self._saved if draft is None else self._rows_of(draft)
        self._past: list[_Rows] = []
        self._future: list[_Rows] = []

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def landmarks(self) -> Landmarks:
        return self._met.subset(np.array(self._rows, dtype=np.int64))

    @property
    def labels(self) -> Labels:
        """Which map image sees which landmark, by the depth test."""
        return self._labels.of_landmarks(np.array(self._rows, dtype=np.int64))

    @property
    def selection(self) -> Selection:
        """The landmarks, and how they serve the views."""
        seen = cells_labelled(self.labels, self.model.image_sizes)
        return Selection(self.landmarks, seen, self.attainable)

    @property
    def unsaved(self) -> bool:
        return self._rows != self._saved

    def shown_points(self, image: int | None = None) -> NDArray[np.int64]:
        """Rows of the points that can be chosen: of all, or of those that an image observed."""
        if image is None:
            return self.pickable
        model = self.model
        return np.intersect1d(self.pickable, model.observation_point[model.observations_of(image)])

    def shown_landmarks(self, image: int | None = None) -> NDArray[np.int64]:
        """Which of the landmarks, 0 to K - 1: all, or those that an image sees."""
        if image is None:
            return np.arange(len(self))
        return np.flatnonzero(self.labels.visibility[image] == Visibility.SEEN)

    def landmark_at(
        self, origin: ArrayLike, direction: ArrayLike, tolerance_rad: float, image: int | None = None
    ) -> int | None:
        """Which of the shown landmarks a ray means, see `pick`; not one behind what the cloud shows there."""
        shown, positions = self.shown_landmarks(image), self.landmarks.positions_map
        hit = pick(origin, direction, positions[shown], tolerance_rad)
        if hit is None:
            return None
        landmark = int(shown[hit])
        front = self.point_at(origin, direction, tolerance_rad, image)
        if front is None:
            return landmark
        both = np.stack([positions[landmark], self.model.points_map[front]])
        depth, front_depth = np.linalg.norm(both - np.asarray(origin), axis=1)
        return landmark if depth <= BESIDE * front_depth else None

    def point_at(
        self, origin: ArrayLike, direction: ArrayLike, tolerance_rad: float, image: int | None = None
    ) -> int | None:
        """Which of the shown points, by its row in the model, a ray means, see `pick`."""
        shown = self.shown_points(image)
        hit = pick(origin, direction, self.model.points_map[shown], tolerance_rad)
        return None if hit is None else int(shown[hit])

    def add(self, point: int) -> int:
        """Make a point of the model, by its row, a landmark, the last; returns which."""
        position = self.model.points_map[point]
        if len(self):
            nearest = np.linalg.norm(self.landmarks.positions_map - position, axis=1).min()
            if nearest <= self._apart[point]:
                raise RelocError("there is a landmark at this point already")
        self._change((*self._rows, *self._rows_of(self.cloud.subset(np.array([point])))))
        return len(self) - 1

    def remove(self, landmark: int) -> None:
        """Take away a landmark, 0 to K - 1."""
        self._change(self._rows[:landmark] + self._rows[landmark + 1 :])

    def revert(self) -> None:
        """Go back to what is saved, which can be undone as any change."""
        if self.unsaved:
            self._change(self._saved)

    def undo(self) -> None:
        if self._past:
            self._future.append(self._rows)
            self._rows = self._past.pop()

    def redo(self) -> None:
        if self._future:
            self._past.append(self._rows)
            self._rows = self._future.pop()

    def mark_saved(self) -> None:
        """What is chosen now is what the workspace holds."""
        self._saved = self._rows

    def _change(self, rows: _Rows) -> None:
        self._past.append(self._rows)
        self._future.clear()
        self._rows = rows

    def _rows_of(self, landmarks: Landmarks) -> _Rows:
        """Where in the landmarks met so far these are; new ones join them."""
        known = {key: row for row, key in enumerate(_keys(self._met))}
        keys = _keys(landmarks)
        new = np.array([row for row, key in enumerate(keys) if key not in known], dtype=np.int64)
        if len(new):
            labels = _label(self.model, landmarks.subset(new))
            known |= {keys[row]: len(self._met) + place for place, row in enumerate(new.tolist())}
            self._met = joined([self._met, landmarks.subset(new)])
            self._labels = Labels(
                labels.names,
                np.concatenate([self._labels.keypoints_px, labels.keypoints_px], axis=1),
                np.concatenate([self._labels.visibility, labels.visibility], axis=1),
            )
        return tuple(known[key] for key in keys)


def no_landmarks() -> Landmarks:
    """To start from nothing."""
    return Landmarks(np.empty(0, dtype=np.int64), np.empty((0, 3)), np.empty((0, 3)), np.empty(0))


def _keys(landmarks: Landmarks) -> list[tuple[int, bytes]]:
    positions = np.ascontiguousarray(landmarks.positions_map)
    return [
        (identity, row.tobytes()) for identity, row in zip(landmarks.ids.tolist(), positions, strict=True)
    ]


def _label(model: SfmModel, landmarks: Landmarks) -> Labels:
    if len(landmarks):
        return label_images(model, landmarks)
    shape = (len(model.names), 0)
    return Labels(model.names, np.empty((*shape, 2), np.float32), np.empty(shape, np.int8))
