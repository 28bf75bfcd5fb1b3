"""`reloc align`: metres and gravity for a map, from whatever sources there are, once they agree."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.align.agreement import (
    AS_RECONSTRUCTED,
    MapFrame,
    ScaleEstimate,
    UpEstimate,
    first_up,
    most_certain_scale,
)
from reloc_ros.offline.align.boards import parse_board
from reloc_ros.offline.align.gravity import (
    level_rotation,
    picture_axes,
    robust_direction,
    up_of_cameras,
    up_of_imu,
    up_of_plane,
)
from reloc_ros.offline.align.scale_from_board import (
    BoardFit,
    frame_of_board,
    scale_estimate,
    scale_of_board,
    up_estimate,
)
from reloc_ros.offline.align.scale_from_distances import (
    distance_of_picks,
    distance_of_points,
    scale_of_distances,
)
from reloc_ros.offline.align.sources import AlignSources, parse_imu_rotation
from reloc_ros.offline.align.timed_readings import (
    StampedPoses,
    camera_trajectory,
    image_stamps_ns,
    image_times_ns,
    offset_of_clocks,
    poses_of_file,
    unknown_times,
)
from reloc_ros.offline.align.trajectory import Trajectory, read_trajectory
from reloc_ros.offline.align.trajectory_fit import (
    MIN_POSES,
    REMEDY,
    OnOneLineError,
    TrajectoryFit,
    fit_trajectory,
)
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.model.workspace_model import (
    map_from_sfm,
    original_model,
    removed_points,
    write_map_frame,
)
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.frame_extraction import noted_tops
from reloc_ros.offline.workspace import Workspace
from reloc_ros.scene_size import fits_single_precision, single_precision_step

NO_LEVER = (
    "where the camera is on the robot was not told (--base-from-camera): the robot's positions stand for its"
)

NO_TURN = "it tells no orientations: --base-from-camera is not used, and its positions stand for the camera's"


def align(workspace: Workspace, sources: AlignSources, progress: Progress = silent) -> MapFrame:
    """Move a workspace's map into metres and upright, as far as the sources tell.

    It is always the model as reconstructed that is measured and moved, so a second call replaces the first.
    What was selected, labelled and trained stays valid.
    """
    sources.check()
    model = original_model(workspace).without_points(removed_points(workspace).ids)
    frame = measure(model, workspace, sources, progress)
    write_map_frame(workspace, frame.to_json(), "metric" if frame.scales else "unknown")
    return frame


def undo_align(workspace: Workspace) -> None:
    """Put the map back into the frame of the reconstruction."""
    write_map_frame(workspace, AS_RECONSTRUCTED.to_json(), "unknown")


def measure(
    model: SfmModel, workspace: Workspace, sources: AlignSources, progress: Progress = silent
) -> MapFrame:
    """Find the map frame by all the sources together, or refuse what contradicts or does not suffice."""
    scales, ups = [], []
    boards: list[BoardFit] = []
    if sources.distances or sources.measures:
        now = map_from_sfm(workspace)
        distances = [distance_of_points(text, model, now) for text in sources.distances]
        distances += [distance_of_picks(text, model) for text in sources.measures]
        scales.append(scale_of_distances(distances))
    if sources.board is not None:
        board = parse_board(sources.board)
        boards = scale_of_board(model, workspace.images_dir, board, progress)
        scales.append(scale_estimate(board, boards))
    for word in sources.up:
        if word != "none":
            ups.append(_up(word, model, workspace, sources, boards))
    trajectory, notes = _fit_trajectory(model, workspace, sources) or (None, ())
    if trajectory is not None:
        scales.insert(0, _scale_of_trajectory(trajectory, notes + _far_away(trajectory, model)))
        ups[:0] = [_up_of_trajectory(trajectory)] if trajectory.has_frame else []
    return _frame(model, sources, scales, ups, trajectory, boards)


def _frame(
    model: SfmModel,
    sources: AlignSources,
    scales: list[ScaleEstimate],
    ups: list[UpEstimate],
    trajectory: TrajectoryFit | None,
    boards: list[BoardFit],
) -> MapFrame:
    """The frame by the first of the scales and ups, once all agree; without a trajectory the surest scale is first."""
    surest = most_certain_scale(scales) if scales else None
    if trajectory is None:
        scales = sorted(scales, key=lambda one: one is not surest)
    if ups:
        first_up(ups)
    found = tuple(scales), tuple(ups)
    metres = scales[0].scale if scales else 1.0
    if trajectory is not None and trajectory.has_frame:
        label = trajectory.label
        return MapFrame(trajectory.map_from_sfm, *found, f"that of {label}", f"those of {label}")
    if not ups:
        scaled = Similarity(metres, np.eye(3), np.zeros(3))
        return replace(AS_RECONSTRUCTED, map_from_sfm=scaled, scales=found[0])
    if trajectory is None and sources.up[0].startswith("board"):
        return frame_of_board(boards[0], sources.up[0] == "board-wall", metres, *found)
    return _level_frame(model, metres, *found)


def _up(
    word: str, model: SfmModel, workspace: Workspace, sources: AlignSources, boards: list[BoardFit]
) -> UpEstimate:
    noted = {} if sources.picture_top else noted_tops(workspace.images_dir, model.names)
    if word in ("camera", "plane"):
        return (up_of_cameras if word == "camera" else up_of_plane)(model, sources.picture_top, noted)
    if word.startswith("board"):
        cameras_up = robust_direction(picture_axes(model, sources.picture_top, noted)[0])[0]
        return up_estimate(boards, word == "board-wall", cameras_up)
    from reloc_ros.offline.align.timed_readings import read_bag_accelerations

    topic = word.removeprefix("imu:")
    rotation = parse_imu_rotation(sources.imu_from_camera)
    imu = read_bag_accelerations(sources.bag, topic)
    return up_of_imu(model, _stamps_ns(model, workspace), imu, f"the IMU on {topic}", rotation)


@dataclass(frozen=True, eq=False)
class _Path:
    """Where the images were taken, as poses say."""

    trajectory: Trajectory
    """By the images' names."""
    label: str
    remedy: str
    notes: tuple[str, ...] = ()


def _fit_trajectory(
    model: SfmModel, workspace: Workspace, sources: AlignSources
) -> tuple[TrajectoryFit, tuple[str, ...]] | None:
    """The model on its trajectory; of one on a line the scale alone, where something else tells what is up."""
    if sources.odometry is not None:
        path = _odometry(model, workspace, sources)
    elif sources.trajectory is not None:
        path = _trajectory(model, workspace, sources)
    else:
        return None
    try:
        return fit_trajectory(model, path.trajectory, path.label, remedy=path.remedy), path.notes
    except OnOneLineError:
        if not sources.up:
            raise
    return fit_trajectory(model, path.trajectory, path.label, False, path.remedy), path.notes


def _odometry(model: SfmModel, workspace: Workspace, sources: AlignSources) -> _Path:
    from reloc_ros.offline.align.timed_readings import read_bag_poses

    poses, label = read_bag_poses(sources.bag, sources.odometry), f"topic {sources.odometry}"
    found, notes = _at_images(model, workspace, sources, poses, f"{label} of {sources.bag}")
    if sources.body_from_camera is None:
        notes = (*notes, NO_LEVER)
    return _Path(found, label, "check --base-from-camera, and that the topic is of the same walk", notes)


def _trajectory(model: SfmModel, workspace: Workspace, sources: AlignSources) -> _Path:
    """By time where the file and the images tell it, else by the images' names."""
    label, told = sources.trajectory.name, read_trajectory(sources.trajectory)
    mount = sources.body_from_camera
    notes = (NO_TURN,) if mount is not None and not told.has_orientations else ()
    poses = poses_of_file(told)
    if poses is not None and image_times_ns(workspace.images_dir, model.names)[0]:
        camera = replace(sources, body_from_camera=SE3.identity() if mount is None else mount)
        found, more = _at_images(model, workspace, camera, poses, label)
        remedy = "check its clock (--time-offset) and, of a body, --base-from-camera"
        return _Path(found, label, remedy, more + notes)
    if sources.time_offset is not None:
        if poses is None:
            raise RelocError(f"--time-offset is about times, but {label} names images")
        raise unknown_times(model.names)
    if mount is not None and told.has_orientations:
        told = replace(told, map_from_camera=told.map_from_camera.at(mount))
    return _Path(told, label, REMEDY, notes)


def _at_images(
    model: SfmModel, workspace: Workspace, sources: AlignSources, poses: StampedPoses, label: str
) -> tuple[Trajectory, tuple[str, ...]]:
    """Poses at the times of the images, once the clocks are known, and what a person should know of that."""
    times_ns, since_epoch = image_times_ns(workspace.images_dir, model.names)
    if not times_ns:
        raise unknown_times(model.names)
    names, notes = sorted(times_ns, key=lambda name: times_ns[name]), ()
    stamps_ns = np.array([times_ns[name] for name in names], dtype=np.int64)
    offset_s = sources.clock_offset_s(poses.since_epoch == since_epoch)
    if offset_s is None:
        centers = model.centers_map[[model.names.index(name) for name in names]]
        offset_s = offset_of_clocks(
            label, centers, stamps_ns, poses, sources.body_from_camera, sources.max_gap_s
        )
        notes = (f"its clock was found to be {offset_s:.3f} s ahead of the images', by the two paths",)
    asked_ns = stamps_ns + round(offset_s * 1e9)
    made = camera_trajectory(poses, names, asked_ns, sources.body_from_camera, sources.max_gap_s)
    if len(made.keys) < MIN_POSES:
        raise RelocError(
            f"{label} has poses at the times of only {len(made.keys)} of the map's images, {MIN_POSES} are needed; the "
            f"map must be made from the same recording. The images were taken from {asked_ns[0] / 1e9:.3f} to "
            f"{asked_ns[-1] / 1e9:.3f} s, the poses are from {poses.stamps_ns[0] / 1e9:.3f} to "
            f"{poses.stamps_ns[-1] / 1e9:.3f} s; --time-offset tells of clocks that differ, --max-gap of sparse poses"
        )
    return made, notes


def _stamps_ns(model: SfmModel, workspace: Workspace) -> dict[str, int]:
    """When images of the map were taken, by name; at least one."""
    stamps = image_stamps_ns(workspace.images_dir, model.names)
    if not stamps:
        raise unknown_times(model.names)
    return stamps


def _scale_of_trajectory(fit: TrajectoryFit, notes: tuple[str, ...]) -> ScaleEstimate:
    return ScaleEstimate(
        fit.label, fit.map_from_sfm.scale, fit.scale_error, fit.inliers, fit.poses, fit.rms_m, notes
    )


def _far_away(fit: TrajectoryFit, model: SfmModel) -> tuple[str, ...]:
    """What a person should know of coordinates as large as projected ones."""
    positions = fit.map_from_sfm.apply(model.points_map)
    if not fit.has_frame or fits_single_precision(positions):
        return ()
    return (
        f"the map is {np.abs(positions).max():,.0f} m from its origin, where single precision has steps of "
        f"{single_precision_step(positions):.2g} m: poses stay exact, but RViz and clouds of points show such steps; "
        "better give positions about an origin near the place, and tie that to the world by REP-105's earth frame",
    )


def _up_of_trajectory(fit: TrajectoryFit) -> UpEstimate:
    up_sfm = fit.map_from_sfm.rotation[2]
    return UpEstimate(fit.label, up_sfm, fit.turn_error_deg, fit.inliers, fit.poses, None)


def _level_frame(
    model: SfmModel, metres: float, scales: tuple[ScaleEstimate, ...], ups: tuple[UpEstimate, ...]
) -> MapFrame:
    """z up; x to where the first image looks; the origin where it was taken, or on the plane below."""
    up, first = ups[0], model.camera_from_map[0]
    rotation, origin = level_rotation(up.up_sfm, first), first.center
    where = f"where '{model.names[0]}' was taken"
    if up.floor_sfm is not None:
        origin = origin + (up.floor_sfm - origin @ up.up_sfm) * up.up_sfm
        where = f"on {up.source}, below {where}"
    axes = f"z up by {up.source}, x level and to where '{model.names[0]}' looks"
    return MapFrame(Similarity(metres, rotation, -metres * rotation @ origin), scales, ups, where, axes)
