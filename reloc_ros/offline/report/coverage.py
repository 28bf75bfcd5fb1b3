"""How many landmarks each view sees and how they spread, in the pictures and in space."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

from reloc_ros.offline.landmarks.labels import Visibility
from reloc_ros.offline.landmarks.spread import VIEW_NEEDS, well_spread
from reloc_ros.offline.report.charts import Axis, Plot, dots
from reloc_ros.offline.report.collect import Facts
from reloc_ros.offline.report.pictures import GREEN, RED, Photos, data_uri, ring, shrink, spot
from reloc_ros.offline.report.place import Ground, axis_names, place_plot

THUMBNAILS = 8
THUMBNAIL_WIDTH = 320


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


def view_coverage(facts: Facts) -> list[ViewCoverage]:
    """Of each labelled image, in name order."""
    assert facts.labels is not None
    names = facts.labels.names
    seen = np.count_nonzero(facts.labels.visibility == Visibility.SEEN, axis=1)
    spread = well_spread(facts.labels, facts.model.image_sizes[[facts.row[name] for name in names]])
    return list(map(ViewCoverage, names, seen.tolist(), spread.tolist()))


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
) -> tuple[list[ViewCoverage], list[tuple[ViewCoverage, str]]]:
    """Images that see too few well-spread landmarks, the worst first, and the first of them with a picture's URI."""
    assert facts.labels is not None
    poor = sorted((view for view in views if view.spread < VIEW_NEEDS), key=lambda view: view.spread)
    thumbnails = []
    for view in poor[:THUMBNAILS]:
        image = photos.read(facts.model, facts.row[view.name])
        if image is None:
            continue
        small, factor = shrink(image, THUMBNAIL_WIDTH)
        i = facts.labels.names.index(view.name)
        for pixel in facts.labels.keypoints_px[i, facts.labels.visibility[i] == Visibility.SEEN]:
            spot(small, pixel * factor, GREEN, 2)
        thumbnails.append((view, data_uri(small, 70)))
    return poor, thumbnails


def changed_views(facts: Facts, photos: Photos) -> list[tuple[str, int, str]]:
    """The map images that show most landmarks of what has moved since, ringed: name, their number, a picture's URI."""
    if facts.landmarks is None or facts.labels is None:
        return []
    shown, rows = facts.labels.visibility == Visibility.SEEN, facts.pruned.rows_of(facts.landmarks)
    left, counts = rows.tolist(), shown[:, rows].sum(axis=1)
    pictures: list[tuple[str, int, str]] = []
    while left and len(pictures) < THUMBNAILS:
        i = int(shown[:, left].sum(axis=1).argmax())  # of those that no picture has shown yet
        left = [row for row in left if not shown[i, row]] if shown[i, left].any() else []
        image = photos.read(facts.model, facts.row[facts.labels.names[i]]) if shown[i, rows].any() else None
        if image is None:
            continue
        small, factor = shrink(image, THUMBNAIL_WIDTH)
        for row in np.flatnonzero(shown[i]):
            pixel = facts.labels.keypoints_px[i, row] * factor
            if row in rows:
                ring(small, pixel, 5, RED)
            else:
                spot(small, pixel, GREEN, 2)
        pictures.append((facts.labels.names[i], int(counts[i]), data_uri(small, 70)))
    return pictures


def space_charts(facts: Facts, ground: Ground, views: Sequence[ViewCoverage]) -> list[tuple[str, Markup]]:
    """From above and from the side: landmarks, and the cameras by how much they see."""
    assert facts.landmarks is not None
    landmarks = ground.apply(facts.landmarks.positions_map)
    cameras = ground.apply(facts.model.centers_map[[facts.row[view.name] for view in views]])
    told = [f"{view.name}: {view.seen} seen, {view.spread} well spread" for view in views]
    charts = []
    for title, (a, b) in (("from above", (0, 1)), ("from the side", (0, 2))):
        both = np.concatenate([landmarks, cameras])
        plot = place_plot(both[:, [a, b]], axis_names(facts, ground, a, b))
        parts = dots(plot.px(landmarks[:, a]), plot.py(landmarks[:, b]), "fill muted", 1.8)
        left_out = facts.pruned.rows_of(facts.landmarks)
        parts += dots(plot.px(landmarks[left_out, a]), plot.py(landmarks[left_out, b]), "fill poor", 2.5)
        for style in ("good", "fair", "poor"):
            chosen = [i for i, view in enumerate(views) if view.verdict == style]
            x, y = plot.px(cameras[chosen, a]), plot.py(cameras[chosen, b])
            parts += dots(x, y, f"fill {style}", 4, [told[i] for i in chosen])
        charts.append((title, plot.draw(parts, f"Landmarks and map cameras {title}, by how much they see")))
    return charts
