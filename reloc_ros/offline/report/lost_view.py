"""Draw where a camera will be lost: from above, by heading, and from the side."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from reloc_ros.offline.progress import Progress
from reloc_ros.offline.report.charts import Axis, Plot, dots, line_chart
from reloc_ros.offline.report.collect import Facts
from reloc_ros.offline.report.coverage import axis_names, place_plot
from reloc_ros.offline.report.ground import Ground
from reloc_ros.offline.report.lost_map import (
    CLASSES,
    LIMITS,
    Check,
    LostMap,
    Visible,
    checks,
    class_of,
    landmarks_found,
    lost_map,
)
from reloc_ros.offline.report.pictures import flat_uri
from reloc_ros.offline.report.performance import describe

COLORS = ((72, 54, 178), (140, 190, 244), (222, 197, 146), (172, 102, 33))
"""BGR of the classes, red to blue, which every kind of colour vision tells apart; as in the page's style sheet."""
ZOOM = 8
ROSES = 9
"""Along the longer side."""


@dataclasses.dataclass(frozen=True)
class Section:
    """What the page shows of it."""

    charts: tuple[tuple[str, Markup], ...]
    check: Markup | None
    table: tuple[tuple[str, tuple[str, ...]], ...]
    """By condition: of each class, how many of its images were localized."""
    conditions: tuple[str, ...]
    sentence: str
    bands: tuple[str, ...]
    """What each class means, in landmarks."""


def lost_section(facts: Facts, ground: Ground, progress: Progress) -> Section:
    """Predict, compare with what was measured, and draw."""
    assert facts.landmarks is not None and facts.labels is not None
    visible = Visible(facts.known, facts.landmarks, facts.labels)
    found = checks(visible, facts.model, facts.ours)
    first = [check for check in found if check.condition == found[0].condition]
    factor = landmarks_found(first)
    prediction = lost_map(facts.known, visible, ground, progress).scaled(factor)
    conditions = tuple(dict.fromkeys(check.condition for check in found))
    return Section(
        charts=_charts(facts, ground, prediction),
        check=_check_chart(found, factor) if found else None,
        table=_table(found, factor, conditions),
        conditions=tuple(map(describe, conditions)),
        sentence=_sentence(found, first, factor),
        bands=(
            f"fewer than {LIMITS[0]}",
            *(f"{a} to {b}" for a, b in zip(LIMITS[:-1], LIMITS[1:], strict=True)),
            f"{LIMITS[-1]} or more",
        ),
    )


def _sentence(found: Sequence[Check], first: Sequence[Check], factor: float) -> str:
    if not found:
        return (
            "Nothing has been measured yet, so every landmark that should be visible counts as found; after reloc eval "
            "the prediction is checked against the held-out images."
        )
    predicted = np.array([factor * check.predicted for check in found])
    actual = np.array([check.inliers for check in found])
    varies = len(found) > 2 and predicted.std() > 0 and actual.std() > 0
    agreement = f" The correlation over all {len(found)} is {np.corrcoef(predicted, actual)[0, 1]:.2f}." if varies else ""
    return (
        f"From where the {len(first)} held-out images were truly taken the same rule predicts landmarks; the network "
        f"found {100 * factor:.0f} % of them at the median, {describe(first[0].condition)}, and the maps count with "
        f"that.{agreement}"
    )


def _table(
    found: Sequence[Check], factor: float, conditions: Sequence[str]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    rows = []
    for index, name in enumerate(CLASSES):
        of_class = [check for check in found if class_of(factor * check.predicted) == index]
        cells = []
        for condition in conditions:
            group = [check for check in of_class if check.condition == condition]
            cells.append(f"{sum(c.localized for c in group)} of {len(group)}" if group else "–")
        rows.append((name, tuple(cells)))
    return tuple(rows)


def _check_chart(found: Sequence[Check], factor: float) -> Markup:
    most = 1.1 * max(max(factor * check.predicted for check in found), max(check.inliers for check in found), 10)
    plot = Plot(Axis("landmarks predicted", 0, most), Axis("landmarks used", 0, most), 380, 300)
    conditions = list(dict.fromkeys(check.condition for check in found))
    parts = []
    for check in found:
        style = f"fill s{conditions.index(check.condition) % 6 + 1}" if check.localized else "cross poor"
        x, y = plot.px(factor * check.predicted), plot.py(check.inliers)
        told = f"{check.name}, {describe(check.condition)}: {factor * check.predicted:.0f} predicted, {check.inliers} used"
        parts += dots(x, y, style, 4, [told])
    diagonal = f'<path class="line muted" d="M{plot.px(0):.1f} {plot.py(0):.1f}L{plot.px(most):.1f} {plot.py(most):.1f}"/>'
    return line_chart(plot, [], "Landmarks predicted for each held-out image beside those used", [diagonal, *parts])


def _charts(facts: Facts, ground: Ground, prediction: LostMap) -> tuple[tuple[str, Markup], ...]:
    expected = prediction.expected
    above = expected.max(axis=(2, 3))
    side = expected.max(axis=(1, 3))
    return (
        ("From above, looking the best way", _raster(facts, ground, prediction, above, 1)),
        ("From above, by heading", _roses(facts, ground, prediction)),
        ("From the side, looking the best way", _raster(facts, ground, prediction, side, 2)),
    )


def _raster(
    facts: Facts, ground: Ground, prediction: LostMap, expected: NDArray[np.float32], axis: int
) -> Markup:
    """(X, Y) or (X, Z) as coloured areas, with the cameras of the map."""
    smooth = cv2.resize(expected.T[::-1], None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_LINEAR)
    drawn = np.array(COLORS, dtype=np.uint8)[class_of(smooth)]
    plot, box = _plot_of(facts, ground, prediction, axis)
    x0, x1, y0, y1 = box
    image = (
        f'<image x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" '
        f'preserveAspectRatio="none" href="{flat_uri(drawn)}"/>'
    )
    lost = float(np.mean(expected < LIMITS[0]))
    side = "above" if axis == 1 else "the side"
    described = f"Predicted landmarks from {side}: fewer than {LIMITS[0]} in {100 * lost:.0f} % of the region shown"
    return plot.draw([image, *_context(facts, ground, plot, axis)], described)


def _plot_of(
    facts: Facts, ground: Ground, prediction: LostMap, axis: int
) -> tuple[Plot, tuple[float, float, float, float]]:
    """A plot of the region, and where its left, right, top and bottom lie, pixels."""
    ranges = []
    for places in (prediction.axes[0], prediction.axes[axis]):
        half = (places[1] - places[0]) / 2 if len(places) > 1 else 0.5 * (prediction.axes[0][1] - prediction.axes[0][0])
        ranges.append((places[0] - half, places[-1] + half))
    corners = np.array(ranges).T
    plot = place_plot(corners, axis_names(facts, ground, 0, axis), 380)
    x, y = plot.px(ranges[0]), plot.py(ranges[1])
    return plot, (float(x[0]), float(x[1]), float(y[1]), float(y[0]))


def _context(facts: Facts, ground: Ground, plot: Plot, axis: int) -> list[str]:
    assert facts.landmarks is not None
    landmarks = ground.apply(facts.landmarks.positions_map)
    cameras = ground.apply(facts.known.centers_map)
    parts = dots(plot.px(landmarks[:, 0]), plot.py(landmarks[:, axis]), "landmark", 1.3)
    return parts + dots(plot.px(cameras[:, 0]), plot.py(cameras[:, axis]), "camera", 2.4)


def _roses(facts: Facts, ground: Ground, prediction: LostMap) -> Markup:
    """At every few cells a wheel, each of whose spokes is coloured by what a camera finds that looks along it."""
    plot, _ = _plot_of(facts, ground, prediction, 1)
    expected = prediction.expected.max(axis=2)
    x, y = prediction.axes[0], prediction.axes[1]
    step = max(1, round(max(len(x), len(y)) / ROSES))
    radius = 0.46 * step * abs(float(plot.px(x[1]) - plot.px(x[0]))) if len(x) > 1 else 12.0
    half = np.pi / len(prediction.headings_rad)
    petals: list[list[str]] = [[] for _ in CLASSES]
    for i in range(step // 2, len(x), step):
        for j in range(step // 2, len(y), step):
            cx, cy = float(plot.px(x[i])), float(plot.py(y[j]))
            for heading, kind in zip(prediction.headings_rad, class_of(expected[i, j]), strict=True):
                ends = [
                    f"{cx + radius * np.cos(a):.1f} {cy - radius * np.sin(a):.1f}"
                    for a in (heading - 0.85 * half, heading + 0.85 * half)
                ]
                petals[kind].append(f"M{cx:.1f} {cy:.1f}L{ends[0]}L{ends[1]}z")
    drawn = [f'<path class="class{kind}" d="{"".join(own)}"/>' for kind, own in enumerate(petals) if own]
    share = float(np.mean(expected >= LIMITS[1]))
    described = f"Predicted landmarks by heading: enough in {100 * share:.0f} % of all places and headings"
    return plot.draw([*drawn, *_context(facts, ground, plot, 1)], described)
