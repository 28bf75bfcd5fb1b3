"""Map each rendered walk with `reloc map`'s own code and say what share of the images is right."""

from __future__ import annotations

import functools
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from reloc_ros.bench.mapping.truth import judge_placement
from reloc_ros.bench.mapping.walks import WALKS, Walk
from reloc_ros.errors import RelocError


def measure(walk: Walk, folder: Path, mapper: str, features: str) -> dict:
    """One row: shares of images right and wrong, the verdict, and the time that mapping took."""
    from reloc_ros.offline.mapping.map_images import map_images
    from reloc_ros.offline.mapping.options import SfmOptions
    from reloc_ros.offline.model.sfm import SfmModel

    names = walk.write(folder / "images")
    options = SfmOptions(camera=walk.camera if walk.focal_known else None, mapper=mapper, features=features)
    row: dict = {"walk": walk.name, "images": len(names), "right": 0.0, "wrong": 0.0}
    started, started_cpu = time.perf_counter(), time.process_time()
    try:
        workspace, summary = map_images(folder / "images", folder / "map", holdout="none", options=options)
    except RelocError as error:
        return row | _spent(started, started_cpu) | {"verdict": "refused", "said": str(error)}
    row |= _spent(started, started_cpu)
    model = SfmModel.load(workspace.model_path)
    placed = dict(zip(model.names, model.camera_from_map, strict=True))
    judged = judge_placement(placed, dict(zip(names, walk.camera_from_map, strict=True)))
    row |= {"right": round(judged.right_share, 3), "wrong": round(judged.wrong_share, 3)}
    return row | {"verdict": summary.grade, "said": " ".join((*summary.remarks, *summary.advice))}


def _spent(started: float, started_cpu: float) -> dict:
    """Wall and processor seconds since, and the most memory that this process has ever had."""
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    s, cpu_s = time.perf_counter() - started, time.process_time() - started_cpu
    return {"s": round(s, 1), "cpu_s": round(cpu_s, 1), "peak_mib": peak_mib}


def main(
    walks: Annotated[
        list[str] | None, typer.Argument(help=f"Any of: {', '.join(WALKS)}; all if none.")
    ] = None,
    mapper: Annotated[str, typer.Option(help="COLMAP's mapper: incremental or global.")] = "incremental",
    pictures: Annotated[int, typer.Option(min=30, help="Of the orbit.")] = 49,
    width: Annotated[int, typer.Option(min=160, help="Of the orbit's pictures, pixels.")] = 640,
    features: Annotated[str, typer.Option(help="What is matched: sift or xfeat.")] = "sift",
    keep: Annotated[Path | None, typer.Option(help="Keep the pictures and workspaces here.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows here as well.")] = None,
) -> None:
    """Map rendered walks whose truth is known; say how much of each map is right."""
    unknown = sorted(set(walks or ()) - set(WALKS))
    if unknown:
        raise typer.BadParameter(f"'{unknown[0]}' is not one of {', '.join(WALKS)}")
    makers = WALKS | {"orbit": functools.partial(WALKS["orbit"], pictures, width)}
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in walks or WALKS:
            rows.append(measure(makers[name](), (keep or Path(scratch)) / name, mapper, features))
            print(json.dumps(rows[-1]), flush=True)
    table = Table("walk", "images", "right %", "wrong %", "verdict", "s", "cpu s", "MiB")
    for row in rows:
        shares = (f"{100 * row[key]:.0f}" for key in ("right", "wrong"))
        spent = (str(row[key]) for key in ("s", "cpu_s", "peak_mib"))
        table.add_row(row["walk"], str(row["images"]), *shares, row["verdict"], *spent)
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    typer.run(main)
