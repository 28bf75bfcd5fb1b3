"""`python -m reloc_ros.bench.labels -w WORKSPACE`: which visibility test is right how often.

The workspace is a map of the room that `python -m reloc_ros.demo.film.orbit` films: its renderer knows what hides what.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from reloc_ros.bench.report import Grid
from reloc_ros.demo.scene.cluttered_room import cluttered_room
from reloc_ros.demo.scene.faces import Face
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.errors import RelocError
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.labels import Visibility, observed_landmarks
from reloc_ros.offline.landmarks.visibility import label_images
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.workspace_model import map_model
from reloc_ros.offline.workspace import Workspace

States = NDArray[np.int8]

SAME_DEPTH = 0.02
"""Relative depth difference within which a landmark lies on the surface that a pixel shows; twice that hides it."""
AROUND_PX = 2
"""The surface must be so all around the pixel: a landmark at an edge may be on either side."""
FITS = 0.5
"""Of what was matched the renderer must say so often that it is seen, or the map is not of this room."""


def true_visibility(model: SfmModel, landmarks: Landmarks, faces: Sequence[Face]) -> States:
    """(I, K) what the renderer says of each landmark in each image; UNKNOWN outside the image and near an edge."""
    renderers = {key: Renderer(faces, lens, supersampling=1) for key, lens in model.cameras.items()}
    steps = np.arange(-AROUND_PX, AROUND_PX + 1)
    right, down = (step.ravel() for step in np.meshgrid(steps, steps))
    states = np.full((len(model.names), len(landmarks)), Visibility.UNKNOWN, dtype=np.int8)
    for index, pose in enumerate(model.camera_from_map):
        camera = model.camera(index)
        depths = renderers[int(model.camera_ids[index])].render(pose).depths
        here = pose.apply(landmarks.positions_map)
        pixels = camera.project(here)
        rows = np.flatnonzero(camera.contains(pixels))
        x, y = np.rint(pixels[rows]).astype(int).T
        around = depths[
            np.clip(y[:, None] + down, 0, camera.height - 1), np.clip(x[:, None] + right, 0, camera.width - 1)
        ]
        ratios = around / here[rows, 2:]
        states[index, rows[(ratios < 1 - 2 * SAME_DEPTH).all(axis=1)]] = Visibility.HIDDEN
        states[index, rows[(np.abs(ratios - 1) < SAME_DEPTH).all(axis=1)]] = Visibility.SEEN
    return states


@dataclass(frozen=True)
class Agreement:
    """How labels compare with the truth, as shares; NaN where there is nothing to compare."""

    precision: float
    """Of those labelled so, how many are."""
    recall: float
    """Of those that are so, how many are labelled so."""

    @staticmethod
    def of(labels: States, truth: States, state: Visibility) -> Agreement:
        """Of one state, among the pairs whose truth is known."""
        known = truth != Visibility.UNKNOWN
        said, so = known & (labels == state), known & (truth == state)
        right = np.count_nonzero(said & so)
        return Agreement(_share(right, np.count_nonzero(said)), _share(right, np.count_nonzero(so)))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def compare(workspace: Workspace, voxel_sizes: list[float], faces: Sequence[Face]) -> Grid:
    """Label by every test and compare, among the pairs of image and landmark that no feature match decided."""
    model, landmarks = map_model(workspace), Landmarks.load(workspace.landmarks_path)
    truth = true_visibility(model, landmarks, faces)
    observed = observed_landmarks(model, landmarks)
    if np.mean(truth[observed] == Visibility.SEEN) < FITS:
        raise RelocError(
            f"workspace {workspace.path} is not a map of the rendered room in its own frame; film it with "
            "python -m reloc_ros.demo.film.orbit and map its images with --model"
        )
    undecided = np.where(observed, Visibility.UNKNOWN, truth)
    rows = []
    for method, size in [("appearance", 0.0), ("depth", 0.0), *(("voxels", size) for size in voxel_sizes)]:
        start_s = time.perf_counter()
        sized = {"voxel_size": size} if size else {}
        labels = label_images(model, landmarks, method, workspace.images_dir, **sized).visibility
        took_s = time.perf_counter() - start_s
        seen, hidden = (Agreement.of(labels, undecided, s) for s in (Visibility.SEEN, Visibility.HIDDEN))
        unknown = np.mean(labels[undecided != Visibility.UNKNOWN] == Visibility.UNKNOWN)
        shares = (seen.precision, seen.recall, hidden.precision, hidden.recall, unknown)
        name = f"{method}, {100 * size:g} %" if size else method
        rows.append((name, *(f"{100 * share:.1f} %" for share in shares), f"{took_s:.1f}"))
    counts = {s: np.count_nonzero(undecided == s) for s in (Visibility.SEEN, Visibility.HIDDEN)}
    title = (
        f"{len(model.names)} images, {len(landmarks)} landmarks: {counts[Visibility.SEEN]} pairs truly seen and "
        f"{counts[Visibility.HIDDEN]} hidden, beside {np.count_nonzero(observed)} that were matched"
    )
    headings = ("", "seen: precision", "recall", "hidden: precision", "recall", "unknown", "s")
    return Grid(title, headings, tuple(rows))


def main(
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="A map of the filmed room.")],
    voxel_sizes: Annotated[
        str, typer.Option(help="Shares of the extent.")
    ] = "0.002,0.005,0.01,0.02,0.05,0.1",
) -> None:
    """Compare every visibility test with the truth."""
    try:
        grid = compare(Workspace.open(workspace), _numbers(voxel_sizes), cluttered_room().faces)
    except RelocError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(RelocError.EXIT_CODE) from None
    if sys.stdout.isatty():
        Console().print(grid.to_rich())
    else:
        print(grid.to_markdown())


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise RelocError(f"--voxel-sizes are numbers with commas between, not '{text}'") from None


if __name__ == "__main__":
    typer.run(main)
