"""Training examples: random views of the map images, and the fastest way to a frozen encoder's features.  (torch)"""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc_ros.bundle import NetworkShape
from reloc_ros.inference.network import FeaturePyramid
from reloc_ros.inference.processor import has_fast_bfloat16
from reloc_ros.offline.landmarks.labels import Labels
from reloc_ros.offline.training.augment import AugmentConfig, View, base_from_image, base_levels, make_view


class ViewSampler:
    """Random views of all map images, the same for the same seed and index."""

    def __init__(
        self,
        images: list[NDArray[np.uint8]],
        labels: Labels,
        size: tuple[int, int],
        config: AugmentConfig,
        seed: int,
    ) -> None:
        self._size, self._config, self._seed = size, config, seed
        self._levels, self._keypoints = [], []
        self._visibility = labels.visibility
        for image, keypoints in zip(images, labels.keypoints_px, strict=True):
            height, width = image.shape[:2]
            self._levels.append(base_levels(image, size))
            to_base = base_from_image(width, height, size)
            self._keypoints.append((keypoints @ to_base[:2, :2].T + to_base[:2, 2]).astype(np.float32))

    def __call__(self, index: int) -> View:
        image = index % len(self._levels)
        rng = np.random.default_rng([self._seed, index])
        return make_view(
            self._levels[image],
            self._keypoints[image],
            self._visibility[image],
            self._size,
            self._config,
            rng,
        )


Encode = Callable[[NDArray[np.uint8]], Tensor]
ENCODE_BATCH = 8


def fast_encoder(pyramid: FeaturePyramid, shape: NetworkShape, device: torch.device | None = None) -> Encode:
    """The pyramid as it is, not yet standardized, as the fastest function here: images (8, H, W, 3) to features.

    On a CPU that is OpenVINO, several times faster than PyTorch at depthwise convolutions; else PyTorch itself.
    """
    pyramid.eval()
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu" and importlib.util.find_spec("openvino"):
        return _openvino_encoder(pyramid, shape)
    moved = copy.deepcopy(pyramid).to(device)

    def encode(images: NDArray[np.uint8]) -> Tensor:
        with torch.inference_mode():
            return moved(torch.from_numpy(images).to(device)).float().cpu()

    return encode


def _openvino_encoder(pyramid: FeaturePyramid, shape: NetworkShape) -> Encode:
    import openvino  # optional; importing it takes a second

    example = torch.zeros((ENCODE_BATCH, shape.height, shape.width, 3), dtype=torch.uint8)
    with torch.inference_mode():
        model = openvino.convert_model(pyramid, example_input=example, input=list(example.shape))
    precision = "bf16" if has_fast_bfloat16() else "f32"
    request = (
        openvino.Core()
        .compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision})
        .create_infer_request()
    )

    def encode(images: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(request.infer({0: images})[0].astype(np.float32))

    return encode
