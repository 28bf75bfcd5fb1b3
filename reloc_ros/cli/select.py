"""`reloc select` and `reloc web`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated, Any

import typer

from reloc_ros.cli.common import WorkspaceOption, bars, held, open_workspace, phase, tell
from reloc_ros.stream.stop import Stop

_NAMED = 12
"""Of the images in trouble, so many are named."""


def select(
    workspace: WorkspaceOption,
    count: Annotated[
        str, typer.Option(help="How many landmarks, or auto: as many as every view needs to see enough.")
    ] = "auto",
    most: Annotated[int, typer.Option("--max", help="Without --count: never more than this.")] = 500,
    points: Annotated[
        Path | None, typer.Option(help="Take the points of this text file instead: lines of x y z.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Give up landmarks chosen by hand in reloc web.")
    ] = False,
    add: Annotated[
        bool, typer.Option("--add", help="Keep those that there are; add what images that came later need.")
    ] = False,
) -> None:
    """Choose the landmarks, automatically or from a list.

    Example: [bold]reloc select -w desk --count 128[/bold]
    """
    from reloc_ros.errors import RelocError
    from reloc_ros.offline import steps
    from reloc_ros.offline.landmarks.select_landmarks import parse_count

    opened, wanted = open_workspace(workspace), parse_count(count)
    if points is not None and wanted is not None:
        raise RelocError(
            "--points lists the landmarks and --count asks for a number of them; use one of the two"
        )
    if add and (points is not None or wanted is not None or replace):
        raise RelocError(
            "--add keeps the landmarks that there are; leave out --count, --points and --replace"
        )
    with bars() as progress, phase(progress, "select"):
        done = steps.select_step(opened, wanted, most, progress, points, replace, add)
    parted = f" in {len(done['places'])} places" if done.get("places") else ""
    tell(
        f"{done['landmarks']} landmarks{parted} of {done['of_points']} points; {done['map_images']} images see "
        f"{done['spread_median']:.0f} well-spread ones in the median, at least {done['spread_min']}"
    )
    if points is not None:
        remedy = f"more points would help, see reloc web -w {workspace}"
    else:
        remedy = "raise --max" if wanted is None else "raise --count, or leave it out"
    _tell_short(done, remedy)


def _tell_short(done: dict[str, Any], remedy: str) -> None:
    """Say which images see fewer landmarks than they need, and why."""
    if unmet := done.get("unmet_images"):
        tell(
            f"{done['landmarks']} landmarks are too few for all images to see {done['view_needs']}: {_names(unmet)}; "
            f"{remedy}",
        )
    if done["poor_images"]:
        tell(f"too few points to see {done['view_needs']}: {_names(done['poor_images'])}")


def _names(images: list[str]) -> str:
    more = len(images) - _NAMED
    return ", ".join(images[:_NAMED]) + (f" and {more} more" if more > 0 else "")


_WAKE_S = 0.2
"""A signal may reach any thread of the process; its handler runs in this one, once it wakes."""


def web(
    workspace: WorkspaceOption,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 takes a free one.")] = 8080,
    host: Annotated[
        str,
        typer.Option(
            help="Where to listen; 0.0.0.0 lets others in your network look, and edit, with --token."
        ),
    ] = "localhost",
    token: Annotated[
        str | None,
        typer.Option(
            envvar="RELOC_WEB_TOKEN",
            help="A word that the address must have, so that only those who are given it get in; auto makes one up.",
        ),
    ] = None,
) -> None:
    """Choose landmarks by hand, in the browser.

    Example: [bold]reloc web -w desk[/bold]
    """
    from reloc_ros.offline.picking.landmark_session import LandmarkSession
    from reloc_ros.offline.picking.web import Page
    from reloc_ros.offline.picking.web_guard import Guard, parse_token
    from reloc_ros.offline.workspace_lock import locked

    guard = Guard(host, parse_token(token))
    opened = open_workspace(workspace, alone=False)
    held.enter_context(locked(opened.path / ".web.lock"))
    with bars() as progress, phase(progress, "read the map"):
        session = LandmarkSession(opened)
    for notice in session.notices:
        tell(notice)
    page = Page(session, guard, port)
    ended = Stop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as in the background, where Ctrl-C is for another
            signal.signal(number, ended.set)
    try:
        typer.echo(guard.address(page.port))
        tell("open this address in a browser; Ctrl-C ends")
        while not ended.wait(_WAKE_S):
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        page.stop()
    if session.editor.unsaved:
        tell(
            f"not saved: {len(session.editor)} landmarks, as changed; they are kept, and reloc web -w {workspace} "
            "takes them up again"
        )
