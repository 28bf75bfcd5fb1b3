"""`reloc train` and `reloc export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from reloc_ros.cli.common import WorkspaceOption, bars, open_workspace, phase, tell


def train(
    workspace: WorkspaceOption,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.1, help="Time budget; sets the number of steps from this machine's speed."),
    ] = None,
    steps_: Annotated[
        int | None, typer.Option("--steps", min=1, help="Training steps, when no budget is given.")
    ] = None,
    encoder: Annotated[
        str, typer.Option(help="efficientnet_lite0 (frozen) or resnet18 (trained as a whole).")
    ] = "efficientnet_lite0",
    encoder_weights: Annotated[Path | None, typer.Option(help="File with the encoder's weights.")] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch resnet18's ImageNet weights, where there is a network.")
    ] = False,
    width: Annotated[int, typer.Option(min=64, help="Longer side of the network's input, pixels.")] = 512,
    validation: Annotated[
        str,
        typer.Option(
            help="Map images to keep the best weights by: auto, every:K:R, last:N, list:FILE or none."
        ),
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that train the places of a large map, each one at a time.")
    ] = 1,
    cluster: Annotated[
        str, typer.Option(help="Instead, the address of dask's scheduler, tcp://HOST:PORT.")
    ] = "",
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write the curves for TensorBoard, too.")
    ] = False,
    accelerator: Annotated[str, typer.Option(help="auto, cpu or cuda.", rich_help_panel="Hardware")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="On each machine.", rich_help_panel="Hardware")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines.", rich_help_panel="Hardware")] = 1,
    strategy: Annotated[
        str, typer.Option(help="Lightning's: auto is ddp for several.", rich_help_panel="Hardware")
    ] = "auto",
) -> None:
    """Train the network to find the landmarks; a stopped training goes on where it was.

    Example: [bold]reloc train -w desk --minutes 8[/bold]
    """
    from reloc_ros.offline import steps
    from reloc_ros.offline.places.train_places import Jobs
    from reloc_ros.offline.training.fit import is_first_process
    from reloc_ros.offline.training.recipe import Hardware, TrainConfig

    opened = open_workspace(workspace, alone=is_first_process())
    given: dict[str, Any] = {} if steps_ is None else {"steps": steps_}
    config = TrainConfig(
        encoder=encoder,
        encoder_weights=encoder_weights,
        download=download,
        width=width,
        minutes=minutes,
        validation=validation,
        seed=seed,
        **given,
    )
    hardware = Hardware(accelerator, devices, nodes, strategy)
    with bars() as progress:
        done = steps.train_step(
            opened, config, progress, Jobs(workers, cluster), hardware=hardware, tensorboard=tensorboard
        )
    if done is None:  # another of several processes tells
        return
    shape = done["shape"]
    tell(
        f"{done['steps']} steps in {done['seconds']:.0f} s at {shape['width']}x{shape['height']}; "
        f"{done['encoder_weights']}; loss {done['losses'].get('loss', float('nan')):.3f}"
    )
    if done["validation"] is not None:
        tell(_validated(done["validation"]))


def _validated(validation: dict[str, Any]) -> str:
    """What training says of the images it validated with."""
    words = []
    for condition, found in validation["conditions"].items():
        word = f"{condition} {100 * found['recall']:.0f} %"
        if found["recall"] > 0:
            word += f" ({found['rotation_deg']:.2f} deg, {found['position_percent']:.2f} %)"
        words.append(word)
    copies = f" ({validation['copies']} are copies of others of them)" if validation.get("copies") else ""
    return f"{len(validation['images'])} map images not trained on{copies}, within 5 %, 5 deg: {', '.join(words)}"


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
    from reloc_ros.offline.bundling.trial_poses import problems_of

    opened = open_workspace(workspace)
    with bars() as progress, phase(progress, "export"):
        bundle = steps.export_step(opened, output, torch, progress)
    size_mb = sum(file.stat().st_size for file in bundle.path.iterdir()) / 1e6
    int8 = bundle.made_from.get("int8")
    fidelity = f"int8 within {int8['median_px']} px of fp32" if int8 else "no int8"
    tell(
        f"{bundle.path}: {len(bundle.landmarks)} landmarks, scale {bundle.scale}, {fidelity}, {size_mb:.1f} MB"
    )
    if bundle.ignored:
        tell(f"{len(bundle.ignored)} of the landmarks are not used: they have moved, see reloc prune")
    tell(_sharpening_told(bundle))
    if features := bundle.made_from.get("features"):
        tell(
            f"local features for where the network is lost: {features['descriptors']:,} descriptors of "
            f"{features['points']:,} points, {features['bytes'] / 1e6:.1f} MB"
        )
    for whose, calibration in (("", bundle.calibration), ("local features ", bundle.features_calibration)):
        if calibration.made_from:
            tell(f"{whose}{_calibration_told(calibration)}")
            for problem in problems_of(calibration):
                tell(f"- {whose and 'of poses by local features: '}{problem}")


def _sharpening_told(bundle: Any) -> str:
    """How many of the map's images poses are sharpened against."""
    views = 0 if bundle.references is None else len(bundle.references.files)
    left_out = bundle.made_from["map_images"] - views
    others = f"; {left_out} that show less that is new are left out" if views and left_out else ""
    return f"poses are sharpened against {views} of {views + left_out} map images{others}"


def _calibration_told(calibration: Any) -> str:
    made = calibration.made_from
    return (
        f"calibrated by {made['pictures']} pictures from {made['photos']} images that training did not see: sigma "
        f"x{calibration.sigma_scale:.2f}, pose x{calibration.coarse_scale:.2f}, sharpened "
        f"x{calibration.refined_scale:.2f}; {made['believed']} poses believed, {made['believed_wrong']} of them wrong; "
        f"evidence needed {calibration.min_evidence:.1f}, where reference views verify a pose "
        f"{calibration.verified_share * calibration.min_evidence:.1f}; pictures of no place have at most "
        f"{made['evidence_of_no_place_highest']:.1f}"
    )
