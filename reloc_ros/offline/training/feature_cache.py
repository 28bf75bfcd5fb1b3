"""What trains: features of a frozen encoder, kept on disk, or fresh views for an encoder that trains too.  (torch)"""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
import logging
import math
import os
import shutil
import tempfile
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc_ros.bundle import NetworkShape
from reloc_ros.errors import RelocError
from reloc_ros.inference.engines import openvino_unreported
from reloc_ros.inference.network import STRIDE, FeaturePyramid, LandmarkNetwork
from reloc_ros.inference.processor import has_fast_bfloat16
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.training.augment import View, ViewSampler
from reloc_ros.offline.training.stored_images import add_to, unnamed_file

logger = logging.getLogger(__name__)

MIN_VIEWS = 64
MEMORY_SHARE, DISK_SHARE = 0.4, 0.8
"""Of the machine's memory, in which the system keeps what it read of the features, and of the disk's free space."""
ENCODE_BATCH = 8
BYTE_RANGE = 1.25
"""Bytes reach this much beyond the largest feature of the first views; what is larger is cut to it."""

Encode = Callable[[NDArray[np.uint8]], Tensor]


@dataclasses.dataclass
class Batch:
    """B examples: `inputs` are features (B, C, h, w) of a frozen encoder, or images (B, H, W, 3) for a trained one."""

    inputs: Tensor
    keypoints_px: Tensor
    visibility: Tensor


class StoredRows:
    """Rows of one shape in a file without a name: memory that the system can have back, however many they are."""

    def __init__(self, folder: Path | None, row_shape: tuple[int, ...], dtype: torch.dtype) -> None:
        self.dtype, self._row_shape, self._count = dtype, row_shape, 0
        self._row_bytes = math.prod(row_shape) * dtype.itemsize
        self._file = unnamed_file(folder)
        weakref.finalize(self, self._file.close)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self._count, *self._row_shape)

    def append(self, rows: Tensor) -> None:
        add_to(self._file, rows.to(self.dtype).contiguous().view(torch.uint8).numpy())
        self._count += len(rows)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, key: Tensor | slice | int) -> Tensor:
        """Some of the rows, as of a tensor."""
        places = torch.arange(self._count)[key]
        taken = np.empty((places.numel(), self._row_bytes), np.uint8)
        for row, place in zip(taken, places.flatten().tolist(), strict=True):
            data = os.pread(self._file.fileno(), self._row_bytes, place * self._row_bytes)
            row[:] = np.frombuffer(data, np.uint8)
        return torch.from_numpy(taken).view(self.dtype).reshape(*places.shape, *self._row_shape)


@dataclasses.dataclass
class EncodedViews:
    """Standardized features of V views and their labels."""

    inputs: Tensor | StoredRows
    """(V, h, w, C), from which a CPU learns a fifth faster; 16-bit floats, or bytes to be multiplied by `scale`."""
    keypoints_px: Tensor
    visibility: Tensor
    scale: Tensor | None = None
    """(C, 1, 1) of bytes."""

    def __len__(self) -> int:
        return len(self.keypoints_px)

    def batch(self, rows: Tensor, dtype: torch.dtype) -> Batch:
        """Some of the views, their features as `dtype`: that the head computes in, so that nothing is done twice."""
        inputs = self.inputs[rows].permute(0, 3, 1, 2).to(dtype)
        if self.scale is not None:
            inputs *= self.scale.to(dtype)
        return Batch(inputs, self.keypoints_px[rows], self.visibility[rows])


def fast_encoder(pyramid: FeaturePyramid, shape: NetworkShape, device: torch.device) -> Encode:
    """The pyramid, not yet standardized, as the fastest function here: up to 8 images (N, H, W, 3) to features.

    On a CPU that is OpenVINO, several times faster than PyTorch at depthwise convolutions; else PyTorch itself.
    """
    pyramid.eval()
    if device.type == "cpu" and importlib.util.find_spec("openvino"):
        return _openvino_encoder(pyramid, shape)
    moved = copy.deepcopy(pyramid).to(device)

    def encode(images: NDArray[np.uint8]) -> Tensor:
        with torch.inference_mode():
            return moved(torch.from_numpy(images).to(device)).float().cpu()

    return encode


def _openvino_encoder(pyramid: FeaturePyramid, shape: NetworkShape) -> Encode:
    with openvino_unreported():
        import openvino  # optional; importing it takes a second

    example = torch.zeros((ENCODE_BATCH, shape.height, shape.width, 3), dtype=torch.uint8)
    with torch.inference_mode(), openvino_unreported():
        model = openvino.convert_model(pyramid, example_input=example, input=list(example.shape))
    precision = "bf16" if has_fast_bfloat16() else "f32"
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    request = compiled.create_infer_request()

    def encode(images: NDArray[np.uint8]) -> Tensor:
        filled = np.zeros(example.shape, np.uint8)  # the engine was compiled for one size
        filled[: len(images)] = images
        return torch.from_numpy(request.infer({0: filled})[0][: len(images)].astype(np.float32))

    return encode


def encode_views(
    network: LandmarkNetwork,
    encode: Encode,
    sampler: ViewSampler,
    count: int,
    progress: Progress = silent,
    limit_s: float = np.inf,
    dtype: torch.dtype = torch.float16,
    share: tuple[int, int] = (0, 1),
    folder: Path | None = None,
) -> EncodedViews:
    """Features of `count` views, the pyramid's standardization set from the first of them.

    After `limit_s` seconds no more are begun, once every image was shown.

    Args:
        encode: the `fast_encoder` of the pyramid before it was standardized.
        dtype: a 16-bit float, or int8 for half the memory.
        share: (i, n) encodes view i and every n-th after it: the part of one of n processes.
        folder: where they are kept; without, where temporary files go.
    """
    started = time.monotonic()
    shape, (first, stride) = network.shape, share
    least = min(count, max(MIN_VIEWS, -(-sampler.images // stride)))
    scale = _standardize(network, encode(np.stack([sampler(i).image for i in range(ENCODE_BATCH)])))
    channels = network.features.mean.shape[1]
    shape_of_one = (shape.height // STRIDE, shape.width // STRIDE, channels)
    views = EncodedViews(
        StoredRows(folder, shape_of_one, dtype),
        torch.empty((count, shape.landmarks, 2)),
        torch.empty((count, shape.landmarks), dtype=torch.int8),
        scale if dtype == torch.int8 else None,
    )
    done = 0
    for made in made_ahead(sampler, range(first, first + stride * count, stride), ENCODE_BATCH):
        here = slice(done, done + len(made))
        packed = _packed(network, encode(np.stack([view.image for view in made])), views.scale)
        views.inputs.append(packed.permute(0, 2, 3, 1))
        views.keypoints_px[here] = torch.from_numpy(np.stack([view.keypoints_px for view in made]))
        views.visibility[here] = torch.from_numpy(np.stack([view.visibility for view in made]))
        done = here.stop
        progress("encode views", done, count)
        if time.monotonic() - started > limit_s and done >= least:
            logger.info("%d views encoded in the time there is", done)
            break
    return EncodedViews(views.inputs, views.keypoints_px[:done], views.visibility[:done], views.scale)


def _standardize(network: LandmarkNetwork, encoded: Tensor) -> Tensor:
    """Set the pyramid's mean and deviation from some features; returns the unit (C, 1, 1) for bytes."""
    std, mean = torch.std_mean(encoded, dim=(0, 2, 3), keepdim=True)
    network.features.mean.copy_(mean)
    network.features.std.copy_(std + 1e-4)
    largest = ((encoded - mean) / network.features.std).abs().amax(dim=(0, 2, 3))
    return (BYTE_RANGE * largest.clamp(min=4.0) / 127)[:, None, None]


def _packed(network: LandmarkNetwork, encoded: Tensor, scale: Tensor | None) -> Tensor:
    standardized = (encoded - network.features.mean) / network.features.std
    return standardized if scale is None else (standardized / scale).round_().clamp_(-127, 127)


def affordable_views(
    network: LandmarkNetwork, asked: int, images: int, folder: Path | None, processes: int = 1
) -> tuple[int, bool]:
    """How many views to keep for each process, at most `asked`, and whether as bytes: where 16 bits do not fit.

    Raises:
        RelocError: when there would not be one of each of the images, which would teach that what only the others
            show is nowhere.
    """
    shape = network.shape
    values = network.features.channels * (shape.height // STRIDE) * (shape.width // STRIDE)
    room = DISK_SHARE * free_bytes(folder)
    most = max(MIN_VIEWS, int(room / values / processes))
    if most * processes < images:
        raise RelocError(
            f"{images} training images need as many views, {1e-9 * images * values:.1f} GB, but {most * processes} fit "
            f"on the disk of {folder}; make room, or lower --width"
        )
    if asked > most:
        logger.warning("%d views instead of %d: no more fit on the disk of %s", most, asked, folder)
    quick = min(MEMORY_SHARE * memory_bytes(), room)  # what the system need not read from the disk each time
    return min(asked, most), asked > int(quick / values / processes) // 2


def free_bytes(folder: Path | None) -> int:
    """Free space on the disk of a folder, or of the temporary files."""
    return shutil.disk_usage(folder or tempfile.gettempdir()).free


def memory_bytes() -> int:
    """Memory of this machine, or of the container this runs in."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(machine, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    except (OSError, ValueError):  # no such file, or "max"
        return machine


def cached_batches(
    views: EncodedViews, size: int, dtype: torch.dtype, seed: int, first_step: int
) -> Iterator[Batch]:
    """Batches for ever, from a step on: each time round all views in another order, the same for the same seed."""
    size = min(size, len(views))
    per_round = len(views) // size
    step = first_step
    while True:
        number, place = divmod(step, per_round)
        order = torch.from_numpy(np.random.default_rng([seed, number]).permutation(len(views)))
        for start in range(place * size, per_round * size, size):
            yield views.batch(order[start : start + size], dtype)
            step += 1


def fresh_batches(
    sampler: ViewSampler, size: int, first_step: int, share: tuple[int, int] = (0, 1)
) -> Iterator[Batch]:
    """Batches for ever, from a step on, of views of which none comes twice; `share` as in `encode_views`."""
    first, stride = share
    start = first_step * size * stride + first
    for views in made_ahead(sampler, range(start, 2**62, stride), size):
        stacks = (
            np.stack([getattr(view, name) for view in views])
            for name in ("image", "keypoints_px", "visibility")
        )
        yield Batch(*map(torch.from_numpy, stacks))


def made_ahead(sampler: ViewSampler, indices: range, size: int) -> Iterator[list[View]]:
    """The views of `indices`, `size` at a time, made in threads while the caller is busy with the ones before.

    The last are fewer when `indices` are no multiple of `size`.
    """
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 8)) as pool:
        batches: deque[list[Future[View]]] = deque()
        try:
            for start in range(0, len(indices), size):
                batches.append([pool.submit(sampler, index) for index in indices[start : start + size]])
                if len(batches) > 2:
                    yield [future.result() for future in batches.popleft()]
            for batch in batches:
                yield [future.result() for future in batch]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def encode_images(
    network: LandmarkNetwork, images: list[NDArray[np.uint8]], encode: Encode, dtype: torch.dtype
) -> Tensor:
    """Standardized features (N, C, h, w) of pictures of the network's size, as training sees those of its views."""
    stacks = (np.stack(images[start : start + ENCODE_BATCH]) for start in range(0, len(images), ENCODE_BATCH))
    return torch.cat([_packed(network, encode(stack), None).to(dtype) for stack in stacks])
