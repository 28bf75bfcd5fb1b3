"""Charts as SVG: drawn in CSS classes, so that they follow the page into dark mode and onto paper."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import ArrayLike

LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 34
"""Margins of a chart, for its ticks and the names of its axes."""


@dataclasses.dataclass(frozen=True)
class Axis:
    """From `low` to `high`, linear or logarithmic."""

    name: str
    low: float
    high: float
    log: bool = False
    tell: Callable[[float], str] = "{:g}".format
    """How a tick is written."""

    def place(self, values: ArrayLike) -> np.ndarray:
        """Where values lie: 0 at `low`, 1 at `high`, never beyond."""
        values = np.asarray(values, dtype=float)
        if self.log:
            values = np.log(np.maximum(values, self.low))
            share = (values - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        else:
            share = (values - self.low) / (self.high - self.low)
        return np.clip(np.nan_to_num(share, nan=0.0), 0, 1)

    @property
    def ticks(self) -> list[float]:
        """Round numbers along the axis, about five."""
        if self.log:
            decades = range(math.floor(math.log10(self.low)) - 1, math.ceil(math.log10(self.high)) + 1)
            factors = (1, 2, 5) if self.high / self.low < 50 else (1,)
            marks = [factor * 10.0**decade for decade in decades for factor in factors]
        else:
            step = _round_step((self.high - self.low) / 4)
            marks = list(step * np.arange(math.ceil(self.low / step - 1e-9), self.high / step + 1e-9))
        return [mark for mark in marks if self.low * (1 - 1e-9) <= mark <= self.high * (1 + 1e-9)]


def _round_step(rough: float) -> float:
    decade = 10.0 ** math.floor(math.log10(rough))
    return min((factor * decade for factor in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / rough)))


def log_axis(name: str, values: Sequence[float], least: float = 1e-3) -> Axis:
    """A logarithmic axis around positive values."""
    positive = [value for value in values if value > 0] or [least]
    low = max(min(positive), least)
    return Axis(name, 0.8 * low, max(1.25 * max(positive), 8 * low), log=True)


@dataclasses.dataclass(frozen=True)
class Series:
    """One line of a chart."""

    name: str
    x: ArrayLike
    y: ArrayLike
    style: str
    """A CSS class: s1, s2, … in turn, muted, or one of the verdicts good, fair, poor."""


@dataclasses.dataclass(frozen=True)
class Plot:
    """The canvas of one chart."""

    x: Axis
    y: Axis
    """Not drawn where it has no name."""
    width: int = 360
    height: int = 220
    left: int = LEFT

    def px(self, values: ArrayLike) -> np.ndarray:
        return self.left + self.x.place(values) * (self.width - self.left - RIGHT)

    def py(self, values: ArrayLike) -> np.ndarray:
        return self.height - BOTTOM - self.y.place(values) * (self.height - TOP - BOTTOM)

    def draw(self, body: Iterable[str], described: str) -> Markup:
        """The chart with its axes; `described` says what it shows to those who do not see it."""
        return svg(self.width, self.height, [*self._axes(), *body], described)

    def _axes(self) -> list[str]:
        x0, x1 = self.left, self.width - RIGHT
        y0, y1 = self.height - BOTTOM, TOP
        parts = []
        for tick in self.x.ticks:
            x = float(self.px(tick))
            parts.append(f'<path class="grid" d="M{x:.1f} {y0}V{y1}"/>')
            parts.append(text(x, y0 + 14, self.x.tell(tick), "tick mid"))
        parts.append(text((x0 + x1) / 2, self.height - 4, self.x.name, "name mid"))
        if not self.y.name:
            return parts
        for tick in self.y.ticks:
            y = float(self.py(tick))
            parts.append(f'<path class="grid" d="M{x0} {y:.1f}H{x1}"/>')
            parts.append(text(x0 - 6, y + 4, self.y.tell(tick), "tick end"))
        parts.append(f'<path class="axis" d="M{x0} {y0}H{x1}"/>')
        middle = (y0 + y1) / 2
        turn = f'transform="rotate(-90 11 {middle:g})"'
        parts.append(text(11, middle, self.y.name, "name mid", turn))
        return parts


def svg(width: float, height: float, body: Iterable[str], described: str) -> Markup:
    label = escape(described)
    return Markup(
        f'<svg viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}px" role="img" aria-label="{label}">'
        f"<title>{label}</title>{''.join(body)}</svg>"
    )


def text(x: float, y: float, words: str, style: str, further: str = "") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" {further}>{escape(words)}</text>'


def path(x: ArrayLike, y: ArrayLike) -> str:
    """The `d` of a line through points in pixels."""
    pairs = [f"{a:.1f} {b:.1f}" for a, b in zip(np.atleast_1d(x), np.atleast_1d(y), strict=True)]
    return "M" + "L".join(pairs) if pairs else ""


def dots(x: ArrayLike, y: ArrayLike, style: str, radius: float = 3, names: Sequence[str] = ()) -> list[str]:
    """Circles at pixels, each telling its name when pointed at."""
    told = [f"<title>{escape(name)}</title>" for name in names] or [""] * np.size(x)
    return [
        f'<circle class="{style}" cx="{a:.1f}" cy="{b:.1f}" r="{radius:g}">{name}</circle>'
        for a, b, name in zip(np.atleast_1d(x), np.atleast_1d(y), told, strict=True)
    ]


def line_chart(plot: Plot, lines: Sequence[Series], described: str, further: Iterable[str] = ()) -> Markup:
    drawn = [f'<path class="line {s.style}" d="{path(plot.px(s.x), plot.py(s.y))}"/>' for s in lines]
    return plot.draw([*further, *drawn], described)


def cumulative(values: Sequence[float], total: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps of the share, %, of `total` that has at most each value; what has no value is never reached."""
    ordered = np.sort(np.asarray(values, dtype=float))
    share = 100 * np.arange(len(ordered) + 1) / total
    return np.repeat(ordered, 2), np.repeat(share, 2)[1:-1]


def legend(entries: Sequence[tuple[str, str]]) -> Markup:
    """Names beside their CSS classes."""
    items = (f'<span><i class="key {style}"></i>{escape(name)}</span>' for style, name in entries)
    return Markup(f'<p class="legend">{"".join(items)}</p>')
