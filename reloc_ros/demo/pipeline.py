"""From a film of the room to a bundle, by the same `reloc` commands that anybody would use."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from reloc_ros.demo.film.trajectories import mapping
from reloc_ros.demo.film.writer import film
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path

EMBEDDED_BUNDLE = Path(__file__).parent / "bundle"
"""Made by `commands`, and nothing else."""


def commands(folder: Path, bundle: Path, minutes: float | None = None) -> list[list[str]]:
    """The arguments of each `reloc` call, in order; `minutes` is the training's budget."""
    filmed, workspace = folder / "film", ["-w", str(folder / "workspace")]
    budget = [] if minutes is None else ["--minutes", f"{minutes:g}"]
    return [
        ["map", str(filmed / "video.avi"), *workspace, "--camera", str(filmed / "cameras.txt")],
        ["align", *workspace, "--trajectory", str(filmed / "truth.tum")],
        ["select", *workspace],
        ["label", *workspace],
        ["train", *workspace, *budget],
        ["eval", *workspace, "--json", str(folder / "scores.json")],
        ["export", *workspace, "-o", str(bundle)],
    ]


def make_bundle(folder: Path, console: Console, minutes: float | None = None) -> Path:
    """Film the room, map it, train and export; what an earlier run has done is kept.

    Raises:
        RelocError: a step failed; its own words have been printed.
    """
    reloc, bundle, times = _reloc(), folder / "bundle", []

    def timed(name: str, step: Callable[[], None]) -> None:
        start_s = time.monotonic()
        step()
        times.append((name, time.monotonic() - start_s))

    console.print("filming the walk through the room: video.avi, cameras.txt and truth.tum")
    timed("film", lambda: _film_once(folder / "film"))
    for arguments in commands(folder, bundle, minutes):
        console.print(f"$ reloc {' '.join(arguments)}", style="bold", highlight=False, soft_wrap=True)
        timed(arguments[0], lambda words=(reloc, *arguments): _run(words))
    console.print(_times_table(times))
    return bundle


def _film_once(folder: Path) -> None:
    if not (folder / "video.avi").exists():
        with atomic_path(folder) as temporary:
            film(temporary, reading_corner(), mapping())


def _reloc() -> str:
    """The command beside this python, or on the path."""
    found = shutil.which("reloc", path=str(Path(sys.executable).parent)) or shutil.which("reloc")
    if found is None:
        raise RelocError("the command reloc was not found; run scripts/setup and . .venv/setup.bash")
    return found


def _run(command: tuple[str, ...]) -> None:
    code = subprocess.run(command, check=False).returncode
    if code == 130:
        raise KeyboardInterrupt
    if code != 0:
        raise RelocError(f"reloc {command[1]} ended with code {code}; its words are above")


def _times_table(times: list[tuple[str, float]]) -> Table:
    table = Table(title="From film to bundle", title_justify="left", box=None)
    table.add_column("step")
    table.add_column("time, s", justify="right")
    for name, time_s in [*times, ("all", sum(time_s for _, time_s in times))]:
        table.add_row(name, f"{time_s:.0f}")
    return table
