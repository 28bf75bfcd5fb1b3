"""What the verbs share: their common options, the workspace they open, and the bars they draw."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from reloc_ros.offline.progress import Progress as ProgressCallback

console = Console(stderr=True)
held = ExitStack()
"""What the command has for itself until it ends."""
LINE_PERIOD_S = 10.0
"""Between two lines of progress where there is no terminal."""

WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", "-w", help="The workspace folder.", show_default=False)
]
BackendOption = Annotated[str, typer.Option(help="auto, onnx, openvino, torch or tensorrt.")]
RefineOption = Annotated[
    bool, typer.Option("--refine/--coarse", help="Sharpen poses against the reference views, or do not.")
]
GlanceOption = Annotated[
    bool,
    typer.Option(
        "--glance/--no-glance",
        help="Show the network an image in about half its size first, and the whole one where that verifies no pose.",
    ),
]
FallbackOption = Annotated[
    str,
    typer.Option(
        help="auto: where the network is lost or its pose is in doubt, ask the bundle's local features, which take "
        "longer; or off."
    ),
]
PrecisionOption = Annotated[str, typer.Option(help="auto, fp32, bf16, fp16 or int8.")]
RectifiedOption = Annotated[
    bool | None,
    typer.Option(
        "--rectified/--unrectified",
        help="Whether images are rectified: their intrinsics are then P of camera_info, without distortion, else K "
        "and D. Not given: as a bag's topic is named (image_rect...).",
        show_default=False,
    ),
]
ThreadsOption = Annotated[int, typer.Option(min=0, help="Inference threads; 0 leaves it to the engine.")]


def open_workspace(path: Path, *, alone: bool = True) -> Any:
    """Args: alone: refuse it while another command changes it, and hold it until this one has ended."""
    from reloc_ros.offline.workspace import Workspace
    from reloc_ros.offline.workspace_lock import locked

    if alone and path.is_dir():
        held.enter_context(locked(path))
    return Workspace.open(path)


def tell(sentence: str) -> None:
    """Print a sentence as it is, without line breaks of its own."""
    console.print(escape(sentence), soft_wrap=True, highlight=False)


@contextmanager
def bars() -> Iterator[ProgressCallback]:
    """A progress callback that draws one bar per phase, or prints lines where there is no terminal to draw on."""
    if not console.is_terminal or console.is_dumb_terminal:
        lines = _Lines()
        try:
            yield lines
        finally:
            lines.close()
        return
    columns = (
        TextColumn("{task.description:>16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as drawn:
        tasks: dict[str, Any] = {}

        def progress(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = drawn.add_task(phase, total=total)
            drawn.update(tasks[phase], completed=done, total=total)

        yield progress


@contextmanager
def phase(progress: ProgressCallback, name: str) -> Iterator[None]:
    """A phase of which nobody can say how far it is."""
    progress(name, 0, 1)
    yield
    progress(name, 1, 1)


class _Lines:
    """A progress callback that prints a line for each phase, and one every ten seconds, come what may."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began_s: dict[str, float] = {"working": time.monotonic()}
        self._now = "working", 0, 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell_again, name="progress", daemon=True)
        self._thread.start()

    def __call__(self, phase: str, done: int, total: int) -> None:
        with self._lock:
            self._now = phase, done, total
            if phase not in self._began_s:
                self._began_s[phase] = time.monotonic()
                self._tell()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _tell_again(self) -> None:
        while not self._ended.wait(LINE_PERIOD_S):
            with self._lock:
                self._tell()

    def _tell(self) -> None:
        phase, done, total = self._now
        count = f" {done} of {total}," if total > 1 else ""
        tell(f"{phase}:{count} {time.monotonic() - self._began_s[phase]:.0f} s")
