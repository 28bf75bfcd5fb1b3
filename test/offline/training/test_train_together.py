"""Training in two processes over Gloo, as on two GPUs over NCCL."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from scenes import noise_image
from synthetic_model import make_model

from reloc_ros.offline import steps
from reloc_ros.offline.places.parts import network_files
from reloc_ros.offline.workspace import Workspace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    model = make_model(images=13, points=300, camera="pinhole")
    images = folder / "images"
    images.mkdir()
    for i, name in enumerate(model.names):
        cv2.imwrite(str(images / name), noise_image(i, 640, 480))
    workspace = Workspace.create(folder / "ws", images, model.names, "every:5:2")
    model.save(workspace.model_path)
    steps.select_step(workspace, 12)
    steps.label_step(workspace, "depth")
    script = Path(__file__).with_name("train_together.py")
    environment = {name: value for name, value in os.environ.items() if "RANK" not in name}
    ended = subprocess.run(
        [sys.executable, str(script), str(workspace.path), str(folder)],
        env=environment | {"GLOO_SOCKET_IFNAME": "lo", "MASTER_ADDR": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return workspace, [json.loads((folder / f"{i}.json").read_text()) for i in (0, 1)]


def test_both_processes_end_with_the_same_weights_and_one_tells(trained):
    first, second = trained[1]
    assert first["weights"] == second["weights"]
    assert first["summary"]["steps"] == 6 and second["summary"] is None


def test_one_process_writes_the_curves_and_validates(trained):
    workspace, (first, _) = trained
    with (workspace.train_dir / "run" / "curves" / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    validated = [int(row["step"]) for row in rows if row["validation_error"]]
    assert len(validated) == len(set(validated)) >= 3
    assert first["summary"]["validation"]["images"] == ["image_001.jpg", "image_008.jpg"]


def test_the_workspace_knows_that_it_is_trained(trained):
    workspace, (first, _) = trained
    assert workspace.summary("train") == first["summary"]
    assert (network_files(workspace)[0]).is_file()
