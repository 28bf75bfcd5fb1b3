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
HIDDEN_DRAWS = 192
"""Hidden landmarks of each image that are learnt at a step; of fewer, all."""


def landmark_loss(
    head: LandmarkHead, features: Tensor, keypoints_px: Tensor, visibility: Tensor
) -> dict[str, Tensor]:
    """Loss of a head on features (B, F, h, w), for keypoints (B, K, 2) in network pixels and states (B, K).

    UNKNOWN landmarks take no part. Returns scalars: `loss` and its parts `heatmap` and `offset`.
    """
    context = head.context(features)
    rows, columns = context.shape[-2:]
    seen = visibility == Visibility.SEEN
    cells = (keypoints_px[seen] + 0.5) / STRIDE - 0.5  # (S, 2), cell centres at integers
    neighbours, inside = _neighbours(cells, rows, columns)
    index = neighbours[..., 1] * columns + neighbours[..., 0]
    target = _target(neighbours - cells[:, None], inside)
    heatmap = _heatmap_loss(head, context, visibility, index, target)
    offset = heatmap.new_zeros(())
    if len(cells):
        drawn = torch.multinomial(target, OFFSET_DRAWS, replacement=True)  # (S, OFFSET_DRAWS)
        images, landmarks = (which.repeat_interleave(OFFSET_DRAWS) for which in seen.nonzero(as_tuple=True))
        with torch.autocast(features.device.type, enabled=False):  # positions need the digits
            found = head.offsets_of(context, images, landmarks, index.gather(1, drawn).flatten())
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


def _heatmap_loss(
    head: LandmarkHead, context: Tensor, visibility: Tensor, index: Tensor, target: Tensor
) -> Tensor:
    """Cross entropy of the distribution over the cells and "absent", averaged over known landmarks.

    Of the hidden ones of each image some are drawn and stand for the others, so that a step costs what is seen.
    """
    groups = head.groups
    padded = functional.pad(visibility, (0, -visibility.shape[1] % groups), value=int(Visibility.UNKNOWN))
    grouped = padded.unflatten(1, (-1, groups)).transpose(1, 2)  # (B, G, M) of landmark m * G + g
    hidden, seen = grouped == Visibility.HIDDEN, grouped == Visibility.SEEN
    places = _seen_and_some_hidden(hidden, seen)
    logits = head.logits_of(context, places).float()  # (B, G, taken, N)
    drawn = hidden.gather(2, places)
    stands_for = hidden.sum(2, keepdim=True) / drawn.sum(2, keepdim=True).clamp(min=1)
    # -log p(cell) = log(1 + sum exp(logits)) - logit(cell), and "absent" has logit 0.
    log_total = functional.softplus(torch.logsumexp(logits, dim=3))
    total = (log_total * (seen.gather(2, places) + stands_for * drawn)).sum()
    numbers = torch.arange(places.shape[2], device=places.device).expand_as(places)
    slots = torch.zeros_like(grouped, dtype=torch.int64).scatter_(2, places, numbers)
    images, landmarks = (visibility == Visibility.SEEN).nonzero(as_tuple=True)
    group, place = landmarks % groups, torch.div(landmarks, groups, rounding_mode="floor")
    of_seen = logits[images, group, slots[images, group, place]]
    expected = (of_seen.gather(1, index) * target).sum()
    return (total - expected) / (hidden.sum() + seen.sum()).clamp(min=1)


def _seen_and_some_hidden(hidden: Tensor, seen: Tensor) -> Tensor:
    """Places of all that is seen and of `HIDDEN_DRAWS` hidden ones an image, (B, G, taken) of (B, G, M)."""
    groups, most = hidden.shape[1:]
    taken = min(most, int(seen.sum(2).max()) + -(-HIDDEN_DRAWS // groups))
    priority = torch.rand(hidden.shape, device=hidden.device) * hidden + 2.0 * seen - 1.0 * ~(hidden | seen)
    return priority.topk(taken, sorted=False).indices.sort().values


def _offset_loss(found: Tensor, target: Tensor) -> Tensor:
    """Negative log likelihood of offsets (S, D, 2) under the predicted Laplace distribution (S, D, 3)."""
    log_scale = found[..., 2].clamp(-6, 3)
    error = (found[..., :2] - target).abs().sum(2)
    return (error * torch.exp(-log_scale) + 2 * log_scale).mean()
