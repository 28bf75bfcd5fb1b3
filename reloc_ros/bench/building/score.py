"""Score poses of a building's pictures: recall, what was placed in the twin of its room, and the time."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from reloc_ros.bench.building.make import TRUTH
from reloc_ros.bench.building.rooms import Building
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.io.nested_text import read_json
from reloc_ros.offline.measuring.scores import (
    CHI_SQUARE_95,
    MAX_POSITION_M,
    MAX_ROTATION_DEG,
    normalised_error_squared,
)

_FAR_M = 0.5
"""A pose so far off is of another place than the picture, or as bad."""
_RADIANS_PER_M = np.pi / 6


@dataclasses.dataclass(frozen=True)
class Found:
    """What was found of one picture."""

    name: str
    reason: str | None
    """Why it was lost; None when it was localized."""
    camera_from_map: SE3 | None
    ms: float
    covariance: NDArray[np.float64] | None = None
    """(6, 6) as of `Localized`; of evaluations it is not known."""


@dataclasses.dataclass(frozen=True)
class Tally:
    """What became of some pictures of a building."""

    images: int
    recall: float
    """Share within 5 cm and 5 degrees."""
    lost: dict[str, int]
    """By reason."""
    in_twin: tuple[str, ...]
    """Pictures of either twin room that were placed in the other one."""
    far: tuple[str, ...]
    """Pictures placed more than half a metre off, in the twin or elsewhere."""
    p50_ms: float


def read_found(path: Path) -> list[Found]:
    """What poses.json of `reloc run` or evaluation.json of `reloc eval` (plain pictures) tells."""
    try:
        facts = read_json(path)
        if "scores" in facts:
            images = {each["name"]: each for each in facts["scores"][0]["outcomes"]}
        else:
            images = facts["images"]
        return [_found(name, entry) for name, entry in images.items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise RelocError(
            f"'{path}' is neither poses.json of reloc run nor evaluation.json of a workspace"
        ) from error


def _found(name: str, entry: dict[str, Any]) -> Found:
    ms = entry["latency_ms"] if "latency_ms" in entry else entry["stage_ms"]["total"]
    found = entry["camera_from_map"] and pose_of(entry)
    covariance = entry.get("covariance")
    return Found(name, entry["reason"], found, float(ms), covariance and np.array(covariance, np.float64))


def tally(truth: dict[str, Any], found: Iterable[Found]) -> dict[str, Tally]:
    """What became of all pictures, of those of the twin rooms (`twins`), and of those of each session and place."""
    building, known = Building(truth["columns"]), truth["images"] | truth["queries"]
    groups: dict[str, list[tuple[Found, SE3, str]]] = collections.defaultdict(list)
    for each in found:
        if each.name not in known:
            raise RelocError(f"'{each.name}' is no picture of this building")
        entry = known[each.name]
        place = entry["place"]
        row = each, pose_of(entry), place
        for group in (
            "all",
            *(["twins"] if place in building.twins else []),
            f"session {entry['session']}",
            place,
        ):
            groups[group].append(row)
    return {group: _tally(building, rows) for group, rows in groups.items()}


def _tally(building: Building, rows: list[tuple[Found, SE3, str]]) -> Tally:
    placed = [(each, true, place) for each, true, place in rows if each.camera_from_map is not None]
    right, far, in_twin = 0, [], []
    for each, true, place in placed:
        off_m = center_error(each.camera_from_map, true)
        right += is_right(each.camera_from_map, true)
        if off_m > _FAR_M:
            far.append(each.name)
            at = building.place_of(each.camera_from_map.center)
            if place in building.twins and at in building.twins and at != place:
                in_twin.append(each.name)
    lost = collections.Counter(each.reason for each, _, _ in rows if each.reason is not None)
    times = [each.ms for each, _, _ in rows]
    return Tally(
        len(rows), right / len(rows), dict(lost), tuple(in_twin), tuple(far), float(np.median(times))
    )


@dataclasses.dataclass(frozen=True)
class Honesty:
    """What the covariances of some poses are worth."""

    nearest_m: float
    farthest_m: float
    """From the nearest mapped image, of which 30 degrees of turning count as a metre."""
    poses: int
    within_95: float
    """Share of the errors that lie in the 95 % region."""


def by_viewpoint(truth: dict[str, Any], found: Iterable[Found]) -> list[Honesty]:
    """The honesty of poses near to mapped images, farther, and farthest: a third of them each."""
    mapped = [pose_of(entry) for name, entry in truth["images"].items() if name not in truth["held_out"]]
    centers, axes = np.array([p.center for p in mapped]), np.array([p.rotation[2] for p in mapped])
    known, rows = truth["images"] | truth["queries"], []
    for each in found:
        if each.camera_from_map is not None and each.covariance is not None:
            true = pose_of(known[each.name])
            turned = np.arccos(np.clip(axes @ true.rotation[2], -1, 1))
            far_m = np.min(np.linalg.norm(centers - true.center, axis=1) + turned / _RADIANS_PER_M)
            rows.append((far_m, normalised_error_squared(each.camera_from_map, each.covariance, true)))
    thirds = np.array_split(np.array(sorted(rows)).reshape(-1, 2), 3)
    return [
        Honesty(*part[[0, -1], 0], len(part), float(np.mean(part[:, 1] < CHI_SQUARE_95)))
        for part in thirds
        if len(part)
    ]


def pose_of(entry: dict[str, Any]) -> SE3:
    """camera_from_map as a building's truth, poses.json and evaluation.json write it."""
    pose = entry["camera_from_map"]
    return SE3.from_quaternion_wxyz(pose["rotation_wxyz"], pose["translation"])


def is_right(found: SE3, true: SE3) -> bool:
    """Whether a pose in metres is as near to the true one as recall asks for."""
    return center_error(found, true) < MAX_POSITION_M and rotation_error_deg(found, true) < MAX_ROTATION_DEG


def main(
    folder: Annotated[Path, typer.Argument(help="Of the building.", show_default=False)],
    poses: Annotated[
        Path, typer.Argument(help="poses.json of reloc run, or evaluation.json.", show_default=False)
    ],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here as well.")] = None,
) -> None:
    """Say what share of a building's pictures is within 5 cm and 5 degrees, and which are in the twin room."""
    try:
        truth, found = read_json(folder / TRUTH), read_found(poses)
        tallies = tally(truth, found)
    except (RelocError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    for group, figures in tallies.items():
        lost = ", ".join(f"{count} {reason}" for reason, count in sorted(figures.lost.items())) or "none"
        typer.echo(
            f"{group:10s} {figures.images:5d} images: {100 * figures.recall:5.1f} % right, "
            f"{len(figures.in_twin)} in the twin, {len(figures.far)} far off, lost: {lost}; p50 {figures.p50_ms:.0f} ms"
        )
    for part in by_viewpoint(truth, found):
        typer.echo(
            f"{part.nearest_m:.2f} to {part.farthest_m:.2f} m from a mapped image: the 95 % region holds "
            f"{part.within_95:.0%} of {part.poses} poses"
        )
    if json_file is not None:
        json_file.write_text(json.dumps({k: dataclasses.asdict(v) for k, v in tallies.items()}, indent=1))


if __name__ == "__main__":
    typer.run(main)
