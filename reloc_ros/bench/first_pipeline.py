"""The pipeline this project began with, for its time.                                                      (torch)

Full-HD frames, ResNet-18 to stride 32, a separate head for each of 20 keypoints (heatmap and offset, CenterNet's), all
in single precision, and `cv2.solvePnPRansac` as it comes. Its trained weights do not exist, so they are random here:
what it would find cannot be told, how long it takes can.
"""

from __future__ import annotations

import dataclasses
import time

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.inference.encoders import ResNet18

WIDTH, HEIGHT = 1920, 1080
STRIDE = 32
KEYPOINTS = 20
HEAD_CHANNELS = 64
"""As in CenterNet's heads; of a head's two outputs, heatmap and offset, both use the same 64, which favours it."""


class FirstNetwork(nn.Module):
    """An RGB image (1, 3, H, W), 0-255 -> (K, 3, H/32, W/32): heatmap logit and offset of each keypoint."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = ResNet18()
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(ResNet18.CHANNELS[-1], HEAD_CHANNELS, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(HEAD_CHANNELS, 3, 1),
            )
            for _ in range(KEYPOINTS)
        )

    def forward(self, image: Tensor) -> Tensor:
        features = self.encoder(image)[-1]
        return torch.cat([head(features) for head in self.heads])


@dataclasses.dataclass(frozen=True)
class FirstResult:
    """What the pipeline gives: a time, and a pose that means nothing."""

    keypoints_px: NDArray[np.float64]
    """(K, 2) in the image's pixels."""
    camera_from_map: SE3 | None
    stage_ms: dict[str, float]


class FirstPipeline:
    """Image in, pose out, as a first version would be written."""

    def __init__(self, points_map: NDArray[np.float64]) -> None:
        """`points_map` (P, 3): of these the first 20 are its keypoints' places, repeated where there are fewer."""
        torch.manual_seed(0)
        self._network = FirstNetwork().eval()
        self._points_map = np.resize(points_map, (KEYPOINTS, 3))

    def localize(self, image: NDArray[np.uint8], camera: Camera) -> FirstResult:
        """Find the pose of an image (H, W, 3) BGR that the camera took."""
        times = [time.perf_counter()]
        full = cv2.resize(image, (WIDTH, HEIGHT))
        batch = torch.from_numpy(full[:, :, ::-1].transpose(2, 0, 1).astype(np.float32))[None]
        times.append(time.perf_counter())
        with torch.inference_mode():
            maps = self._network(batch).numpy()
        times.append(time.perf_counter())
        keypoints_px = self._decode(maps) * (camera.width / WIDTH, camera.height / HEIGHT)
        pose = self._solve(keypoints_px, camera)
        times.append(time.perf_counter())
        laps = 1e3 * np.diff(times)
        stage_ms = dict(zip(("prepare", "network", "pnp"), laps.tolist(), strict=True))
        return FirstResult(keypoints_px, pose, {**stage_ms, "total": 1e3 * (times[-1] - times[0])})

    @staticmethod
    def _decode(maps: NDArray[np.float32]) -> NDArray[np.float64]:
        """Each heatmap's peak and the offset there: (K, 2) full-HD pixels."""
        columns = maps.shape[-1]
        row, column = np.divmod(maps[:, 0].reshape(len(maps), -1).argmax(axis=1), columns)
        offsets = maps[np.arange(len(maps)), 1:, row, column]
        return STRIDE * (np.column_stack([column, row]) + offsets).astype(np.float64)

    def _solve(self, keypoints_px: NDArray[np.float64], camera: Camera) -> SE3 | None:
        # solvePnPRansac's own distortion is not a fisheye's: undistorted first, any camera is a pinhole.
        pinhole = dataclasses.replace(camera, model="pinhole", coefficients=(), skew=0.0)
        rays = camera.unproject(keypoints_px)
        has_ray = np.isfinite(rays).all(axis=1)
        if has_ray.sum() < 4:
            return None
        pinhole_px = pinhole.project(np.column_stack([rays, np.ones(len(rays))])[has_ray])
        found, turn, shift, _ = cv2.solvePnPRansac(
            self._points_map[has_ray], pinhole_px, pinhole.matrix, None
        )
        return SE3.from_rotation_vector(turn.ravel(), shift.ravel()) if found else None
