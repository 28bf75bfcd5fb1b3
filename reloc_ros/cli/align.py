"""`reloc align`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reloc_ros.cli.common import WorkspaceOption, bars, open_workspace, phase, tell


def align(
    workspace: WorkspaceOption,
    trajectory: Annotated[
        Path | None,
        typer.Option(
            help="TUM file, image tx ty tz qx qy qz qw of map_from_camera, or a time in the place of the image; or "
            "EuRoC's CSV."
        ),
    ] = None,
    distance: Annotated[
        list[str] | None, typer.Option(help="'A B METRES': ids of two points of the cloud, or their x,y,z.")
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            help="'a.jpg:x,y b.jpg:x,y ; a.jpg:x,y b.jpg:x,y = METRES': two places picked in images."
        ),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option(
            help="charuco:COLSxROWS:SQUARE:MARKER:DICT, grid:COLSxROWS:MARKER:GAP:DICT[:FIRST_ID] or "
            "aruco:SIZE:DICT[:ID], in metres; AprilTags by their DICT, APRILTAG_36h11. Kalibr's board is "
            "aprilgrid:COLSxROWS:TAG:SPACING, its tagCols, tagRows, tagSize and tagSpacing. Then :border=BITS of a "
            "marker's black border, if not 1 (aprilgrid: 2), and :turn=180 for a single marker printed upside down."
        ),
    ] = None,
    up: Annotated[
        list[str] | None,
        typer.Option(
            help="Gravity by: camera (held level), plane (floor or table), board (lying flat), board-wall "
            "(upright), imu:TOPIC, or none. Repeated, the others check the first."
        ),
    ] = None,
    bag: Annotated[
        Path | None, typer.Option(help="The recording that --odometry and --up imu: read.")
    ] = None,
    odometry: Annotated[
        str | None, typer.Option(help="Its topic of Odometry, PoseStamped or PoseWithCovarianceStamped.")
    ] = None,
    base_from_camera: Annotated[
        str | None,
        typer.Option(
            help="The camera on what --odometry or --trajectory tells the pose of, 'x y z qx qy qz qw'; else the lever "
            "of odometry is ignored, and a trajectory is the camera's own."
        ),
    ] = None,
    max_gap: Annotated[
        float, typer.Option(help="Seconds; between poses farther apart in time none is interpolated.")
    ] = 0.5,
    time_offset: Annotated[
        str | None,
        typer.Option(
            help="Seconds that the poses' clock is ahead of the images', or auto, by the two paths. Without it, 0, and "
            "auto where only one of the two is since the epoch."
        ),
    ] = None,
    imu_from_camera: Annotated[
        str | None, typer.Option(help="identity, body (x ahead, y left, z up), or qx,qy,qz,qw.")
    ] = None,
    picture_top: Annotated[
        str | None,
        typer.Option(
            help="The side of the pictures, as they are stored, that is up: top, left, right or bottom. Without it, "
            "what EXIF or the video notes of each, or else top."
        ),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Go back to the frame of the reconstruction.")] = False,
) -> None:
    """Bring the map to metres and upright, from what is known about the place.

    Metres come from a distance, a board or a trajectory, gravity from --up or a trajectory. Sources that contradict
    each other are refused. What was selected, labelled and trained stays valid.

    Example: [bold]reloc align -w desk --distance "1042 877 0.82" --up camera[/bold]
    """
    from reloc_ros.offline.align.map_frame import align as align_map
    from reloc_ros.offline.align.map_frame import undo_align
    from reloc_ros.offline.align.sources import AlignSources, parse_mount

    opened = open_workspace(workspace)
    sources = AlignSources(
        trajectory=trajectory,
        bag=bag,
        odometry=odometry,
        body_from_camera=None if base_from_camera is None else parse_mount(base_from_camera),
        distances=tuple(distance or ()),
        measures=tuple(measure or ()),
        board=board,
        up=tuple(up or ()),
        imu_from_camera=imu_from_camera,
        max_gap_s=max_gap,
        time_offset=time_offset,
        picture_top=picture_top,
    )
    if undo:
        if sources != AlignSources():
            raise typer.BadParameter("--undo stands alone")
        undo_align(opened)
        tell("the map is in the frame of its reconstruction again")
        return
    with bars() as progress, phase(progress, "align"):
        frame = align_map(opened, sources, progress)
    for scale in frame.scales:
        percent = 100 * scale.standard_error / scale.scale
        tell(
            f"scale {scale.scale:.5g} +- {scale.standard_error:.2g} m per unit ({percent:.2g} %) by {scale.source}: "
            f"{scale.used} of {scale.of} agree, {100 * scale.residual_m:.2g} cm rms"
        )
    for direction in frame.ups:
        tell(
            f"up +- {direction.standard_error_deg:.2g} deg by {direction.source}: "
            f"{direction.used} of {direction.of} agree"
        )
    for estimate in (*frame.scales, *frame.ups):
        for note in estimate.notes:
            tell(f"{estimate.source}: {note}")
    tell(f"origin: {frame.origin}; axes: {frame.axes}")
    if not frame.scales:
        tell("the map has no metres yet; add --distance, --board or --trajectory")
