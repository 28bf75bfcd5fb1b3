"""Training examples: random views of the map images, and the features a frozen encoder has of them.        (torch)"""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from reloc_ros.bundle import NetworkShape
from reloc_ros.network import STRIDE, FeaturePyramid, LandmarkNetwork
from reloc_ros.offline.augment import AugmentConfig, View, base_from_image, base_levels, make_view
from reloc_ros.offline.label import Labels
from reloc_ros.offline.progress import Progress, silent

logger = logging.getLogger(__name__)


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


@dataclasses.dataclass
class Batch:
    """B examples: `inputs` are features (B, C, h, w) of a frozen encoder, or images (B, H, W, 3) for a trained one."""

    inputs: Tensor
    keypoints_px: Tensor
    visibility: Tensor


def encode_views(
    network: LandmarkNetwork,
    sampler: ViewSampler,
    count: int,
    progress: Progress = silent,
    limit_s: float = np.inf,
) -> Batch:
    """Features of `count` views in half precision, the pyramid's standardization set from the first of them.

    After `limit_s` seconds no more are begun.
    """
    started = time.monotonic()
    shape = network.shape
    rows, columns = shape.height // STRIDE, shape.width // STRIDE
    channels = network.features.mean.shape[1]
    features = torch.empty((count, channels, rows, columns), dtype=torch.float16)
    keypoints = torch.empty((count, shape.landmarks, 2))
    visibility = torch.empty((count, shape.landmarks), dtype=torch.int8)
    encode = fast_encoder(network.features, shape)
    for start in range(0, count, ENCODE_BATCH):
        # The last batch is filled up: the engine was compiled for one size.
        views = [sampler(index) for index in range(start, start + ENCODE_BATCH)][: count - start]
        images = np.zeros((ENCODE_BATCH, shape.height, shape.width, 3), dtype=np.uint8)
        images[: len(views)] = [view.image for view in views]
        encoded = encode(images)[: len(views)]
        if start == 0:
            std, mean = torch.std_mean(encoded, dim=(0, 2, 3), keepdim=True)
            network.features.mean.copy_(mean)
            network.features.std.copy_(std + 1e-4)
        here = slice(start, start + len(views))
        features[here] = (encoded - network.features.mean) / network.features.std
        keypoints[here] = torch.from_numpy(np.stack([view.keypoints_px for view in views]))
        visibility[here] = torch.from_numpy(np.stack([view.visibility for view in views]))
        progress("encode views", here.stop, count)
        if time.monotonic() - started > limit_s and here.stop >= MIN_VIEWS:
            logger.info("%d views encoded in the time there is", here.stop)
            break
    return Batch(features[: here.stop], keypoints[: here.stop], visibility[: here.stop])


ENCODE_BATCH = 8
MIN_VIEWS = 64


def fast_encoder(pyramid: FeaturePyramid, shape: NetworkShape) -> Callable[[NDArray[np.uint8]], Tensor]:
    """The pyramid, not yet standardized, as the fastest function here: images (8, H, W, 3) to features.

    On a CPU that is OpenVINO, several times faster than PyTorch at depthwise convolutions; else PyTorch itself.
    """
    pyramid.eval()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu" and importlib.util.find_spec("openvino"):
        return _openvino_encoder(pyramid, shape)
    moved = copy.deepcopy(pyramid).to(device)

    def encode(images: NDArray[np.uint8]) -> Tensor:
        with torch.inference_mode():
            return moved(torch.from_numpy(images).to(device)).float().cpu()

    return encode


def _openvino_encoder(pyramid: FeaturePyramid, shape: NetworkShape) -> Callable[[NDArray[np.uint8]], Tensor]:
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


def affordable_views(network: LandmarkNetwork, asked: int) -> int:
    """The views asked for, or as many as fit into `MEMORY_SHARE` of this machine's memory."""
    shape = network.shape
    view_bytes = 2 * network.features.channels * (shape.height // STRIDE) * (shape.width // STRIDE)
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    fitting = int(MEMORY_SHARE * memory_bytes / view_bytes)
    if fitting < asked:
        logger.warning("%d views instead of %d: no more fit into this machine's memory", fitting, asked)
    return min(asked, max(MIN_VIEWS, fitting))


MEMORY_SHARE = 0.4
"""Of the machine's memory, for features."""


class CachedFeatures(Dataset):
    """Batches out of the encoded views."""

    def __init__(self, cache: Batch) -> None:
        self._cache = cache

    def __len__(self) -> int:
        return len(self._cache.inputs)

    def __getitems__(self, indices: list[int]) -> Batch:
        rows = torch.as_tensor(indices)
        cache = self._cache
        return Batch(cache.inputs[rows].float(), cache.keypoints_px[rows], cache.visibility[rows])


class FreshViews(Dataset):
    """Batches of views made as they are asked for, none twice."""

    def __init__(self, sampler: ViewSampler, count: int) -> None:
        self._sampler, self._count = sampler, count

    def __len__(self) -> int:
        return self._count

    def __getitems__(self, indices: list[int]) -> Batch:
        views = [self._sampler(index) for index in indices]
        stack = [
            np.stack([getattr(view, name) for view in views])
            for name in ("image", "keypoints_px", "visibility")
        ]
        return Batch(*map(torch.from_numpy, stack))


def has_fast_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself; emulated, it is slower than float32."""
    info = Path("/proc/cpuinfo")
    flags = set(info.read_text(encoding="utf-8").split()) if info.is_file() else set()
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})
