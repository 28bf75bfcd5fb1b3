import json

import numpy as np
import pytest
from synthetic_model import make_model, write_workspace

from reloc_ros.errors import RelocError
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline import steps
from reloc_ros.offline.landmarks.labels import Labels
from reloc_ros.offline.landmarks.points_file import FOREIGN_ID
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.picking.landmark_session import DRAFT, LandmarkSession
from reloc_ros.offline.workspace import Workspace


@pytest.fixture
def mapped(tmp_path) -> Workspace:
    return write_workspace(make_model(images=12, points=800, camera="pinhole"), tmp_path, "every:5:2")


@pytest.fixture
def workspace(mapped) -> Workspace:
    steps.select_step(mapped, 12)
    steps.label_step(mapped, "depth")
    return mapped


def saved_ids(workspace: Workspace) -> list[int]:
    return Landmarks.load(workspace.landmarks_path).ids.tolist()


def change(session: LandmarkSession) -> list[int]:
    """Take away the first landmark, as the page would; returns the ids that are left."""
    session.editor.remove(0)
    session.changed()
    return session.editor.landmarks.ids.tolist()


def test_what_is_saved_is_in_the_workspace_and_later_steps_notice(workspace):
    session = LandmarkSession(workspace)
    left = change(session)
    assert saved_ids(workspace) != left
    session.save()
    assert saved_ids(workspace) == left and not session.editor.unsaved
    assert not (workspace.path / DRAFT).exists()
    done = workspace.summary("select")
    assert (done["chosen"], done["landmarks"], done["map_images"]) == ("by hand", 11, 10)
    assert Labels.load(workspace.labels_path).visibility.shape[1] == 12
    steps.label_step(workspace, "depth")
    assert Labels.load(workspace.labels_path).visibility.shape[1] == 11
    assert LandmarkSession(workspace).editor.landmarks.ids.tolist() == left


def test_saving_without_a_change_leaves_the_choice_automatic(workspace):
    before = workspace.landmarks_path.stat().st_mtime_ns
    LandmarkSession(workspace).save()
    assert workspace.landmarks_path.stat().st_mtime_ns == before
    assert workspace.summary("select")["chosen"] == "automatically"


def test_changes_that_were_not_saved_are_taken_up_again(workspace):
    left = change(LandmarkSession(workspace))
    again = LandmarkSession(workspace)
    assert again.editor.landmarks.ids.tolist() == left and again.editor.unsaved
    assert any("taken up again" in notice for notice in again.notices)
    again.editor.revert()
    again.changed()
    assert not (workspace.path / DRAFT).exists()
    assert LandmarkSession(workspace).notices == []


def test_landmarks_are_chosen_by_hand_from_nothing(mapped):
    session = LandmarkSession(mapped)
    assert len(session.editor) == 0
    for row in range(7):
        session.editor.add(row)
        session.changed()
    with pytest.raises(RelocError, match="7 landmarks are too few to localize from; choose at least 8"):
        session.save()
    assert not mapped.landmarks_path.exists()
    session.editor.add(7)
    session.save()
    assert len(saved_ids(mapped)) == 8


def test_landmarks_from_a_list_are_kept_among_those_from_clicks(workspace, tmp_path):
    model = steps.map_model(workspace)
    np.savetxt(tmp_path / "points.txt", np.vstack([model.points_map[:8], model.points_map[8:12] + 0.01]))
    steps.select_step(workspace, None, points=tmp_path / "points.txt")
    assert np.count_nonzero(np.array(saved_ids(workspace)) >= FOREIGN_ID) == 4
    session = LandmarkSession(workspace)
    left = change(session)
    assert LandmarkSession(workspace).editor.landmarks.ids.tolist() == left


@pytest.mark.parametrize("contents", ["{", "[]", '{"kind": "reloc landmark draft", "format": 99}', "null"])
def test_a_draft_that_cannot_be_read_is_put_aside(workspace, contents):
    (workspace.path / DRAFT).write_text(contents)
    session = LandmarkSession(workspace)
    assert not session.editor.unsaved and "cannot be read" in session.notices[0]
    assert [file.read_text() for file in workspace.path.glob("landmarks_draft_*.json")] == [contents]


def test_a_draft_whose_lists_do_not_match_is_put_aside(workspace):
    change(LandmarkSession(workspace))
    draft = json.loads((workspace.path / DRAFT).read_text())
    (workspace.path / DRAFT).write_text(json.dumps(draft | {"view_cones_rad": [0.1]}))
    session = LandmarkSession(workspace)
    assert not session.editor.unsaved and "lists of different lengths" in session.notices[0]


def moved(workspace: Workspace) -> None:
    """Make the map another one."""
    model = SfmModel.load(workspace.model_path)
    model.transformed(Similarity(2.0, np.eye(3), np.zeros(3))).save(workspace.model_path)


def test_a_draft_of_another_map_is_put_aside(workspace):
    change(LandmarkSession(workspace))
    moved(workspace)
    steps.select_step(workspace, 12)
    session = LandmarkSession(workspace)
    assert not session.editor.unsaved and "of another map" in session.notices[0]
    (aside,) = workspace.path.glob("landmarks_draft_*.json")
    assert len(json.loads(aside.read_text())["ids"]) == 11 and str(aside) in session.notices[0]


def test_landmarks_of_another_map_are_refused(workspace):
    moved(workspace)
    with pytest.raises(RelocError, match="are of another map than it has now; run reloc select"):
        LandmarkSession(workspace)


def test_a_map_that_changes_meanwhile_is_not_given_old_landmarks(workspace):
    session = LandmarkSession(workspace)
    change(session)
    before = saved_ids(workspace)
    moved(workspace)
    with pytest.raises(RelocError, match="the map has changed since reloc web was started"):
        session.save()
    assert saved_ids(workspace) == before


def test_another_choice_meanwhile_is_noticed(workspace):
    session = LandmarkSession(workspace)
    left = change(session)
    assert not session.changed_elsewhere
    steps.select_step(workspace, 16)
    assert session.changed_elsewhere
    session.save()
    assert saved_ids(workspace) == left and not session.changed_elsewhere


def test_no_step_replaces_what_was_chosen_by_hand_unasked(workspace, tmp_path):
    session = LandmarkSession(workspace)
    left = change(session)
    session.save()
    for arguments in ({"count": 12}, {"count": None}):
        with pytest.raises(RelocError, match="were chosen by hand, in reloc web; with --replace"):
            steps.select_step(workspace, **arguments)
    assert saved_ids(workspace) == left
    assert steps.select_step(workspace, 12, replace=True)["chosen"] == "automatically"
    assert len(saved_ids(workspace)) == 12


def test_a_workspace_without_a_map_is_refused(mapped):
    mapped.model_path.unlink()
    with pytest.raises(RelocError, match=r"there is no model at .* run `reloc map` first"):
        LandmarkSession(mapped)
