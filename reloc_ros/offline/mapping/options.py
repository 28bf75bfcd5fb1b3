"""What `reloc map` may be asked to assume and to spend."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.io.camera_files import COLMAP_CAMERA_MODELS, colmap_from_camera
from reloc_ros.offline.mapping.mappers import MAPPERS
from reloc_ros.offline.matching.learned import check_features
from reloc_ros.offline.matching.pairs import MATCHINGS


@dataclass(frozen=True)
class SfmOptions:
    """What the reconstruction is to assume and to spend."""

    camera_model: str = "OPENCV"
    """COLMAP's model of the lens, whose parameters are found; one camera for all images of a source and size."""
    camera: Camera | None = None
    """Known intrinsics, which are then kept as they are."""
    matching: str = "auto"
    """`auto`: the frames of a video with those near them and with those that look alike, photographs each with
    each; `exhaustive`: each with each, whatever they are; `sequential`: photographs as the frames of a video."""
    loops: bool = True
    """Look for places that a video comes back to."""
    mapper: str = "incremental"
    """COLMAP's mapper: `incremental` is thorough, `global` is faster for many images."""
    max_image_size: int = 1600
    """Features are looked for with the longer side shrunk to this many pixels."""
    max_features: int = 8192
    """An image at most; the time that matching takes grows with its square."""
    features: str = "sift"
    """`sift`, and `xfeat` after it where that leaves images out and is installed; `xfeat`: learned ones alone."""

    def __post_init__(self) -> None:
        if self.camera_model not in COLMAP_CAMERA_MODELS:
            raise RelocError(
                f"camera model '{self.camera_model}' is not one of {', '.join(COLMAP_CAMERA_MODELS)}"
            )
        if self.camera is not None:
            colmap_from_camera(self.camera)  # refuses what COLMAP cannot take
        check_features(self.features)
        if self.matching not in MATCHINGS:
            raise RelocError(f"matching '{self.matching}' is not one of {', '.join(MATCHINGS)}")
        if self.mapper not in MAPPERS:
            raise RelocError(f"mapper '{self.mapper}' is not one of {', '.join(MAPPERS)}")
        if self.max_image_size < 100 or self.max_features < 100:
            raise RelocError("max_image_size and max_features must be at least 100")

    def noted(self) -> dict[str, Any]:
        """What a workspace notes of them. Features are left out where they are the usual ones: workspaces that were
        made before there were others stay as current as they are."""
        noted = asdict(self)
        if self.features == SfmOptions.features:
            del noted["features"]
        return noted
