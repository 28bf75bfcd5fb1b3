"""Make the report: every section from what the workspace holds, or a sentence on how to get it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path
from reloc_ros.offline.landmarks.spread import VIEW_NEEDS
from reloc_ros.offline.measuring.conditions import describe
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.report import coverage, making, performance
from reloc_ros.offline.report.charts import legend
from reloc_ros.offline.report.collect import Facts, collect
from reloc_ros.offline.report.gallery import found_sentence, landmark_cards
from reloc_ros.offline.report.lost_view import lost_section
from reloc_ros.offline.report.pictures import Photos
from reloc_ros.offline.report.place import ground_of, scene
from reloc_ros.offline.report.worst import worst_images
from reloc_ros.offline.workspace import Workspace
from reloc_ros.version import __version__

_VERBS = {"map": "map", "align": "align", "select": "select", "label": "label", "train": "train"}
_VERBS |= {"export": "export", "evaluate": "eval"}


def write_report(workspace: Workspace, output: Path, progress: Progress = silent) -> int:
    """Write the page, whole or not at all; returns its size in bytes.

    Raises:
        RelocError: when the output cannot be written, or the workspace is damaged.
    """
    _refuse_output(output)
    page = render(collect(workspace), progress)
    try:
        with atomic_path(output) as temporary:
            temporary.write_text(page, encoding="utf-8")
    except OSError as error:
        raise RelocError(f"cannot write '{output}' ({error.strerror}); name another file") from error
    return output.stat().st_size


def _refuse_output(output: Path) -> None:
    """Before the minutes of work, not after them."""
    folder = output.absolute().parent
    if output.is_dir():
        raise RelocError(f"'{output}' is a folder; name the HTML file to write")
    if not folder.is_dir():
        raise RelocError(f"there is no folder '{folder}' to write '{output.name}' to; make it first")
    if not os.access(folder, os.W_OK):
        raise RelocError(f"folder '{folder}' cannot be written to; name another file")


def render(facts: Facts, progress: Progress = silent) -> str:
    """The page as one HTML text that refers to nothing outside of itself."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(_content(facts, progress))


def _content(facts: Facts, progress: Progress) -> dict[str, Any]:
    told = {f"{step}_rows": _rows(facts, step, rows) for step, rows in making.ROWS.items()}
    ground = ground_of(facts.model)
    photos = Photos(facts.workspace.images_dir)
    has_landmarks, has_labels = facts.landmarks is not None, facts.labels is not None
    views = coverage.view_coverage(facts) if has_labels and has_landmarks else None
    cards = landmark_cards(facts, photos, progress) if has_landmarks else None
    content = {
        "name": facts.workspace.path.name,
        "version": __version__,
        "metric": facts.metric,
        "distance": facts.distance,
        "headline": headline(facts),
        "tiles": tiles(facts),
        "steps": [(verb, facts.summaries[step] is not None) for step, verb in _VERBS.items()],
        "stale": facts.stale,
        "scene": scene(facts, ground),
        "level": not ground.is_map,
        "left_out": facts.left_out,
        "advice": (facts.summaries["map"] or {}).get("advice", ()),
        "remarks": (facts.summaries["map"] or {}).get("remarks", ()),
        "needs": VIEW_NEEDS,
        "coverage": None if views is None else _coverage(facts, ground, views, photos),
        "pruned": facts.pruned,
        "changed": coverage.changed_views(facts, photos) if facts.pruned.landmarks else (),
        "cards": cards,
        "found": found_sentence(cards or ()),
        "scores": _scores(facts) if facts.scores else None,
        "worst": worst_images(facts, photos) if facts.scores else None,
        "lost": lost_section(facts, ground, progress) if has_labels and has_landmarks else None,
        "training_charts": making.training_charts(facts),
    }
    return content | told | {"missing_photos": photos.missing, "photos": str(photos.folder)}


def _rows(facts: Facts, step: str, rows: Callable[[Facts], making.Rows]) -> making.Rows:
    """What a step noted; notes that cannot be what it wrote are named."""
    try:
        return rows(facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        file = facts.workspace.path / "workspace.json"
        raise RelocError(
            f"'{file}' is damaged in what step '{step}' noted ({error}); run that step again"
        ) from error


def _coverage(
    facts: Facts, ground: Any, views: list[coverage.ViewCoverage], photos: Photos
) -> dict[str, Any]:
    poor, thumbnails = coverage.poor_views(facts, views, photos)
    return {
        "chart": coverage.coverage_chart(views),
        "space": coverage.space_charts(facts, ground, views),
        "poor": poor,
        "others": [view for view in poor if view not in [shown for shown, _ in thumbnails]],
        "thumbnails": thumbnails,
        "images": len(views),
        "legend": legend(
            [
                ("good", f"{VIEW_NEEDS} well-spread ones or more"),
                ("fair", f"{VIEW_NEEDS // 2} to {VIEW_NEEDS - 1}"),
                ("poor", "fewer"),
                ("faint", "seen, close to others"),
            ]
        ),
    }


def _scores(facts: Facts) -> dict[str, Any]:
    return {
        "head": performance.table_head(facts),
        "rows": performance.table_rows(facts),
        "curves": performance.error_curves(facts),
        "legend": performance.method_legend(facts),
        "nees": performance.nees_chart(facts),
        "nees_sentence": performance.nees_sentence(facts),
        "condition": describe(facts.ours[0].condition),
        "nees_legend": legend([(performance.OURS, facts.ours[0].method), ("muted", "an honest claim")]),
        "timing": performance.timing_chart(facts),
        "images": len(facts.ours[0].outcomes),
    }


def headline(facts: Facts) -> str:
    """The verdict in one or two sentences."""
    images = len(facts.workspace.image_names)
    mapped = (
        f"{len(facts.model.names)} of {images} images make a map of {len(facts.model.points_map):,} points"
    )
    mapped += ", in metres." if facts.metric else ", of unknown scale."
    if not facts.ours:
        return mapped
    score = facts.ours[0]
    within = round(score.recall * len(score.outcomes))
    told = f"{within} of {len(score.outcomes)} images that the map has never seen are localized"
    if score.lost == len(score.outcomes):
        return f"{mapped} None of {len(score.outcomes)} images that the map has never seen is localized."
    position = (
        f"{100 * score.median('position'):.1f} cm"
        if score.metric
        else f"{score.median('position_percent'):.2f} %"
    )
    return f"{mapped} {told}, {score.median('rotation_deg'):.2f}° and {position} off at the median."


def tiles(facts: Facts) -> list[tuple[str, str, str]]:
    """The few figures on top: (value, name, further words)."""
    registered = f"{len(facts.model.names)}/{len(facts.workspace.image_names)}"
    found = [(registered, "images registered", f"{int(facts.held_out.sum())} held out")]
    if facts.landmarks is None:
        found.append(("-", "landmarks", "run reloc select"))
    else:
        found.append((str(len(facts.landmarks)), "landmarks", f"of {len(facts.known.points_map):,} points"))
    for score in facts.ours[:3]:
        words = f"of {len(score.outcomes)} unseen images found"
        found.append((f"{100 * score.recall:.0f} %", describe(score.condition), words))
    if facts.ours and "total" in (times_ms := facts.ours[0].stage_ms(50)):
        found.append((f"{times_ms['total']:.0f} ms", "an image", "median, this machine"))
    export = facts.summaries["export"]
    if export is not None and export.get("bytes"):
        found.append((f"{sum(export['bytes'].values()) / 1e6:.1f} MB", "bundle", "what the robot needs"))
    return found
