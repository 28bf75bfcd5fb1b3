"""What a workspace's landmarks and points are not used any more, and since when: one file, which can be taken back."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import write_json
from reloc_ros.io.nested_text import read_json
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.workspace_model import map_model
from reloc_ros.offline.workspace import Workspace

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Dropped:
    """A landmark that has moved or gone."""

    id: int
    looked: int
    """Images that should have shown it,"""
    found: int
    """and in which it was found."""
    expected: float
    """In how many it would have been found if it were still there."""
    walk: str
    """What they are of."""


@dataclasses.dataclass(frozen=True)
class Pruned:
    """What is left out of a map."""

    landmarks: tuple[Dropped, ...] = ()
    points: tuple[int, ...] = ()
    """Ids of points of the model that lie amid such landmarks, which poses are not sharpened by."""

    @property
    def ids(self) -> NDArray[np.int64]:
        """(R,) of the landmarks."""
        return np.array([each.id for each in self.landmarks], dtype=np.int64)

    def rows_of(self, landmarks: Landmarks) -> NDArray[np.int64]:
        """Which of some landmarks, by their rows, are left out."""
        return np.flatnonzero(np.isin(landmarks.ids, self.ids))


def read_pruned(workspace: Workspace) -> Pruned:
    """What `reloc prune` has left out so far.

    Raises:
        RelocError: the file is damaged, or of a newer version.
    """
    file = workspace.pruned_path
    if not file.exists():
        return Pruned()
    try:
        facts = read_json(file)
        if facts["format"] != FORMAT:
            raise RelocError(f"'{file}' has format {facts['format']!r}, this version reads {FORMAT}")
        dropped = tuple(Dropped(**each) for each in facts["landmarks"])
        return Pruned(dropped, tuple(int(point) for point in facts["points"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RelocError(f"'{file}' is damaged; run reloc prune --undo -w {workspace.path}") from error


def write_pruned(workspace: Workspace, pruned: Pruned) -> None:
    """Leave this out from now on, and nothing else."""
    write_json(workspace.pruned_path, {"format": FORMAT, **dataclasses.asdict(pruned)})


def undo_prune(workspace: Workspace) -> None:
    """Use every landmark and point again."""
    workspace.pruned_path.unlink(missing_ok=True)


def pruned_inputs(workspace: Workspace) -> dict[str, Any]:
    """What steps depend on that leave it out; nothing where nothing is left out, so that they stay as they were."""
    return {"pruned": workspace.pruned_path} if workspace.pruned_path.exists() else {}


def lasting_model(workspace: Workspace, pruned: Pruned) -> SfmModel:
    """The model as the map may know it, see `map_model`, without the points that are left out."""
    model = map_model(workspace)
    return model.without_points(np.append(pruned.ids, pruned.points)) if pruned.landmarks else model
