"""`reloc run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reloc_ros.cli.common import (
    BackendOption,
    FallbackOption,
    GlanceOption,
    PrecisionOption,
    RectifiedOption,
    RefineOption,
    ThreadsOption,
    bars,
    phase,
    tell,
)
from reloc_ros.errors import RelocError

_AR, _BAG, _DETECTIONS = "AR content", "Bags", "Detections made elsewhere"


def run(
    bundle: Annotated[Path, typer.Argument(help="The bundle folder.", show_default=False)],
    source: Annotated[
        Path,
        typer.Argument(
            help="A video, a bag (MCAP, sqlite3, ROS 1), or a folder of images.", show_default=False
        ),
    ],
    poses: Annotated[Path, typer.Option(help="The JSON file to write.")] = Path("poses.json"),
    tum: Annotated[Path | None, typer.Option(help="Also write a TUM trajectory.")] = None,
    overlay: Annotated[
        Path | None,
        typer.Option(help="Also write a video with what each pose means: .mp4, .mov, .mkv or .avi."),
    ] = None,
    rerun: Annotated[
        Path | None, typer.Option(help="Also write a recording for the Rerun viewer, .rrd; needs rerun-sdk.")
    ] = None,
    camera: Annotated[
        Path | None, typer.Option(help="Intrinsics: COLMAP cameras.txt/bin, ROS camera_info or Kalibr yaml.")
    ] = None,
    bundle_camera: Annotated[
        str | None,
        typer.Option(
            help="Which of the cameras that the map was made with took the images, if those are several."
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.1, max=240, help="Pictures a second in the overlay of a folder.")
    ] = 5.0,
    mesh: Annotated[
        Path | None,
        typer.Option(help="A .ply or .obj to show in the overlay instead of axes.", rich_help_panel=_AR),
    ] = None,
    mesh_pose: Annotated[
        str | None,
        typer.Option(
            help="Where it stands in the map: 'x y z' or 'x y z qx qy qz qw'; amid the landmarks if not given.",
            rich_help_panel=_AR,
        ),
    ] = None,
    mesh_scale: Annotated[
        float, typer.Option(help="How many units of the map its unit is.", rich_help_panel=_AR)
    ] = 1.0,
    topic: Annotated[
        str | None, typer.Option(help="The bag's image topic, if it has several.", rich_help_panel=_BAG)
    ] = None,
    bag: Annotated[
        Path | None,
        typer.Option(
            help="Write poses and status as topics: .mcap, .db3, or a folder.", rich_help_panel=_BAG
        ),
    ] = None,
    rectified: RectifiedOption = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the bag's messages along.", rich_help_panel=_BAG)
    ] = False,
    camera_frame: Annotated[
        str,
        typer.Option(
            help="The camera's optical frame, where the bag's images name none or another.",
            rich_help_panel=_BAG,
        ),
    ] = "",
    detections: Annotated[
        Path | None,
        typer.Option(
            help='Localize by these, not by the network: {"image.png": \\[\\[x, y, confidence], …]}.',
            rich_help_panel=_DETECTIONS,
        ),
    ] = None,
    detection_sigma: Annotated[
        float, typer.Option(help="Their standard deviation in pixels.", rich_help_panel=_DETECTIONS)
    ] = 2.0,
    backend: BackendOption = "auto",
    threads: ThreadsOption = 0,
    precision: PrecisionOption = "auto",
    refine: RefineOption = True,
    glance: GlanceOption = True,
    fallback: FallbackOption = "auto",
    tracking: Annotated[
        bool,
        typer.Option(
            "--tracking",
            help="Follow poses from image to image, as the node does; else each image speaks for itself.",
        ),
    ] = False,
) -> None:
    """Localize a video, a bag or a folder of images: poses as JSON, TUM and topics, and a video that shows them.

    The files appear when all images are done. A lost image has a reason and no pose.

    Example: [bold]reloc run desk.bundle walk.mp4 --tum walk.tum --overlay poses.mp4[/bold]
    """
    from reloc_ros.io.bag import is_bag
    from reloc_ros.io.camera_files import read_camera_file
    from reloc_ros.io.camera_info import log_given_camera
    from reloc_ros.localizer import Localizer, LocalizerConfig
    from reloc_ros.offline.running.detections import read_detections
    from reloc_ros.offline.running.localize_source import Tally, localize_source
    from reloc_ros.offline.running.output_files import Outputs
    from reloc_ros.offline.running.overlay import ArContent
    from reloc_ros.offline.sources.bag_images import BagTopic
    from reloc_ros.offline.sources.open_source import open_source
    from reloc_ros.offline.sources.photographs import PhotoFolder, other_kinds

    outputs = Outputs(poses, tum, overlay, bag, copy, camera_frame.lstrip("/"), rerun)
    outputs.check(source, bundle, camera, mesh, detections)
    if overlay is None and (mesh is not None or mesh_pose is not None):
        raise RelocError("a mesh is shown in the overlay; name that with --overlay")
    if rectified is not None and camera is None and not is_bag(source):
        raise RelocError("--rectified is about the camera_info of a bag or of --camera; leave it out")
    if bundle_camera is not None and camera is not None:
        raise RelocError("--bundle-camera and --camera both give intrinsics; leave one out")
    if tracking and detections is not None:
        raise RelocError("--detections are localized image by image; leave --tracking out")
    content = ArContent.read(mesh, mesh_pose, mesh_scale)
    intrinsics = None if camera is None else read_camera_file(camera, rectified=bool(rectified))
    tally = Tally()
    with bars() as progress:
        with phase(progress, "load the bundle"):
            config = LocalizerConfig(fallback=fallback, refine=refine, glance=glance)
            localizer = Localizer.from_bundle(bundle, backend, config, threads, precision)
        if bundle_camera is not None:
            localizer.bundle.own_camera(bundle_camera)
        needs_camera = intrinsics is None and bundle_camera is None
        images = open_source(source, topic, needs_camera=needs_camera, rectified=rectified)
        if intrinsics is not None and rectified is None and isinstance(images, BagTopic):
            log_given_camera(intrinsics, images.topic)
        if isinstance(images, PhotoFolder) and (others := other_kinds(source)):
            tell(f"'{source}' also holds other files, which are skipped: {others}")
        detected, keypoints_by = None, localizer.backend.name
        if detections is not None:
            landmarks = len(localizer.bundle.landmarks)
            detected = read_detections(detections, landmarks, images.names, detection_sigma)
            keypoints_by = f"the keypoints of {detections}, with a sigma of {detection_sigma:g} px"
        sinks = outputs.sinks(localizer.bundle, images, keypoints_by, content, rate)
        try:
            localize_source(
                localizer, images, sinks, intrinsics or bundle_camera, detected, tracking, progress, tally
            )
        except RelocError:
            raise
        except BaseException:
            tell(f"stopped after {tally.images} images; files are written only when all are done")
            raise
    announced = len(images.names or ())
    if announced - tally.images > max(1, announced // 100):  # some containers only tell about how many
        tell(f"'{source}' ends early: {tally.images} of {announced} frames could be read and were used")
    reasons = ", ".join(f"{reason} {count}" for reason, count in tally.reasons.most_common())
    tell(
        f"{tally.localized} of {tally.images} images localized by {keypoints_by}"
        f"{f', {tally.by_features} of them by local features' if tally.by_features else ''}"
        f"{f' (lost: {reasons})' if reasons else ''}; results in {', '.join(map(str, outputs.paths))}"
    )
    if not tally.localized:
        for reason, count in tally.reasons.most_common():
            tell(f"- {reason}, {count} images, such as {tally.examples[reason]}")
