"""Growth as a picture.                                                                                  (matplotlib)"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from reloc_ros.bench.growth import GrowthPoint
from reloc_ros.bench.run import Compared, Results
from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path

NETWORK, POSE, RECALL, WORST = "#1f6f8b", "#d1495b", "#1f6f8b", "#edae49"


def plot_growth(results: Results, target: Path) -> None:
    """Write time against landmarks and against resolution and, of several workspaces, recall and time."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # not needed where nothing is drawn
    from matplotlib.figure import Figure

    growth = results.growth
    panels: list[Any] = []
    if growth is not None:
        panels.append(lambda axes: _draw_landmarks(axes, growth.by_landmarks))
        panels.append(lambda axes: _draw_sizes(axes, growth.by_size))
    if results.compared:
        panels.append(lambda axes: _draw_recall(axes, results.compared))
    if not panels:
        raise RelocError("there is nothing to plot: growth is skipped and there are not several workspaces")
    figure = Figure(figsize=(4.6 * len(panels), 3.6), layout="constrained")
    for axes, draw in zip(np.ravel(figure.subplots(1, len(panels))), panels, strict=True):
        draw(axes)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
    with atomic_path(target) as temporary:
        if target.suffix.lower() != ".png":
            figure.savefig(temporary, dpi=150)
            return
        # Not by savefig, which has Pillow write it: Pillow's PNG writer and pycolmap, which the bench has loaded to
        # measure SIFT, have ended each other's process.
        figure.dpi = 150
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        cv2.imwrite(str(temporary), cv2.cvtColor(np.asarray(canvas.buffer_rgba()), cv2.COLOR_RGBA2BGR))


def _draw_landmarks(axes: Any, points: Sequence[GrowthPoint]) -> None:
    counts = [point.landmarks for point in points]
    axes.plot(counts, [point.network_ms for point in points], "o-", color=NETWORK, label="network")
    axes.plot(counts, [point.pnp_ms for point in points], "o-", color=POSE, label="pose")
    axes.set(xlabel=f"landmarks, {points[0].width}x{points[0].height}", ylabel="ms, median")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)


def _draw_sizes(axes: Any, points: Sequence[GrowthPoint]) -> None:
    pixels = [point.width * point.height / 1e3 for point in points]
    axes.plot(pixels, [point.network_ms for point in points], "o-", color=NETWORK, label="network")
    for point, x in zip(points, pixels, strict=True):
        where = {"xytext": (4, -10), "textcoords": "offset points", "fontsize": 7}
        axes.annotate(f"{point.width}x{point.height}", (x, point.network_ms), **where)
    axes.set(xlabel=f"thousand pixels, {points[0].landmarks} landmarks", ylabel="ms, median")
    axes.set_xlim(right=1.15 * pixels[-1])
    axes.set_ylim(bottom=0)


def _draw_recall(axes: Any, compared: Sequence[Compared]) -> None:
    ranked = sorted(compared, key=lambda one: one.landmarks)
    counts = [one.landmarks for one in ranked]
    degraded = [[s.recall for s in one.scores if s.condition != "clean"] for one in ranked]
    clean = [[s.recall for s in one.scores if s.condition == "clean"] for one in ranked]
    if all(clean):
        axes.plot(counts, [100 * values[0] for values in clean], "o-", color=RECALL, label="recall, clean")
    if all(degraded):
        means = [100 * float(np.mean(values)) for values in degraded]
        axes.plot(counts, means, "o-", color=WORST, label="recall, mean of the degraded")
    axes.set(xlabel="landmarks, trained", ylabel="%", ylim=(0, 102))
    axes.set_xticks(counts)
    times = axes.twinx()
    totals = [one.timing.percentile("total", 50) for one in ranked]
    times.plot(counts, totals, "s--", color=POSE, label="image to pose")
    times.set(ylabel="ms, median")
    times.set_ylim(bottom=0)
    handles = [*axes.get_lines(), *times.get_lines()]
    axes.legend(handles=handles, frameon=False, loc="lower right")
