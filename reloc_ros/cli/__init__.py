"""The `reloc` command: thin, and the one place that imports, lazily, from both the core and the offline side."""

from __future__ import annotations

import errno
import logging
import signal
import sys
from typing import Annotated, Any, NoReturn

import typer
from rich.logging import RichHandler
from rich.markup import escape

from reloc_ros.cli.align import align
from reloc_ros.cli.clean import clean
from reloc_ros.cli.common import console, held
from reloc_ros.cli.evaluate import evaluate, report
from reloc_ros.cli.label import label
from reloc_ros.cli.map import map_
from reloc_ros.cli.prune import prune
from reloc_ros.cli.replay import replay
from reloc_ros.cli.run import run
from reloc_ros.cli.select import select, web
from reloc_ros.cli.train import export, train
from reloc_ros.errors import RelocError
from reloc_ros.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Find out where a camera is in a known place from one image.",
)
for name, verb in {
    "map": map_,
    "clean": clean,
    "align": align,
    "select": select,
    "web": web,
    "label": label,
    "train": train,
    "eval": evaluate,
    "export": export,
    "prune": prune,
    "run": run,
    "report": report,
    "replay": replay,
}.items():
    app.command(name)(verb)

_SOURCE_ROS = "source a ROS 2 distribution, or .venv/setup.bash"
_REMEDIES = {
    "mcap": "run pip install 'reloc_ros[replay]'",
    "rosbags": "run pip install 'reloc_ros[replay]'",
    "PIL": "run pip install 'reloc_ros[run]'",
    "viser": "run pip install 'reloc_ros[web]'",
    **dict.fromkeys(("rclpy", "rosgraph_msgs", "diagnostic_msgs"), _SOURCE_ROS),
}
"""How to get a package that does not come with `offline`."""


_FULL = "make room, and run the same command to go on"
_NO_LEAVE = "let this user write there, or name another place"
_OF_THE_SYSTEM = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _FULL),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), _NO_LEAVE),
    errno.EIO: "the disk does not work as it should",
    errno.ENOENT: "it has gone meanwhile, or its disk has",
}
"""What a file or folder may meet with that is no defect of ours, and what to do."""


class _Stopped(BaseException):
    """Ctrl-C, by a name that neither Typer nor Lightning catches and turns into an exit of its own."""


def _run(stopped: list[int]) -> None:
    """Run the command, and end with Ctrl-C also where a library that was being loaded took that for its own fault."""
    try:
        app()
    except Exception as error:
        if stopped:
            raise _Stopped from error
        raise


def main() -> None:
    """Run the command; wrong input ends it with one sentence and code 2, Ctrl-C with 130."""
    before, stopped = signal.getsignal(signal.SIGINT), []

    def stop(number: int, _: Any) -> None:
        stopped.append(number)
        raise _Stopped

    if before is signal.default_int_handler:  # a job in the background ignores it, and shall
        signal.signal(signal.SIGINT, stop)
    try:
        _run(stopped)
    except RelocError as error:
        _refuse(str(error))
    except OSError as error:
        if error.errno not in _OF_THE_SYSTEM:
            raise
        _refuse(f"{error.filename or 'the disk'}: {error.strerror}; {_OF_THE_SYSTEM[error.errno]}")
    except ModuleNotFoundError as error:
        _refuse(f"this step needs {_missing(error)}")
    except _Stopped:
        console.print("stopped; run the same command to go on")
        sys.exit(130)
    finally:
        held.close()
        signal.signal(signal.SIGINT, before)


def node() -> int:
    """`reloc_node` as pip installs it: the node where ROS is sourced, one sentence and code 2 where it is not."""
    try:
        from reloc_ros.ros.node import main as run_node
    except ModuleNotFoundError as error:
        _refuse(f"the node needs {_missing(error)}")
    return run_node()


def _missing(error: ModuleNotFoundError) -> str:
    """What is not installed, and how to get it; a module of our own that is not there is a defect, and stays one."""
    package, _, rest = (error.name or "reloc_ros").partition(".")
    if package == "reloc_ros" and rest in ("msg", "srv"):
        return "this package's messages, which colcon builds (or scripts/setup, in a checkout)"
    if package == "reloc_ros":
        raise error
    remedy = _REMEDIES.get(package, "run pip install 'reloc_ros[offline]'")
    return f"the Python package {error.name}; {remedy}"


def _refuse(sentence: str) -> NoReturn:
    console.print(f"[red]error:[/red] {escape(sentence)}", soft_wrap=True, highlight=False)
    sys.exit(RelocError.EXIT_CODE)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"reloc_ros {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
) -> None:
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(
        level=level, format="%(message)s", handlers=[RichHandler(console=console, show_path=False)]
    )
