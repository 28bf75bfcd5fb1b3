"""Draw where a camera will be lost: from above, by heading, and from the side."""

from __future__ import annotations

import dataclasses
import itertools

import cv2
import numpy as np
from markupsafe import Markup

from reloc_ros.offline.measuring.conditions import describe
from reloc_ros.offline.progress import Progress
from reloc_ros.offline.report.charts import Axis, Plot, dots, legend, path
from reloc_ros.offline.report.collect import Facts
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
from reloc_ros.offline.report.place import Ground, axis_names, place_plot

COLORS = ((72, 54, 178), (140, 190, 244), (222, 197, 146), (172, 102, 33))
"""BGR of the classes, red to blue, which every kind of colour vision tells apart; as in the page's style sheet."""
WIDTH = 500
ZOOM = 8
"""Pixels of the picture for each cell: its borders are drawn between the cells' middles."""
ROSES = 8
"""Along the longer side."""


@dataclasses.dataclass(frozen=True)
class Section:
    """What the page shows of it."""

    charts: tuple[tuple[str, Markup], ...]
    check: Markup | None
    key: Markup
    conditions: tuple[str, ...]
    table: tuple[tuple[str, tuple[str, ...]], ...]
    """Of each class, by condition, how many of its images were localized."""
    sentence: str
    bands: tuple[str, ...]
    """What each class means, in landmarks."""


def lost_section(facts: Facts, ground: Ground, progress: Progress) -> Section:
    """Predict, compare with what was measured, and draw."""
    assert facts.landmarks is not None and facts.labels is not None
    visible = Visible(facts.known, facts.landmarks, facts.labels)
    found: dict[str, list[Check]] = {}
    for check in checks(visible, facts.model, facts.ours):
        found.setdefault(check.condition, []).append(check)
    shares = {condition: landmarks_found(group) for condition, group in found.items()}
    middle = [f"{a} to {b - 1}" for a, b in itertools.pairwise(LIMITS)]
    return Section(
        charts=_charts(facts, ground, lost_map(facts.known, visible, ground, progress), shares),
        check=_check_chart(found, shares) if found else None,
        key=legend(
            [*((f"s{i % 6 + 1}", describe(name)) for i, name in enumerate(found)), ("lost-ring", "lost")]
        ),
        conditions=tuple(map(describe, found)),
        table=_table(found, shares),
        sentence=_sentence(found, shares),
        bands=(f"fewer than {LIMITS[0]}", *middle, f"{LIMITS[-1]} or more"),
    )


def _sentence(found: dict[str, list[Check]], shares: dict[str, float]) -> str:
    if not found:
        return (
            "Nothing has been measured yet, so every landmark that should be visible counts as found; after reloc eval "
            "the prediction is checked against the held-out images."
        )
    told = []
    for condition, group in found.items():
        predicted = np.array([check.predicted for check in group])
        used = np.array([check.inliers for check in group])
        words = f"{describe(condition)} {100 * shares[condition]:.0f} %"
        if len(group) > 2 and predicted.std() > 0 and used.std() > 0:
            words += f" (correlation {np.corrcoef(predicted, used)[0, 1]:.2f})"
        told.append(words)
    return (
        "The same rule says how many landmarks each held-out image should show, from where it was truly taken. Of "
        f"them the network's pose used, at the median: {'; '.join(told)}. The maps above count with these shares."
    )


def _table(
    found: dict[str, list[Check]], shares: dict[str, float]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    rows = []
    for index, name in enumerate(CLASSES):
        cells = []
        for condition, checked in found.items():
            group = [c for c in checked if class_of(shares[condition] * c.predicted) == index]
            cells.append(f"{sum(c.localized for c in group)} of {len(group)}" if group else "-")
        rows.append((name, tuple(cells)))
    return tuple(rows)


def _check_chart(found: dict[str, list[Check]], shares: dict[str, float]) -> Markup:
    everything = [check for group in found.values() for check in group]
    right = 1.1 * max(10, *(check.predicted for check in everything))
    top = 1.1 * max(10, *(check.inliers for check in everything))
    plot = Plot(
        Axis("landmarks it should show, predicted", 0, right), Axis("landmarks used", 0, top), 500, 300
    )
    parts = []
    for i, (condition, group) in enumerate(found.items()):
        style = f"s{i % 6 + 1}"
        end = min(right, top / max(shares[condition], 1e-9))
        line = path(plot.px([0, end]), plot.py([0, shares[condition] * end]))
        parts.append(f'<path class="line thin {style}" d="{line}"/>')
        for check in group:
            x, y = plot.px(check.predicted), plot.py(check.inliers)
            told = (
                f"{check.name}, {describe(condition)}: {check.predicted:.0f} predicted, {check.inliers} used"
            )
            parts += dots(x, y, f"fill {style}", 4, [told])
            if not check.localized:
                parts += dots(x, y, "ring poor", 6.5, [f"{told}, lost"])
    lost = sum(not check.localized for check in everything)
    described = f"Landmarks predicted and used of {len(everything)} held-out images; {lost} are lost"
    return plot.draw(parts, described)


def _charts(
    facts: Facts, ground: Ground, prediction: LostMap, shares: dict[str, float]
) -> tuple[tuple[str, Markup], ...]:
    """As taken, by heading, under the condition that costs most landmarks, and from the side."""
    first = next(iter(shares), None)
    hardest = min(shares, key=lambda condition: shares[condition], default=None)
    usual = prediction.scaled(shares[first] if first else 1.0)
    told = f", {describe(first)}" if first else ""
    charts = [
        (f"From above, looking the best way{told}", _raster(facts, ground, usual, 1)),
        (f"From above, by heading{told}", _roses(facts, ground, usual)),
    ]
    if hardest is not None and hardest != first:
        harder = _raster(facts, ground, prediction.scaled(shares[hardest]), 1)
        charts.append((f"From above, looking the best way, {describe(hardest)}", harder))
    charts.append((f"From the side, looking the best way{told}", _raster(facts, ground, usual, 2)))
    return tuple(charts)


def _raster(facts: Facts, ground: Ground, prediction: LostMap, axis: int) -> Markup:
    """The best of all heights (`axis` 1) or depths (2), and headings, as coloured areas, with the map's cameras."""
    expected = prediction.expected.max(axis=(3 - axis, 3))
    smooth = cv2.resize(expected.T[::-1], None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_LINEAR)
    drawn = np.array(COLORS, dtype=np.uint8)[class_of(smooth)]
    plot, box = _plot_of(facts, ground, prediction, axis)
    x0, x1, y0, y1 = box
    image = (
        f'<image x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" '
        f'preserveAspectRatio="none" href="{flat_uri(drawn)}"/>'
    )
    lost = float(np.mean(expected < LIMITS[0]))
    where = "above" if axis == 1 else "the side"
    described = (
        f"Predicted landmarks from {where}: fewer than {LIMITS[0]} in {100 * lost:.0f} % of the region shown"
    )
    return plot.draw([image, *_context(facts, ground, plot, axis)], described)


def _plot_of(
    facts: Facts, ground: Ground, prediction: LostMap, axis: int
) -> tuple[Plot, tuple[float, float, float, float]]:
    """A plot of the region, and where its left, right, top and bottom lie, pixels."""
    ranges = []
    for i in (0, axis):
        places, half = prediction.axes[i], prediction.cell[i] / 2
        ranges.append((places[0] - half, places[-1] + half))
    corners = np.array(ranges).T
    plot = place_plot(corners, axis_names(facts, ground, 0, axis), WIDTH)
    x, y = plot.px(ranges[0]), plot.py(ranges[1])
    return plot, (float(x[0]), float(x[1]), float(y[1]), float(y[0]))


def _context(facts: Facts, ground: Ground, plot: Plot, axis: int) -> list[str]:
    assert facts.landmarks is not None
    landmarks = ground.apply(facts.landmarks.positions_map)
    low, high = [plot.x.low, plot.y.low], [plot.x.high, plot.y.high]
    landmarks = landmarks[((landmarks[:, [0, axis]] > low) & (landmarks[:, [0, axis]] < high)).all(axis=1)]
    cameras = ground.apply(facts.known.centers_map)
    parts = dots(plot.px(landmarks[:, 0]), plot.py(landmarks[:, axis]), "landmark", 1.5)
    return parts + dots(plot.px(cameras[:, 0]), plot.py(cameras[:, axis]), "camera", 2.4)


def _roses(facts: Facts, ground: Ground, prediction: LostMap) -> Markup:
    """At every few cells a wheel, each of whose spokes is coloured by what a camera finds that looks along it."""
    plot, _ = _plot_of(facts, ground, prediction, 1)
    expected = prediction.expected.max(axis=2)
    x, y = prediction.axes[0], prediction.axes[1]
    step = max(1, round(max(len(x), len(y)) / ROSES))
    radius = (
        0.46 * step * float(plot.px(x[0] + prediction.cell[0] / 2) - plot.px(x[0] - prediction.cell[0] / 2))
    )
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
    cameras = ground.apply(facts.known.centers_map)
    return plot.draw(
        [*drawn, *dots(plot.px(cameras[:, 0]), plot.py(cameras[:, 1]), "camera", 2.4)], described
    )
