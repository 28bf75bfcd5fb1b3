"""The run as one picture: the way through the room, the errors over time, and what the camera saw.      (matplotlib)"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.demo.film.rendered_walk import RenderedWalk
from reloc_ros.demo.film.trajectories import CAMERA
from reloc_ros.demo.result.record import WRONG_CM, WRONG_DEG, Sighting, Summary, View
from reloc_ros.demo.result.wireframe import draw_wireframe
from reloc_ros.demo.scene.places import Scene
from reloc_ros.io.atomic import atomic_path
from reloc_ros.localizer import Localizer

GOOD, BAD, TRUTH, INK = "#1a9850", "#d73027", "#4a6fa5", "#333333"
FRAME_SIZE = (480, 360)
EXPLANATION = (
    "Green: the edges of the room as they would look from the estimated pose. "
    "Circles: landmarks that the network found, red where they do not agree with the pose."
)
_STYLE = {"font.family": "DejaVu Sans", "font.size": 10, "axes.edgecolor": "#999999", "text.color": INK}


@dataclasses.dataclass(frozen=True, eq=False)
class Example:
    """One picture of the run with what was made of it."""

    sighting: Sighting
    image: NDArray[np.uint8]
    """(H, W, 3) BGR."""
    keypoints_px: NDArray[np.float64]
    """(N, 2) the landmarks the network finds in it."""
    inliers: NDArray[np.bool_]
    """(N,) those that agree with the pose."""


def draw_run(
    path: Path, bundle: Path, walk: RenderedWalk, sightings: Sequence[Sighting], summary: Summary
) -> None:
    """Write the picture of a run.

    The poses in it are those that came over ROS; keypoints are on no topic, so they are found once more.
    """
    brightness = [exposure.brightness for exposure in walk.trajectory.exposures]
    chosen = choose_examples(sightings, brightness)
    localizer = Localizer.from_bundle(bundle)
    examples = []
    for sighting in chosen:
        image = walk.picture(sighting.index)
        result = localizer.localize(image, CAMERA)
        examples.append(Example(sighting, image, result.keypoints.positions_px, result.inliers))
    draw(path, sightings, summary, examples, walk.room(), CAMERA)


def choose_examples(sightings: Sequence[Sighting], brightness: Sequence[float]) -> list[Sighting]:
    """Up to five telling ones: an early pose, the worst, the darkest, a late one, and one of being lost.

    Args:
        brightness: of each picture of the trajectory.
    """
    posed = [s for s in sightings if s.estimate is not None]
    told = [s for s in sightings if s.report is not None and s.estimate is None]
    lost = [s for s in told if s.view is View.AWAY] or told
    chosen: list[Sighting] = []
    if posed:
        orders = (
            sorted(posed, key=lambda s: abs(s.time_s - 2.0)),
            sorted(posed, key=lambda s: -s.error_cm),
            sorted(posed, key=lambda s: (round(brightness[s.index], 2), s.time_s)),
            sorted(posed, key=lambda s: -s.time_s),
        )
        for order in orders:
            chosen.extend([s for s in order if s not in chosen][:1])
    chosen.extend(lost[len(lost) // 2 :][:1])
    return sorted(chosen, key=lambda s: s.time_s)


def draw(
    path: Path,
    sightings: Sequence[Sighting],
    summary: Summary,
    examples: Sequence[Example],
    room: Scene,
    camera: Camera,
) -> None:
    """Write the picture as a PNG file."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(16, 9.6), dpi=100, facecolor="white")
        grid = figure.add_gridspec(
            2, 1, height_ratios=(1.9, 1), hspace=0.24, left=0.045, right=0.985, top=0.875, bottom=0.03
        )
        above = grid[0].subgridspec(1, 2, width_ratios=(1, 1.35), wspace=0.12)
        _draw_way(figure.add_subplot(above[0]), sightings, room)
        plots = above[1].subgridspec(2, 1, hspace=0.12)
        upper = figure.add_subplot(plots[0])
        _draw_errors(upper, sightings, "error_cm", "position off by, cm", WRONG_CM)
        lower = figure.add_subplot(plots[1], sharex=upper)
        _draw_errors(lower, sightings, "error_deg", "rotation off by, deg", WRONG_DEG)
        upper.tick_params(labelbottom=False)
        upper.legend(
            loc="lower right", bbox_to_anchor=(1, 1), ncol=6, fontsize=9, frameon=False, borderaxespad=0.2
        )
        lower.set_xlabel("time of the walk, s")
        _draw_examples(figure, grid[1], examples, room, camera)
        figure.text(0.045, 0.012, EXPLANATION, fontsize=9.5, va="center")
        _draw_heading(figure, summary)
        with atomic_path(path) as temporary:
            figure.savefig(temporary)


def _draw_heading(figure: Figure, s: Summary) -> None:
    complaints = s.complaints()
    line = (
        f"{s.in_view_localized} of {s.in_view} images in view localized, median off by {s.median_cm:.1f} cm and "
        f"{s.median_deg:.2f}°, {s.wrong} wrong poses, {s.away_with_pose} poses in {s.away} images of elsewhere"
    )
    verdict, colour = ("NOT GOOD", BAD) if complaints else ("GOOD: every check passed", GOOD)
    figure.text(0.045, 0.955, "Where is the camera? One image, one pose", fontsize=17, weight="bold")
    figure.text(0.045, 0.924, line, fontsize=12)
    figure.text(0.985, 0.957, verdict, fontsize=13, weight="bold", color=colour, ha="right")


def _draw_way(axes: Axes, sightings: Sequence[Sighting], room: Scene) -> None:
    heights = [face.corners_map[:, 2].mean() for face in room.faces]
    for index in np.argsort(heights):
        face = room.faces[index]
        shade = 0.96 - 0.1 * min(1.0, heights[index] / 2)
        outline = Polygon(
            face.corners_map[:, :2], closed=True, facecolor=str(shade), edgecolor="#aaaaaa", lw=0.6
        )
        axes.add_patch(outline)
    truth = np.array([s.truth.center for s in sightings])
    axes.plot(truth[:, 0], truth[:, 1], color=TRUTH, lw=5, alpha=0.35, label="true way", zorder=3)
    posed = [s for s in sightings if s.estimate is not None]
    for wrong, colour, label in ((False, GOOD, "pose"), (True, BAD, "wrong pose")):
        points = np.array([s.estimate.center for s in posed if s.is_wrong == wrong])
        if len(points):
            axes.scatter(points[:, 0], points[:, 1], s=9, color=colour, label=label, zorder=5)
    _arrows(axes, posed[:: max(1, len(posed) // 30)])
    none = np.array([s.truth.center for s in sightings if s.report is not None and s.estimate is None])
    if len(none):
        axes.scatter(none[:, 0], none[:, 1], s=16, marker="x", lw=1, color=BAD, label="lost", zorder=4)
    axes.set_aspect("equal")
    axes.set(xlim=(-0.1, 3.45), ylim=(-0.35, 3.1), xlabel="x, m", ylabel="y, m")
    axes.set_title("from above; arrows: where the estimated camera looks", fontsize=10, loc="left")
    axes.legend(loc="lower left", fontsize=9, framealpha=0.9)


def _arrows(axes: Axes, posed: Sequence[Sighting]) -> None:
    if not posed:
        return
    centers = np.array([s.estimate.center for s in posed])
    forward = np.array([s.estimate.rotation[2] for s in posed])
    axes.quiver(
        *centers[:, :2].T,
        *forward[:, :2].T,
        color=GOOD,
        scale=14,
        width=0.003,
        headwidth=5,
        alpha=0.7,
        zorder=4,
    )


def _draw_errors(axes: Axes, sightings: Sequence[Sighting], field: str, label: str, limit: float) -> None:
    times = np.array([s.time_s for s in sightings])
    errors = np.array([getattr(s, field) for s in sightings])
    gap = float(np.median(np.diff(times))) if len(times) > 1 else 0.1
    for view, colour, words in (
        (View.TURNING, "#f3eede", "room partly in view"),
        (View.AWAY, "#f6d5cf", "looks away"),
    ):
        _shade(axes, [s.time_s for s in sightings if s.view is view], gap, colour, words)
    wrong = np.array([s.is_wrong for s in sightings])
    axes.plot(times[~wrong], errors[~wrong], ".", color=GOOD, ms=5, label="pose")
    if wrong.any():
        axes.plot(
            times[wrong], np.minimum(errors[wrong], 1.4 * limit), "^", color=BAD, ms=6, label="wrong pose"
        )
    lost = [s.time_s for s in sightings if s.report is not None and s.estimate is None]
    top = 1.1 * limit if wrong.any() else max(1.25 * float(np.nanmax([*errors, 0.2 * limit])), 0.3 * limit)
    axes.plot(lost, np.full(len(lost), 0.03 * top), "x", color=BAD, ms=4, mew=1, label="lost: no pose")
    if top >= limit:
        axes.axhline(limit, color=BAD, lw=0.8, ls="--")
    axes.set(xlim=(times.min() - gap, times.max() + gap), ylim=(0, max(top, 1.5 * limit * wrong.any())))
    axes.set_ylabel(label)
    axes.grid(axis="y", color="#e5e5e5", lw=0.7)


def _shade(axes: Axes, times: Sequence[float], gap: float, colour: str, words: str) -> None:
    if not times:
        return
    for number, stretch in enumerate(np.split(times, np.flatnonzero(np.diff(times) > 1.5 * gap) + 1)):
        label = words if number == 0 else None
        axes.axvspan(stretch[0] - gap / 2, stretch[-1] + gap / 2, color=colour, lw=0, label=label, zorder=0)


def _draw_examples(figure: Figure, cell, examples: Sequence[Example], room: Scene, camera: Camera) -> None:
    places = cell.subgridspec(1, max(1, len(examples)), wspace=0.03)
    for column, example in enumerate(examples):
        axes = figure.add_subplot(places[column])
        axes.imshow(
            cv2.cvtColor(_example_image(example, room, camera), cv2.COLOR_BGR2RGB), interpolation="nearest"
        )
        axes.set_axis_off()
        worst = max((e.sighting for e in examples), key=lambda s: np.nan_to_num(s.error_cm, nan=-1))
        title, colour = _caption(example.sighting, " (worst)" if example.sighting is worst else "")
        axes.set_title(title, fontsize=9.5, color=colour, loc="left")


def _example_image(example: Example, room: Scene, camera: Camera) -> NDArray[np.uint8]:
    image, estimate = example.image, example.sighting.estimate
    if estimate is not None:
        image = draw_wireframe(image, room, camera, estimate)
    small = cv2.resize(image, FRAME_SIZE, interpolation=cv2.INTER_AREA)
    scale = np.array(FRAME_SIZE) / (camera.width, camera.height)
    for place, inlier in zip((example.keypoints_px + 0.5) * scale - 0.5, example.inliers, strict=True):
        centre = tuple(int(n) for n in np.rint(place))
        colour = (0, 215, 255) if inlier else (40, 40, 235)
        cv2.circle(small, centre, 5, (20, 20, 20), 3, cv2.LINE_AA)
        cv2.circle(small, centre, 5, colour, 2, cv2.LINE_AA)
    return small


def _caption(sighting: Sighting, remark: str) -> tuple[str, str]:
    if sighting.estimate is None:
        reason = sighting.report.reason.replace("_", " ") if sighting.report else "not looked at"
        return f"{sighting.time_s:.1f} s: LOST\n{reason}", BAD
    text = f"{sighting.time_s:.1f} s: off by {sighting.error_cm:.1f} cm, {sighting.error_deg:.2f}°{remark}"
    if sighting.report is not None:
        text += f"\n{sighting.report.inliers} of {sighting.report.keypoints} landmarks agree"
    return text, BAD if sighting.is_wrong else GOOD
