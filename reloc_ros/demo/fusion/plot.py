"""The drive as one picture: the ways from above, the errors over time, and the filter's honesty.      (matplotlib)"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reloc_ros.demo.film.trajectories import Array
from reloc_ros.demo.fusion.correction import CHI_SQUARE_3_95, Figures, Filtered, Fix, position_errors
from reloc_ros.demo.fusion.robot import Drive
from reloc_ros.io.atomic import atomic_path

STRIDE = 10
"""Five points a second are enough to see."""
TRUTH, ODOMETRY, PLACED, FUSED, LOST = "#333333", "#d73027", "#4a6fa5", "#1a9850", "#eeeeee"


def draw_fusion(
    path: Path, run: Drive, fixes: Sequence[Fix], placed: Array, fused: Filtered, found: Figures
) -> None:
    """Write the picture as a PNG file."""
    with matplotlib.rc_context({"font.family": "DejaVu Sans", "font.size": 10, "axes.edgecolor": "#999999"}):
        figure = Figure(figsize=(14, 6.4), dpi=100, facecolor="white")
        grid = figure.add_gridspec(
            1, 2, width_ratios=(1, 1.7), left=0.05, right=0.985, top=0.87, bottom=0.09, wspace=0.16
        )
        _draw_ways(figure.add_subplot(grid[0]), run, placed, fused)
        plots = grid[1].subgridspec(2, 1, height_ratios=(1.5, 1), hspace=0.12)
        upper = figure.add_subplot(plots[0])
        lower = figure.add_subplot(plots[1], sharex=upper)
        _draw_errors(upper, run, fixes, placed, fused)
        _draw_nees(lower, run, fixes, fused)
        upper.tick_params(labelbottom=False)
        lower.set_xlabel("time of the drive, s")
        figure.text(0.05, 0.945, "Odometry that drifts, corrected by pictures", fontsize=15, weight="bold")
        figure.text(0.05, 0.905, _heading(found), fontsize=10.5, color="#555555")
        with atomic_path(path) as temporary:
            figure.savefig(temporary)


def _heading(found: Figures) -> str:
    return (
        f"at most {100 * found.odometry_error_max:.0f} cm off by odometry alone, "
        f"{100 * found.placed_error_max:.1f} cm by map -> odom, "
        f"{100 * found.filter_error_max:.1f} cm in the filter; {found.longest_lost_s:.0f} s without a pose included"
    )


def _draw_ways(axes: Axes, run: Drive, placed: Array, fused: Filtered) -> None:
    for poses, colour, label, width in (
        (run.odometry, ODOMETRY, "odometry alone", 1.0),
        (placed, PLACED, "map -> odom", 1.0),
        (fused.poses, FUSED, "Kalman filter", 1.0),
        (run.truth, TRUTH, "truth", 1.6),
    ):
        axes.plot(poses[::STRIDE, 0], poses[::STRIDE, 1], color=colour, linewidth=width, label=label)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("x, m")
    axes.set_ylabel("y, m")
    axes.legend(loc="lower right", ncol=2, fontsize=9, framealpha=0.9)


def _draw_errors(axes: Axes, run: Drive, fixes: Sequence[Fix], placed: Array, fused: Filtered) -> None:
    _shade(axes, run, fixes)
    for poses, colour in ((run.odometry, ODOMETRY), (placed, PLACED), (fused.poses, FUSED)):
        errors_cm = 100 * position_errors(poses, run.truth)
        axes.plot(run.times_s[::STRIDE], errors_cm[::STRIDE], color=colour, linewidth=1.0)
    axes.set_yscale("log")
    axes.set_ylim(0.05, 150)
    axes.set_ylabel("position off by, cm")
    axes.grid(alpha=0.3)


def _draw_nees(axes: Axes, run: Drive, fixes: Sequence[Fix], fused: Filtered) -> None:
    _shade(axes, run, fixes)
    axes.plot(run.times_s[::STRIDE], fused.nees[::STRIDE], color=FUSED, linewidth=0.8)
    axes.axhline(3, color=TRUTH, linewidth=0.8)
    axes.axhline(CHI_SQUARE_3_95, color=TRUTH, linewidth=0.8, linestyle="--")
    axes.text(run.times_s[-1], CHI_SQUARE_3_95, " 95 %", fontsize=8, va="bottom", ha="right")
    axes.set_yscale("log")
    axes.set_ylim(0.05, 40)
    axes.set_ylabel("filter's NEES\n(3 on average)")
    axes.grid(alpha=0.3)


def _shade(axes: Axes, run: Drive, fixes: Sequence[Fix]) -> None:
    """Where there was no pose."""
    period_s = float(np.median(np.diff([run.times_s[fix.row] for fix in fixes])))
    for fix in fixes:
        if fix.is_lost:
            time_s = run.times_s[fix.row]
            axes.axvspan(time_s, time_s + period_s, color=LOST, linewidth=0, zorder=0)
