"""The map's reference views: small grey pictures with their poses, and the points they show.

They are what a first pose is sharpened against, see `reloc_ros.refinement.refine`.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, are_places
from reloc_ros.io.nested_text import parse_json
from reloc_ros.io.npz import load_bundled, of_kind
from reloc_ros.io.picture_head import refuse_huge
from reloc_ros.pose.packed_covariances import packed, unpacked

Array = NDArray[np.float64]
FORMAT = 2
READABLE = (1, 2)
"""Format 1 held the points about the map's origin."""
_KIND = "reloc reference views"
_STEPS_PER_PX = 64
"""Where a point was seen is stored in these steps: a hundredth of a pixel is more than anyone knows."""


@dataclasses.dataclass(frozen=True, eq=False)
class References:
    """V views, P points and M sightings of a point in a view."""

    files: tuple[bytes, ...]
    """V grey pictures, each as a file of a format that OpenCV reads."""
    cameras: tuple[Camera, ...]
    """V cameras, of the pictures' sizes."""
    camera_from_map: tuple[SE3, ...]
    """V poses."""
    points_map: Array
    """(P, 3)"""
    normals_map: Array
    """(P, 3) unit vectors out of the surface around each point."""
    covariances_map: Array
    """(P, 3, 3) of the points' places, by the images that saw them; zero in older bundles."""
    seen_view: NDArray[np.int32]
    """(M,) index of the view, ascending; every view sees something."""
    seen_point: NDArray[np.int32]
    """(M,) index of the point."""
    seen_px: Array
    """(M, 2) where in the view's picture the point was found when the map was made."""
    like_view: NDArray[np.int32] = dataclasses.field(default_factory=lambda: np.zeros(0, np.int32))
    """(L,) index of a view that the map looks like from another pose, too, as where two rooms are alike;"""
    like_camera_from_map: tuple[SE3, ...] = ()
    """and L such poses."""

    def picture(self, view: int) -> NDArray[np.uint8]:
        """A view's picture (H, W)."""
        refuse_huge(self.files[view], f"reference view {view}")
        picture = cv2.imdecode(np.frombuffer(self.files[view], np.uint8), cv2.IMREAD_GRAYSCALE)
        camera = self.cameras[view]
        if picture is None or picture.shape != (camera.height, camera.width):
            raise RelocError(f"reference view {view} is damaged; export the bundle again")
        return np.asarray(picture, np.uint8)

    def save(self, path: Path) -> None:
        """Write as .npz to `path`; the caller makes that atomic."""
        cameras = list(dict.fromkeys(self.cameras))
        # Single precision would round projected coordinates, of millions of metres, to half a metre.
        origin = np.median(self.points_map, axis=0)
        with path.open("wb") as stream:
            np.savez_compressed(
                stream,
                kind=_KIND,
                format=FORMAT,
                files=np.frombuffer(b"".join(self.files), np.uint8),
                file_bytes=np.array([len(file) for file in self.files]),
                cameras=json.dumps([camera.to_json() for camera in cameras]),
                camera_of_view=np.array([cameras.index(camera) for camera in self.cameras]),
                rotations=np.array([pose.rotation for pose in self.camera_from_map]),
                translations=np.array([pose.translation for pose in self.camera_from_map]),
                origin=origin,
                points_map=(self.points_map - origin).astype(np.float32),
                normals_map=self.normals_map.astype(np.float16),
                seen_view=self.seen_view,
                seen_point=self.seen_point,
                seen_steps=np.rint(self.seen_px * _STEPS_PER_PX).astype(np.int32),
                like_view=self.like_view,
                like_rotations=np.array([pose.rotation for pose in self.like_camera_from_map]),
                like_translations=np.array([pose.translation for pose in self.like_camera_from_map]),
                **packed(self.covariances_map),
            )

    @staticmethod
    def load(path: Path) -> References:
        """Read what `save` wrote; anything else is refused with a sentence."""
        return load_bundled(path, _KIND, READABLE, "reference views", _from_arrays)


def _from_arrays(data: dict[str, NDArray[Any]]) -> References:
    def numbers(name: str, kind: type = np.float64) -> NDArray[Any]:
        return of_kind(data[name], kind)

    ends = np.cumsum(numbers("file_bytes", np.int64))
    if len(ends) == 0 or ends[-1] != len(data["files"]):
        raise ValueError("pictures are missing")
    cameras = [Camera.from_json(entry) for entry in parse_json(str(data["cameras"]))]

    def poses(prefix: str = "") -> tuple[SE3, ...]:
        rotations = numbers(f"{prefix}rotations").reshape(-1, 3, 3)
        translations = numbers(f"{prefix}translations").reshape(-1, 3)
        if not are_places(rotations, translations):
            raise ValueError("poses are not finite")
        return tuple(itertools.starmap(SE3, zip(rotations, translations, strict=True)))

    likes: dict[str, Any] = {}
    if "like_view" in data:
        likes = {"like_view": numbers("like_view", np.int32), "like_camera_from_map": poses("like_")}
    references = References(
        files=tuple(piece.tobytes() for piece in np.split(data["files"], ends[:-1])),
        cameras=tuple(cameras[index] for index in data["camera_of_view"].tolist()),
        camera_from_map=poses(),
        points_map=numbers("points_map") + (numbers("origin") if "origin" in data else 0),
        normals_map=numbers("normals_map"),
        covariances_map=unpacked(data, len(data["points_map"])),
        seen_view=numbers("seen_view", np.int32),
        seen_point=numbers("seen_point", np.int32),
        seen_px=numbers("seen_steps") / _STEPS_PER_PX,
        **likes,
    )
    _check(references)
    return references


def _check(references: References) -> None:
    """Refuse what does not fit together."""
    views, points, seen = len(references.files), len(references.points_map), len(references.seen_view)
    shapes = {
        "cameras": (len(references.cameras), views),
        "poses": (len(references.camera_from_map), views),
        "points": (references.points_map.shape, (points, 3)),
        "normals": (references.normals_map.shape, (points, 3)),
        "points seen": (references.seen_point.shape, (seen,)),
        "places seen": (references.seen_px.shape, (seen, 2)),
        "views that see": (np.unique(references.seen_view).tolist(), list(range(views))),
        "likes": (references.like_view.shape, (len(references.like_camera_from_map),)),
    }
    wrong = [name for name, (found, expected) in shapes.items() if found != expected]
    if wrong or not are_places(references.points_map, references.normals_map, references.seen_px):
        raise ValueError(f"{', '.join(wrong) or 'numbers'} do not fit")
    in_range = (references.seen_point >= 0) & (references.seen_point < points)
    like_in_range = (references.like_view >= 0) & (references.like_view < views)
    if not (in_range.all() and like_in_range.all()) or (np.diff(references.seen_view) < 0).any():
        raise ValueError("sightings are out of range or order")
