"""The 3D part of `reloc web`: the cloud, the landmarks, the cameras, and where to look at them from.  (viser)"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import viser
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reloc_ros.cameras import Camera
from reloc_ros.offline.model.rectify import rectified
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.picking.web_panel import STATE_COLOURS, Colour, Visibility
from reloc_ros.offline.sources.photographs import read_photo
from reloc_ros.scene_size import local_origin

Array = NDArray[np.float64]

LANDMARK: Colour = (255, 40, 200)
FOCUS: Colour = (255, 225, 0)
ON_PHOTO: Colour = (0, 235, 255)
CLEAR = 0.08
"""Lines of sight begin this share of their length before the point, so as not to cover it."""
BULK = 0.85
"""This share of the cloud is framed; the rest is far away."""
FOV = np.radians(50)
"""Of the view of the whole, from bottom to top."""
MARGIN = 1.05
"""So much more than a photograph is shown when looking through its camera."""
THUMBNAIL_PX = 200
BACKDROP_PX = 1600


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """Where to look at a scene from."""

    up: Array
    """(3,) unit vector."""
    center: Array
    """(3,) the middle of the bulk of the points."""
    radius: float
    """Of the ball around it that holds the bulk."""
    eye: Array
    """(3,) from where all of the ball is seen."""


def frame_scene(model: SfmModel, metric: bool) -> Frame:
    """A view of the bulk of the cloud, from the side that the cameras were on, and a little above.

    In a metric map z is up; in another, where the cameras had up on average.
    """
    up = np.array([0.0, 0.0, 1.0]) if metric else -_unit(model.rotations[:, 1].sum(axis=0))
    center = np.median(model.points_map, axis=0)
    distances = np.linalg.norm(model.points_map - center, axis=1)
    radius = float(np.quantile(distances, BULK))
    side = (model.centers_map - center).mean(axis=0)
    side -= (side @ up) * up
    if np.linalg.norm(side) < 0.1 * radius:  # taken from all around, or in the middle of a room
        side = model.centers_map[0] - center
        side -= (side @ up) * up
    if np.linalg.norm(side) < 1e-6 * radius:
        side = np.cross(up, np.eye(3)[np.argmin(np.abs(up))])
    eye = center + _unit(_unit(side) + 0.5 * up) * radius / np.sin(FOV / 2)
    return Frame(up, center, radius, eye)


def vertical_fov(camera: Camera) -> float:
    """Radians; of the pinhole part."""
    return float(2 * np.arctan(camera.height / 2 / camera.fy))


def fitted_fov(camera: Camera, aspect: float) -> float:
    """The vertical field of view, radians, of a window of this width over height that shows all of a photograph."""
    across, down = camera.width / 2 / camera.fx, camera.height / 2 / camera.fy
    return float(2 * np.arctan(MARGIN * max(down, across / aspect)))


def _unit(vector: Array) -> Array:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


class Scene:
    """The nodes of the page, in a frame shifted to `origin` of the map: browsers draw in single precision."""

    def __init__(self, server: viser.ViserServer, model: SfmModel, shown: NDArray[np.int64], metric: bool):
        """Put up everything but the landmarks; `shown` are the rows of the points to show."""
        self.origin = local_origin(model.points_map)
        """(3,) in the map."""
        model = model.transformed(Similarity(1.0, np.eye(3), -self.origin))
        self._server, self._model = server, model
        self.frame = frame_scene(model, metric)
        scene = server.scene
        scene.set_up_direction(self.frame.up)
        scene.world_axes.visible = metric
        scene.world_axes.axes_length = 0.2 * self.frame.radius
        scene.world_axes.axes_radius = 0.004 * self.frame.radius
        camera = server.initial_camera
        camera.position, camera.look_at, camera.up = self.frame.eye, self.frame.center, self.frame.up
        camera.fov, camera.near, camera.far = FOV, 1e-3 * self.frame.radius, 1e3 * self.frame.radius
        self.point_size = _point_size(model.points_map[shown], self.frame.radius)
        self.cloud = self._points("/cloud", model.points_map[shown], model.colors[shown], self.point_size)
        self.landmarks = self._points("/landmarks", np.empty((0, 3)), LANDMARK, self.landmark_size)
        self.focus = self._points("/focus", np.empty((0, 3)), FOCUS, 1.3 * self.landmark_size)
        self._factor = self._nearness = 1.0
        self._sights: viser.SceneNodeHandle | None = None
        self._backdrop: viser.SceneNodeHandle | None = None
        self._cameras_wanted = True
        self.cameras = [self._add_camera(image) for image in range(len(model.names))]

    @property
    def landmark_size(self) -> float:
        return float(np.clip(3 * self.point_size, 0.01 * self.frame.radius, 0.03 * self.frame.radius))

    def resize(self, factor: float) -> None:
        """Draw all points so many times as large as at first."""
        self._factor = factor
        factor *= self._nearness
        self.cloud.point_size = factor * self.point_size
        self.landmarks.point_size = factor * self.landmark_size
        self.focus.point_size = 1.3 * factor * self.landmark_size

    def show_cloud(self, rows: NDArray[np.int64]) -> None:
        """Show these points of the model, and no others; on a photograph in a colour that differs from its own."""
        colours = self._model.colors[rows] if self._backdrop is None else np.tile(ON_PHOTO, (len(rows), 1))
        with self._server.atomic():
            _move(self.cloud, self._model.points_map[rows])
            self.cloud.colors = colours.astype(np.uint8)

    def show_landmarks(self, positions_map: Array) -> None:
        _move(self.landmarks, positions_map - self.origin)

    def show_focus(self, position_map: Array | None, seen_by: Sequence[int]) -> None:
        """Mark one point, or none, with lines to the cameras that see it."""
        position = None if position_map is None else position_map - self.origin
        _move(self.focus, np.empty((0, 3)) if position is None else position[None])
        if self._sights is not None:
            self._sights.remove()
            self._sights = None
        if position is not None and len(seen_by) and self._backdrop is None:
            ends = self._model.centers_map[list(seen_by)]
            starts = position + CLEAR * (ends - position)
            lines = np.stack([starts, ends], axis=1)
            self._sights = self._server.scene.add_line_segments(
                "/sights", lines, STATE_COLOURS[Visibility.SEEN], thickness=1.0, thickness_units="screen"
            )

    def colour_cameras(self, colours: Sequence[Colour]) -> None:
        for handle, colour in zip(self.cameras, colours, strict=True):
            if handle.color != colour:
                handle.color = colour

    def add_thumbnail(self, image: int, images_dir: Path) -> None:
        """Read a photograph, and show it in its camera."""
        self.cameras[image].image = _shrunk(images_dir / self._model.names[image], THUMBNAIL_PX)

    def show_cameras(self, wanted: bool) -> None:
        """Show the cameras or not; they never are while one of them is looked through."""
        self._cameras_wanted = wanted
        for handle in self.cameras:
            handle.visible = wanted and self._backdrop is None

    def overview(self, client: viser.ClientHandle) -> None:
        """Look at the whole again, as at first."""
        if self._backdrop is not None:
            self._backdrop.remove()
            self._backdrop = None
        self._look(client, self.frame.eye, self.frame.center, self.frame.up, FOV)

    def look_through(self, client: viser.ClientHandle, image: int, images_dir: Path) -> None:
        """Look through one of the cameras, its photograph behind the points."""
        camera, pose = self._model.camera(image), self._model.camera_from_map[image]
        observed = self._model.observation_point[self._model.observations_of(image)]
        depths = pose.apply(self._model.points_map[observed])[:, 2]
        forward, down = pose.rotation[2], pose.rotation[1]
        # Behind nearly all the points that it shows, so that they are drawn over it.
        far = 1.5 * float(np.quantile(depths, 0.98)) if len(depths) else self.frame.radius
        photo = _shrunk(images_dir / self._model.names[image], BACKDROP_PX)
        shown = rectified(photo, camera.resized(*photo.shape[1::-1]))  # the page draws as a pinhole does
        if self._backdrop is not None:
            self._backdrop.remove()
        self._backdrop = self._server.scene.add_image(
            "/backdrop",
            shown.picture,
            *((shown.high - shown.low) * far),
            wxyz=pose.inverse().quaternion_wxyz,
            position=pose.inverse().apply(far * np.array([*(0.5 * (shown.low + shown.high)), 1.0])),
            cast_shadow=False,
            receive_shadow=False,
        )
        fov = fitted_fov(camera, client.camera.image_width / max(client.camera.image_height, 1))
        near = float(np.median(depths)) if len(depths) else self.frame.radius
        self._look(client, pose.center, pose.center + near * forward, -down, fov)

    def _look(self, client: viser.ClientHandle, eye: Array, at: Array, up: Array, fov: float) -> None:
        overview = np.linalg.norm(self.frame.eye - self.frame.center)
        self._nearness = min(1.0, 1.5 * float(np.linalg.norm(at - eye)) / overview)
        self.resize(self._factor)
        self.show_cameras(self._cameras_wanted)
        with client.atomic():
            client.camera.up_direction = up
            client.camera.position = eye
            client.camera.look_at = at
            client.camera.fov = fov

    def _points(
        self, name: str, positions: Array, colours: Colour | NDArray[np.uint8], size: float
    ) -> viser.PointCloudHandle:
        return self._server.scene.add_point_cloud(
            name,
            positions,
            colours,
            point_size=size,
            point_shape="circle",
            point_shading="flat",
            precision="float32",
        )

    def _add_camera(self, image: int) -> viser.CameraFrustumHandle:
        camera, map_from_camera = self._model.camera(image), self._model.camera_from_map[image].inverse()
        return self._server.scene.add_camera_frustum(
            f"/cameras/{image}",
            vertical_fov(camera),
            camera.width / camera.height,
            scale=0.04 * self.frame.radius,
            thickness=2.0,
            thickness_units="screen",
            wxyz=map_from_camera.quaternion_wxyz,
            position=map_from_camera.translation,
            cast_shadow=False,
            receive_shadow=False,
        )


def _move(handle: viser.PointCloudHandle, positions: Array) -> None:
    handle.points = positions.astype(np.float32)


def _point_size(points: Array, radius: float) -> float:
    """Such that points of typical spacing do not hide each other."""
    distances, _ = cKDTree(points).query(points, 2) if len(points) > 1 else (np.full((1, 2), radius), None)
    return float(np.clip(np.median(distances[:, 1]), 0.002 * radius, 0.01 * radius))


def _shrunk(file: Path, width_px: int) -> NDArray[np.uint8]:
    """A photograph in RGB, at most so wide."""
    photo = read_photo(file)
    height, width = photo.shape[:2]
    if width > width_px:
        size = (width_px, max(1, round(height * width_px / width)))
        photo = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(photo, cv2.COLOR_BGR2RGB)
