"""`reloc align`: metres and gravity for a map, from whatever sources there are, once they agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.offline.align.agreement import ScaleEstimate, UpEstimate, first_up, most_certain_scale
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
    map_from_board,
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
from reloc_ros.offline.sources.frame_extraction import noted_tops, read_frame_notes
from reloc_ros.offline.workspace import Workspace

NO_LEVER = (
    "where the camera is on the robot was not told (--base-from-camera): the robot's positions stand for its"
)


@dataclass(frozen=True, eq=False)
class MapFrame:
    """How the map frame is defined."""

    map_from_sfm: Similarity
    scales: tuple[ScaleEstimate, ...]
    """The first is the one that counts, the others agree with it; none for a map of unknown scale."""
    ups: tuple[UpEstimate, ...]
    """Likewise; none where the axes are those of the reconstruction."""
    origin: str
    axes: str

    def to_json(self) -> dict[str, Any]:
        return {
            "map_from_sfm": self.map_from_sfm.to_json(),
            "origin": self.origin,
            "axes": self.axes,
            "scale": [scale.to_json() for scale in self.scales],
            "up": [up.to_json() for up in self.ups],
        }


AS_RECONSTRUCTED = MapFrame(
    Similarity.identity(), (), (), "that of the reconstruction", "those of the reconstruction"
)


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
    trajectory = _fit_trajectory(model, workspace, sources)
    if trajectory is not None:
        scales.insert(0, _scale_of_trajectory(trajectory, sources))
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
        return _frame_of_board(boards[0], sources.up[0] == "board-wall", metres, *found)
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
    from reloc_ros.offline.align.bag_readings import read_bag_accelerations

    topic = word.removeprefix("imu:")
    rotation = parse_imu_rotation(sources.imu_from_camera)
    imu = read_bag_accelerations(sources.bag, topic)
    return up_of_imu(model, _stamps_ns(model, workspace), imu, f"the IMU on {topic}", rotation)


def _fit_trajectory(model: SfmModel, workspace: Workspace, sources: AlignSources) -> TrajectoryFit | None:
    """The model on its trajectory; of one on a line the scale alone, where something else tells what is up."""
    if sources.odometry is not None:
        label, trajectory = f"topic {sources.odometry}", _odometry(model, workspace, sources)
        remedy = "check --base-from-camera, and that the topic is of the same walk"
    elif sources.trajectory is not None:
        label, trajectory, remedy = str(sources.trajectory), read_trajectory(sources.trajectory), REMEDY
    else:
        return None
    times_ns = read_frame_notes(workspace.images_dir).times_ns
    try:
        return fit_trajectory(model, trajectory, label, times_ns, remedy=remedy)
    except OnOneLineError:
        if not sources.up:
            raise
    return fit_trajectory(model, trajectory, label, times_ns, False, remedy)


def _odometry(model: SfmModel, workspace: Workspace, sources: AlignSources) -> Trajectory:
    from reloc_ros.offline.align.bag_readings import camera_trajectory, read_bag_poses

    poses = read_bag_poses(sources.bag, sources.odometry)
    stamps = _stamps_ns(model, workspace)
    made = camera_trajectory(poses, list(stamps), list(stamps.values()), sources.body_from_camera)
    if len(made.keys) < MIN_POSES:
        raise RelocError(
            f"topic {sources.odometry} of {sources.bag} has poses at the times of only {len(made.keys)} of the map's "
            f"images, {MIN_POSES} are needed; the map must be made from the same recording"
        )
    return made


def _stamps_ns(model: SfmModel, workspace: Workspace) -> dict[str, int]:
    """When images of the map were taken, by name; at least one."""
    from reloc_ros.offline.align.bag_readings import image_stamps_ns

    stamps = image_stamps_ns(workspace.images_dir, model.names)
    if not stamps:
        raise RelocError(
            f"it is not known when the map's images were taken, such as '{model.names[0]}'; make the map from the bag "
            "itself (reloc map BAG), or name images by their time in nanoseconds"
        )
    return stamps


def _scale_of_trajectory(fit: TrajectoryFit, sources: AlignSources) -> ScaleEstimate:
    notes = (NO_LEVER,) if sources.odometry is not None and sources.body_from_camera is None else ()
    return ScaleEstimate(
        fit.label, fit.map_from_sfm.scale, fit.scale_error, fit.inliers, fit.poses, fit.rms_m, notes
    )


def _up_of_trajectory(fit: TrajectoryFit) -> UpEstimate:
    up_sfm = fit.map_from_sfm.rotation[2]
    return UpEstimate(fit.label, up_sfm, fit.turn_error_deg, fit.inliers, fit.poses, None)


def _frame_of_board(
    fit: BoardFit,
    on_wall: bool,
    metres: float,
    scales: tuple[ScaleEstimate, ...],
    ups: tuple[UpEstimate, ...],
) -> MapFrame:
    board, turn = fit.board_from_sfm, map_from_board(on_wall)
    found = Similarity(metres, turn @ board.rotation, turn @ board.translation * metres / board.scale)
    axes = "z up, x to the board's right, y " + ("into the wall" if on_wall else "to its top edge")
    return MapFrame(found, scales, ups, f"the middle of {fit.label}", axes)


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
