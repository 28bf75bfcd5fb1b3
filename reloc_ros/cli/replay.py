"""`reloc replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reloc_ros.cli.common import bars, tell
from reloc_ros.errors import RelocError


def replay(
    bag: Annotated[
        Path, typer.Argument(help="A bag folder, or a single .mcap, .db3 or .bag file.", show_default=False)
    ],
    rate: Annotated[float, typer.Option(help="Seconds of the bag a second.")] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Start over at the end, until stopped.")] = False,
    start: Annotated[float, typer.Option(help="Where to start, seconds from the start of the bag.")] = 0.0,
    topic: Annotated[
        list[str] | None, typer.Option(help="Play this topic only; may be given several times.")
    ] = None,
    remap: Annotated[
        list[str] | None, typer.Option(help="OLD:=NEW, play a topic by another name; several times.")
    ] = None,
    clock_hz: Annotated[float, typer.Option(help="Rate of /clock; 0 leaves time alone.")] = 100.0,
    wait: Annotated[float, typer.Option(help="Longest wait for somebody who listens, seconds.")] = 10.0,
    wait_for: Annotated[str, typer.Option(help="The node to wait for, if not anybody.")] = "",
) -> None:
    """Play a recorded bag as ROS 2 topics, with its clock, where there is no [bold]ros2 bag[/bold].

    Example: [bold]reloc replay walk.mcap --rate 0.5 --remap /camera/image_raw:=/image[/bold]
    """
    from reloc_ros.replay.options import ReplayOptions
    from reloc_ros.replay.player import replay as play

    renamed = _remappings(remap or [])
    options = ReplayOptions(rate, loop, start, tuple(topic or ()), renamed, clock_hz, wait, wait_for)
    with bars() as progress:
        done = play(bag, options, progress)
    how = "stopped" if done.stopped else "played"
    late = f", at most {done.worst_delay_s:.2f} s late" if done.worst_delay_s > 0.1 else ""
    tell(f"{bag}: {how} after {done.messages} messages{late}")


def _remappings(rules: list[str]) -> dict[str, str]:
    remappings = {}
    for rule in rules:
        old, separator, new = rule.partition(":=")
        if not (old and separator and new):
            raise RelocError(f"remap must be OLD:=NEW, got {rule!r}")
        remappings[old] = new
    return remappings
