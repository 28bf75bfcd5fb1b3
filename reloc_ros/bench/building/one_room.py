"""What a map of a whole building costs an image of one of its rooms, beside a map of that room alone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from reloc_ros.bench.building.make import TRUTH, write_workspace
from reloc_ros.bench.building.score import is_right, pose_of
from reloc_ros.errors import RelocError
from reloc_ros.io.nested_text import read_json
from reloc_ros.localizer import Localized, Localizer
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.workspace import Workspace

TURNS = 3
app = typer.Typer(help=__doc__)
Building = Annotated[Path, typer.Argument(help="Folder of the building.", show_default=False)]
Room = Annotated[str, typer.Argument(help="Name of the room: south2, say.", show_default=False)]


@app.command("map")
def map_room(building: Building, room: Room) -> None:
    """Make the workspace BUILDING/ROOM of the room's images alone, at the building's poses and in its frame."""
    path = building / room
    if path.exists():
        raise RelocError(f"'{path}' is there already")
    whole = SfmModel.load(Workspace(building / "ws").model_path)
    places = {name: entry["place"] for name, entry in read_json(building / TRUTH)["images"].items()}
    elsewhere = np.array([places[name] != room for name in whole.names])
    if elsewhere.all():
        raise RelocError(f"the building has no room '{room}', but {', '.join(sorted(set(places.values())))}")
    write_workspace(path, building, whole.without(elsewhere))
    typer.echo(f"'{path}' is a map of {(~elsewhere).sum()} images; next: reloc select -w {path}")


@app.command()
def compare(
    building: Building,
    room: Room,
    bundle: Annotated[Path, typer.Argument(help="Of the building.", show_default=False)],
    own: Annotated[Path, typer.Argument(help="Of the room alone.", show_default=False)],
) -> None:
    """Localize the room's queries by either bundle in turn, and tell the median times and their ratio."""
    queries = read_json(building / TRUTH)["queries"]
    asked = {name: entry for name, entry in sorted(queries.items()) if entry["place"] == room}
    if not asked:
        raise RelocError(f"the building has no query in a room '{room}'")
    pictures = [cv2.imread(str(building / "queries" / name)) for name in asked]
    localizers = {"building": Localizer.from_bundle(bundle), "room": Localizer.from_bundle(own)}
    times_s: dict[str, list[float]] = {name: [] for name in localizers}
    right = dict.fromkeys(localizers, 0)
    for turn in range(TURNS + 1):  # the first, in which engines start, is not counted
        for picture, true in zip(pictures, map(pose_of, asked.values()), strict=True):
            for name, localizer in localizers.items():
                started = time.perf_counter()
                result = localizer.localize(picture)
                if turn:
                    times_s[name].append(time.perf_counter() - started)
                    right[name] += isinstance(result, Localized) and is_right(result.camera_from_map, true)
    medians_s = {name: float(np.median(times)) for name, times in times_s.items()}
    for name, median_s in medians_s.items():
        share = right[name] / len(times_s[name])
        typer.echo(f"{name:8s} {1e3 * median_s:6.1f} ms in the median, {share:.0%} of {len(asked)} right")
    typer.echo(f"ratio {medians_s['building'] / medians_s['room']:.2f}")


if __name__ == "__main__":
    try:
        app()
    except RelocError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(1) from error
