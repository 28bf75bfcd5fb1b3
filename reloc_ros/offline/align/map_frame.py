"""`reloc align`: metres and gravity for a map, from whatever sources there are, once they agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.align.agreement import ScaleEstimate, UpEstimate, first_up, most_certain_scale
from reloc_ros.offline.align.boards import parse_board
from reloc_ros.offline.align.gravity import (
    PICTURE_TOPS,
    level_rotation,
    up_of_cameras,
    up_of_imu,
    up_of_plane,
)
from reloc_ros.offline.align.scale_from_board import (
    BodyFit,
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
from reloc_ros.offline.align.sources import parse_imu_rotation
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
from reloc_ros.offline.sources.frames import frame_rate_hz
from reloc_ros.offline.workspace import Workspace

NO_LEVER = (
    "where the camera is on the robot was not told (--base-from-camera): the robot's positions stand for its"
)
UPS = "camera, plane, board, board-wall, imu:TOPIC or none"


@dataclass(frozen=True)
class AlignSources:
    """What is known about the place; see `reloc align --help`."""

    trajectory: Path | None = None
    """TUM file, see `match_images` for its first column."""
    bag: Path | None = None
    odometry: str | None = None
    """A topic of poses in the bag."""
    body_from_camera: SE3 | None = None
    """The camera's mount on what the odometry tells the pose of."""
    distances: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    board: str | None = None
    up: tuple[str, ...] = ()
    imu_from_camera: str | None = None
    picture_top: str = "top"


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
    _check(sources)
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
    bodies: list[BodyFit] = []
    if sources.distances or sources.measures:
        now = map_from_sfm(workspace)
        distances = [distance_of_points(text, model, now) for text in sources.distances]
        distances += [distance_of_picks(text, model) for text in sources.measures]
        scales.append(scale_of_distances(distances))
    if sources.board is not None:
        board = parse_board(sources.board)
        bodies = scale_of_board(model, workspace.images_dir, board, progress)
        scales.append(scale_estimate(board, bodies))
    for word in sources.up:
        if word != "none":
            ups.append(_up(word, model, workspace, sources, bodies))
    fit = _fit_trajectory(model, workspace, sources, has_up=bool(sources.up))
    if fit is not None:
        lever = sources.odometry is not None and sources.body_from_camera is None
        return _frame_of_trajectory(model, fit, scales, ups, (NO_LEVER,) if lever else ())
    scale = most_certain_scale(scales) if scales else None
    ordered = tuple(sorted(scales, key=lambda one: one is not scale))
    if not ups:
        return replace(AS_RECONSTRUCTED, map_from_sfm=_scaling(scale.scale), scales=ordered)
    first_up(ups)
    metres = scale.scale if scale else 1.0
    if sources.up[0].startswith("board"):
        return _frame_of_board(bodies[0], sources.up[0] == "board-wall", metres, ordered, tuple(ups))
    return _level_frame(model, metres, ordered, tuple(ups))


def _check(sources: AlignSources) -> None:
    metres = (sources.trajectory, sources.odometry, sources.board, *sources.distances, *sources.measures)
    if not sources.up and not any(metres):
        raise RelocError(
            "reloc align needs to be told something: --distance, --measure, --board, --trajectory or --odometry for "
            f"metres, and --up ({UPS}) for gravity"
        )
    if sources.trajectory and sources.odometry:
        raise RelocError("--trajectory and --odometry both say where the images were taken; give one of them")
    if not sources.up and not (sources.trajectory or sources.odometry):
        raise RelocError(f"this gives metres but not what is up; add --up: {UPS}")
    for word in sources.up:
        if word not in ("camera", "plane", "board", "board-wall", "none") and not word.startswith("imu:"):
            raise RelocError(f"--up is {UPS}, not '{word}'")
    if "none" in sources.up and (len(sources.up) > 1 or not any(metres)):
        raise RelocError("--up none leaves the axes as they are: it stands alone, beside a source of metres")
    if any(word.startswith("board") for word in sources.up) and sources.board is None:
        raise RelocError("--up board needs to know the board; describe it with --board")
    if sources.bag is None and (sources.odometry or any(word.startswith("imu:") for word in sources.up)):
        raise RelocError("a topic is read from a recording; name it with --bag")
    if sources.picture_top not in PICTURE_TOPS:
        raise RelocError(f"--picture-top is {', '.join(PICTURE_TOPS)}, not '{sources.picture_top}'")


def _up(
    word: str, model: SfmModel, workspace: Workspace, sources: AlignSources, bodies: list[BodyFit]
) -> UpEstimate:
    if word == "camera":
        return up_of_cameras(model, sources.picture_top)
    if word == "plane":
        return up_of_plane(model, sources.picture_top)
    if word.startswith("board"):
        return up_estimate(bodies, on_wall=word == "board-wall")
    from reloc_ros.offline.align.bag_readings import image_stamps_ns, read_bag_accelerations

    topic = word.removeprefix("imu:")
    rotation = parse_imu_rotation(sources.imu_from_camera)
    imu = read_bag_accelerations(sources.bag, topic)
    stamps = image_stamps_ns(workspace.images_dir, model.names)
    _refuse_timeless(model, stamps)
    rows = np.array([row for row, name in enumerate(model.names) if name in stamps])
    times = np.array([stamps[model.names[row]] for row in rows])
    return up_of_imu(model, rows, times, imu, f"the IMU on {topic}", rotation)


def _fit_trajectory(
    model: SfmModel, workspace: Workspace, sources: AlignSources, has_up: bool
) -> tuple[str, TrajectoryFit, bool] | None:
    """What the trajectory is called, how the model fits to it, and whether it tells more than the scale."""
    if sources.trajectory is None and sources.odometry is None:
        return None
    if sources.odometry is None:
        label, trajectory, remedy = str(sources.trajectory), read_trajectory(sources.trajectory), REMEDY
    else:
        label, trajectory = f"topic {sources.odometry}", _odometry(model, workspace, sources)
        remedy = "check --base-from-camera, and that the topic is of the same walk"
    rate_hz = frame_rate_hz(workspace.images_dir)
    try:
        return label, fit_trajectory(model, trajectory, label, rate_hz, remedy=remedy), True
    except OnOneLineError:
        if not has_up:
            raise
    return label, fit_trajectory(model, trajectory, label, rate_hz, False, remedy), False


def _odometry(model: SfmModel, workspace: Workspace, sources: AlignSources) -> Trajectory:
    from reloc_ros.offline.align.bag_readings import camera_trajectory, image_stamps_ns, read_bag_poses

    poses = read_bag_poses(sources.bag, sources.odometry)
    stamps = image_stamps_ns(workspace.images_dir, model.names)
    _refuse_timeless(model, stamps)
    made = camera_trajectory(poses, list(stamps), list(stamps.values()), sources.body_from_camera)
    if len(made.keys) < MIN_POSES:
        raise RelocError(
            f"topic {sources.odometry} of {sources.bag} has poses at the times of only {len(made.keys)} of the map's "
            f"images, {MIN_POSES} are needed; the map must be made from the same recording"
        )
    return made


def _refuse_timeless(model: SfmModel, stamps: dict[str, int]) -> None:
    if not stamps:
        raise RelocError(
            f"it is not known when the map's images were taken, such as '{model.names[0]}'; make the map from the bag "
            "itself (reloc map BAG), or name images by their time in nanoseconds"
        )


def _frame_of_trajectory(
    model: SfmModel,
    fitted: tuple[str, TrajectoryFit, bool],
    scales: list[ScaleEstimate],
    ups: list[UpEstimate],
    notes: tuple[str, ...],
) -> MapFrame:
    label, fit, is_frame = fitted
    found = fit.map_from_sfm
    scale = ScaleEstimate(label, found.scale, fit.scale_error, fit.inliers, fit.poses, fit.rms_m, notes)
    most_certain_scale([scale, *scales])
    if not is_frame:
        if not ups:
            return replace(AS_RECONSTRUCTED, map_from_sfm=_scaling(found.scale), scales=(scale, *scales))
        first_up(ups)
        return _level_frame(model, found.scale, (scale, *scales), tuple(ups))
    up = UpEstimate(label, found.rotation[2], fit.turn_error_deg, fit.inliers, fit.poses, None)
    first_up([up, *ups])
    return MapFrame(found, (scale, *scales), (up, *ups), f"that of {label}", f"those of {label}")


def _frame_of_board(
    fit: BodyFit, on_wall: bool, metres: float, scales: tuple[ScaleEstimate, ...], ups: tuple[UpEstimate, ...]
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


def _scaling(metres: float) -> Similarity:
    return Similarity(metres, np.eye(3), np.zeros(3))
