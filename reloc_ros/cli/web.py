"""`reloc web`."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from reloc_ros.cli.common import WorkspaceOption, console, open_workspace


def web(
    workspace: WorkspaceOption,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 takes a free one.")] = 8080,
    host: Annotated[
        str, typer.Option(help="Where to listen; 0.0.0.0 lets others in your network look, and edit.")
    ] = "localhost",
) -> None:
    """Choose landmarks by hand, in the browser.

    Example: [bold]reloc web -w desk[/bold]
    """
    from reloc_ros.offline.picking.landmark_session import LandmarkSession
    from reloc_ros.offline.picking.web import Page

    opened = open_workspace(workspace)
    with console.status("reading the map"):
        session = LandmarkSession(opened)
    for notice in session.notices:
        console.print(notice, soft_wrap=True)
    page = Page(session, host, port)
    ended = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as in the background, where Ctrl-C is for another
            signal.signal(number, lambda *_: ended.set())
    try:
        typer.echo(f"http://{host}:{page.port}")
        console.print("open this address in a browser; Ctrl-C ends")
        ended.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        page.stop()
    if session.editor.unsaved:
        console.print(
            f"not saved: {len(session.editor)} landmarks, as changed; they are kept, and reloc web -w {workspace} "
            "takes them up again",
            soft_wrap=True,
        )
