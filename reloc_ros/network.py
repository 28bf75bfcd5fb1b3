"""The landmark network: an encoder, a head of maps per landmark, and the decode from maps to keypoints.   (torch)

After CenterNet ("Objects as Points", 2019) and Scene Landmark Detection (CVPR 2022): at stride 8 every landmark
has one heatmap and one offset map. A landmark is in one place of an image or in none, so its heatmap is a
distribution over all cells and one more, "absent", whose logit is fixed at zero.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from reloc_ros.bundle import NetworkShape
from reloc_ros.encoders import make_encoder
from reloc_ros.errors import RelocError

STRIDE = 8
"""Network pixels per heatmap cell."""
MAPS_PER_LANDMARK = 4
"""Heatmap logit, offset x and y in cells, and the log of the offset's scale in cells."""


class FeaturePyramid(nn.Module):
    """Encoder features brought to stride 8, concatenated and standardized per channel.

    The finer ones are folded, 2x2 cells into channels, so that where inside its cell a landmark lies is not lost;
    the coarser ones are interpolated.
    """

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


class LandmarkHead(nn.Module):
    """One 1x1 and two 3x3 convolutions, then the maps of all landmarks."""

    def __init__(self, inputs: int, channels: int, landmarks: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(inputs, channels, 1)
        self.mix1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.mix2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.maps = nn.Conv2d(channels, MAPS_PER_LANDMARK * landmarks, 1)
        nn.init.zeros_(self.maps.bias)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, 4, K, h, w)."""
        x = functional.relu(self.reduce(features))
        x = x + functional.relu(self.mix1(x))
        x = x + functional.relu(self.mix2(x))
        maps = self.maps(x)
        return maps.unflatten(1, (MAPS_PER_LANDMARK, maps.shape[1] // MAPS_PER_LANDMARK))


class LandmarkNetwork(nn.Module):
    """Image in, keypoints out: the graph that is exported, so every backend returns the same numbers."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        self.features = FeaturePyramid(shape.encoder)
        self.head = LandmarkHead(self.features.channels, shape.channels, shape.landmarks)

    def forward(self, image: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 BGR -> (B, K, 4): x, y in network pixels, score in [0, 1], sigma in network pixels."""
        return decode(self.head(self.features(image)))


def decode(maps: Tensor) -> Tensor:
    """Maps (B, 4, K, h, w) -> keypoints (B, K, 4): x, y, score, sigma, in network pixels.

    The score is the probability mass in the 3x3 cells around the peak; sigma, the standard deviation per axis,
    is that of the Laplace distribution the offset was trained with.
    """
    columns = maps.shape[-1]
    logits = maps[:, 0].float()
    probability = spatial_softmax(logits.flatten(2)).view_as(logits)
    mass = 9.0 * functional.avg_pool2d(probability, 3, stride=1, padding=1)
    score, peak = (mass + 1e-3 * probability).flatten(2).max(dim=2)
    gathered = (
        maps[:, 1:].float().flatten(3).gather(3, peak[:, None, :, None].expand(-1, 3, -1, 1)).squeeze(3)
    )
    row = torch.div(peak, columns, rounding_mode="floor")
    x = (peak - row * columns + 0.5 + gathered[:, 0]) * STRIDE - 0.5
    y = (row + 0.5 + gathered[:, 1]) * STRIDE - 0.5
    sigma = (2**0.5) * STRIDE * gathered[:, 2].clamp(-6, 3).exp()
    return torch.stack([x, y, score.clamp(0, 1), sigma], dim=2)


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
