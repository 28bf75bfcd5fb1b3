"""What a pose means, drawn into its image: the map's points by depth, AR content, keypoints, and OK or Lost."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.annotate import BLACK, GREEN, RED, WHITE, draw_keypoints
from reloc_ros.bundle import Bundle
from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.tum import parse_tum_pose
from reloc_ros.localizer import Localized, Lost
from reloc_ros.offline.running.mesh import Mesh, axes, read_mesh
from reloc_ros.offline.running.pose_file_writers import Sink
from reloc_ros.offline.running.video_writer import video_writer
from reloc_ros.offline.sources.frame import Frame, Source
from reloc_ros.refinement.references import References
from reloc_ros.scene_size import extent

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
_AXES_SHARE = 0.4
"""Length of the axes as a share of the map's size, the median distance of its landmarks from their middle."""
_VIEWS = 6
"""Reference views whose points are drawn; what none of the nearest saw is probably hidden."""
_MIN_COSINE = 0.5
"""Between the directions that such a view and the camera look in."""
_CONE_MARGIN_RAD = np.radians(10)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


class MapCloud:
    """The points of a bundle's map: those of its reference views, or else its landmarks."""

    def __init__(self, bundle: Bundle) -> None:
        self._landmarks, self._references = bundle.landmarks, bundle.references
        self.depths: tuple[float, float]
        """Nearest and farthest depth to colour, the same in all pictures."""
        if self._references is None:
            points = bundle.landmarks.positions_map
            # From where they were seen is not known; a camera in their midst or about as far away shows all of them.
            reach = np.percentile(np.linalg.norm(points - points.mean(axis=0), axis=1), 98)
            self.depths = 0.0, 2 * float(reach)
            return
        references, points = self._references, self._references.points_map
        self._centers_map = np.array([pose.center for pose in references.camera_from_map])
        self._axes_map = np.array([pose.rotation[2] for pose in references.camera_from_map])
        self._starts = np.searchsorted(references.seen_view, np.arange(len(references.files) + 1))
        rays = points[references.seen_point] - self._centers_map[references.seen_view]
        near, far = np.percentile(np.sum(rays * self._axes_map[references.seen_view], axis=1), [2, 98])
        self.depths = float(near), float(far)

    def visible_map(self, camera_from_map: SE3) -> Array:
        """(N, 3) the points that a camera there sees, as far as the map tells."""
        if self._references is None:
            angles = self._landmarks.view_angles(camera_from_map.center)
            return self._landmarks.positions_map[angles < self._landmarks.view_cones_rad + _CONE_MARGIN_RAD]
        return self._references.points_map[self._seen_nearby(self._references, camera_from_map)]

    def _seen_nearby(self, references: References, camera_from_map: SE3) -> NDArray[np.intp]:
        alike = self._axes_map @ camera_from_map.rotation[2]
        distances = np.linalg.norm(self._centers_map - camera_from_map.center, axis=1)
        likely = np.flatnonzero(alike > _MIN_COSINE)
        nearest = likely[np.argsort(distances[likely] / alike[likely])[:_VIEWS]]
        seen = np.zeros(len(references.points_map), dtype=bool)
        for view in nearest:
            seen[references.seen_point[self._starts[view] : self._starts[view + 1]]] = True
        return np.flatnonzero(seen)


@dataclasses.dataclass(frozen=True, eq=False)
class ArContent:
    """AR content of an overlay."""

    mesh: Mesh | None = None
    """None: the map's axes."""
    map_from_mesh: SE3 | None = None
    """None: in the middle of the landmarks, turned as the map is."""
    scale: float = 1.0

    @staticmethod
    def read(mesh: Path | None, pose: str | None, scale: float) -> ArContent:
        """From a mesh file and a pose as `parse_pose` reads it."""
        if not (np.isfinite(scale) and scale > 0):
            raise RelocError(f"the mesh's scale must be above 0, got {scale}")
        map_from_mesh = None if pose is None else parse_pose(pose)
        return ArContent(None if mesh is None else read_mesh(mesh), map_from_mesh, scale)

    def in_map(self, bundle: Bundle) -> Mesh:
        points = bundle.landmarks.positions_map
        mesh = axes(_AXES_SHARE * extent(points)) if self.mesh is None else self.mesh
        return mesh.placed(self.map_from_mesh or SE3(np.eye(3), np.median(points, axis=0)), self.scale)


def parse_pose(text: str) -> SE3:
    """`x y z` or `x y z qx qy qz qw`, as in a TUM file, with blanks or commas between."""
    try:
        words = text.replace(",", " ").split()
        return parse_tum_pose(" ".join(words if len(words) != 3 else [*words, "0 0 0 1"]))
    except ValueError as error:
        raise RelocError(f"the mesh's pose must be 'x y z' or 'x y z qx qy qz qw', got '{text}'") from error


@dataclasses.dataclass(frozen=True, eq=False)
class Overlay:
    """How to draw the results of one bundle."""

    cloud: MapCloud
    content: Mesh
    """AR content, in the map."""
    unit: str
    """Of the map: m, or nothing where its scale is unknown."""

    def picture(self, frame: Frame, result: Localized | Lost, rotation: int | None = None) -> Image:
        """(H, W, 3) BGR: a localized image with all that its pose tells; a lost one with the reason alone.

        Args:
            frame: with an image, and with a camera if it was localized.
            rotation: how to turn the picture for people to look at, as in cv2.rotate.
        """
        image = frame.image
        picture = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image.copy()
        if isinstance(result, Localized):
            self._draw_cloud(picture, frame.camera, result.camera_from_map)
            self.content.draw(picture, frame.camera, result.camera_from_map)
            draw_keypoints(picture, result)
        picture = picture if rotation is None else cv2.rotate(picture, rotation)
        if isinstance(result, Lost):
            return _with_banner(picture, RED, f"LOST  {result.reason.value}", result.detail)
        self._draw_scale(picture)
        return _with_banner(picture, GREEN, "OK", _what_agrees(result))

    def _draw_cloud(self, picture: Image, camera: Camera, camera_from_map: SE3) -> None:
        points = camera_from_map.apply(self.cloud.visible_map(camera_from_map))
        pixels = camera.project(points)
        rows = np.flatnonzero(camera.contains(pixels))
        rows = rows[np.argsort(-points[rows, 2])]
        radius = max(round(picture.shape[0] / 320), 1)
        for pixel, color in zip(
            np.rint(pixels[rows]).astype(int), self._colors(points[rows, 2]), strict=True
        ):
            cv2.circle(picture, pixel.tolist(), radius, color, -1, cv2.LINE_AA)

    def _colors(self, depths: Array) -> list[list[int]]:
        """Near is red, far is blue."""
        near, far = self.cloud.depths
        shares = np.clip((depths - near) / max(far - near, 1e-12), 0, 1)
        levels = np.rint(255 * (1 - shares)).astype(np.uint8)
        return _turbo()[levels].tolist()

    def _draw_scale(self, picture: Image) -> None:
        """Which colour is which depth, at the lower left."""
        height, width = picture.shape[:2]
        near, far = self.cloud.depths
        thick, long, edge = max(height // 60, 4), width // 4, max(height // 60, 4)
        bar = np.array(self._colors(np.linspace(near, far, long)), np.uint8)
        top = height - edge - thick
        picture[top : top + thick, edge : edge + long] = bar
        size = height / 1100
        for depth, right in ((near, False), (far, True)):
            text = f"{depth:.2g} {self.unit}".strip()
            (wide, _), _ = cv2.getTextSize(text, _FONT, size, 1)
            at = edge + (long - wide if right else 0), top - edge // 2
            for color, thickness in ((BLACK, 3), (WHITE, 1)):
                cv2.putText(picture, text, at, _FONT, size, color, thickness, cv2.LINE_AA)


@functools.cache
def _turbo() -> Image:
    """(256, 3) BGR."""
    return cv2.applyColorMap(np.arange(256, dtype=np.uint8), cv2.COLORMAP_TURBO)[:, 0]


def _with_banner(picture: Image, color: tuple[int, int, int], word: str, detail: str) -> Image:
    """The picture with a coloured strip at its top that says a word large and a sentence small."""
    height, width = picture.shape[:2]
    strip = max(round(0.09 * height), 12)
    # White letters want a darker colour than dots and circles do.
    picture[:strip] = (0.25 * picture[:strip] + 0.45 * np.array(color)).astype(np.uint8)
    edge = max(strip // 6, 2)
    for text, baseline, share in ((word, 0.45, 0.34), (detail, 0.86, 0.26)):
        (wide, tall), _ = cv2.getTextSize(text, _FONT, 1.0, 1)
        size = min(share * strip / tall, (width - 2 * edge) / max(wide, 1))
        place = edge, round(baseline * strip)
        cv2.putText(picture, text, place, _FONT, size, WHITE, max(round(size * 1.6), 1), cv2.LINE_AA)
    return picture


@contextlib.contextmanager
def overlay_video(
    path: Path, bundle: Bundle, source: Source, content: ArContent, folder_rate_hz: float
) -> Iterator[Sink]:
    """A video of the source with what each pose means, see `Overlay.picture`; it keeps the source's rate.

    Args:
        folder_rate_hz: pictures a second for a folder of images, which has no rate of its own.
    """
    overlay = Overlay(MapCloud(bundle), content.in_map(bundle), "m" if bundle.scale == "metric" else "")
    shape = (bundle.camera.height, bundle.camera.width)
    with video_writer(path, source.rate_hz or folder_rate_hz) as write:

        def draw(frame: Frame, result: Localized | Lost) -> None:
            nonlocal shape
            if frame.image is None:  # a black picture with the reason keeps the video in step with the images
                frame = dataclasses.replace(frame, image=np.zeros(shape, np.uint8))
            shape = frame.image.shape[:2]
            write(overlay.picture(frame, result, source.rotation))

        yield draw


def _what_agrees(result: Localized) -> str:
    if result.tracked:
        return f"{result.support.agreeing} of {result.support.patches} patches agree, tracked"
    agreeing = f"{int(result.inliers.sum())} of {len(result.keypoints)} landmarks agree"
    sharpened = ", sharpened" if result.refined else ""
    return f"{agreeing}, {result.reprojection_rms_px:.1f} px{sharpened}"
