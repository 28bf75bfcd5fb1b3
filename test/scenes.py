"""What several tests look at: a cloud of landmarks, and a small trained-looking network in a bundle."""

from __future__ import annotations

import functools
import struct
import zlib
from pathlib import Path

import numpy as np

from reloc_ros.bundle import ONNX_MODEL, TORCH_MODEL, NetworkShape, write_bundle
from reloc_ros.cameras import Camera
from reloc_ros.landmarks import Landmarks

TINY_CAMERA = Camera("pinhole", 640, 480, 500.0, 510.0, 321.0, 238.0)
TINY_SHAPE = NetworkShape("efficientnet_lite0", landmarks=8, width=128, height=96, channels=32)


def random_landmarks(count: int, seed: int = 0) -> Landmarks:
    """A box of points around the origin, each seen from below, where z is smaller."""
    positions = np.random.default_rng(seed).uniform(-1, 1, (count, 3))
    directions = np.tile([0.0, 0.0, -1.0], (count, 1))
    return Landmarks(np.arange(count) * 7 + 1, positions, directions, np.full(count, np.radians(40)))


def noise_image(seed: int, width: int = TINY_SHAPE.width, height: int = TINY_SHAPE.height) -> np.ndarray:
    """A smooth random picture."""
    import cv2

    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@functools.cache
def tiny_network():
    """A network with ImageNet's encoder and a random head that has clear opinions; weights fit half precision."""
    import torch

    from reloc_ros.inference.network import LandmarkNetwork

    torch.manual_seed(0)
    network = LandmarkNetwork(TINY_SHAPE).eval()
    network.features.encoder.load_pretrained(None)
    with torch.inference_mode():
        features = network.features(torch.from_numpy(np.stack([noise_image(seed) for seed in range(4)])))
        std, mean = torch.std_mean(features, dim=(0, 2, 3), keepdim=True)
        network.features.mean.copy_(mean)
        network.features.std.copy_(std + 1e-2)
        network.head.heatmaps.weight.mul_(8)
        network.head.offset_weight.normal_(0, 0.02)
    return network.half().float()


@functools.cache
def tiny_bundle(folder: Path) -> Path:
    """A bundle with that network, made once for each folder and session; exporting takes seconds."""
    from reloc_ros.inference.network import save_network
    from reloc_ros.offline.bundling.export import export_onnx

    def write_models(target: Path) -> None:
        export_onnx(tiny_network(), target / ONNX_MODEL)
        save_network(tiny_network(), target / TORCH_MODEL)

    return write_bundle(
        folder / "tiny.bundle",
        scale="unknown",
        camera=TINY_CAMERA,
        network=TINY_SHAPE,
        landmarks=random_landmarks(TINY_SHAPE.landmarks),
        made_from={"test": True},
        write_models=write_models,
    ).path


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG whose header says that it is so large; it holds hardly anything."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
