import json
from dataclasses import dataclass

import numpy as np
import pytest

from reloc_ros.errors import RelocError
from reloc_ros.offline.workspace import Workspace, fingerprint

NAMES = [f"{i:02d}.jpg" for i in range(10)]


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create(tmp_path / "ws", tmp_path / "images", NAMES[::-1], "every:5:2")


def test_created_workspace_opens_with_the_same_facts(workspace, tmp_path):
    opened = Workspace.open(tmp_path / "ws")
    assert opened == workspace
    assert opened.images_dir == tmp_path / "images"
    assert opened.image_names == tuple(NAMES)
    assert opened.holdout == "every:5:2"
    assert opened.scale == "unknown"


def test_held_out_places_count_over_all_images_even_when_asked_about_some(workspace):
    assert workspace.is_held_out(["02.jpg", "03.jpg", "07.jpg"]).tolist() == [True, False, True]


def test_list_holdout_outlives_its_file(tmp_path):
    file = tmp_path / "held.txt"
    file.write_text("04.jpg\n")
    workspace = Workspace.create(tmp_path / "ws", tmp_path, NAMES, f"list:{file}")
    file.unlink()
    assert workspace.is_held_out(NAMES).sum() == 1


def test_step_is_current_until_its_inputs_change_or_its_output_is_gone(workspace):
    source, output = workspace.path / "source", workspace.path / "out.npz"
    source.write_text("a")
    output.touch()
    inputs = {"source": source, "count": 64}
    assert not workspace.is_current("select", inputs)
    workspace.record("select", inputs, [output], {"landmarks": 64})
    assert workspace.is_current("select", inputs)
    assert Workspace.open(workspace.path).summary("select") == {"landmarks": 64}
    assert not workspace.is_current("select", inputs | {"count": 65})
    source.write_text("b")
    assert not workspace.is_current("select", inputs)
    source.write_text("a")
    assert workspace.is_current("select", inputs)
    output.unlink()
    assert not workspace.is_current("select", inputs)


def test_recording_a_step_keeps_the_others(workspace):
    workspace.record("a", {})
    workspace.record("b", {})
    assert workspace.is_current("a", {}) and workspace.is_current("b", {})


def test_records_of_before_inputs_were_noted_one_by_one_are_understood(workspace):
    facts = json.loads((workspace.path / "workspace.json").read_text())
    facts["steps"]["train"] = {"fingerprint": fingerprint({"seed": 1}), "outputs": [], "summary": {}}
    (workspace.path / "workspace.json").write_text(json.dumps(facts))
    assert workspace.is_current("train", {"seed": 1}) and not workspace.is_current("train", {"seed": 2})


def test_creating_again_forgets_the_steps(workspace, tmp_path):
    workspace.record("select", {})
    again = Workspace.create(workspace.path, tmp_path, NAMES, "none")
    assert not again.is_current("select", {})
    assert again.summary("select") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "damaged"),
        ("[]", "not a reloc workspace"),
        ('{"format": 1}', "not a reloc workspace"),
        ('{"kind": "reloc workspace", "format": 2}', "format 2"),
        ('{"kind": "reloc workspace", "format": 1}', "lacks"),
    ],
)
def test_damaged_foreign_and_newer_workspaces_are_refused(tmp_path, text, message):
    (tmp_path / "workspace.json").write_text(text)
    with pytest.raises(RelocError, match=message):
        Workspace.open(tmp_path)
    with pytest.raises(RelocError, match=message):
        Workspace.create(tmp_path, tmp_path, NAMES, "none")


def test_a_folder_of_other_things_is_not_taken_over(tmp_path):
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(RelocError, match="not empty"):
        Workspace.create(tmp_path, tmp_path, NAMES, "none")


def test_missing_workspace_says_what_to_run(tmp_path):
    with pytest.raises(RelocError, match="reloc map"):
        Workspace.open(tmp_path / "nowhere")


def test_bad_holdout_creates_nothing(tmp_path):
    with pytest.raises(RelocError):
        Workspace.create(tmp_path / "ws", tmp_path, NAMES, "sometimes")
    assert not (tmp_path / "ws").exists()


@dataclass(frozen=True)
class Options:
    count: int = 3


def test_fingerprint_tells_values_apart_and_ignores_key_order(tmp_path):
    values = [1, 1.5, "1", None, True, [1], {"a": 1}, np.zeros(2), np.zeros(3), np.zeros(2, np.float32),
              Options(),              Options(4), tmp_path, tmp_path / "missing"]  # fmt: skip
    assert len({fingerprint({"x": value}) for value in values}) == len(values)
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


def test_fingerprint_of_a_folder_sees_a_new_file(tmp_path):
    before = fingerprint({"dir": tmp_path})
    (tmp_path / "x").touch()
    assert fingerprint({"dir": tmp_path}) != before


def test_workspace_file_states_its_format(workspace):
    assert json.loads((workspace.path / "workspace.json").read_text())["format"] == 1
