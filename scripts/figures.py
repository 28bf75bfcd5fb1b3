"""Draws figures of docs/ with the demo's renderer: `python scripts/figures.py lost`; --help tells the others."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reloc_ros.annotate import draw_keypoints
from reloc_ros.demo.film.trajectories import CAMERA, looking_at, stream
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.demo.scene.exposure import Exposure
from reloc_ros.demo.scene.places import other_place, reading_corner
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.geometry import SE3, center_error
from reloc_ros.localizer import Localized, Localizer

DOCS = Path(__file__).parent.parent / "docs"
GOOD, BAD = "#1a9850", "#d73027"
Image = NDArray[np.uint8]
PLACE = looking_at((2.2, 0.5, 1.2), (0.9, 2.5, 0.8))
"""A good view of the demo's room."""


@dataclasses.dataclass(frozen=True)
class Tile:
    """A picture with a line or two above it."""

    image: Image
    """(H, W, 3) BGR."""
    caption: str
    good: bool


def save(name: str, tiles: Sequence[Tile], columns: int, note: str = "") -> None:
    """Write the tiles as docs/NAME, row by row."""
    rows = -(-len(tiles) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.85 * rows + 0.2), dpi=100, facecolor="white")
    grid = figure.add_gridspec(
        rows, columns, left=0.01, right=0.99, top=0.92, bottom=0.02, hspace=0.24, wspace=0.04
    )
    for cell, tile in zip(grid, tiles, strict=False):
        axes = figure.add_subplot(cell)
        axes.imshow(
            cv2.cvtColor(cv2.resize(tile.image, (320, 240), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
        )
        axes.set_axis_off()
        axes.set_title(tile.caption, fontsize=9, color=GOOD if tile.good else BAD, loc="left")
    figure.text(0.01, 0.005, note, fontsize=8)
    figure.savefig(DOCS / name, pil_kwargs={"quality": 85})


def lost() -> None:
    """Pictures of the demo's room that are localized or lost, with the reason."""
    room, elsewhere = Renderer(reading_corner().faces, CAMERA), Renderer(other_place().faces, CAMERA)
    good = room.render(PLACE).image
    covered = good.copy()
    covered[:, : int(0.85 * CAMERA.width)] = 60
    rolled = SE3.from_rotation_vector([0, 0, np.radians(60)], np.zeros(3)) @ PLACE
    views = {
        "as mapped": good,
        "against a wall": room.render(looking_at((0.4, 1.5, 1.6), (0, 1.5, 1.6))).image,
        "hardly any light": Exposure(0.02, noise=3).record(good),
        "another place": elsewhere.render(PLACE).image,
        "85 % covered": covered,
        "smeared over 41 px": cv2.blur(good, (41, 1)),
        "rolled by 60 deg": room.render(rolled).image,
        "8 m away": room.render(looking_at((4, -5, 1.6), (1, 2.3, 0.9))).image,
    }
    localizer, tiles = Localizer.from_bundle(EMBEDDED_BUNDLE), []
    for name, image in views.items():
        result = localizer.localize(image, CAMERA)
        draw_keypoints(drawn := image.copy(), result)
        found, is_pose = len(result.keypoints.scores), isinstance(result, Localized)
        said = f"{result.inliers.sum()} of {found} landmarks agree" if is_pose else result.reason.value
        tiles.append(Tile(drawn, f"{name}:\n{said}", is_pose))
        print(f"{name}: {said if is_pose else f'{said}: {result.detail}'}")
    save("lost.jpg", tiles, columns=4)


def focal() -> None:
    """How far off a wrong focal length puts the camera of the demo's walk (printed)."""
    room, localizer = Renderer(reading_corner().faces, CAMERA), Localizer.from_bundle(EMBEDDED_BUNDLE)
    poses = stream(1.0).camera_from_map[:8]
    images = [room.render(pose).image for pose in poses]
    for factor in (0.9, 0.98, 1.0, 1.02, 1.1):
        camera = dataclasses.replace(CAMERA, fx=factor * CAMERA.fx, fy=factor * CAMERA.fy)
        results = [localizer.localize(image, camera) for image in images]
        pairs = [
            (r.camera_from_map, pose)
            for r, pose in zip(results, poses, strict=True)
            if isinstance(r, Localized)
        ]
        off_cm = [100 * center_error(estimate, pose) for estimate, pose in pairs]
        print(
            f"focal length x {factor}: {len(pairs)} of {len(images)} localized, {np.median(off_cm):.1f} cm off"
        )


FIGURES: dict[str, Callable[[], None]] = {each.__name__: each for each in (lost, focal)}

if __name__ == "__main__":
    told = "\n".join(f"  {name}: {draw.__doc__}" for name, draw in FIGURES.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=told, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figures", nargs="*", help="all if none", metavar="FIGURE", default=list(FIGURES))
    for name in parser.parse_args().figures:
        if name not in FIGURES:
            parser.error(f"'{name}' is not one of {', '.join(FIGURES)}")
        FIGURES[name]()
