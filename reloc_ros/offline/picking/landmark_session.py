"""Choosing landmarks by hand in a workspace: nothing is lost between opening it and saving."""

from __future__ import annotations

import dataclasses
import datetime
import threading
from pathlib import Path

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import write_json
from reloc_ros.io.nested_text import read_json
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.points_file import FOREIGN_ID, SAME
from reloc_ros.offline.landmarks.select_landmarks import LEAST, picture_widths
from reloc_ros.offline.landmarks.select_step import BY_HAND, keep_selection, selection_inputs
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.workspace_model import map_model
from reloc_ros.offline.picking.landmark_editor import LandmarkEditor, no_landmarks
from reloc_ros.offline.workspace import Workspace, fingerprint
from reloc_ros.offline.workspace_lock import locked

DRAFT = "landmarks_draft.json"
FORMAT = 1
_FIELDS = [field.name for field in dataclasses.fields(Landmarks)]


class LandmarkSession:
    """An editor of the landmarks of a workspace.

    Every change is in the draft, a file beside the landmarks, before the next one. `save` makes the draft the
    landmarks of the workspace; a session that ends before it is taken up again by the next.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.lock = threading.RLock()
        """For whoever reads or changes the editor from several threads."""
        self.notices: list[str] = []
        """What whoever opened it should know, sentences."""
        self._model_key = fingerprint({"model": workspace.model_path, "held_out": workspace.holdout})
        self._saved_key = self._landmarks_key()
        model = map_model(workspace)
        saved = Landmarks.load(workspace.landmarks_path) if workspace.landmarks_path.exists() else None
        if saved is not None and not _of_model(saved, model):
            raise RelocError(
                f"the landmarks of {workspace.path} are of another map than it has now; "
                f"run reloc select -w {workspace.path} first"
            )
        self.editor = LandmarkEditor(
            model, saved if saved is not None else no_landmarks(), self._read_draft()
        )

    def changed(self) -> None:
        """Put the draft on disk; to be called after each change."""
        if not self.editor.unsaved:
            self._draft.unlink(missing_ok=True)
            return
        about = {"format": FORMAT, "kind": "reloc landmark draft", "model": self._model_key}
        arrays = {name: getattr(self.editor.landmarks, name).tolist() for name in _FIELDS}
        write_json(self._draft, about | arrays)

    @property
    def changed_elsewhere(self) -> bool:
        """Whether another command has replaced the landmarks since they were read or saved here."""
        return self._landmarks_key() != self._saved_key

    def save(self) -> None:
        """Make the landmarks those of the workspace, and note the step, so that later ones see the change."""
        if len(self.editor) < LEAST:
            raise RelocError(
                f"{len(self.editor)} landmarks are too few to localize from; choose at least {LEAST}, then save"
            )
        with locked(self.workspace.path):
            self._save()
        self._saved_key = self._landmarks_key()
        self.editor.mark_saved()
        self.changed()

    def _save(self) -> None:
        key = fingerprint({"model": self.workspace.model_path, "held_out": self.workspace.holdout})
        if key != self._model_key:
            raise RelocError(
                "the map has changed since reloc web was started; stop it and start it again to choose from that one"
            )
        if self.editor.unsaved or self.changed_elsewhere:
            chosen = self.editor.landmarks
            arrays = {"ids": chosen.ids, "positions": chosen.positions_map}
            inputs = selection_inputs(self.workspace) | {"landmarks": arrays}
            keep_selection(self.workspace, self.editor.model, self.editor.selection, inputs, BY_HAND)

    @property
    def _draft(self) -> Path:
        return self.workspace.path / DRAFT

    def _landmarks_key(self) -> str:
        return fingerprint({"landmarks": self.workspace.landmarks_path})

    def _read_draft(self) -> Landmarks | None:
        """What an earlier session did not save; a draft of another map is put aside, not thrown away."""
        if not self._draft.exists():
            return None
        written = datetime.datetime.fromtimestamp(self._draft.stat().st_mtime).strftime("%d %B, %H:%M")
        try:
            draft = read_json(self._draft)
            if draft["kind"] != "reloc landmark draft" or draft["format"] != FORMAT:
                raise ValueError("another kind of file")
            of_this_map = draft["model"] == self._model_key
            empty = {name: getattr(no_landmarks(), name) for name in _FIELDS}
            landmarks = Landmarks(
                **{n: np.array(draft[n], a.dtype).reshape(-1, *a.shape[1:]) for n, a in empty.items()}
            )
            if len({len(rows) for rows in dataclasses.astuple(landmarks)}) != 1:
                raise ValueError("lists of different lengths")
        except (ValueError, KeyError, TypeError) as error:
            self._put_aside(f"the unsaved changes of {written} cannot be read ({error})")
            return None
        if not of_this_map:
            self._put_aside(f"the unsaved changes of {written} are of another map")
            return None
        self.notices.append(f"the unsaved changes of {written} are taken up again")
        return landmarks

    def _put_aside(self, why: str) -> None:
        aside = self._draft.with_name(f"landmarks_draft_{int(self._draft.stat().st_mtime)}.json")
        self._draft.rename(aside)
        self.notices.append(f"{why}; they are in {aside}")


def _of_model(landmarks: Landmarks, model: SfmModel) -> bool:
    """Whether the landmarks that say that they are points of the model are."""
    row_of_id = {identity: row for row, identity in enumerate(model.point_ids.tolist())}
    widths = picture_widths(model)
    for identity, position in zip(landmarks.ids.tolist(), landmarks.positions_map, strict=True):
        row = row_of_id.get(identity)
        if row is None and identity < FOREIGN_ID:
            return False
        if row is not None and np.linalg.norm(model.points_map[row] - position) > SAME * widths[row]:
            return False
    return True
