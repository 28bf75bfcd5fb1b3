"""How well it works on the held-out images: the recall table, the error curves, honesty and time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape
from scipy.stats import chi2

from reloc_ros.offline.measuring.conditions import describe
from reloc_ros.offline.measuring.scores import (
    MAX_POSITION_M,
    MAX_POSITION_PERCENT,
    MAX_ROTATION_DEG,
    NETWORK_ALONE,
    Score,
)
from reloc_ros.offline.report.charts import (
    Axis,
    Plot,
    Series,
    cumulative,
    legend,
    line_chart,
    log_axis,
    text,
)
from reloc_ros.offline.report.collect import Facts

OURS, OTHER, WITHOUT = "s1", "s2", "muted"


@dataclasses.dataclass(frozen=True)
class ConditionCurves:
    """The error curves under one condition."""

    title: str
    summary: str
    charts: tuple[Markup, ...]


def style_of(score: Score, scores: Sequence[Score]) -> str:
    if score.method == scores[0].method:
        return OURS
    return WITHOUT if score.method == NETWORK_ALONE else OTHER


def table_rows(facts: Facts) -> list[tuple[bool, list[str]]]:
    """Of each condition and method, whether it is the network's, and the figures as they are told."""
    rows = []
    for condition, scores in _by_condition(facts.scores or ()).items():
        for place, score in enumerate(scores):
            name = describe(condition) if place == 0 else ""
            rows.append((place == 0, [name, score.method, *_figures(score, facts)]))
    return rows


def table_head(facts: Facts) -> list[str]:
    within = f"{100 * MAX_POSITION_M:g} cm" if facts.scored_in_metres else f"{MAX_POSITION_PERCENT:g} %"
    errors = ["median °", *(["cm"] if facts.scored_in_metres else []), "% of distance"]
    honest = ["NEES mean", "in 95 %"]
    return ["condition", "method", f"within {within}, 5°", *errors, "lost", *honest, "ms p50", "ms p95"]


def _figures(score: Score, facts: Facts) -> list[str]:
    cm = [_number(100 * score.median("position"), 2)] if facts.scored_in_metres else []
    return [
        f"{100 * score.recall:.0f} %",
        _number(score.median("rotation_deg"), 3),
        *cm,
        _number(score.median("position_percent"), 3),
        f"{score.lost} of {len(score.outcomes)}",
        _number(score.nees_mean, 1),
        "-" if math.isnan(score.nees_within_95) else f"{100 * score.nees_within_95:.0f} %",
        _number(score.stage_ms(50).get("total", math.nan), 1),
        _number(score.stage_ms(95).get("total", math.nan), 1),
    ]


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _by_condition(scores: Sequence[Score]) -> dict[str, list[Score]]:
    grouped: dict[str, list[Score]] = {}
    for score in scores:
        grouped.setdefault(score.condition, []).append(score)
    return grouped


def error_curves(facts: Facts) -> list[ConditionCurves]:
    """For each condition the cumulative errors of every method, axes alike throughout."""
    scores = facts.scores or ()
    kinds = [("rotation_deg", "rotation error, °", MAX_ROTATION_DEG, 1.0)]
    if facts.scored_in_metres:
        kinds.append(("position", "position error, cm", 100 * MAX_POSITION_M, 100.0))
    else:
        kinds.append(("position_percent", "position error, % of distance", MAX_POSITION_PERCENT, 1.0))
    axes = []
    for field, name, limit, factor in kinds:
        values = [factor * v for score in scores for v in score.errors(field)]
        axes.append(log_axis(name, [*values, limit]))
    cards = []
    for condition, group in _by_condition(scores).items():
        charts = []
        for axis, (field, name, limit, factor) in zip(axes, kinds, strict=True):
            lines, medians = [], []
            for score in group:
                x, y = cumulative(factor * score.errors(field), len(score.outcomes))
                x = np.append(np.insert(x, 0, axis.low), axis.high)
                y = np.append(np.insert(y, 0, 0.0), y[-1] if len(y) else 0.0)
                lines.append(Series(score.method, x, y, style_of(score, scores)))
                medians.append(f"{score.method} reaches {y[-1]:.0f} %")
            plot = Plot(axis, Axis("images, %", 0, 100), 500, 190)
            edge = float(plot.px(limit))
            mark = f'<path class="line limit" d="M{edge:.1f} {plot.py(0):.1f}V{plot.py(100):.1f}"/>'
            described = f"Cumulative {name}, {describe(condition)}: {'; '.join(medians)}"
            charts.append(line_chart(plot, lines, described, [mark]))
        told = ", ".join(f"{100 * score.recall:.0f} % by {score.method.partition(',')[0]}" for score in group)
        cards.append(ConditionCurves(describe(condition), told, tuple(charts)))
    return cards


def method_legend(facts: Facts) -> Markup:
    scores = facts.scores or ()
    methods = dict.fromkeys((style_of(score, scores), score.method) for score in scores)
    return legend([*methods, ("limit", "what counts as found")])


def nees_chart(facts: Facts) -> Markup | None:
    """How the squared errors, in units of the claimed covariance, lie beside those of an honest claim."""
    values = _all_nees(facts)
    if not values:
        return None
    axis = log_axis("NEES, squared error over claimed variance", [*values, 1.0, 30.0], 0.1)
    grid = np.geomspace(axis.low, axis.high, 80)
    lines = [
        Series("honest", grid, 100 * chi2.cdf(grid, 6), "muted"),
        Series("poses", *cumulative(values, len(values)), OURS),
    ]
    described = (
        f"Cumulative NEES of {len(values)} poses, mean {np.mean(values):.1f}, beside the chi-square distribution of "
        "six degrees of freedom, whose mean is 6"
    )
    return line_chart(Plot(axis, Axis("poses, %", 0, 100), 500, 230), lines, described)


def nees_sentence(facts: Facts) -> str:
    values = _all_nees(facts)
    if not values:
        return ""
    mean = float(np.mean(values))
    verdict = "the poses are better than they claim" if mean < 4 else "the claims are about right"
    if mean > 9:
        verdict = "the poses are worse than they claim: scale the covariance where it is used"
    return f"Over all {len(values)} poses the mean NEES is {mean:.1f}, where 6 is honest: {verdict}."


def _all_nees(facts: Facts) -> list[float]:
    return [nees for score in facts.ours for nees in score.errors("nees").tolist()]


def timing_chart(facts: Facts) -> Markup | None:
    """Where the time of an image goes, of each method, under the first condition."""
    scores = facts.scores or ()
    shown = [score for score in scores if score.condition == scores[0].condition]
    if not shown:
        return None
    longest = max(score.stage_ms(50).get("total", 0.0) for score in shown)
    x = Axis("median ms an image, by stage", 0, max(1.05 * longest, 1e-3))
    row = 44
    plot = Plot(x, Axis("", 0, 1), 1060, 34 + row * len(shown) + 14, left=12)
    parts, told = [], []
    for i, score in enumerate(shown):
        top, start = 12 + row * i, 0.0
        stages = {name: ms for name, ms in score.stage_ms(50).items() if name != "total"}
        listed = ", ".join(f"{name} {ms:.1f}" for name, ms in stages.items())
        told.append(f"{score.method}: {listed} ms")
        parts.append(text(12, top + 11, told[-1], "bar-name"))
        for j, (name, ms) in enumerate(stages.items()):
            left, right = float(plot.px(start)), float(plot.px(start + ms))
            width = max(right - left - 1, 0.5)
            parts.append(
                f'<rect class="fill b{j % 5 + 1}" x="{left:.1f}" y="{top + 17}" width="{width:.1f}" '
                f'height="16"><title>{escape(name)} {ms:.1f} ms</title></rect>'
            )
            start += ms
    return plot.draw(parts, "Median time of an image by stage. " + "; ".join(told))
