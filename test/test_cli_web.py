"""`reloc web` and `reloc select --points` as commands."""

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from synthetic_model import make_model

from reloc_ros.landmarks import Landmarks
from reloc_ros.offline import steps
from reloc_ros.offline.picking.landmark_session import DRAFT, LandmarkSession
from reloc_ros.offline.workspace import Workspace

COMMAND = [sys.executable, "-c", "from reloc_ros.cli import main; main()"]
MODEL = make_model(images=8, points=60, camera="pinhole", seed=3)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    workspace = Workspace.create(tmp_path / "ws", tmp_path, MODEL.names, "none")
    MODEL.save(workspace.model_path)
    return workspace


def test_landmarks_from_a_list(reloc, workspace, tmp_path):
    np.savetxt(tmp_path / "points.txt", MODEL.points_map[:12])
    code, printed = reloc("select", "-w", workspace.path, "--points", tmp_path / "points.txt")
    assert code == 0 and "12 landmarks of 60 points" in printed
    assert (
        "12 landmarks are too few for all images to see 32" in printed
        or "too few points to see 32" in printed
    )
    assert len(Landmarks.load(workspace.landmarks_path)) == 12
    code, printed = reloc("select", "-w", workspace.path, "--points", tmp_path / "points.txt", "--count", 9)
    assert code == 2 and "use one of the two" in printed


def test_a_bound_that_leaves_images_short_is_told(reloc, tmp_path):
    model = make_model(images=12, points=1500, noise_px=0.3)
    workspace = Workspace.create(tmp_path / "ws", tmp_path, model.names, "none")
    model.save(workspace.model_path)
    code, printed = reloc("select", "-w", workspace.path, "--max", 30)
    assert code == 0
    assert "30 landmarks are too few for all images to see 32: image_000.jpg, " in printed
    assert printed.endswith("raise --max")
    code, printed = reloc("select", "-w", workspace.path)
    assert code == 0 and "too few" not in printed


def test_choosing_anew_over_landmarks_chosen_by_hand_needs_a_word(reloc, workspace):
    session = LandmarkSession(workspace)
    for row in range(8):
        session.editor.add(row)
    session.save()
    code, printed = reloc("select", "-w", workspace.path, "--count", 12)
    assert code == 2 and "were chosen by hand, in reloc web; with --replace" in printed
    code, printed = reloc("select", "-w", workspace.path, "--count", 12, "--replace")
    assert code == 0 and "12 landmarks" in printed


def test_help_has_an_example(reloc):
    code, printed = reloc("web", "--help")
    assert code == 0 and "Example: reloc web -w desk" in printed


def test_a_workspace_without_a_map_is_refused(reloc, workspace, tmp_path):
    workspace.model_path.unlink()
    code, printed = reloc("web", "-w", workspace.path)
    assert code == 2 and "run `reloc map` first" in printed
    code, printed = reloc("web", "-w", tmp_path / "nothing")
    assert code == 2 and "is not a workspace" in printed


def started(workspace: Path) -> tuple[subprocess.Popen, str]:
    """The command at a free port, and the address that it prints."""
    process = subprocess.Popen(
        [*COMMAND, "web", "-w", str(workspace), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has them, and what they start, ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    return process, process.stdout.readline().strip()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end_and_keeps_what_was_not_saved(workspace, ending):
    pytest.importorskip("viser")
    steps.select_step(workspace, 12)
    session = LandmarkSession(workspace)
    session.editor.remove(0)
    session.changed()
    draft = (workspace.path / DRAFT).read_bytes()
    process, address = started(workspace.path)
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert answer.status == 200 and b"<html" in answer.read().lower()
        process.send_signal(ending)
        out, told = process.communicate(timeout=30)
    finally:
        process.kill()
    told = " ".join(told.split())
    assert process.returncode == 0 and out == "" and "Traceback" not in told, told
    assert "are taken up again" in told and "not saved: 11 landmarks" in told
    assert (workspace.path / DRAFT).read_bytes() == draft


def test_a_port_in_use_is_refused(reloc, workspace):
    pytest.importorskip("viser")
    import socket

    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
        code, printed = reloc("web", "-w", workspace.path, "--port", port)
    assert code == 2 and printed.count("error:") == 1
    assert f"cannot serve at port {port} of localhost" in printed and "--port" in printed


def test_a_host_that_is_not_this_machine_is_refused(reloc, workspace):
    pytest.importorskip("viser")
    code, printed = reloc("web", "-w", workspace.path, "--host", "no.such.host.invalid")
    assert code == 2 and "cannot serve at port 8080 of no.such.host.invalid" in printed


def test_listening_beyond_this_machine_needs_a_token(reloc, workspace):
    pytest.importorskip("viser")
    code, printed = reloc("web", "-w", workspace.path, "--host", "0.0.0.0")
    assert code == 2 and "lets others see and change the landmarks; give --token auto" in printed
    code, printed = reloc("web", "-w", workspace.path, "--token", "short")
    assert code == 2 and "--token takes 8 or more letters" in printed
