"""Run every verb after `reloc map` on corridors of ever more images; say how time and memory grow."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from reloc_ros.bench.report import Grid
from reloc_ros.bench.scaling.corridor import TRAJECTORY

SIZES = (100, 400, 1600)
RUN = "run"
"""The copy of the workspace that the verbs are run in, since they do nothing twice."""
_RUNNER = """
import json, resource, subprocess, sys
code = subprocess.call([sys.executable, *sys.argv[1:]], stdout=sys.stderr)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""
"""A small process in between: the peak of a new one counts from what the one had that began it."""
_MAKE = """
import sys
from pathlib import Path
from reloc_ros.bench.scaling.corridor import make_workspace
make_workspace(Path(sys.argv[1]), int(sys.argv[2]))
"""
_OPEN_PAGE = """
import sys
from pathlib import Path
from reloc_ros.offline.picking.landmark_session import LandmarkSession
from reloc_ros.offline.picking.web import Page
from reloc_ros.offline.picking.web_guard import Guard
from reloc_ros.offline.workspace import Workspace
Page(LandmarkSession(Workspace.open(Path(sys.argv[1]))), Guard("localhost"), 0).stop()
"""
_RELOC = ("-m", "reloc_ros.cli")
VERBS: dict[str, tuple[str, ...]] = {
    "align": (*_RELOC, "align", "-w", "{ws}", "--trajectory", "{folder}/" + TRAJECTORY, "--up", "camera"),
    "clean": (*_RELOC, "clean", "-w", "{ws}"),
    "select": (*_RELOC, "select", "-w", "{ws}"),
    "label": (*_RELOC, "label", "-w", "{ws}"),
    "web": ("-c", _OPEN_PAGE, "{ws}"),
    "train": (*_RELOC, "train", "-w", "{ws}", "--steps", "8", "--width", "128"),
    "export": (*_RELOC, "export", "-w", "{ws}", "-o", "{folder}/bundle"),
    "eval": (*_RELOC, "eval", "-w", "{ws}"),
    "report": (*_RELOC, "report", "-w", "{ws}", "-o", "{folder}/report.html"),
}
"""Their arguments, in the order in which each needs the ones before. Training is of a few steps of small pictures:
steps are as many as one asks for, reading and encoding is what may grow with the images."""


def run_verb(verb: str, folder: Path) -> dict:
    """Wall and processor seconds of a verb in a process of its own, and the most memory that it had, in 10^6 bytes."""
    arguments = [part.format(ws=folder / RUN, folder=folder) for part in VERBS[verb]]
    started = time.perf_counter()
    with (folder / f"{verb}.log").open("wb") as log:
        told = subprocess.run([sys.executable, "-c", _RUNNER, *arguments], stdout=-1, stderr=log, check=True)
    code, cpu_s, peak_kib = json.loads(told.stdout)
    if code != 0:
        last = (folder / f"{verb}.log").read_text(encoding="utf-8").strip().splitlines()[-1:]
        print(f"{verb}: {' '.join(last) or code}", file=sys.stderr)
        raise typer.Exit(1)
    s = round(time.perf_counter() - started, 2)
    return {"verb": verb, "s": s, "cpu_s": round(cpu_s, 2), "peak_mb": round(1024e-6 * peak_kib)}


def exponent(images: list[int], values: list[float]) -> float:
    """Of the power by which values grow between the two largest numbers of images; what is constant weighs least."""
    (few, many), (less, more) = images[-2:], values[-2:]
    return float(np.log(more / less) / np.log(many / few))


def to_grid(rows: list[dict]) -> Grid:
    """A table of all rows, each of a verb at a number of images."""
    sizes = sorted({row["images"] for row in rows})
    lines = []
    for verb in dict.fromkeys(row["verb"] for row in rows):
        mine = {row["images"]: row for row in rows if row["verb"] == verb}
        line = [verb]
        for key in ("cpu_s", "peak_mb"):
            values = [mine[size][key] for size in sizes]
            line += [f"{value:.0f}" for value in values]
            line.append(f"{exponent(sizes, values):.2f}" if len(sizes) > 1 else "")
        lines.append(tuple(line))
    counts = [str(size) for size in sizes]
    headings = ("", *(f"s, {count}" for count in counts), "exp", *(f"MB, {count}" for count in counts), "exp")
    return Grid("Processor seconds and peak memory of each verb by images", headings, tuple(lines))


def main(
    sizes: Annotated[list[int] | None, typer.Argument(help="Numbers of images.", min=20)] = None,
    verbs: Annotated[str, typer.Option(help="In this order, comma-separated.")] = ",".join(VERBS),
    folder: Annotated[
        Path | None, typer.Option(help="Keep the corridors here, and go on with those that are here.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Add a line for each row here.")] = None,
) -> None:
    """Measure the verbs on corridors of ever more images of 1280x960, 300 KB each."""
    wanted = verbs.split(",")
    unknown = sorted(set(wanted) - set(VERBS))
    if unknown:
        raise typer.BadParameter(f"'{unknown[0]}' is not one of {', '.join(VERBS)}")
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for count in sorted(sizes or SIZES):
            place = (folder or Path(scratch)) / str(count)
            if not (place / "ws" / "model.npz").is_file():
                shutil.rmtree(place, ignore_errors=True)
                subprocess.run([sys.executable, "-c", _MAKE, str(place), str(count)], check=True)
            if wanted[0] == next(iter(VERBS)) or not (place / RUN).is_dir():
                shutil.rmtree(place / RUN, ignore_errors=True)
                shutil.copytree(place / "ws", place / RUN)
            for verb in wanted:
                rows.append({"images": count} | run_verb(verb, place))
                print(json.dumps(rows[-1]), flush=True)
                if json_file is not None:
                    with json_file.open("a", encoding="utf-8") as stream:
                        stream.write(json.dumps(rows[-1]) + "\n")
    grid = to_grid(rows)
    Console().print(grid.to_rich()) if sys.stdout.isatty() else print(grid.to_markdown())


if __name__ == "__main__":
    typer.run(main)
