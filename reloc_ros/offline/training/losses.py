"""What the landmark maps are trained with.                                                              (torch)"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from reloc_ros.inference.network import STRIDE, LandmarkHead
from reloc_ros.offline.landmarks.labels import Visibility

TARGET_SIGMA_CELLS = 0.6
"""Width of the soft heatmap target: a landmark between two cells is rightly in both."""
OFFSET_WEIGHT = 0.25
OFFSET_DRAWS = 2
"""Cells around each landmark in which its offset is learnt at a step, drawn by their share in the heatmap's target."""


def landmark_loss(
    head: LandmarkHead, features: Tensor, keypoints_px: Tensor, visibility: Tensor
) -> dict[str, Tensor]:
    """Loss of a head on features (B, F, h, w), for keypoints (B, K, 2) in network pixels and states (B, K).

    UNKNOWN landmarks take no part. Returns scalars: `loss` and its parts `heatmap` and `offset`.
    """
    maps = head(features)
    rows, columns = maps.logits.shape[-2:]
    known, seen = visibility != Visibility.UNKNOWN, visibility == Visibility.SEEN
    cells = (keypoints_px[seen] + 0.5) / STRIDE - 0.5  # (S, 2), cell centres at integers
    neighbours, inside = _neighbours(cells, rows, columns)
    index = neighbours[..., 1] * columns + neighbours[..., 0]
    target = _target(neighbours - cells[:, None], inside)
    heatmap = _heatmap_loss(maps.logits.float().flatten(2), known, seen, index, target)
    offset = heatmap.new_zeros(())
    if len(cells):
        drawn = torch.multinomial(target, OFFSET_DRAWS, replacement=True)  # (S, OFFSET_DRAWS)
        images, landmarks = (which.repeat_interleave(OFFSET_DRAWS) for which in seen.nonzero(as_tuple=True))
        with torch.autocast(features.device.type, enabled=False):  # positions need the digits
            found = head.offsets_of(maps.context, images, landmarks, index.gather(1, drawn).flatten())
        places = neighbours.gather(1, drawn[..., None].expand(-1, -1, 2))
        offset = _offset_loss(found.view(len(cells), OFFSET_DRAWS, -1), cells[:, None] - places)
    return {"loss": heatmap + OFFSET_WEIGHT * offset, "heatmap": heatmap.detach(), "offset": offset.detach()}


def _neighbours(cells: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """The 3x3 cells around each position (S, 2): coordinates (S, 9, 2) clamped to the map, and which lie in it."""
    steps = torch.tensor([[dx, dy] for dy in (-1, 0, 1) for dx in (-1, 0, 1)], device=cells.device)
    around = cells.round().long()[:, None] + steps
    limit = torch.tensor([columns - 1, rows - 1], device=cells.device)
    clamped = around.clamp(min=torch.zeros_like(limit), max=limit)
    return clamped, (around == clamped).all(dim=2)


def _target(distances: Tensor, inside: Tensor) -> Tensor:
    """Share of each neighbouring cell (S, 9) in the soft target, from its distance (S, 9, 2) to the landmark."""
    weights = torch.exp(-distances.square().sum(2) / (2 * TARGET_SIGMA_CELLS**2)) * inside
    return weights / weights.sum(1, keepdim=True)


def _heatmap_loss(logits: Tensor, known: Tensor, seen: Tensor, index: Tensor, target: Tensor) -> Tensor:
    """Cross entropy of the distribution over the cells (B, K, N) and "absent", averaged over known landmarks."""
    # -log p(cell) = log(1 + sum exp(logits)) - logit(cell), and "absent" has logit 0.
    log_total = functional.softplus(torch.logsumexp(logits, dim=2))
    expected = (logits[seen].gather(1, index) * target).sum()
    return (log_total[known].sum() - expected) / known.sum().clamp(min=1)


def _offset_loss(found: Tensor, target: Tensor) -> Tensor:
    """Negative log likelihood of offsets (S, D, 2) under the predicted Laplace distribution (S, D, 3)."""
    log_scale = found[..., 2].clamp(-6, 3)
    error = (found[..., :2] - target).abs().sum(2)
    return (error * torch.exp(-log_scale) + 2 * log_scale).mean()
