"""The deployable folder: everything a robot needs of a map, versioned, hashed, and refused when something is wrong."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reloc_ros.calibration import UNCALIBRATED, Calibration
from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError, first_line
from reloc_ros.io.atomic import atomic_path
from reloc_ros.io.manifest import MANIFEST, digest_of, read_manifest, verify_file, write_manifest
from reloc_ros.landmarks import Landmarks
from reloc_ros.local_features.feature_map import FeatureMap
from reloc_ros.refinement.references import References
from reloc_ros.version import __version__

LANDMARKS = "landmarks.npz"
NETWORK, ENCODER = "network", "encoder"
"""The model of a map of one place, and what those of several places share."""
ONNX, INT8_ONNX, TORCH = ".onnx", ".int8.onnx", ".pt"
ONNX_MODEL, INT8_MODEL, TORCH_MODEL = NETWORK + ONNX, NETWORK + INT8_ONNX, NETWORK + TORCH
PLACES = "places.npz"
REFERENCES = "references.npz"
FEATURES = "features.npz"

Scale = Literal["metric", "unknown"]
_SMALLEST_GLANCE_PX = 256
"""Longer side of the smallest picture that the network is shown first."""
_LARGEST = 1 << 14
"""No size of a network is anywhere near that; memory is taken by them."""
_NAMED = 8
"""So many cameras are listed at most."""
_NAME_ONE = (
    "name the one that took the images (--bundle-camera, the node's bundle_camera), or give their intrinsics"
)


@dataclasses.dataclass(frozen=True)
class NetworkShape:
    """What a backend takes and returns: (1, height, width, 3) uint8 BGR in, (1, landmarks, 4) float32 out."""

    encoder: str
    landmarks: int
    width: int
    """Input width in pixels, a multiple of 32."""
    height: int
    """Input height in pixels, a multiple of 32."""
    channels: int = 128
    """Width of the head."""
    groups: int = 1
    """Parts of the landmarks, each with a head of its own."""
    separable: bool = False
    """Whether the head's convolutions are of channels and places apart; in older bundles they are not."""
    places: tuple[int, ...] = ()
    """How many of the landmarks, in their order, are of each place of a map of several."""

    def rows_of(self, place: int) -> slice:
        """The landmarks of a place."""
        start = sum(self.places[:place])
        return slice(start, start + self.places[place])

    def of_place(self, place: int) -> NetworkShape:
        """The shape of the network of one place."""
        return dataclasses.replace(self, landmarks=self.places[place], places=())

    def places_of(self, landmarks: NDArray[np.int64]) -> list[int]:
        """The places that some landmarks are of, by their rows."""
        found = np.unique(np.searchsorted(np.cumsum(self.places), landmarks, side="right"))
        return [int(place) for place in found]

    def at(self, share: float) -> NetworkShape | None:
        """The same for pictures that are smaller, by sides; None where landmarks are too small in those."""
        if share * max(self.width, self.height) < _SMALLEST_GLANCE_PX:
            return None
        width, height = (32 * math.ceil(share * size / 32) for size in (self.width, self.height))
        return dataclasses.replace(self, width=width, height=height)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", tuple(self.places))  # JSON has lists
        numbers = (self.landmarks, self.width, self.height, self.channels, self.groups, *self.places)
        if not all(isinstance(number, int) and number > 0 for number in numbers):
            raise RelocError(f"network sizes must be whole numbers above zero, got {numbers}")
        if max(numbers) > _LARGEST:
            raise RelocError(f"network sizes are {_LARGEST} at most, got {numbers}")
        if self.width % 32 or self.height % 32:
            raise RelocError(
                f"network input must be in multiples of 32 pixels, got {self.width}x{self.height}"
            )
        if self.places and sum(self.places) != self.landmarks:
            raise RelocError(
                f"places of {sum(self.places)} landmarks in all are not those of {self.landmarks}"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Bundle:
    """A loaded, verified bundle."""

    path: Path
    scale: Scale
    """`unknown`: the map's unit is whatever structure from motion chose."""
    camera: Camera
    """The camera that most of the map was made with; the default for images that come without intrinsics."""
    network: NetworkShape
    landmarks: Landmarks
    files: Mapping[str, str]
    """SHA-256 of each file by name."""
    made_from: Mapping[str, Any]
    """Where the map came from, for people."""
    frame: str = "map"
    calibration: Calibration = UNCALIBRATED
    references: References | None = None
    """What poses are sharpened against; None when the bundle was exported without."""
    cameras: Mapping[str, Camera] = dataclasses.field(default_factory=dict)
    """All that the map was made with, by name, where it was made with several that differ; `camera` is one of them."""
    features: FeatureMap | None = None
    """What is tried where the network is lost; None when the bundle was exported without."""
    features_calibration: Calibration = UNCALIBRATED
    """Of poses from `features`."""
    ignored: tuple[int, ...] = ()
    """Rows of landmarks that have moved since the network learned them: what it finds of them is not used."""

    @staticmethod
    def load(path: str | Path) -> Bundle:
        """Read and verify a bundle.

        Raises:
            RelocError: when it is absent, foreign, of a newer format, incomplete or damaged.
        """
        path = Path(path)
        manifest = read_manifest(path)
        try:
            files = {str(name): str(digest) for name, digest in manifest["files"].items()}
            network = NetworkShape(**manifest["network"])
            camera = Camera.from_json(manifest["camera"])
            cameras = {
                str(name): Camera.from_json(data) for name, data in manifest.get("cameras", {}).items()
            }
            scale, frame, made_from = manifest["scale"], manifest["frame"], manifest["made_from"]
            ignored = tuple(manifest.get("ignored", ()))
            calibration, features_calibration = (
                Calibration.from_json(manifest[kind]) if kind in manifest else UNCALIBRATED
                for kind in ("calibration", "features_calibration")
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise RelocError(
                f"{path / MANIFEST} is damaged ({first_line(error)}); export the bundle again"
            ) from error
        except RelocError as error:
            raise RelocError(f"{path / MANIFEST}: {error}") from error
        if scale not in ("metric", "unknown"):
            raise RelocError(f"{path / MANIFEST} has scale {scale!r}; it must be metric or unknown")
        for name, digest in files.items():
            verify_file(path, name, digest)
        if LANDMARKS not in files:
            raise RelocError(f"bundle {path} lists no {LANDMARKS}; export the bundle again")
        landmarks = Landmarks.load(path / LANDMARKS)
        if len(landmarks) != network.landmarks:
            raise RelocError(
                f"bundle {path} has {len(landmarks)} landmarks but a network for {network.landmarks}; export it again"
            )
        if not all(isinstance(row, int) and 0 <= row < len(landmarks) for row in ignored):
            raise RelocError(
                f"{path / MANIFEST} ignores landmarks that there are not; export the bundle again"
            )
        return Bundle(
            path,
            scale,
            camera,
            network,
            landmarks,
            files,
            made_from,
            str(frame),
            calibration,
            References.load(path / REFERENCES) if REFERENCES in files else None,
            cameras,
            FeatureMap.load(path / FEATURES) if FEATURES in files else None,
            features_calibration,
            ignored,
        )

    @property
    def first_model(self) -> str:
        """Which file, without its ending, sees a picture first."""
        return ENCODER if self.network.places else NETWORK

    def landmarks_of(self, found_by: str) -> Landmarks:
        """What the rows of a result's keypoints are of, by its `found_by`."""
        return self.features.landmarks if found_by == "features" and self.features else self.landmarks

    def own_camera(self, name: str = "") -> Camera:
        """The camera that the map was made with, the one of this name where it was made with several.

        Raises:
            RelocError: there is none of that name, or several and none is named.
        """
        if name in self.cameras:
            return self.cameras[name]
        if name:
            raise RelocError(f"the bundle has no camera {name!r}: {self._made_with}")
        if self.cameras:
            raise RelocError(f"{self._made_with}; {_NAME_ONE}")
        return self.camera

    def camera_for(self, width: int, height: int, name: str = "") -> Camera | None:
        """The map's own camera, see `own_camera`, for an image of this size; None if that has another aspect.

        Without a name it is the only one of that aspect.

        Raises:
            RelocError: it is not clear which one it is.
        """
        chosen = self.cameras.values() if self.cameras and not name else [self.own_camera(name)]
        fitting = [fitted for camera in chosen if (fitted := camera.for_image(width, height))]
        if len(fitting) > 1:
            raise RelocError(
                f"{self._made_with}, {len(fitting)} of which take images of {width}x{height}; {_NAME_ONE}"
            )
        return fitting[0] if fitting else None

    @property
    def _made_with(self) -> str:
        if not self.cameras:
            return "the map was made with one camera, which has no name"
        named = [
            f"{name!r} ({camera.width}x{camera.height}, focal length {camera.mean_focal:.0f} px)"
            for name, camera in self.cameras.items()
        ]
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        return f"the map was made with {len(named)} cameras, {', '.join(named[:_NAMED])}{more}"

    def file(self, name: str) -> Path:
        """Path of a file of the bundle, refused when the bundle was exported without it."""
        if name not in self.files:
            raise RelocError(f"bundle {self.path} has no {name}; it holds {', '.join(sorted(self.files))}")
        return self.path / name


def place_model(place: int) -> str:
    """The file, without its ending, of what finds the landmarks of a place."""
    return f"place{place:03d}"


def write_bundle(
    path: str | Path,
    *,
    scale: Scale,
    camera: Camera,
    network: NetworkShape,
    landmarks: Landmarks,
    made_from: Mapping[str, Any],
    write_models: Callable[[Path], None],
    calibrate: Callable[[Bundle], Mapping[str, Calibration]] | None = None,
    cameras: Mapping[str, Camera] | None = None,
    ignored: Sequence[int] = (),
) -> Bundle:
    """Write a bundle to `path`, whole or not at all.

    Args:
        write_models: adds the model files to a folder.
        calibrate: measures the finished bundle; what it found is written into the manifest, by names of `Bundle`.
        cameras: all that the map was made with, by name; needed where there are several.
        ignored: rows of the landmarks that are not to be used.
    """
    path = Path(path)
    if path.exists() and not (path / MANIFEST).is_file() and (not path.is_dir() or any(path.iterdir())):
        raise RelocError(f"{path} exists and is not a bundle; it will not be replaced, name another folder")
    with atomic_path(path) as folder:
        folder.mkdir()
        landmarks.save(folder / LANDMARKS)
        write_models(folder)
        files = {file.name: digest_of(file) for file in sorted(folder.iterdir())}
        manifest: dict[str, Any] = {
            "created_with": f"reloc_ros {__version__}",
            "frame": "map",
            "scale": scale,
            "camera": camera.to_json(),
            "network": dataclasses.asdict(network),
            "made_from": dict(made_from),
            "files": files,
        }
        if ignored:
            manifest["ignored"] = list(ignored)
        if cameras and len(cameras) > 1:
            manifest["cameras"] = {name: one.to_json() for name, one in cameras.items()}
        write_manifest(folder, manifest)
        if calibrate is not None:
            measured = calibrate(Bundle.load(folder))
            write_manifest(folder, manifest | {name: one.to_json() for name, one in measured.items()})
    return Bundle.load(path)
