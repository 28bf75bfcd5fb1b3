"""How many landmarks each view sees and how they spread, in the pictures and in space."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from reloc_ros.offline.landmarks.label import Visibility
from reloc_ros.offline.landmarks.select import CELL_HOLDS, CELLS_ACROSS, VIEW_NEEDS
from reloc_ros.offline.report.charts import BOTTOM, LEFT, RIGHT, TOP, Axis, Plot, dots
from reloc_ros.offline.report.collect import Facts
from reloc_ros.offline.report.ground import Ground
from reloc_ros.offline.report.pictures import GREEN, Photos, data_uri, shrink, spot
from reloc_ros.picture_cells import cells_of_pixels

THUMBNAILS = 8
THUMBNAIL_WIDTH = 320
MARGIN = 0.06
"""Around what a plot of the place shows, as a share of its extent."""
MAX_HEIGHT = 420


@dataclasses.dataclass(frozen=True)
class ViewCoverage:
    """What one map image sees."""

    name: str
    seen: int
    spread: int
    """Well-spread ones: of those in one cell of the picture, only so many count."""

    @property
    def verdict(self) -> str:
        if self.spread >= VIEW_NEEDS:
            return "good"
        return "fair" if self.spread >= VIEW_NEEDS // 2 else "poor"


@dataclasses.dataclass(frozen=True)
class Thumbnail:
    view: ViewCoverage
    uri: str


def view_coverage(facts: Facts) -> list[ViewCoverage]:
    """Of each labelled image, in name order."""
    assert facts.labels is not None
    row = {name: index for index, name in enumerate(facts.model.names)}
    views = []
    for i, name in enumerate(facts.labels.names):
        if name not in row:
            continue
        camera = facts.model.camera(row[name])
        pixels = facts.labels.keypoints_px[i, facts.labels.visibility[i] == Visibility.SEEN]
        cells = cells_of_pixels(pixels, (camera.width, camera.height), CELLS_ACROSS)
        _, counts = np.unique(cells, return_counts=True)
        views.append(ViewCoverage(name, len(pixels), int(np.minimum(counts, CELL_HOLDS).sum())))
    return views


def coverage_chart(views: Sequence[ViewCoverage]) -> Markup:
    """A bar per image, its well-spread landmarks solid, the others above them faint."""
    most = max([view.seen for view in views] + [VIEW_NEEDS])
    plot = Plot(
        Axis("map images, in name order", 0, max(len(views), 2)),
        Axis("landmarks seen", 0, 1.05 * most),
        1060,
        250,
    )
    edges = plot.px(np.arange(len(views) + 1))
    bottom = float(plot.py(0))
    width = max(float(edges[1] - edges[0]) * 0.8, 0.6)
    parts = []
    for left, view in zip(edges, views, strict=False):
        for style, value in (("faint", view.seen), (view.verdict, view.spread)):
            top = float(plot.py(value))
            parts.append(
                f'<rect class="fill {style}" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" '
                f'height="{bottom - top:.1f}"><title>{escape(view.name)}: {view.seen} seen, {view.spread} well '
                "spread</title></rect>"
            )
    need = float(plot.py(VIEW_NEEDS))
    parts.append(f'<path class="line limit" d="M{plot.px(0):.1f} {need:.1f}H{plot.px(plot.x.high):.1f}"/>')
    few = sum(view.spread < VIEW_NEEDS for view in views)
    return plot.draw(
        parts,
        f"Landmarks seen by each of {len(views)} map images; {few} see fewer than {VIEW_NEEDS} well-spread ones",
    )


def poor_views(
    facts: Facts, views: Sequence[ViewCoverage], photos: Photos
) -> tuple[list[ViewCoverage], list[Thumbnail]]:
    """Images that see too few well-spread landmarks, the worst first, and pictures of the first of them."""
    assert facts.labels is not None
    poor = sorted((view for view in views if view.spread < VIEW_NEEDS), key=lambda view: view.spread)
    thumbnails = []
    for view in poor[:THUMBNAILS]:
        camera = facts.model.camera(facts.model.names.index(view.name))
        image = photos.read(view.name, camera.width, camera.height)
        if image is None:
            continue
        small, factor = shrink(image, THUMBNAIL_WIDTH)
        i = facts.labels.names.index(view.name)
        for pixel in facts.labels.keypoints_px[i, facts.labels.visibility[i] == Visibility.SEEN]:
            spot(small, pixel * factor, GREEN, 2)
        thumbnails.append(Thumbnail(view, data_uri(small, 70)))
    return poor, thumbnails


def place_plot(points: NDArray[np.float64], axes: tuple[str, str], width: int = 500) -> Plot:
    """A plot that holds points (N, 2), to one scale in both directions."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, span = (low + high) / 2, np.maximum(high - low, 1e-9)
    span = np.maximum(span, 0.3 * span.max()) * (1 + 2 * MARGIN)
    inner = width - LEFT - RIGHT
    px_per_unit = min(inner / span[0], MAX_HEIGHT / span[1])
    half = np.array([inner, px_per_unit * span[1]]) / px_per_unit / 2
    x, y = (Axis(name, middle[i] - half[i], middle[i] + half[i]) for i, name in enumerate(axes))
    return Plot(x, y, width, round(px_per_unit * span[1]) + TOP + BOTTOM)


def space_charts(facts: Facts, ground: Ground, views: Sequence[ViewCoverage]) -> list[tuple[str, Markup]]:
    """From above and from the side: landmarks, and the cameras by how much they see."""
    assert facts.landmarks is not None
    landmarks = ground.apply(facts.landmarks.positions_map)
    of_view = {view.name: view for view in views}
    names = [name for name in facts.model.names if name in of_view]
    rows = [facts.model.names.index(name) for name in names]
    cameras = ground.apply(facts.model.centers_map[rows])
    told = [f"{n}: {of_view[n].seen} seen, {of_view[n].spread} well spread" for n in names]
    charts = []
    for title, (a, b) in (("from above", (0, 1)), ("from the side", (0, 2))):
        both = np.concatenate([landmarks, cameras])
        plot = place_plot(both[:, [a, b]], axis_names(facts, ground, a, b))
        parts = dots(plot.px(landmarks[:, a]), plot.py(landmarks[:, b]), "fill muted", 1.8)
        for style in ("good", "fair", "poor"):
            chosen = [i for i, name in enumerate(names) if of_view[name].verdict == style]
            x, y = plot.px(cameras[chosen, a]), plot.py(cameras[chosen, b])
            parts += dots(x, y, f"fill {style}", 4, [told[i] for i in chosen])
        charts.append((title, plot.draw(parts, f"Landmarks and map cameras {title}, by how much they see")))
    return charts


def axis_names(facts: Facts, ground: Ground, a: int, b: int) -> tuple[str, str]:
    names = ("x", "y", "z") if ground.is_map else ("across", "along", "up")
    return f"{names[a]}, {facts.unit}", f"{names[b]}, {facts.unit}"
