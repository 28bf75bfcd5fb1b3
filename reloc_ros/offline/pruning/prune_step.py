"""The step that leaves out what has moved: localize walks of other days, look for each landmark, judge, and note."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.landmarks import Landmarks
from reloc_ros.localizer import Localized, Localizer, Lost
from reloc_ros.offline.landmarks.select_landmarks import FEWEST
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.workspace_model import map_model, read_map_photo
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.pruning.judge import Judgement, judge
from reloc_ros.offline.pruning.looks import Expectation, Looks, look
from reloc_ros.offline.pruning.pruned import Dropped, Pruned, read_pruned, write_pruned
from reloc_ros.offline.running.localize_source import localize_source
from reloc_ros.offline.sources.frame import Frame, Source
from reloc_ros.offline.workspace import Workspace

LEAST_VIEWS, LEAST_SHARE = 10, 0.25
"""Of a walk so many images from different viewpoints, and such a share of all, must be localized."""
NEW_VIEW_SHARE, NEW_VIEW_DEG = 0.03, 3.0
"""An image is another view if it is so far from the others, of the distance to what it sees, or turned so much: frames
of a video that are alike say one thing many times."""
LEAST_TELLING = 8
"""Landmarks that must have been looked for often enough."""
MOST_GONE = 0.5
"""Of those: where more have gone, the map is of another place, or the network does not know it in this light."""
NEAR_SHARE, NEIGHBOURS = 0.08, 3
"""A point of the map goes along with a landmark that is so near, as a share of the distance it is seen from, if that is
the nearest one, and most of the next have gone, too."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pruning:
    """What walks told."""

    landmarks: Landmarks
    """That were looked for."""
    judged: Judgement
    points: int
    """Of the map, that go along."""
    views: int
    """Different ones that count."""
    notices: tuple[str, ...]
    """Of walks that do not count, a sentence each."""


def prune_step(
    workspace: Workspace,
    localizer: Localizer,
    walks: Sequence[Source],
    camera: Camera | None = None,
    progress: Progress = silent,
) -> Pruning:
    """Leave out the landmarks that walks show to have moved or gone, besides those that are left out already.

    Args:
        localizer: of the workspace's own bundle.
        camera: intrinsics of all images, where the walks do not know them.

    Raises:
        RelocError: they show too little to tell, or too much to believe; nothing is changed then.
    """
    model, before = map_model(workspace), read_pruned(workspace)
    expectation = Expectation(model, localizer.bundle.landmarks)
    views, notices = [], []
    for walk in walks:
        found = _Walk(localizer, expectation)
        tally = localize_source(localizer, walk, [contextlib.nullcontext(found)], camera, progress=progress)
        few = tally.localized < LEAST_SHARE * tally.images
        if few or len(found.views) < LEAST_VIEWS:
            notices.append(
                f"'{walk.path}' does not count: {tally.localized} of {tally.images} images are localized, "
                f"and sharpened from {len(found.views)} viewpoints; it takes {LEAST_VIEWS} of these, and "
                f"{LEAST_SHARE:.0%} of the images"
            )
        else:
            views += found.views
    if not views:
        raise RelocError(f"nothing is left out: {'; '.join(notices)}")
    count = len(expectation.landmarks)
    judged = judge(Looks.of(views, count), _unseen_looks(workspace, localizer, expectation, progress))
    _refuse(judged, len(before.landmarks))
    along = _points_along(model, expectation, judged)
    names = ", ".join(walk.path.name for walk in walks)
    dropped = [
        Dropped(
            int(expectation.landmarks.ids[row]),
            int(judged.looked[row]),
            int(judged.found[row]),
            round(float(judged.expected[row]), 2),
            names,
        )
        for row in np.flatnonzero(judged.gone)
    ]
    if dropped:
        points = sorted({*before.points, *along.tolist()})
        write_pruned(workspace, Pruned((*before.landmarks, *dropped), tuple(points)))
    return Pruning(expectation.landmarks, judged, len(along), len(views), tuple(notices))


class _Walk:
    """Takes the results of a walk one after the other, and looks at what counts."""

    def __init__(self, localizer: Localizer, expectation: Expectation) -> None:
        self.views: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] = []
        self._poses: list[SE3] = []
        self._localizer, self._expectation = localizer, expectation

    def __call__(self, frame: Frame, result: Localized | Lost) -> None:
        if isinstance(result, Lost) or frame.image is None or frame.camera is None:
            return
        sharp = result.refined or self._localizer.refiner is None
        if sharp and self._is_new(frame.camera, result.camera_from_map):
            self._poses.append(result.camera_from_map)
            pose = result.camera_from_map
            self.views.append(look(self._localizer, self._expectation, frame.image, frame.camera, pose))

    def _is_new(self, camera: Camera, pose: SE3) -> bool:
        near = NEW_VIEW_SHARE * self._expectation.landmarks.distance_from(camera, pose)
        return all(
            center_error(pose, other) > near or rotation_error_deg(pose, other) > NEW_VIEW_DEG
            for other in self._poses
        )


def _unseen_looks(
    workspace: Workspace, localizer: Localizer, expectation: Expectation, progress: Progress
) -> Looks:
    """What the network finds in the photographs of the map that training did not see."""
    model = SfmModel.load(workspace.model_path)
    validation = (workspace.summary("train") or {}).get("validation") or {}
    unseen = workspace.is_held_out(model.names) | np.isin(model.names, validation.get("images") or [])
    rows, found = np.flatnonzero(unseen).tolist(), []
    for done, row in enumerate(rows):
        photo, camera = read_map_photo(workspace.images_dir, model, row), model.camera(row)
        found.append(look(localizer, expectation, photo, camera, model.camera_from_map[row]))
        progress("map images", done + 1, len(rows))
    return Looks.of(found, len(expectation.landmarks))


def _refuse(judged: Judgement, before: int) -> None:
    """Refuse what shows too little, or too much."""
    telling, gone = int(judged.telling.sum()), int(judged.gone.sum())
    if telling < LEAST_TELLING:
        raise RelocError(
            f"nothing is left out: only {telling} landmarks were looked for often enough to tell, and it takes "
            f"{LEAST_TELLING}; walk longer, or train longer"
        )
    left = len(judged.gone) - before - gone
    if gone > MOST_GONE * telling or (gone and left < FEWEST):
        raise RelocError(
            f"nothing is left out: {gone} of {telling} landmarks would go, and {left} would be left; the place is not "
            "the one that was mapped, or in a light that the network does not know: map it anew, or add images of it "
            "(reloc map --add) and train"
        )


def _points_along(model: SfmModel, expectation: Expectation, judged: Judgement) -> NDArray[np.int64]:
    """Ids of the points of the map amid landmarks that have gone."""
    telling = np.flatnonzero(judged.telling)
    gone = judged.gone[telling]
    if gone.sum() < 2:
        return np.zeros(0, dtype=np.int64)
    positions = expectation.landmarks.positions_map[telling]
    count = min(NEIGHBOURS, len(telling))
    distances, nearest = cKDTree(positions).query(model.points_map, count)
    reach = NEAR_SHARE * expectation.nearest[telling]
    near = gone[nearest[:, 0]] & (distances[:, 0] <= reach[nearest[:, 0]])
    along: NDArray[np.int64] = model.point_ids[near & (gone[nearest].sum(axis=1) >= 2)]
    return along
