"""The command: `scripts/bench`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from reloc_ros.bench.methods import PRECISIONS, Engine
from reloc_ros.bench.place import demo_place, workspace_place
from reloc_ros.bench.plots import plot_growth
from reloc_ros.bench.report import grids, to_markdown
from reloc_ros.bench.run import PARTS, Options, Results, measure
from reloc_ros.cli.common import bars
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path, write_json
from reloc_ros.offline.measuring.conditions import ALL, parse_conditions
from reloc_ros.offline.measuring.evaluate import check_conditions
from reloc_ros.offline.progress import Progress

DESCRIPTION = """
Measures a bundle on images that its map has not seen, beside SIFT and beside the pipeline this project began with,
all in one run: recall and errors, clean and degraded; time by stage; memory, size, and how the cost grows.

Without --workspace: the embedded bundle on rendered frames of the demo's room, without SIFT, since there are no images
that its map was made of. With a trained workspace: on its held-out photographs. With several: the first one so, and all
of them side by side, as recall and time against the number of landmarks.
"""
_PRECISIONS = tuple(dict.fromkeys(precision for possible in PRECISIONS.values() for precision in possible))
WIDTH = 200
"""Of the tables where there is no terminal."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; wrong input ends it with one sentence and code 2."""
    given = _parser().parse_args(arguments)
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        with bars() as progress:
            results = _measure(given, progress)
        _write(given, results)
    except RelocError as error:
        errors.print(f"error: {error}")
        sys.exit(RelocError.EXIT_CODE)
    except KeyboardInterrupt:
        errors.print("stopped; nothing is written")
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("scripts/bench", description=DESCRIPTION)
    add = parser.add_argument
    repeated = "trained workspace; may be repeated"
    add("-w", "--workspace", type=Path, action="append", default=[], help=repeated)
    add("--bundle", type=Path, default=EMBEDDED_BUNDLE, help="another bundle of the demo's room")
    add("--backends", default=",".join(PRECISIONS), help="engines to measure (default: %(default)s)")
    add("--precisions", default=",".join(_PRECISIONS), help="precisions to measure (default: %(default)s)")
    add("--conditions", default=ALL, help="degradations, comma-separated (default: %(default)s)")
    add("--threads", type=int, default=0, help="inference threads, 0: the engine's choice")
    xfeat = "beside SIFT also XFeat, which this installs into a folder of its own (50 MB); needs --workspace"
    add("--xfeat", action="store_true", help=xfeat)
    add("--images", type=int, help="at most so many images (default: all)")
    add("--rounds", type=int, default=3, help="how often each image is timed (default: %(default)s)")
    add("--skip", default="", help=f"parts to leave out, comma-separated: {', '.join(PARTS)}")
    add("--json", type=Path, help="write every figure to this file")
    add("--markdown", type=Path, help="write the tables to this file")
    add("--plot", type=Path, help="draw the growth into this file (PNG, SVG or PDF)")
    return parser


def _measure(given: argparse.Namespace, progress: Progress) -> Results:
    options = _options(given)
    with tempfile.TemporaryDirectory() as folder:
        places = [workspace_place(path, given.images) for path in given.workspace]
        if not places:
            places = [demo_place(given.bundle, Path(folder), given.images, progress)]
        return measure(places, options, progress)


def _options(given: argparse.Namespace) -> Options:
    conditions = parse_conditions(given.conditions)
    check_conditions(conditions)
    skipped = _names(given.skip, PARTS, "part")
    backends = _names(given.backends, tuple(PRECISIONS), "backend")
    precisions = _names(given.precisions, _PRECISIONS, "precision")
    engines = [Engine(name, p) for name in backends for p in PRECISIONS[name] if p in precisions]
    if not engines:
        raise RelocError(f"none of {', '.join(backends)} has any of the precisions {', '.join(precisions)}")
    if given.rounds < 1:
        raise RelocError(f"--rounds must be 1 or more, not {given.rounds}")
    if given.xfeat and not given.workspace:
        raise RelocError("--xfeat needs --workspace: there are no images that the demo's map was made of")
    if given.plot is not None and "growth" in skipped and len(given.workspace) < 2:
        raise RelocError("--plot draws the growth, which --skip leaves out, or several workspaces")
    return Options(
        engines=tuple(engines),
        conditions=tuple(conditions),
        threads=given.threads,
        rounds=given.rounds,
        parts=tuple(part for part in PARTS if part not in skipped),
        xfeat=given.xfeat,
    )


def _names(text: str, known: Sequence[str], what: str) -> list[str]:
    names = [name for name in map(str.strip, text.split(",")) if name]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise RelocError(f"unknown {what} {unknown[0]!r}; use some of {', '.join(known)}")
    return names


def _write(given: argparse.Namespace, results: Results) -> None:
    found = grids(results)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    for grid in found:
        console.print(grid.to_rich())
    if given.json is not None:
        write_json(given.json, results.to_json())
    if given.markdown is not None:
        with atomic_path(given.markdown) as temporary:
            temporary.write_text(to_markdown(found), encoding="utf-8")
    if given.plot is not None:
        plot_growth(results, given.plot)


if __name__ == "__main__":
    main()
