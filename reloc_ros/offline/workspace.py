"""The workspace: the folder that the offline steps share, and that remembers what each was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import finish_commit, write_json
from reloc_ros.io.nested_text import read_json
from reloc_ros.offline.model.holdout import parse_holdout

FORMAT = 1
SCALES = ("unknown", "metric")
_BEFORE_THE_FACTS = {"frames", "judged", "sfm"}
"""What an interrupted first `reloc map` leaves in a folder that is to become a workspace."""
_LEFTOVERS = (".new-*", ".old-*")
"""What a killed one leaves besides, see `atomic_path`."""


def _file(name: str, doc: str) -> Any:
    """A property: the path of a file or folder of the workspace."""
    return property(lambda workspace: workspace.path / name, doc=doc)


@dataclass(frozen=True)
class Workspace:
    """A workspace folder. Its facts live in workspace.json alone and are read from there each time."""

    path: Path

    @classmethod
    def create(
        cls,
        path: str | Path,
        images_dir: str | Path,
        image_names: Sequence[str],
        holdout: str,
        copies: Set[str] = frozenset(),
    ) -> Workspace:
        """Start a workspace over these images, or an existing one afresh: its files stay, not its steps.

        Args:
            copies: images that are held out besides, as they show the same as those of `holdout`.
        """
        path = Path(path)
        if path.exists() and not path.is_dir():
            raise RelocError(f"workspace '{path}' is a file; a folder is needed")
        started = cls(path)._facts_path.exists()
        left = {file.name for pattern in _LEFTOVERS for file in path.glob(pattern)}
        found = {file.name for file in path.iterdir()} if path.is_dir() else set()
        if not started and found - _BEFORE_THE_FACTS - left:
            raise RelocError(f"'{path}' is not empty and not a workspace; name a new or empty folder")
        workspace = cls(path.absolute())
        finish_commit(workspace.path)
        if started:
            workspace._facts()  # refuse to overwrite a newer or damaged one
        names = sorted(image_names)
        held_out = parse_holdout(holdout).is_held_out(names)
        facts = {
            "format": FORMAT,
            "kind": "reloc workspace",
            "images": str(Path(images_dir).absolute()),
            "image_names": names,
            "holdout": holdout,
            "held_out": [name for name, held in zip(names, held_out, strict=True) if held or name in copies],
            "scale": "unknown",
            "steps": {},
        }
        write_json(workspace._facts_path, facts)
        return workspace

    @classmethod
    def open(cls, path: str | Path) -> Workspace:
        """Open a workspace that `reloc map` made; anything else is refused with a sentence."""
        workspace = cls(Path(path).absolute())
        finish_commit(workspace.path)
        workspace._facts()
        return workspace

    @property
    def images_dir(self) -> Path:
        """Where the photographs, or the frames taken from a video, are."""
        return Path(self._facts()["images"])

    @property
    def image_names(self) -> tuple[str, ...]:
        """All the images, registered or not, in name order."""
        return tuple(self._facts()["image_names"])

    @property
    def holdout(self) -> str:
        """The hold-out as the user wrote it."""
        return self._facts()["holdout"]

    @property
    def scale(self) -> str:
        """'metric' once the map has been aligned to metres, else 'unknown'."""
        return self._facts()["scale"]

    model_path = _file(
        "model.npz", "The SfM model of all registered images, held-out ones included, in the map frame."
    )
    original_model_path = _file(
        "model_original.npz",
        "The model as it was reconstructed, see `workspace_model`; absent while `model_path` is just that.",
    )
    removed_points_path = _file(
        "removed_points.npz", "The points of the original model that `reloc clean` took out."
    )
    map_frame_path = _file("map_frame.json", "How `reloc align` defined the map frame.")
    landmarks_path = _file("landmarks.npz", "The landmarks that `reloc select` chose, in the map frame.")
    labels_path = _file("labels.npz", "What `reloc label` found each map image to show of them.")
    pruned_path = _file(
        "pruned.json", "What of the landmarks `reloc prune` found to have moved, see `pruned`."
    )
    train_dir = _file("train", "The network and the runs that trained it.")
    evaluation_path = _file("evaluation.json", "What `reloc eval` measured last.")
    _facts_path = _file("workspace.json", "The facts.")

    def is_held_out(self, names: Iterable[str]) -> np.ndarray:
        """Say for each of some of the images whether it is held out: (N,) bool."""
        held_out = set(self._facts()["held_out"])
        return np.array([name in held_out for name in names], dtype=bool)

    def is_current(self, step: str, inputs: Mapping[str, Any]) -> bool:
        """Whether the step was finished with exactly these inputs and all it wrote is still there."""
        record = self._facts()["steps"].get(step)
        if record is None or not all((self.path / output).exists() for output in record["outputs"]):
            return False
        if "inputs" not in record:  # written before each input was noted by itself
            return record["fingerprint"] == fingerprint(inputs)
        return record["inputs"] == _fingerprints(inputs)

    def has_changed(self, step: str, key: str, value: Any) -> bool:
        """Whether a finished step is known to have had another value for one of its inputs."""
        record = self._facts()["steps"].get(step, {})
        noted = record.get("inputs", {}).get(key)
        return noted is not None and noted != fingerprint({key: value})

    def record(
        self,
        step: str,
        inputs: Mapping[str, Any],
        outputs: Iterable[str | Path] = (),
        summary: Mapping[str, Any] | None = None,
    ) -> None:
        """Note that the step is finished.

        Args:
            inputs: whatever the result depends on, see `fingerprint`.
            outputs: what the step wrote, inside the workspace.
            summary: JSON values worth telling later, given back by `summary`.
        """
        facts = self._facts()
        facts["steps"][step] = self._entry(inputs, outputs, summary)
        write_json(self._facts_path, facts)

    def write_moved(
        self,
        staged: Path,
        scale: str,
        moved: Mapping[Path, Path],
        carried: Iterable[str],
        step: str,
        outputs: Iterable[Path],
        summary: Mapping[str, Any],
    ) -> None:
        """Write to a folder the facts as they are once the map has moved to another frame.

        What was finished with a file of the old frame counts as finished with that file in the new one; what
        was out of date stays so.

        Args:
            staged: takes workspace.json, see `commit`.
            scale: of the map in its new frame, one of `SCALES`.
            moved: from files of the workspace to those that will take their place.
            carried: the steps whose results do not depend on the frame, or move with it.
            step: that moved the map, to be noted as finished, with its outputs and summary as in `record`.
        """
        if scale not in SCALES:
            raise ValueError(f"scale is one of {SCALES}, not {scale!r}")
        facts = self._facts() | {"scale": scale}
        for name in facts["steps"].keys() & set(carried):
            inputs = facts["steps"][name].get("inputs", {})
            for key in inputs:
                for old, new in moved.items():
                    if inputs[key] == fingerprint({key: old}):
                        inputs[key] = fingerprint({key: new})
                        break
        facts["steps"][step] = self._entry({}, outputs, summary)
        write_json(staged / self._facts_path.name, facts)

    def write_extended(
        self,
        staged: Path,
        images_dir: Path,
        image_names: Sequence[str],
        held_out: Set[str],
        summary: Mapping[str, Any],
    ) -> None:
        """Write to a folder the facts as they are once the map has further images, see `write_moved`."""
        facts = self._facts()
        facts |= {
            "images": str(images_dir.absolute()),
            "image_names": sorted(image_names),
            "held_out": sorted({*facts["held_out"], *held_out}),
        }
        facts["steps"]["map"]["summary"] = dict(summary)
        write_json(staged / self._facts_path.name, facts)

    def _entry(
        self, inputs: Mapping[str, Any], outputs: Iterable[str | Path], summary: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        return {
            "inputs": _fingerprints(inputs),
            "outputs": [str((self.path / output).relative_to(self.path)) for output in outputs],
            "summary": dict(summary or {}),
        }

    def summary(self, step: str) -> dict[str, Any] | None:
        """What the step noted about its result, or None when it has not been finished."""
        record = self._facts()["steps"].get(step)
        return None if record is None else record["summary"]

    def _facts(self) -> dict[str, Any]:
        file = self._facts_path
        if not file.is_file():
            raise RelocError(
                f"'{self.path}' is not a workspace (it has no workspace.json); run `reloc map` first"
            )
        try:
            facts = read_json(file)
        except (OSError, ValueError) as error:
            raise RelocError(
                f"'{file}' is damaged ({error}); run `reloc map` again in a new folder"
            ) from error
        if not isinstance(facts, dict) or facts.get("kind") != "reloc workspace":
            raise RelocError(f"'{file}' is not a reloc workspace file")
        if facts.get("format") != FORMAT:
            raise RelocError(
                f"'{file}' has format {facts.get('format')!r}, this version reads {FORMAT}; "
                "use the version that wrote it or map again in a new folder"
            )
        missing = {"images", "image_names", "holdout", "held_out", "scale", "steps"} - facts.keys()
        if missing:
            raise RelocError(
                f"'{file}' is damaged: it lacks '{min(missing)}'; run `reloc map` again in a new folder"
            )
        return facts


def fingerprint(inputs: Mapping[str, Any]) -> str:
    """A hash of a step's inputs: JSON values, dataclasses, arrays, and paths.

    A path to a file counts by its contents, a path to a folder by the names, sizes and times of the files
    in it, a missing path as missing.
    """
    text = json.dumps(dict(inputs), sort_keys=True, separators=(",", ":"), default=_as_json)
    return hashlib.sha256(text.encode()).hexdigest()


def _fingerprints(inputs: Mapping[str, Any]) -> dict[str, str]:
    return {key: fingerprint({key: value}) for key, value in inputs.items()}


def _as_json(value: Any) -> Any:
    """What stands in JSON for a value that JSON does not know."""
    if isinstance(value, Path):
        return _contents(value)
    if isinstance(value, np.ndarray):
        contents = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return ["array", value.dtype.str, list(value.shape), contents]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return asdict(value)


def _contents(path: Path) -> list[Any]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        stats = [
            (str(file.relative_to(path)), file.stat().st_size, file.stat().st_mtime_ns) for file in files
        ]
        return ["folder", stats]
    if path.is_file():
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        return ["file", digest.hexdigest()]
    return ["missing"]
