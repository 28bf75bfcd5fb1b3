"""What the landmark maps are trained with.                                                              (torch)"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from reloc_ros.network import STRIDE
from reloc_ros.offline.label import Visibility

TARGET_SIGMA_CELLS = 0.6
"""Width of the soft heatmap target: a landmark between two cells is rightly in both."""
OFFSET_WEIGHT = 0.25


def landmark_loss(maps: Tensor, keypoints_px: Tensor, visibility: Tensor) -> dict[str, Tensor]:
    """Loss of maps (B, 4, K, h, w) against keypoints (B, K, 2) in network pixels and states (B, K).

    UNKNOWN landmarks take no part. Returns scalars: `loss` and its parts `heatmap` and `offset`.
    """
    rows, columns = maps.shape[-2:]
    known, seen = visibility != Visibility.UNKNOWN, visibility == Visibility.SEEN
    cells = (keypoints_px[seen] + 0.5) / STRIDE - 0.5  # (S, 2), cell centres at integers
    neighbours, inside = _neighbours(cells, rows, columns)
    index = neighbours[..., 1] * columns + neighbours[..., 0]
    flat = maps.float().flatten(3)
    heatmap = _heatmap_loss(flat[:, 0], known, seen, index, _target(neighbours - cells[:, None], inside))
    image, landmark = seen.nonzero(as_tuple=True)
    near = flat[image[:, None], 1:, landmark[:, None], index]  # (S, 9, 3)
    offset = _offset_loss(near, cells[:, None] - neighbours, inside)
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


def _offset_loss(near: Tensor, target: Tensor, inside: Tensor) -> Tensor:
    """Negative log likelihood of offsets (S, 9, 2) under the predicted Laplace distribution (S, 9, 3)."""
    log_scale = near[..., 2].clamp(-6, 3)
    error = (near[..., :2] - target).abs().sum(2)
    likelihood = error * torch.exp(-log_scale) + 2 * log_scale
    return (likelihood * inside).sum() / inside.sum().clamp(min=1)
