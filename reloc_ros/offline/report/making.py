"""How the map was made: alignment, labels, training, calibration and the bundle, as rows and curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from reloc_ros.calibration import Calibration
from reloc_ros.offline.bundling.trial_poses import problems_of
from reloc_ros.offline.landmarks.labels import Visibility
from reloc_ros.offline.measuring.conditions import describe
from reloc_ros.offline.report.charts import Axis, Plot, Series, legend, line_chart, log_axis
from reloc_ros.offline.report.collect import Facts

Rows = list[tuple[str, str]]


def map_rows(facts: Facts) -> Rows:
    """What was mapped."""
    model, summary = facts.model, facts.summaries["map"] or {}
    images = len(facts.workspace.image_names)
    rows = [
        ("images registered", f"{len(model.names)} of {images}"),
        ("held out of the map", f"{int(facts.held_out.sum())}, by {facts.workspace.holdout}"),
        ("points", f"{len(model.points_map):,}"),
        ("reprojection error, mean", f"{float(model.errors_px.mean()):.2f} px"),
        ("images that see a point, mean", f"{float(model.track_lengths.mean()):.1f}"),
    ]
    if summary.get("grade"):
        rows.insert(0, ("verdict", str(summary["grade"])))
    if summary.get("models", 1) != 1:
        rows.append(("separate pieces", f"{summary['models']}; the largest is the map"))
    for camera in model.cameras.values():
        focal = f"{camera.fx:.0f}" if abs(camera.fx - camera.fy) < 1 else f"{camera.fx:.0f}, {camera.fy:.0f}"
        rows.append(("camera", f"{camera.model}, {camera.width}x{camera.height}, f {focal} px"))
    return rows


def _told_rows(notes: Mapping[str, Any]) -> Rows:
    """A row for each note that can be read, those inside of another after its name."""
    rows: Rows = []
    for key, value in notes.items():
        name = str(key).replace("_", " ")
        if isinstance(value, Mapping):
            rows += [(f"{name}: {inner}", words) for inner, words in _told_rows(value)]
            continue
        words = _told(value)
        if words is not None:
            rows.append((name, words))
    return rows


def _told(value: Any) -> str | None:
    """A note's value in words; None for what is of no use to read, such as matrices."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (int, str)):
        return str(value)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return None


def label_rows(facts: Facts) -> Rows:
    """What the labels say, and the selection before them."""
    rows: Rows = []
    select, label = facts.summaries["select"], facts.summaries["label"]
    if facts.landmarks is not None:
        of_points = f" of {select['of_points']:,} points" if select and "of_points" in select else ""
        rows.append(("landmarks", f"{len(facts.landmarks)}{of_points}"))
    if facts.labels is not None:
        states = facts.labels.visibility
        seen = np.count_nonzero(states == Visibility.SEEN, axis=1)
        kinds = (Visibility.SEEN, Visibility.HIDDEN, Visibility.UNKNOWN)
        rows += [
            ("visibility test", str((label or {}).get("method", "not noted"))),
            ("seen, hidden, unknown", " / ".join(f"{100 * np.mean(states == kind):.0f} %" for kind in kinds)),
            ("landmarks an image sees", f"{np.median(seen):.0f} at the median, {seen.min()} at least"),
        ]
    return rows


def training_rows(facts: Facts) -> Rows:
    train = facts.summaries["train"]
    if train is None:
        return []
    shape = train.get("shape") or {}
    rows = []
    if shape:
        rows.append(("network", f"{shape['encoder']}, input {shape['width']}x{shape['height']}"))
    if "steps" in train:
        rows.append(("steps", f"{train['steps']:,}"))
    if "seconds" in train:
        rows.append(("time", f"{train['seconds']:,} s"))
    if "encoder_weights" in train:
        rows.append(("encoder", str(train["encoder_weights"])))
    validation = train.get("validation")
    if isinstance(validation, Mapping):
        images = len(validation.get("images", ()))
        rows.append(("validated by", f"{images} map images that it was not trained on"))
        for condition, errors in (validation.get("conditions") or {}).items():
            if isinstance(errors, Mapping) and isinstance(errors.get("rotation_deg"), float):
                found, position = (
                    f"{100 * errors['recall']:.0f} % found",
                    f"{errors['position_percent']:.2f} %",
                )
                words = f"{found}, {errors['rotation_deg']:.2f}°, {position}, before sharpening"
                rows.append((describe(condition), words))
    return rows


def training_charts(facts: Facts) -> list[tuple[str, Markup, Markup]]:
    """Loss and validation errors over the steps, as (title, chart, legend)."""
    curves = facts.curves or {}
    groups = [
        ("Loss", {name: curves[name] for name in ("loss", "heatmap") if name in curves}, "loss"),
        ("Rotation error of validation images", _of_prefix(curves, "rotation_deg_"), "median °"),
        (
            "Position error of validation images",
            _of_prefix(curves, "position_percent_"),
            "median % of distance",
        ),
    ]
    charts = []
    for title, group, name in groups:
        if not group:
            continue
        values = [float(v) for _, ys in group.values() for v in ys if np.isfinite(v)]
        last = max(float(xs.max()) for xs, _ in group.values())
        plot = Plot(Axis("step", 0, max(last, 1)), log_axis(name, values), 360, 210)
        lines = [
            Series(label, xs[np.isfinite(ys)], ys[np.isfinite(ys)], f"s{i + 1}")
            for i, (label, (xs, ys)) in enumerate(group.items())
        ]
        ends = "; ".join(f"{line.name} ends at {line.y[-1]:.3g}" for line in lines if len(line.y))
        key = legend([(line.style, describe(line.name)) for line in lines])
        charts.append((title, line_chart(plot, lines, f"{title} over training steps: {ends}"), key))
    return charts


def _of_prefix(curves: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): curve for name, curve in curves.items() if name.startswith(prefix)}


def calibration_rows(facts: Facts) -> Rows:
    calibration = facts.summaries["calibrate"]
    if calibration is None:
        return []
    made = calibration.get("made_from") or {}
    rows = [
        ("keypoint sigmas", f"x{calibration['sigma_scale']:.2f}"),
        ("sigmas of coarse poses", f"x{calibration['coarse_scale']:.2f}"),
        ("sigmas of sharpened poses", f"x{calibration['refined_scale']:.2f}"),
        ("evidence a pose needs", f"{calibration['min_evidence']:.1f}"),
    ]
    if "pictures" in made and "photos" in made:
        words = f"{made['pictures']} pictures from {made['photos']} images that training did not see"
        rows.append(("measured on", words))
    if "believed" in made and "believed_wrong" in made:
        rows.append(("poses believed", f"{made['believed']}, of them wrong {made['believed_wrong']}"))
    rows += [("beware", problem) for problem in problems_of(Calibration(**calibration))]
    if "evidence_of_no_place_highest" in made:
        words = f"{made['evidence_of_no_place_highest']:.1f} evidence"
        rows.append(("pictures of no place have at most", words))
    return rows


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def bundle_rows(facts: Facts) -> Rows:
    export = facts.summaries["export"]
    if export is None:
        return []
    sizes: Mapping[str, int] = export.get("bytes") or {}
    rows = [("in all", _size(sum(sizes.values())))]
    rows += [(name, _size(size)) for name, size in sorted(sizes.items(), key=lambda item: -item[1])]
    int8 = export.get("int8")
    if int8:
        off = f"keypoints {int8['median_px']:.2f} network px from fp32's"
        rows.append(("int8 network", f"{off}, {100 * int8['missing']:.1f} % missing"))
    else:
        rows.append(("int8 network", "none: left out, or not close enough to fp32"))
    return rows


ROWS = {
    "map": map_rows,
    "clean": lambda facts: _told_rows(facts.summaries["clean"] or {}),
    "align": lambda facts: _told_rows(facts.summaries["align"] or {}),
    "label": label_rows,
    "train": training_rows,
    "calibrate": calibration_rows,
    "export": bundle_rows,
}
"""What each step noted, as rows of a name and a value."""
