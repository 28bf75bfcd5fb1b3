"""What a disk does to the commands: it is full, may not be written, has a wrong clock, and files go meanwhile."""

import ctypes
import os
import resource
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import cv2
import pytest
from synthetic_model import make_model, write_workspace

from reloc_ros.offline.workspace import Workspace

RELOC = [sys.executable, "-m", "reloc_ros.cli"]
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
VERBS = (("clean", "--std-ratio", "1"), ("select",), ("label",), ("align", "--up", "camera"))


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return write_workspace(make_model(images=13, points=300, camera="pinhole"), tmp_path, "every:5:2")


def contents(workspace: Workspace) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in workspace.path.rglob("*") if file.is_file()}


def sentence_of(*arguments, limit) -> str:
    """What a command says that must be refused, with a limit put on its process."""
    done = subprocess.run(
        [*RELOC, *map(str, arguments)], capture_output=True, text=True, preexec_fn=limit, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    return done.stderr.partition("error:")[2]


def no_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


def no_leave() -> None:
    """The superuser may write anywhere, unless he gives that up."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.mark.parametrize("verb", VERBS[:2], ids=lambda verb: verb[0])
def test_no_room_is_told_and_changes_nothing(workspace, verb):
    before = contents(workspace)
    told = sentence_of(*verb, "-w", workspace.path, limit=no_room)
    assert "File too large; make room, and run the same command to go on" in told
    assert contents(workspace) == before
    assert not [file for file in workspace.path.iterdir() if file.name.startswith(".")]


def test_a_map_is_refused_before_it_fills_the_disk(workspace, tmp_path, monkeypatch, refused):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10**9, 10**9 - 10**6, 10**6))
    told = refused("map", workspace.images_dir, "-w", tmp_path / "new")
    assert "matches of 13 images may need 17 MB more" in told and "1 MB are free; make room" in told


@pytest.mark.parametrize("verb", VERBS[:2], ids=lambda verb: verb[0])
def test_a_workspace_that_may_not_be_written_is_told_and_stays(workspace, verb):
    before = contents(workspace)
    workspace.path.chmod(0o555)
    told = sentence_of(*verb, "-w", workspace.path, limit=no_leave)
    workspace.path.chmod(0o755)
    assert f"{workspace.path}" in told and "Permission denied; let this user write there" in told
    assert contents(workspace) == before


def test_a_folder_in_which_no_workspace_may_be_made_is_told(workspace, tmp_path):
    (tmp_path / "ro").mkdir(mode=0o555)
    told = sentence_of("map", workspace.images_dir, "-w", tmp_path / "ro" / "ws", limit=no_leave)
    assert "Permission denied; let this user write there, or name another place" in told


@pytest.mark.parametrize("time_s", [0, 4_000_000_000], ids=["1970", "2096"])
def test_a_wrong_clock_changes_nothing(workspace, reloc, time_s):
    def told(*verb: str) -> tuple[int, bytes]:
        code, _ = reloc(*verb, "-w", workspace.path)
        return code, workspace.landmarks_path.read_bytes()

    before = told("select")
    for file in [*workspace.path.rglob("*"), *workspace.images_dir.rglob("*")]:
        os.utime(file, (time_s, time_s))
    summary = workspace.summary("select")
    assert told("select") == before and workspace.summary("select") == summary
    for verb in VERBS:
        assert told(*verb)[0] == 0
    assert reloc("report", "-w", workspace.path, "-o", workspace.path / "page.html")[0] == 0


def test_a_photograph_that_changes_or_goes_between_verbs_is_named(workspace, reloc, refused):
    assert reloc("select", "-w", workspace.path)[0] == 0
    photo = workspace.images_dir / workspace.image_names[0]
    pixels = cv2.imread(str(photo))
    cv2.imwrite(str(photo), pixels[:100])
    told = refused("label", "-w", workspace.path)
    assert str(photo) in told and "put the original back or map again" in told
    photo.write_bytes(photo.read_bytes()[:200])
    assert f"{photo}': it is damaged" in refused("label", "-w", workspace.path)
    photo.unlink()
    assert f"{photo}': there is no such file" in refused("label", "-w", workspace.path)
    cv2.imwrite(str(photo), pixels)
    assert reloc("label", "-w", workspace.path)[0] == 0


@pytest.mark.parametrize(
    "verb", [*VERBS, ("train",), ("eval",), ("export", "-o", "b"), ("report",)], ids=" ".join
)
def test_a_model_that_goes_between_verbs_is_told(workspace, refused, verb):
    workspace.model_path.unlink()
    told = refused(*verb, "-w", workspace.path)
    assert "reloc " in told or str(workspace.model_path) in told
