"""The `reloc` command: thin, and the one place that imports, lazily, from both the core and the offline side."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from reloc_ros.errors import RelocError
from reloc_ros.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Find out where a camera is in a known place from one image.",
)
console = Console(stderr=True)

WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", "-w", help="The workspace folder.", show_default=False)
]
BackendOption = Annotated[str, typer.Option(help="auto, onnx, openvino, torch or tensorrt.")]
RefineOption = Annotated[
    bool, typer.Option("--refine/--coarse", help="Sharpen poses against the reference views, or do not.")
]
PrecisionOption = Annotated[str, typer.Option(help="auto, fp32, bf16, fp16 or int8.")]
ThreadsOption = Annotated[int, typer.Option(min=0, help="Inference threads; 0 leaves it to the engine.")]

_SOURCE_ROS = "source a ROS 2 distribution, or .venv/setup.bash"
_REMEDIES = {
    "rosbags": "run pip install 'reloc_ros[replay]'",
    "rclpy": _SOURCE_ROS,
    "rosgraph_msgs": _SOURCE_ROS,
}
"""How to get a package that does not come with `offline`."""


class _Stopped(BaseException):
    """Ctrl-C, by a name that neither Typer nor Lightning catches and turns into an exit of its own."""


def _stop(*_: Any) -> None:
    raise _Stopped


def main() -> None:
    """Run the command; wrong input ends it with one sentence and code 2, Ctrl-C with 130."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # a job in the background ignores it, and shall
        signal.signal(signal.SIGINT, _stop)
    try:
        app()
    except RelocError as error:
        console.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(RelocError.EXIT_CODE)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "reloc_ros":
            raise
        remedy = _REMEDIES.get(error.name.partition(".")[0], "run pip install 'reloc_ros[offline]'")
        sentence = f"this step needs the Python package {error.name}; {remedy}"
        console.print(f"[red]error:[/red] {escape(sentence)}", soft_wrap=True, highlight=False)
        sys.exit(RelocError.EXIT_CODE)
    except _Stopped:
        console.print("stopped; run the same command to go on")
        sys.exit(130)
    finally:
        signal.signal(signal.SIGINT, before)


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


@app.command("map")
def map_(
    images: Annotated[Path, typer.Argument(help="A folder of photographs, or a video.", show_default=False)],
    workspace: WorkspaceOption,
    model: Annotated[Path | None, typer.Option(help="An existing COLMAP model of these images.")] = None,
    holdout: Annotated[
        str, typer.Option(help="Images kept out of the map to test it: every:K:R, last:N, list:FILE or none.")
    ] = "every:10:0",
    camera_model: Annotated[str, typer.Option(help="COLMAP's model of the lens.")] = "OPENCV",
    camera: Annotated[
        Path | None, typer.Option(help="Known intrinsics: COLMAP cameras.txt/bin or ROS camera_info yaml.")
    ] = None,
    matching: Annotated[
        str | None, typer.Option(help="exhaustive (default for photographs) or sequential (for a video).")
    ] = None,
    frames: Annotated[int, typer.Option(min=3, help="About how many frames to take from a video.")] = 150,
) -> None:
    """Make a map from photographs or a video by structure from motion.

    Example: [bold]reloc map desk.mp4 -w desk[/bold]
    """
    from reloc_ros.camera_files import read_camera_file
    from reloc_ros.offline.mapping import map_images
    from reloc_ros.offline.reconstruct import SfmOptions

    options = SfmOptions(
        camera_model=camera_model,
        camera=None if camera is None else read_camera_file(camera),
        matching=matching or ("sequential" if images.is_file() else "exhaustive"),
    )
    with _bars() as progress:
        opened, done = map_images(images, workspace, model, holdout, options, frames, progress)
    console.print(
        f"{opened.path}: {done.registered} of {done.images} images placed, {done.held_out} of them held out; "
        f"{done.points} points, {done.mean_error_px:.2f} px mean error, {done.mean_track_length:.1f} mean track"
    )
    if done.models > 1:
        console.print(f"the images fell into {done.models} separate models; the largest is the map")


@app.command()
def align(
    workspace: WorkspaceOption,
    trajectory: Annotated[
        Path,
        typer.Option(help="TUM file: image tx ty tz qx qy qz qw of map_from_camera.", show_default=False),
    ],
) -> None:
    """Bring the map to metres and gravity from where some of its images truly were.

    Example: [bold]reloc align -w desk --trajectory truth.tum[/bold]
    """
    from reloc_ros.offline import align as alignment

    done = alignment.align(_open(workspace), trajectory)
    console.print(
        f"scale {done.scale:.5g} +- {done.scale_error:.2g} m per unit from {done.inliers} of {done.poses} poses; "
        f"they fit within {100 * done.rms_m:.2g} cm rms"
    )


@app.command()
def select(
    workspace: WorkspaceOption,
    count: Annotated[
        str, typer.Option(help="How many landmarks, or auto: as many as every view needs to see enough.")
    ] = "auto",
    most: Annotated[int, typer.Option("--max", help="With --count auto: never more than this.")] = 500,
) -> None:
    """Choose the landmarks automatically.

    Example: [bold]reloc select -w desk --count 128[/bold]
    """
    from reloc_ros.offline import steps
    from reloc_ros.offline.select import parse_count

    opened, wanted = _open(workspace), parse_count(count)
    with _bars() as progress:
        done = steps.select_step(opened, wanted, most, progress)
    console.print(
        f"{done['landmarks']} landmarks of {done['of_points']} points; {done['map_images']} images see "
        f"{done['spread_median']:.0f} well-spread ones in the median, at least {done['spread_min']}"
    )
    if done["poor_images"]:
        console.print(
            f"too few points to see {done['view_needs']}: {', '.join(done['poor_images'])}", soft_wrap=True
        )


@app.command()
def label(
    workspace: WorkspaceOption,
    method: Annotated[
        str,
        typer.Option(
            help="appearance (depth, then what it looks like), depth (compares with the points around) "
            "or voxels (walks the ray)."
        ),
    ] = "appearance",
) -> None:
    """Decide which landmark is seen, hidden or unknown in which map image.

    Example: [bold]reloc label -w desk[/bold]
    """
    from reloc_ros.offline import steps

    opened = _open(workspace)
    with _bars() as progress:
        done = steps.label_step(opened, method, progress)
    console.print(
        f"{done['images']} images see {done['seen_per_image_median']:.0f} landmarks in the median, at least "
        f"{done['seen_per_image_min']} ({done['image_with_fewest']}); {100 * done['unknown_share']:.0f} % unknown"
    )


@app.command()
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
    from reloc_ros.offline.fit import Hardware
    from reloc_ros.offline.train import TrainConfig

    opened = _open(workspace)
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
    with _bars() as progress:
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


@app.command("eval")
def evaluate(
    workspace: WorkspaceOption,
    json: Annotated[Path | None, typer.Option(help="Write every figure to this file.")] = None,
    conditions: Annotated[
        str,
        typer.Option(
            help="all, or some of clean,dark,darker,gamma,blur,motion,noise,jpeg,covered,half,double."
        ),
    ] = "clean,dark,gamma",
    sift: Annotated[
        bool, typer.Option("--sift", help="Measure SIFT + LO-RANSAC on the same images.")
    ] = False,
    backend: BackendOption = "auto",
    threads: ThreadsOption = 0,
    precision: PrecisionOption = "auto",
    refine: RefineOption = True,
) -> None:
    """Measure recall, errors and times on the held-out images.

    Example: [bold]reloc eval -w desk --sift --json desk.json[/bold]
    """
    from reloc_ros.offline import steps
    from reloc_ros.offline.conditions import parse_conditions

    opened = _open(workspace)
    wanted = parse_conditions(conditions)
    with _bars() as progress:
        scores = steps.evaluate_step(opened, wanted, backend, sift, threads, precision, progress, refine)
    if json is not None:
        steps.write_scores(json, scores)
    _print_scores(scores)


@app.command()
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

    opened = _open(workspace)
    with _bars() as progress:
        bundle = steps.export_step(opened, output, torch, progress)
    size_mb = sum(file.stat().st_size for file in bundle.path.iterdir()) / 1e6
    int8 = bundle.made_from.get("int8")
    fidelity = f"int8 within {int8['median_px']} px of fp32" if int8 else "no int8"
    console.print(
        f"{bundle.path}: {len(bundle.landmarks)} landmarks, scale {bundle.scale}, {fidelity}, {size_mb:.1f} MB"
    )
    if bundle.calibration.made_from:
        console.print(_calibration_told(bundle.calibration))


@app.command()
def run(
    bundle: Annotated[Path, typer.Argument(help="The bundle folder.", show_default=False)],
    images: Annotated[Path, typer.Argument(help="A folder of images.", show_default=False)],
    poses: Annotated[Path, typer.Option(help="The JSON file to write.")] = Path("poses.json"),
    camera: Annotated[
        Path | None, typer.Option(help="Intrinsics: COLMAP cameras.txt/bin or ROS camera_info yaml.")
    ] = None,
    backend: BackendOption = "auto",
    threads: ThreadsOption = 0,
    precision: PrecisionOption = "auto",
    refine: RefineOption = True,
) -> None:
    """Localize a folder of images and write their poses.

    Example: [bold]reloc run desk.bundle photos --poses poses.json[/bold]
    """
    from reloc_ros.camera_files import read_camera_file
    from reloc_ros.localizer import Localized, Localizer, LocalizerConfig
    from reloc_ros.offline.run import run_folder, write_poses

    intrinsics = None if camera is None else read_camera_file(camera)
    localizer = Localizer.from_bundle(bundle, backend, LocalizerConfig(refine=refine), threads, precision)
    with _bars() as progress:
        results = run_folder(localizer, images, intrinsics, progress)
    write_poses(poses, results)
    found = sum(isinstance(result, Localized) for result in results.values())
    console.print(f"{found} of {len(results)} images localized by {localizer.backend.name}; poses in {poses}")


@app.command()
def replay(
    bag: Annotated[
        Path, typer.Argument(help="A bag folder, or a single .mcap or .db3 file.", show_default=False)
    ],
    rate: Annotated[float, typer.Option(help="Seconds of the bag a second.")] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Start over at the end, until stopped.")] = False,
    start: Annotated[float, typer.Option(help="Where to start, seconds from the start of the bag.")] = 0.0,
    topic: Annotated[
        list[str] | None, typer.Option(help="Play this topic only; may be given several times.")
    ] = None,
    remap: Annotated[
        list[str] | None, typer.Option(help="OLD:=NEW, play a topic by another name; several times.")
    ] = None,
    clock_hz: Annotated[float, typer.Option(help="Rate of /clock; 0 leaves time alone.")] = 100.0,
    wait: Annotated[float, typer.Option(help="Longest wait for somebody who listens, seconds.")] = 10.0,
    wait_for: Annotated[str, typer.Option(help="The node to wait for, if not anybody.")] = "",
) -> None:
    """Play a recorded bag as ROS 2 topics, with its clock, where there is no [bold]ros2 bag[/bold].

    Example: [bold]reloc replay walk.mcap --rate 0.5 --remap /camera/image_raw:=/image[/bold]
    """
    from reloc_ros.ros.replay import ReplayOptions
    from reloc_ros.ros.replay import replay as play

    renamed = _remappings(remap or [])
    options = ReplayOptions(rate, loop, start, tuple(topic or ()), renamed, clock_hz, wait, wait_for)
    done = play(bag, options)
    how = "stopped" if done.stopped else "played"
    late = f", at most {done.worst_delay_s:.2f} s late" if done.worst_delay_s > 0.1 else ""
    console.print(f"{bag}: {how} after {done.messages} messages{late}", highlight=False, soft_wrap=True)


def _remappings(rules: list[str]) -> dict[str, str]:
    remappings = {}
    for rule in rules:
        old, separator, new = rule.partition(":=")
        if not (old and separator and new):
            raise RelocError(f"remap must be OLD:=NEW, got {rule!r}")
        remappings[old] = new
    return remappings


def _calibration_told(calibration: Any) -> str:
    made = calibration.made_from
    return (
        f"calibrated by {made['pictures']} pictures from {made['photos']} images that training did not see: sigma "
        f"x{calibration.sigma_scale:.2f}, pose x{calibration.coarse_scale:.2f}, sharpened "
        f"x{calibration.refined_scale:.2f}; {made['believed']} poses believed, {made['believed_wrong']} of them wrong; "
        f"evidence needed {calibration.min_evidence:.1f}, pictures of no place have at most "
        f"{made['evidence_of_no_place_highest']:.1f}"
    )


def _open(path: Path) -> Any:
    from reloc_ros.offline.workspace import Workspace

    return Workspace.open(path)


@contextmanager
def _bars() -> Iterator[Any]:
    """A progress callback that draws one bar per phase."""
    columns = (
        TextColumn("{task.description:>16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, Any] = {}

        def progress(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=total)
            bars.update(tasks[phase], completed=done, total=total)

        yield progress


def _print_scores(scores: list[Any]) -> None:
    metric = scores[0].metric
    table = Table(
        title=f"{len(scores[0].outcomes)} held-out images; errors are medians", title_justify="left"
    )
    table.add_column("method")
    table.add_column("condition")
    within = "5 cm" if metric else "5 %"
    for heading in (
        f"within {within}, 5 deg",
        "deg",
        *(["cm"] if metric else []),
        "%",
        "lost",
        "NEES mean",
        "median",
        "in 95 %",
        "ms p50",
        "ms p95",
    ):
        table.add_column(heading, justify="right")
    for score in scores:
        table.add_row(
            score.method,
            score.condition,
            f"{100 * score.recall:.0f} %",
            f"{score.median('rotation_deg'):.3f}",
            *([f"{100 * score.median('position'):.1f}"] if metric else []),
            f"{score.median('position_percent'):.3f}",
            str(score.lost),
            f"{score.nees_mean:.1f}",
            f"{score.median('nees'):.1f}",
            f"{100 * score.nees_within_95:.0f} %",
            f"{score.stage_ms(50)['total']:.1f}",
            f"{score.stage_ms(95)['total']:.1f}",
        )
    output = Console(width=None if sys.stdout.isatty() else 120)
    output.print(table)
    for score in scores:
        if score.condition == scores[0].condition:
            stages = ", ".join(f"{stage} {time_ms:.1f}" for stage, time_ms in score.stage_ms(50).items())
            output.print(f"{score.method}, median ms: {stages}")


if __name__ == "__main__":
    main()
