"""`reloc train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from reloc_ros.cli.common import WorkspaceOption, bars, console, open_workspace


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
    from reloc_ros.offline.training.fit import Hardware
    from reloc_ros.offline.training.train import TrainConfig

    opened = open_workspace(workspace)
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
        done = steps.train_step(opened, config, progress, hardware=hardware, tensorboard=tensorboard)
    if done is None:  # another of several processes tells
        return
    shape = done["shape"]
    console.print(
        f"{done['steps']} steps in {done['seconds']:.0f} s at {shape['width']}x{shape['height']}; "
        f"{done['encoder_weights']}; loss {done['losses'].get('loss', float('nan')):.3f}"
    )
    if done["validation"] is not None:
        console.print(_validated(done["validation"]), highlight=False)


def _validated(validation: dict[str, Any]) -> str:
    """What training says of the images it validated with."""
    words = []
    for condition, found in validation["conditions"].items():
        word = f"{condition} {100 * found['recall']:.0f} %"
        if found["recall"] > 0:
            word += f" ({found['rotation_deg']:.2f} deg, {found['position_percent']:.2f} %)"
        words.append(word)
    return f"{len(validation['images'])} map images not trained on, within 5 %, 5 deg: {', '.join(words)}"
