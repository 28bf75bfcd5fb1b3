"""`reloc export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from reloc_ros.cli.common import WorkspaceOption, bars, console, open_workspace


def export(
    workspace: WorkspaceOption,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The bundle folder to write.", show_default=False)
    ],
    torch: Annotated[bool, typer.Option(help="Include the weights for the torch backend.")] = False,
) -> None:
    """Write the bundle a robot needs.

    Example: [bold]reloc export -w desk -o desk.bundle[/bold]
    """
    from reloc_ros.offline import steps

    opened = open_workspace(workspace)
    with bars() as progress:
        bundle = steps.export_step(opened, output, torch, progress)
    size_mb = sum(file.stat().st_size for file in bundle.path.iterdir()) / 1e6
    int8 = bundle.made_from.get("int8")
    fidelity = f"int8 within {int8['median_px']} px of fp32" if int8 else "no int8"
    console.print(
        f"{bundle.path}: {len(bundle.landmarks)} landmarks, scale {bundle.scale}, {fidelity}, {size_mb:.1f} MB"
    )
    if bundle.calibration.made_from:
        console.print(_calibration_told(bundle.calibration))


def _calibration_told(calibration: Any) -> str:
    made = calibration.made_from
    return (
        f"calibrated by {made['pictures']} pictures from {made['photos']} images that training did not see: sigma "
        f"x{calibration.sigma_scale:.2f}, pose x{calibration.coarse_scale:.2f}, sharpened "
        f"x{calibration.refined_scale:.2f}; {made['believed']} poses believed, {made['believed_wrong']} of them wrong; "
        f"evidence needed {calibration.min_evidence:.1f}, pictures of no place have at most "
        f"{made['evidence_of_no_place_highest']:.1f}"
    )
