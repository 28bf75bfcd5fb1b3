"""Draws figures of docs/ with the demo's renderer: `python scripts/figures.py lost`; --help tells the others."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from reloc_ros.annotate import draw_keypoints
from reloc_ros.bench.mapping.walks import corridor, dim_orbit, turn
from reloc_ros.demo.film.orbit import shared_shares
from reloc_ros.demo.film.trajectories import CAMERA, looking_at, mapping, stream
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.demo.result.wireframe import draw_wireframe
from reloc_ros.demo.scene.exposure import Exposure
from reloc_ros.demo.scene.places import other_place, reading_corner
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.geometry import SE3, center_error
from reloc_ros.localizer import Localized, Localizer, Lost, LostReason
from reloc_ros.offline.measuring.conditions import line_kernel

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


def film() -> None:
    """Pictures to map a place from: above good ones, below such as make no map."""
    room = Renderer(reading_corner().faces, CAMERA)
    walk = mapping(57).camera_from_map
    near, far = (walk[4], walk[6]), (walk[4], walk[40])
    shares = [shared_shares(reading_corner(), pair).min() for pair in (near, far)]
    good = room.render(PLACE).image
    against = room.render(looking_at((0.4, 1.5, 1.6), (0, 1.5, 1.6))).image
    tiles = [
        Tile(_side_by_side(room, near), f"a small step:\nneighbours share {100 * shares[0]:.0f} %", True),
        Tile(good, "held still enough:\nedges are sharp", True),
        Tile(room.render(walk[0]).image, "from a distance:\nnear and far things in each picture", True),
        Tile(room.render(walk[16]).image, "well lit,\nfrom another side and height", True),
        Tile(_side_by_side(room, far), f"a large step:\nneighbours share {100 * shares[1]:.0f} %", False),
        Tile(cv2.filter2D(good, -1, line_kernel(18, 0.4)), "turned too fast:\nsmeared over 18 px", False),
        Tile(against, "against a wall:\none flat surface, and the next alike", False),
        Tile(Exposure(0.08, noise=6).record(good), "hardly any light:\nmore noise than edges", False),
    ]
    save("film.jpg", tiles, columns=4)


def _side_by_side(room: Renderer, poses: Sequence[SE3]) -> Image:
    """Two pictures of one walk, one above the other, each with the middle half of its rows."""
    quarter = CAMERA.height // 4
    return np.concatenate([room.render(pose).image[quarter:-quarter] for pose in poses])


def walks() -> None:
    """Walks to map a place by, from above; each picture is an arrow. The verdicts are those of bench.mapping."""
    shown = (
        (dim_orbit(), "around, looking in from all sides:\ngood", GOOD),
        (
            corridor(),
            "straight ahead: the focal length stays open,\nusable at best without --camera",
            "#b8860b",
        ),
        (turn(False, False), "turned on the spot: nothing tells near from far,\nrefused", BAD),
    )
    figure = Figure(figsize=(12, 4.2), dpi=90, facecolor="white")
    for column, (walk, caption, colour) in enumerate(shown):
        axes = figure.add_subplot(1, 3, column + 1)
        for face in walk.scene.faces:
            if face.part == "room":
                axes.add_patch(
                    Polygon(face.corners_map[:, :2], facecolor="#eeeeee", edgecolor="#bbbbbb", lw=0.5)
                )
        centers = np.array([pose.center for pose in walk.camera_from_map])
        ahead = np.array([pose.rotation[2] for pose in walk.camera_from_map])
        axes.quiver(*centers[:, :2].T, *ahead[:, :2].T, color=colour, scale=11, width=0.005)
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_axis_off()
        axes.autoscale_view()
        axes.set_title(caption, fontsize=9.5, color=colour, loc="left")
    figure.tight_layout()
    figure.savefig(DOCS / "walks.png")


def pose() -> None:
    """How a pose is found: what the network sees, what agrees, the reference view, and the room from that pose."""
    scene = reading_corner()
    truth = stream(1.0).camera_from_map[2]
    image = Exposure(0.5, noise=3).record(Renderer(scene.faces, CAMERA).render(truth).image)
    localizer = Localizer.from_bundle(EMBEDDED_BUNDLE)
    found = localizer.localize(image, CAMERA)
    assert isinstance(found, Localized)
    draw_keypoints(
        seen := image.copy(), Lost(LostReason.NO_CONSENSUS, "", found.keypoints, found.inliers, {})
    )
    draw_keypoints(agreeing := image.copy(), found)
    edges = draw_wireframe(image, scene, CAMERA, found.camera_from_map, thickness=2)
    off_cm = 100 * center_error(found.camera_from_map, truth)
    tiles = [
        Tile(seen, f"1. the network finds {len(found.inliers)} landmarks,\neach with its uncertainty", True),
        Tile(agreeing, f"2. {found.inliers.sum()} of them agree on a pose\n(green), the others do not", True),
        Tile(
            _nearest_view(localizer, found),
            "3. patches of the nearest reference\nviews are moved until they match",
            True,
        ),
        Tile(
            edges,
            f"4. the room from there: {off_cm:.2f} cm off,\n{100 * found.support.share:.0f} % of the patches agree",
            True,
        ),
    ]
    save("pose.jpg", tiles, columns=4)


def _nearest_view(localizer: Localizer, found: Localized) -> Image:
    """The reference view nearest to a pose of those that look the same way, with its points."""
    references, pose = localizer.bundle.references, found.camera_from_map
    alike = [other.rotation[2] @ pose.rotation[2] > 0.9 for other in references.camera_from_map]
    off = [center_error(pose, other) for other in references.camera_from_map]
    view = int(np.argmin(np.where(alike, off, np.inf)))
    picture = cv2.cvtColor(references.pictures()[view], cv2.COLOR_GRAY2BGR)
    for pixel in references.seen_px[references.seen_view == view]:
        cv2.circle(picture, tuple(int(n) for n in np.rint(pixel)), 1, (0, 200, 255), -1, cv2.LINE_AA)
    return picture


def frames() -> None:
    """The axes of the map in a picture of the demo's room, and those of the camera in the middle of it."""
    camera_from_map = looking_at((2.7, 0.2, 1.8), (0.7, 1.3, 0.6))
    image = Renderer(reading_corner().faces, CAMERA).render(camera_from_map).image
    axes_map = np.vstack([np.zeros(3), np.eye(3)])
    pixels = CAMERA.project(camera_from_map.apply(axes_map))
    for name, end, colour in zip(
        "xyz", pixels[1:], ((60, 60, 230), (60, 190, 60), (230, 120, 40)), strict=True
    ):
        _arrow(image, pixels[0], end, colour, f"map {name}")
    x, y = CAMERA.width / 2, CAMERA.height / 2
    _arrow(image, (x, y), (x + 110, y), (255, 255, 255), "camera x")
    _arrow(image, (x, y), (x, y + 110), (255, 255, 255), "camera y")
    cv2.imwrite(str(DOCS / "frames.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 85])


def _arrow(image: Image, start: Sequence[float], end: Sequence[float], colour: tuple, name: str) -> None:
    tail, head = (tuple(int(n) for n in np.rint(place)) for place in (start, end))
    for shade, thickness in (((20, 20, 20), 6), (colour, 3)):
        cv2.arrowedLine(image, tail, head, shade, thickness, cv2.LINE_AA, tipLength=0.12)
    place = head[0] + 8, head[1] + 6
    for shade, thickness in (((20, 20, 20), 4), (colour, 2)):
        cv2.putText(image, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, shade, thickness, cv2.LINE_AA)


FIGURES: dict[str, Callable[[], None]] = {
    each.__name__: each for each in (lost, film, walks, pose, frames, focal)
}

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
