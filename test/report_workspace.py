"""A small workspace in each state that a report can meet."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
from scenes import noise_image
from synthetic_model import make_model

from reloc_ros.geometry import SE3
from reloc_ros.landmarks import Landmarks
from reloc_ros.localizer import Keypoints
from reloc_ros.offline import steps
from reloc_ros.offline.measuring.scores import Outcome, Score, write_evaluation
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.places.parts import network_files
from reloc_ros.offline.workspace import Workspace

HOLDOUT = "every:5:2"
LANDMARKS = 20
TIMES = {"prepare": 1.0, "network": 8.0, "pnp": 0.5, "total": 9.5}
CURVES = "loss,rotation_deg_clean,step\n8.0,,5\n2.0,,10\n,0.4,10\n1.0,,15\n,0.2,15\n"


def make_workspace(folder: Path, rename=lambda name: name, extra: tuple[str, ...] = ()) -> Workspace:
    """A mapped workspace over pictures of noise; `extra` images are not part of the model."""
    model = make_model(images=13, points=300, camera="pinhole")
    names = tuple(rename(name) for name in model.names)
    model = dataclasses.replace(model, names=names)
    images = folder / "images"
    for i, name in enumerate(names):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(images / name), noise_image(i, 640, 480))
    workspace = Workspace.create(folder / "ws", images, [*names, *extra], HOLDOUT)
    model.save(workspace.model_path)
    workspace.record("map", {}, [workspace.model_path], {"models": 1})
    return workspace


def label(workspace: Workspace) -> None:
    steps.select_step(workspace, LANDMARKS)
    steps.label_step(workspace, "depth")


def pretend_training(workspace: Workspace) -> None:
    """What `train` and `export` leave behind, without the work."""
    (workspace.train_dir / "run" / "curves").mkdir(parents=True)
    (workspace.train_dir / "run" / "curves" / "metrics.csv").write_text(CURVES)
    network = network_files(workspace)[0]
    network.write_bytes(b"weights")
    shape = {"encoder": "efficientnet_lite0", "landmarks": LANDMARKS, "width": 512, "height": 384}
    workspace.record("train", {}, [network], {"steps": 15, "seconds": 3.0, "shape": shape})
    calibration = {"sigma_scale": 1.1, "coarse_scale": 1.4, "refined_scale": 1.2, "min_evidence": 3.2}
    inputs = steps._bundle_inputs(workspace)
    workspace.record("calibrate", steps._calibration_inputs(workspace), summary=calibration)
    sizes = {"network.onnx": 8_000_000, "manifest.json": 1500}
    workspace.record("export", inputs, summary={"bytes": sizes, "int8": {"median_px": 0.25, "missing": 0.01}})


def outcome(model: SfmModel, landmarks: Landmarks, index: int, off: float, condition_seed: int) -> Outcome:
    """Keypoints where the landmarks are, every fifth of them somewhere else, and a pose that is a little off."""
    true = model.camera_from_map[index]
    pixels = model.camera(index).project(true.apply(landmarks.positions_map))
    rows = np.flatnonzero(model.camera(index).contains(pixels))
    places = pixels[rows] + np.random.default_rng(condition_seed).normal(0, 1, (len(rows), 2))
    astray = np.arange(len(rows)) % 5 == 4
    places[astray] = (600, 20)
    found = Keypoints(rows, places, np.full(len(rows), 0.8), np.full(len(rows), 1.5))
    pose = SE3.from_rotation_vector([0, 0, np.radians(off)], [0.01 * off, 0, 0]) @ true
    return Outcome(model.names[index], None, off, 0.01 * off, off, 6.0 * off, TIMES, pose, found, ~astray)


def evaluate(workspace: Workspace, *, metric: bool = False) -> tuple[Score, ...]:
    """Scores as `reloc eval` writes them; the last image is lost when it is dark."""
    model, landmarks = SfmModel.load(workspace.model_path), Landmarks.load(workspace.landmarks_path)
    held = np.flatnonzero(workspace.is_held_out(model.names)).tolist()
    scores = []
    for seed, condition in enumerate(("clean", "dark")):
        ours = [outcome(model, landmarks, i, 0.2 + 0.1 * i, seed) for i in held]
        if condition == "dark":
            ours[-1] = Outcome(ours[-1].name, "no_consensus", None, None, None, None, TIMES)
        sift = [Outcome(o.name, None, 0.1, 0.001, 0.1, 30.0, {"detect": 90.0, "total": 100.0}) for o in ours]
        scores += [Score("reloc, onnx", condition, tuple(ours), metric)]
        scores += [Score("SIFT + LO-RANSAC", condition, tuple(sift), metric)]
    write_evaluation(workspace.evaluation_path, scores)
    workspace.record("evaluate", steps._bundle_inputs(workspace), [workspace.evaluation_path])
    return tuple(scores)


def set_metric(workspace: Workspace) -> None:
    """As `reloc align` leaves it."""
    file = workspace.path / "workspace.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"scale": "metric"}))


def advance(workspace: Workspace, state: str) -> None:
    """Bring a mapped workspace into a later state."""
    reached = ("mapped", "selected", "labelled", "trained", "evaluated").index(state)
    if reached >= 1:
        steps.select_step(workspace, LANDMARKS)
    if reached >= 2:
        label(workspace)
    if reached >= 3:
        pretend_training(workspace)
    if reached >= 4:
        evaluate(workspace)
