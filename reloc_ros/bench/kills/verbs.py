"""The verbs that are killed, in the order of the work, and what tells whether the result of each is whole."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reloc_ros.bundle import Bundle
from reloc_ros.demo.film.trajectories import CAMERA, mapping
from reloc_ros.demo.film.writer import film
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.inference.network import load_network
from reloc_ros.offline.landmarks.labels import Labels
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.places.parts import network_files
from reloc_ros.offline.steps import NetworkShape
from reloc_ros.offline.workspace import Workspace

RELOC = (sys.executable, "-m", "reloc_ros.cli")
FILM, OUT, WS = "film", "out", "ws"
"""Folders of the place where all of it happens."""
ALIKE = 0.3
"""Of figures that two runs of one verb may differ by."""


@dataclass(frozen=True)
class Verb:
    """One that is killed; its words are relative to the place."""

    name: str
    command: Sequence[str]
    facts: Callable[[Path], dict[str, Any]]
    """What must be as after a run that nobody killed, from the place: the same, or of numbers with a point about so."""
    until: str = ""
    """It is ended by SIGTERM once it has said this; empty: by itself."""


def make_film(folder: Path, pictures: int, width: int, height: int) -> None:
    """Photographs of the demo's room, small ones, and the truth of their poses by name."""
    walk = mapping(pictures)
    film(folder, reading_corner(), walk, CAMERA.resized(width, height), video=False)
    lines = [line for line in (folder / "truth.tum").read_text().splitlines() if not line.startswith("#")]
    named = [f"{index:05d}.jpg {line.split(' ', 1)[1]}" for index, line in enumerate(lines)]
    (folder / "truth.tum").write_text("\n".join(named) + "\n")


def verbs(steps: int, width: int) -> list[Verb]:
    """Args: steps, width: of the training."""
    workspace = ("-w", WS)
    camera, truth = f"{FILM}/cameras.txt", f"{FILM}/truth.tum"
    files = ("--poses", f"{OUT}/poses.json", "--tum", f"{OUT}/poses.tum", "--overlay", f"{OUT}/overlay.mp4")
    return [
        Verb("map", (*RELOC, "map", f"{FILM}/images", *workspace, "--camera", camera), _map),
        Verb("clean", (*RELOC, "clean", *workspace), _model),
        Verb("align", (*RELOC, "align", *workspace, "--trajectory", truth), _model),
        Verb("select", (*RELOC, "select", *workspace, "--count", "32"), _landmarks),
        Verb("web", (*RELOC, "web", *workspace, "--port", "0"), _landmarks, until="open this address"),
        Verb("edits", (sys.executable, "-m", "reloc_ros.bench.kills.editing", WS), _landmarks),
        Verb("label", (*RELOC, "label", *workspace), _labels),
        Verb("train", (*RELOC, "train", *workspace, "--steps", str(steps), "--width", str(width)), _network),
        Verb("eval", (*RELOC, "eval", *workspace, "--conditions", "clean"), _scores),
        Verb("export", (*RELOC, "export", *workspace, "-o", f"{OUT}/bundle"), _bundle),
        Verb("run", (*RELOC, "run", f"{OUT}/bundle", f"{FILM}/images", *files), _poses),
    ]


def problems(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Where facts differ from those of a run that was not killed, in words."""
    return [
        f"{key} is {found.get(key)!r}, not {value!r}"
        for key, value in expected.items()
        if not _is_alike(value, found.get(key))
    ]


def _is_alike(expected: Any, found: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, float):
        return abs(found - expected) <= ALIKE * abs(expected)
    return bool(expected == found)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def _map(place: Path) -> dict[str, Any]:
    workspace = Workspace.open(place / WS)
    model, noted = SfmModel.load(workspace.model_path), workspace.summary("map")
    return {
        "images": len(model.names),
        "noted images": noted["registered"],
        "grade": noted["grade"],
        "points": float(len(model.points_map)),
        "error": float(model.errors_px.mean()),
    }


def _model(place: Path) -> dict[str, Any]:
    workspace = Workspace.open(place / WS)
    model = SfmModel.load(workspace.model_path)
    return {
        "model": hashlib.sha256(model.points_map.round(6).tobytes()).hexdigest()[:16],
        "scale": workspace.scale,
    }


def _landmarks(place: Path) -> dict[str, Any]:
    return {"landmarks": _digest(Workspace.open(place / WS).landmarks_path)}


def _labels(place: Path) -> dict[str, Any]:
    return {"labels": len(Labels.load(Workspace.open(place / WS).labels_path).names)} | {
        "file": _digest(Workspace.open(place / WS).labels_path)
    }


def _network(place: Path) -> dict[str, Any]:
    noted = Workspace.open(place / WS).summary("train")
    load_network(network_files(Workspace(place / WS))[0], NetworkShape(**noted["shape"]))
    return {"steps": noted["steps"], "loss": float(noted["losses"]["loss"])}


def _scores(place: Path) -> dict[str, Any]:
    scores = json.loads((place / WS / "evaluation.json").read_text())["scores"]
    Bundle.load(place / WS / "bundle")
    return {"scores": [(score["method"], score["condition"], score["images"]) for score in scores]}


def _bundle(place: Path) -> dict[str, Any]:
    bundle = Bundle.load(place / OUT / "bundle")
    return {"files": sorted(file.name for file in bundle.path.iterdir()), "landmarks": len(bundle.landmarks)}


def _poses(place: Path) -> dict[str, Any]:
    poses = json.loads((place / OUT / "poses.json").read_text())
    return {"images": len(poses["images"]), "rows": len((place / OUT / "poses.tum").read_text().split("\n"))}
