"""`python -m reloc_ros.demo`: the embedded demo; joins its ROS side and its offline side, each imported when needed."""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import write_json

console = Console()
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")


@app.command()
def demo(
    full: Annotated[
        bool, typer.Option("--full", help="First film, map and train: make the bundle anew from the video.")
    ] = False,
    bundle: Annotated[
        Path | None, typer.Option(help="A bundle of the demo's room, if not the embedded one.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Where to put pictures, logs and results.")] = Path(
        "build/demo"
    ),
    rate: Annotated[float, typer.Option(min=1, max=30, help="Pictures a second.")] = 8.0,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="Stop after this much of the walk (24 s).")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="With --full: time budget of the training.")] = None,
) -> None:
    """A camera walks through a room, looks away and comes back: where is it?

    Camera (a publisher), node and watcher are three processes that talk over
    ROS 2 topics. The exit code is 0 when the run is good: at least 90 % of the
    pictures that show the room gave a pose, no pose is off by more than 10 cm
    or 5 deg, none was published while the camera looked away, each came with
    its transform, and the node looked at half of all pictures or more. It is 1
    when the run is not good, and 2 when something could not start.
    """
    try:
        good = _demo(full, bundle, output, rate, seconds, minutes)
    except KeyboardInterrupt:  # typer would end without a word
        console.print("stopped")
        raise typer.Exit(130) from None
    raise typer.Exit(0 if good else 1)


def _demo(
    full: bool,
    bundle: Path | None,
    output: Path,
    rate_hz: float,
    seconds: float | None,
    minutes: float | None,
) -> bool:
    from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE, make_bundle

    if full and bundle is not None:
        raise RelocError("--full makes a bundle of its own; give either it or --bundle")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RelocError(f"cannot write to {output}: {error}") from error
    if full:
        bundle = make_bundle(output, console, minutes)
    return _live(bundle or EMBEDDED_BUNDLE, output, rate_hz, seconds)


def _live(bundle: Path, output: Path, rate_hz: float, seconds: float | None) -> bool:
    from reloc_ros.bundle import Bundle
    from reloc_ros.demo.result.record import summarize
    from reloc_ros.demo.result.table import summary_view
    from reloc_ros.demo.ros.watch import LiveRun, run_live

    start_s = time.monotonic()
    Bundle.load(bundle)  # refuse a wrong one here, with its sentence, and not in the node's log
    record, walk = run_live(LiveRun(bundle, output, rate_hz, seconds), console)
    sightings = record.sightings()
    summary = summarize(sightings, record.dropped)
    complaints = summary.complaints()
    result = {"format": 1, "good": not complaints, "complaints": complaints, **dataclasses.asdict(summary)}
    write_json(output / "summary.json", result)
    console.print(summary_view(summary))
    if sightings:
        from reloc_ros.demo.result.picture import draw_run

        draw_run(output / "demo.png", bundle, walk, sightings, summary)
        console.print(f"picture: {output / 'demo.png'}")
    took = f"after {time.monotonic() - start_s:.0f} s"
    if complaints:
        console.print(
            f"[bold red]not good[/bold red] {took}: {escape('; '.join(complaints))}", soft_wrap=True
        )
    else:
        console.print(f"[bold green]good[/bold green] {took}: every check passed")
    return not complaints


def main() -> None:
    try:
        app(prog_name="scripts/demo")
    except RelocError as error:
        console.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(RelocError.EXIT_CODE)


if __name__ == "__main__":
    main()
