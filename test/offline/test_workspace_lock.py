import contextlib
import signal
import subprocess
import sys

import pytest
from synthetic_model import make_model, write_workspace

from reloc_ros.errors import RelocError
from reloc_ros.offline.picking.landmark_session import LandmarkSession
from reloc_ros.offline.workspace import Workspace
from reloc_ros.offline.workspace_lock import locked, locked_to_be_made

HOLD = """
import sys
from pathlib import Path
from reloc_ros.offline.workspace_lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return write_workspace(make_model(images=13, points=300, camera="pinhole"), tmp_path)


@contextlib.contextmanager
def held_by_another(path):
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


VERBS = (
    ("clean",),
    ("align", "--up", "camera"),
    ("select",),
    ("label",),
    ("train", "--steps", "1"),
    ("eval",),
    ("export", "-o", "bundle"),
    ("map", "photos"),
    ("map", "photos", "--add"),
)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_second_command_on_a_workspace_is_refused_and_told_by_whom(workspace, refused, verb):
    before = {file: file.read_bytes() for file in workspace.path.iterdir() if file.is_file()}
    with held_by_another(workspace.path) as process:
        told = refused(*verb, "-w", workspace.path)
    assert f"{workspace.path} is in use by `-c " in told
    assert f"(process {process.pid}); wait until that has ended, or end it" in told
    assert {file: file.read_bytes() for file in workspace.path.iterdir() if file.is_file()} == before


def test_what_reads_alone_goes_along(workspace, reloc, tmp_path):
    with held_by_another(workspace.path):
        assert reloc("report", "-w", workspace.path, "-o", tmp_path / "page.html")[0] == 0


def test_a_killed_process_holds_nothing(workspace, reloc):
    with held_by_another(workspace.path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert reloc("clean", "-w", workspace.path)[0] == 0


def test_a_command_that_has_ended_holds_nothing(workspace, reloc, refused):
    refused("select", "-w", workspace.path, "--count", "nonsense")
    assert reloc("clean", "-w", workspace.path)[0] == 0
    with locked(workspace.path):
        pass


def test_a_folder_is_made_to_be_held_and_goes_when_nothing_was_put_into_it(tmp_path):
    folder = tmp_path / "maps" / "desk"
    with pytest.raises(ValueError), locked_to_be_made(folder):
        with pytest.raises(RelocError, match="is in use"), locked_to_be_made(folder):
            pass
        raise ValueError
    assert not folder.exists()
    with locked_to_be_made(folder):
        (folder / "workspace.json").touch()
    assert folder.is_dir()


def test_a_second_page_is_refused_and_the_first_waits_with_saving_while_a_command_works(workspace, refused):
    with held_by_another(workspace.path / ".web.lock"):
        assert f"{workspace.path} is in use by" in refused("web", "-w", workspace.path, "--port", "0")
    session = LandmarkSession(workspace)
    with held_by_another(workspace.path), pytest.raises(RelocError, match="is in use by"):
        for row in range(20):
            session.editor.add(row)
        session.save()
    session.save()
    assert workspace.landmarks_path.exists()
