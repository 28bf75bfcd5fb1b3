"""The landmark network: an encoder, a head of maps per landmark, and the decode from maps to keypoints.   (torch)

After CenterNet ("Objects as Points", 2019) and Scene Landmark Detection (CVPR 2022): at stride 8 every landmark
has one heatmap, and an offset at its peak. A landmark is in one place of an image or in none, so its heatmap is a
distribution over all cells and one more, "absent", whose logit is fixed at zero.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from reloc_ros.bundle import NetworkShape
from reloc_ros.errors import RelocError
from reloc_ros.inference.encoders import make_encoder

STRIDE = 8
"""Network pixels per heatmap cell."""
OFFSET_VALUES = 3
"""Offset x and y in cells, and the log of their scale in cells."""


class FeaturePyramid(nn.Module):
    """Encoder features brought to stride 8, concatenated and standardized per channel.

    The finer ones are folded, 2x2 cells into channels, so that where inside its cell a landmark lies is not lost;
    the coarser ones are interpolated.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: str) -> None:
        super().__init__()
        self.encoder = make_encoder(encoder)
        quarter, *others = self.encoder.CHANNELS
        self.channels = 4 * quarter + sum(others)
        self.register_buffer("mean", torch.zeros(1, self.channels, 1, 1))
        self.register_buffer("std", torch.ones(1, self.channels, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 BGR -> (B, C, H/8, W/8)."""
        rgb = image.permute(0, 3, 1, 2).flip(1).float()
        quarter, eighth, *coarser = self.encoder(rgb)
        size = eighth.shape[-2:]
        upsampled = [
            functional.interpolate(f, size=size, mode="bilinear", align_corners=False) for f in coarser
        ]
        features = torch.cat([functional.pixel_unshuffle(quarter, 2), eighth, *upsampled], dim=1)
        return (features - self.mean) / self.std


class HeadMaps(NamedTuple):
    """What the head makes of the features."""

    context: Tensor
    """(B, G * C, h, w) what surrounds each cell, C channels for each of G groups of landmarks."""
    logits: Tensor
    """(B, K, h, w) of the landmarks' heatmaps."""


class LandmarkHead(nn.Module):
    """One 1x1 and two 3x3 convolutions, then a heatmap per landmark, and offsets only where one is asked for.

    Landmarks can be parted into groups, each with convolutions of its own: landmark k is of group k mod G. The
    offset, and the logarithm of its scale, are linear in the 3x3 cells around a heatmap's peak; computing them in
    all cells would cost three more maps per landmark.
    """

    def __init__(
        self, inputs: int, channels: int, landmarks: int, groups: int = 1, separable: bool = True
    ) -> None:
        super().__init__()
        self.landmarks, self.groups = landmarks, groups
        wide, per_group = groups * channels, -(-landmarks // groups)
        self.reduce = nn.Conv2d(inputs, wide, 1)
        self.mix1, self.mix2 = (_convolution(wide, groups, separable) for _ in range(2))
        self.heatmaps = nn.Conv2d(wide, groups * per_group, 1, groups=groups)
        nn.init.zeros_(self.heatmaps.get_parameter("bias"))
        self.offset_weight = nn.Parameter(torch.zeros(landmarks, OFFSET_VALUES, 9 * channels))
        self.offset_bias = nn.Parameter(torch.zeros(landmarks, OFFSET_VALUES))

    def forward(self, features: Tensor) -> HeadMaps:
        """(B, F, h, w) -> maps."""
        context = self.context(features)
        logits = self.heatmaps(context)  # group by group
        if self.groups > 1:
            logits = logits.unflatten(1, (self.groups, -1)).transpose(1, 2).flatten(1, 2)
        return HeadMaps(context, logits[:, : self.landmarks])

    def context(self, features: Tensor) -> Tensor:
        """(B, F, h, w) -> the context alone, which is most of the work where few landmarks are asked for."""
        x = functional.relu(self.reduce(features))
        x = x + functional.relu(self.mix1(x))
        return x + functional.relu(self.mix2(x))

    def logits_of(self, context: Tensor, places: Tensor) -> Tensor:
        """Heatmaps (B, G, M, h * w) of the landmarks at `places` (B, G, M) within their groups: k // G each."""
        group = torch.arange(self.groups, device=places.device)[:, None]
        weight = self.heatmaps.weight.view(self.groups, -1, self.heatmaps.in_channels // self.groups)
        bias = self.heatmaps.get_parameter("bias").view(self.groups, -1)
        grouped = torch.unflatten(context, 1, (self.groups, -1)).flatten(3)
        logits: Tensor = weight[group, places] @ grouped + bias[group, places][..., None]
        return logits

    def offsets_of(self, context: Tensor, images: Tensor, landmarks: Tensor, cells: Tensor) -> Tensor:
        """Offsets x, y in cells and the log of their scale, (S, 3), of landmarks at cells of images, (S,) each."""
        around = self._around(context, images, landmarks, cells)
        return torch.einsum("sc,soc->so", around, self.offset_weight[landmarks]) + self.offset_bias[landmarks]

    def offsets_of_all(self, context: Tensor, cells: Tensor) -> Tensor:
        """The same (B, K, 3) for every landmark at its cell (B, K)."""
        batch, count = cells.shape
        images = torch.arange(batch, device=cells.device).repeat_interleave(count)
        landmarks = torch.arange(count, device=cells.device).repeat(batch)
        around = self._around(context, images, landmarks, cells.flatten()).view(batch, count, -1)
        return (self.offset_weight @ around[..., None])[..., 0] + self.offset_bias

    def keypoints(self, features: Tensor) -> Tensor:
        """Standardized features (B, F, h, w) -> keypoints (B, K, 4), see `decode`."""
        maps = self(features)
        return decode(maps.logits, lambda cells: self.offsets_of_all(maps.context, cells))

    def _around(self, context: Tensor, images: Tensor, landmarks: Tensor, cells: Tensor) -> Tensor:
        """The 3x3 cells of its group's context around each cell, (S, 9 * C), zero beyond the border."""
        rows, columns = context.shape[-2:]
        padded = functional.pad(context.float(), (1, 1, 1, 1))
        grouped = torch.unflatten(padded, 1, (self.groups, -1))
        flat = grouped.permute(0, 1, 3, 4, 2).flatten(0, 3)  # (B * G * (h + 2) * (w + 2), C)
        plane = images * self.groups + landmarks % self.groups
        row = torch.div(cells, columns, rounding_mode="floor")
        corner = (plane * (rows + 2) + row) * (columns + 2) + cells - row * columns
        steps = [dy * (columns + 2) + dx for dy in range(3) for dx in range(3)]
        return flat[corner[:, None] + torch.tensor(steps, device=cells.device)].flatten(1)


def _convolution(channels: int, groups: int, separable: bool) -> nn.Module:
    """A 3x3 convolution, or one of places and then one of channels, an eighth of the work (MobileNets, 2017)."""
    if not separable:
        return nn.Conv2d(channels, channels, 3, padding=1, groups=groups)
    places = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
    return nn.Sequential(places, nn.Conv2d(channels, channels, 1, groups=groups))


class LandmarkNetwork(nn.Module):
    """Image in, keypoints out: the graph that is exported, so every backend returns the same numbers."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        self.features = FeaturePyramid(shape.encoder)
        self.head = LandmarkHead(
            self.features.channels, shape.channels, shape.landmarks, shape.groups, shape.separable
        )

    def forward(self, image: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 BGR -> (B, K, 4): x, y in network pixels, score in [0, 1], sigma in network pixels."""
        return self.keypoints(self.features(image))

    def keypoints(self, features: Tensor) -> Tensor:
        """Standardized features (B, F, h, w) -> keypoints as `forward`."""
        return self.head.keypoints(features)


def decode(logits: Tensor, offsets_at: Callable[[Tensor], Tensor]) -> Tensor:
    """Heatmaps (B, K, h, w), and what gives offsets (B, K, 3) at cells (B, K), -> keypoints (B, K, 4).

    The score is the probability mass in the 3x3 cells around the peak; sigma, the standard deviation per axis,
    is that of the Laplace distribution the offset was trained with.
    """
    score, peak = find_peaks(logits)
    offsets = offsets_at(peak).float()
    columns = logits.shape[-1]
    row = torch.div(peak, columns, rounding_mode="floor")
    x = (peak - row * columns + 0.5 + offsets[..., 0]) * STRIDE - 0.5
    y = (row + 0.5 + offsets[..., 1]) * STRIDE - 0.5
    sigma = (2**0.5) * STRIDE * offsets[..., 2].clamp(-6, 3).exp()
    return torch.stack([x, y, score, sigma], dim=2)


def find_peaks(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Heatmaps (B, K, h, w) -> scores (B, K) in [0, 1] and the peaks' cells (B, K), row by row."""
    logits = logits.float()
    probability = spatial_softmax(logits.flatten(2)).view_as(logits)
    mass = 9.0 * functional.avg_pool2d(probability, 3, stride=1, padding=1)
    score, peak = (mass + 1e-3 * probability).flatten(2).max(dim=2)
    return score.clamp(0, 1), peak


def spatial_softmax(logits: Tensor) -> Tensor:
    """Probability of each cell, (..., N) -> (..., N), beside an "absent" outcome whose logit is zero."""
    highest = logits.amax(dim=-1, keepdim=True).clamp(min=0)
    weights = (logits - highest).exp()
    return weights / (weights.sum(dim=-1, keepdim=True) + (-highest).exp())


def save_network(network: LandmarkNetwork, path: Path) -> None:
    """Write the weights in half precision; the caller makes that atomic."""
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    torch.save(state, path)


def load_network(path: Path, shape: NetworkShape) -> LandmarkNetwork:
    """Build the network and load weights that `save_network` wrote."""
    network = LandmarkNetwork(shape)
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises many kinds for a damaged file; each means the same to the user
        raise RelocError(f"{path} does not hold this network's weights; export the bundle again") from error
    return network.eval()
