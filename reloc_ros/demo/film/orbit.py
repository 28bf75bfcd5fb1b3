"""`python -m reloc_ros.demo.film.orbit FOLDER`: film a cluttered room all around, to measure how a map of it does.

Each view shows a small part of the place, so few landmarks serve no view well. The folder then holds `images` and,
from the poses that the renderer knows, a COLMAP model: `reloc map FOLDER/images --model FOLDER/model -w FOLDER/map`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from reloc_ros.demo.film.posed_map import triangulate_film
from reloc_ros.demo.film.trajectories import orbit
from reloc_ros.demo.film.writer import film
from reloc_ros.demo.scene.cluttered_room import MIDDLE_MAP, cluttered_room
from reloc_ros.errors import RelocError


def main(
    folder: Annotated[Path, typer.Argument(help="Where to put the pictures, their truth and the model.")],
    frames: Annotated[int, typer.Option(min=20, help="Pictures.")] = 120,
) -> None:
    """Film a cluttered room all around."""
    scene, trajectory = cluttered_room(), orbit(MIDDLE_MAP, frames)
    try:
        film(folder, scene, trajectory, video=False)
        triangulate_film(folder / "images", folder / "model", scene, trajectory)
    except RelocError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(RelocError.EXIT_CODE) from None


if __name__ == "__main__":
    typer.run(main)
