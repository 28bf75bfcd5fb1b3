"""The model that a workspace holds: as reconstructed, as edited since, and as the steps after may know it.

The model as reconstructed is kept, and the model of the workspace is always made from it anew, without the removed
points and then moved. So cleaning or aligning twice does not compound, either can be undone alone, and the order
does not matter. Landmarks move along with the map.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import staged, write_json
from reloc_ros.io.nested_text import read_json
from reloc_ros.io.npz import read_npz
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.model.sfm import MAX_ERROR_PX, MIN_TRIANGULATION_ANGLE_DEG, SfmModel
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.sources.photographs import read_photo
from reloc_ros.offline.workspace import Workspace, fingerprint

FORMAT = 1
_KNOWN, _KNOWN_RULE = "model_known", (1, MAX_ERROR_PX, MIN_TRIANGULATION_ANGLE_DEG)
"""The name of the file that keeps `map_model`, and how that is made; a change of it counts the first number up."""
STEPS_OF_ANY_FRAME = ("select", "label", "calibrate", "calibrate_features")
"""Choosing and labelling landmarks depends on ratios alone, labels are pixels, and a calibration is of ratios."""


@dataclasses.dataclass(frozen=True, eq=False)
class RemovedPoints:
    """Points that the map is to be without."""

    ids: NDArray[np.int64]
    """(R,) ascending."""
    reasons: tuple[str, ...]
    """(R,) why, in a few words each."""

    @staticmethod
    def none() -> RemovedPoints:
        return RemovedPoints(np.zeros(0, dtype=np.int64), ())


def original_model(workspace: Workspace) -> SfmModel:
    """The model as it was reconstructed, held-out images included."""
    original = workspace.original_model_path
    return SfmModel.load(original if original.exists() else workspace.model_path)


def map_model(workspace: Workspace) -> SfmModel:
    """The model as the map may know it: without anything of the held-out images.

    It is worked out once and kept in the workspace, under a name that says of what.
    """
    model = SfmModel.load(workspace.model_path)
    held_out = workspace.is_held_out(model.names)
    if not held_out.any():
        return model
    made_from = {"model": workspace.model_path, "held_out": held_out, "rule": _KNOWN_RULE}
    file = workspace.path / f"{_KNOWN}-{fingerprint(made_from)[:16]}.npz"
    with contextlib.suppress(RelocError):  # absent, or damaged
        return SfmModel.load(file)
    known = model.without(held_out)
    known.save(file)
    for other in set(workspace.path.glob(f"{_KNOWN}-*.npz")) - {file}:
        other.unlink()
    return known


def read_map_photo(images_dir: Path, model: SfmModel, image: int) -> NDArray[np.uint8]:
    """An image of a model by its index, (H, W, 3), refused unless it has the size that the map was made from."""
    file, camera = images_dir / model.names[image], model.camera(image)
    photo = read_photo(file)
    if photo.shape[:2] != (camera.height, camera.width):
        raise RelocError(
            f"image {file} is {photo.shape[1]}x{photo.shape[0]}, but the map was made from "
            f"{camera.width}x{camera.height}; put the original back or map again"
        )
    return photo


def removed_points(workspace: Workspace) -> RemovedPoints:
    """The points of the original model that the map is without."""
    file = workspace.removed_points_path
    try:
        contents = read_npz(file)
        return RemovedPoints(contents["ids"], tuple(contents["reasons"].tolist()))
    except FileNotFoundError:
        return RemovedPoints.none()
    except (ValueError, KeyError, TypeError) as error:
        raise RelocError(f"'{file}' is damaged; run reloc clean --undo -w {workspace.path}") from error


def map_from_sfm(workspace: Workspace) -> Similarity:
    """The frame of the map in that of the original model."""
    facts = frame_facts(workspace)
    return Similarity.identity() if facts is None else Similarity.from_json(facts["map_from_sfm"])


def frame_facts(workspace: Workspace) -> dict[str, Any] | None:
    """What `reloc align` noted of the map frame; None for the frame of the reconstruction."""
    file = workspace.map_frame_path
    if not file.is_file():
        return None
    try:
        facts = read_json(file)
        if facts["format"] != FORMAT:
            raise RelocError(f"'{file}' has format {facts['format']!r}, this version reads {FORMAT}")
        Similarity.from_json(facts["map_from_sfm"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RelocError(
            f"'{file}' is damaged; put it back, or run reloc map again in a new folder"
        ) from error
    return facts


def frame_summary(facts: Mapping[str, Any] | None) -> dict[str, Any]:
    """The few facts of map_frame.json that travel with a bundle: origin, axes, and what scale and up come from."""
    if facts is None:
        return {"origin": "that of the reconstruction", "axes": "those of the reconstruction"}
    summary = {"origin": facts["origin"], "axes": facts["axes"]}
    for kind, fields in (("scale", ("metres_per_unit", "standard_error")), ("up", ("standard_error_deg",))):
        if facts[kind]:
            summary[kind] = {key: facts[kind][0][key] for key in ("source", *fields)}
    return summary


def write_removed_points(workspace: Workspace, removed: RemovedPoints, summary: Mapping[str, Any]) -> None:
    """Make the map anew without these points, and only these; its frame stays."""
    with staged(workspace.path) as folder:
        _write_model(workspace, folder, removed, map_from_sfm(workspace))
        with (folder / workspace.removed_points_path.name).open("wb") as stream:
            np.savez_compressed(stream, ids=removed.ids, reasons=np.array(removed.reasons, dtype=np.str_))
        workspace.write_moved(folder, workspace.scale, {}, (), "clean", _outputs(workspace), summary)


def write_map_frame(workspace: Workspace, facts: Mapping[str, Any], scale: str) -> None:
    """Move the map, its landmarks and poses, to another frame.

    What was selected, labelled and trained stays valid, as far as it was.

    Args:
        facts: for map_frame.json, see `frame_summary`.
        scale: "metric" or "unknown".
    """
    before, now = map_from_sfm(workspace), Similarity.from_json(facts["map_from_sfm"])
    with staged(workspace.path) as folder:
        _write_model(workspace, folder, removed_points(workspace), now)
        moved = {workspace.model_path: folder / workspace.model_path.name}
        if workspace.landmarks_path.exists():
            landmarks = Landmarks.load(workspace.landmarks_path)
            moved[workspace.landmarks_path] = folder / workspace.landmarks_path.name
            _move_landmarks(landmarks, now @ before.inverse()).save(moved[workspace.landmarks_path])
        write_json(
            folder / workspace.map_frame_path.name, {"format": FORMAT, "kind": "reloc map frame", **facts}
        )
        workspace.write_moved(
            folder, scale, moved, STEPS_OF_ANY_FRAME, "align", _outputs(workspace), frame_summary(facts)
        )


def write_extended_map(
    workspace: Workspace,
    extended: SfmModel,
    images_dir: Path,
    image_names: Sequence[str],
    held_out: Set[str],
    summary: Mapping[str, Any],
) -> None:
    """Put a model with further images in the place of the original one; what was removed and the frame stay.

    Args:
        extended: the original model, see `original_model`, with further images.
        images_dir: of all images.
        image_names: all, placed or not.
        held_out: those of the further ones that are held out.
        summary: of the step that maps.
    """
    removed, frame = removed_points(workspace), map_from_sfm(workspace)
    is_edited = workspace.original_model_path.exists()
    with staged(workspace.path) as folder:
        if is_edited:
            extended.save(folder / workspace.original_model_path.name)
            extended = extended.without_points(removed.ids).transformed(frame)
        extended.save(folder / workspace.model_path.name)
        workspace.write_extended(folder, images_dir, image_names, held_out, summary)


def forget_edits(workspace: Workspace) -> None:
    """For a workspace whose map is about to be another one."""
    for file in (
        workspace.removed_points_path,
        workspace.map_frame_path,
        workspace.original_model_path,
        workspace.pruned_path,
    ):
        file.unlink(missing_ok=True)


def _write_model(workspace: Workspace, folder: Path, removed: RemovedPoints, frame: Similarity) -> None:
    original = workspace.original_model_path
    if not original.exists():
        original = folder / workspace.original_model_path.name
        shutil.copyfile(workspace.model_path, original)
    target = folder / workspace.model_path.name
    if len(removed.ids) == 0 and frame.to_json() == Similarity.identity().to_json():
        shutil.copyfile(original, target)  # byte for byte, so that what was made from it is current again
    else:
        SfmModel.load(original).without_points(removed.ids).transformed(frame).save(target)


def _outputs(workspace: Workspace) -> list[Path]:
    return [workspace.model_path, workspace.original_model_path]


def _move_landmarks(landmarks: Landmarks, new_from_old: Similarity) -> Landmarks:
    return dataclasses.replace(
        landmarks,
        positions_map=new_from_old.apply(landmarks.positions_map),
        directions_map=landmarks.directions_map @ new_from_old.rotation.T,
    )
