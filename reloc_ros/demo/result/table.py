"""The run as text: a live table on a terminal, plain lines elsewhere, and the summary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reloc_ros.demo.result.record import MIN_LOCALIZED_SHARE, WRONG_CM, WRONG_DEG, Sighting, Summary, View
from reloc_ros.stream.status import State

ROWS = 14
_STATE_STYLES = {State.TRACKING: "bold green", State.DEGRADED: "bold yellow", State.LOST: "bold red"}
_COLUMNS = (
    ("walk, s", 7),
    ("it sees", 10),
    ("state", 8),
    ("x y z in m, or why not", 22),
    ("cm off", 6),
    ("deg off", 7),
    ("inliers", 7),
    ("ms", 4),
)  # 78 characters wide in all, for the smallest of terminals
_VIEW_WORDS = {View.IN_VIEW: "the room", View.TURNING: "a part", View.AWAY: "the garden"}


def live_view(sightings: Sequence[Sighting], length_s: float) -> RenderableType:
    """The newest pictures the node spoke of, under a bar of how far the walk has come."""
    told = [s for s in sightings if s.is_told]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for heading, width in _COLUMNS:
        left = heading in ("it sees", "state") or "why not" in heading
        table.add_column(heading, width=width, justify="left" if left else "right", no_wrap=True)
    for sighting in told[-ROWS:]:
        table.add_row(*_row(sighting))
    for _ in range(ROWS - len(told)):
        table.add_row("")
    return Group(_banner(told, length_s), Text(), table)


def _banner(told: Sequence[Sighting], length_s: float) -> RenderableType:
    if not told:
        return Group(Text("waiting for the first picture", style="dim"), Text())
    now = told[-1]
    posed = [s for s in told if s.estimate is not None]
    line = Table.grid(padding=(0, 2))
    state = Text(f" {now.report.state.name:^8} ", style=f"reverse {_STATE_STYLES[now.report.state]}")
    bar = ProgressBar(total=length_s, completed=now.time_s, width=44)
    line.add_row(state, bar, Text(f"{now.time_s:.1f} of {length_s:.0f} s"))
    counts = Text(f"{len(posed)} of {len(told)} pictures gave a pose")
    if posed:
        errors_cm, errors_deg = [s.error_cm for s in posed], [s.error_deg for s in posed]
        counts.append(
            f", in the median off by {np.median(errors_cm):.1f} cm and {np.median(errors_deg):.2f} deg"
        )
    return Group(line, counts)


def _row(sighting: Sighting) -> tuple[Text, ...]:
    report = sighting.report
    where = Text(report.reason.replace("_", " "), style="dim")
    errors = Text(), Text()
    if sighting.estimate is not None:
        x, y, z = sighting.estimate.center
        where = Text(f"{x:6.2f} {y:6.2f} {z:6.2f}")
        errors = (
            Text(f"{sighting.error_cm:.1f}", style=_error_style(sighting.error_cm / WRONG_CM)),
            Text(f"{sighting.error_deg:.2f}", style=_error_style(sighting.error_deg / WRONG_DEG)),
        )
    return (
        Text(f"{sighting.time_s:.1f}"),
        Text(_VIEW_WORDS[sighting.view], style="" if sighting.view is View.IN_VIEW else "dim"),
        Text(report.state.name.lower(), style=_STATE_STYLES[report.state]),
        where,
        *errors,
        Text(f"{report.inliers}/{report.keypoints}"),
        Text("" if sighting.delay_ms is None else f"{sighting.delay_ms:.0f}"),
    )


def _error_style(share_of_wrong: float) -> str:
    return "green" if share_of_wrong < 0.5 else "yellow" if share_of_wrong <= 1 else "bold red"


def plain_line(sighting: Sighting) -> str:
    """One picture as a line for a log."""
    report = sighting.report
    start = f"{sighting.time_s:5.1f} s  {_VIEW_WORDS[sighting.view]:10}  "
    if report is None:
        return f"{start}not looked at"
    start += f"{report.state.name.lower():8}  {report.inliers:2}/{report.keypoints:2} inliers  "
    if sighting.estimate is None:
        return f"{start}no pose: {report.reason.replace('_', ' ')}"
    x, y, z = sighting.estimate.center
    return f"{start}at {x:6.3f} {y:6.3f} {z:6.3f} m, off by {sighting.error_cm:4.1f} cm {sighting.error_deg:4.2f} deg"


def summary_view(summary: Summary) -> RenderableType:
    """What the run came to, criterion by criterion."""
    table = Table(title="The run", title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for name, value in summary_lines(summary):
        table.add_row(name, value)
    return table


def summary_lines(s: Summary) -> list[tuple[str, str]]:
    """Name and value of each line of the summary."""
    overtaken = f"{s.dropped} overtaken by newer ones"
    localized = _share(s.in_view_localized, s.in_view)
    p95 = f"p95 {s.p95_cm:.1f} cm {s.p95_deg:.2f} deg"
    wrong = f"off by more than {WRONG_CM:g} cm or {WRONG_DEG:g} deg; none allowed"
    away = f"{s.away_with_pose} of {s.away} gave a pose (none allowed)"
    delay = f"p50 {s.latency_p50_ms:.0f} ms, p99 {s.latency_p99_ms:.0f} ms"
    return [
        ("pictures", f"{s.published} published, {s.looked_at} looked at, {overtaken}"),
        ("localized in view", f"{localized} (at least {100 * MIN_LOCALIZED_SHARE:.0f} % asked for)"),
        ("pose off by", f"median {s.median_cm:.1f} cm {s.median_deg:.2f} deg, {p95}"),
        ("wrong poses", f"{s.wrong} of {s.poses} ({wrong})"),
        ("looking away", f"{away}; state lost in {_share(s.away_lost, s.away)}"),
        ("picture to pose", f"{delay}; of that the node's work {s.work_p50_ms:.0f} ms"),
        ("transforms", f"{s.poses - s.strange_transforms} of {s.poses} poses came with theirs on TF"),
    ]


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f", {100 * part / whole:.0f} %" if whole else "")
