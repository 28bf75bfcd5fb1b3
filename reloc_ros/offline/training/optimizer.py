"""The optimizer of the landmark network.                                                                 (torch)"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from reloc_ros.inference.network import LandmarkHead, LandmarkNetwork

MATRIX_RATE = 0.02
"""Learning rate of Muon: each of its steps turns a matrix by so much in spectral norm."""
OFFSET_RATE_SHARE = 1 / 12
"""Of AdamW's learning rate, for the offsets: each is a sum over a thousand inputs that all move at once."""

ENCODER_RATE_SHARE = 1 / 6
"""Of AdamW's learning rate, for an encoder that trains too: what it has learnt elsewhere shall not be shaken off."""


class MuonAndAdamW(torch.optim.Optimizer):
    """Muon (Jordan et al., 2024) for the head's hidden convolutions and AdamW for all else, as one optimizer.

    A hidden convolution is a matrix from what is around a cell to the channels; Muon makes its steps orthogonal, so
    all directions of that matrix learn at the same pace, and far fewer steps reach the same loss. Its learning rates
    are those of the parameter groups, which a schedule may change at any step.
    """

    def __init__(self, network: LandmarkNetwork, learning_rate: float, weight_decay: float) -> None:
        convolutions = hidden_convolutions(network.head)
        self._matrices = [part for layer in convolutions for part in matrices(layer)]
        self._convolutions = convolutions
        taken = {id(layer.weight) for layer in convolutions}
        offsets = [network.head.offset_weight, network.head.offset_bias]
        taken |= {id(parameter) for parameter in offsets}
        encoder = [p for n, p in network.named_parameters() if n.startswith("features.") and p.requires_grad]
        taken |= {id(parameter) for parameter in encoder}
        rest = [p for p in network.parameters() if p.requires_grad and id(p) not in taken]
        groups = [{"params": rest}, {"params": offsets, "lr": OFFSET_RATE_SHARE * learning_rate}]
        if encoder:
            groups.append({"params": encoder, "lr": ENCODER_RATE_SHARE * learning_rate})
        self._muon = torch.optim.Muon(self._matrices, lr=MATRIX_RATE, weight_decay=weight_decay)
        self._adamw = torch.optim.AdamW(groups, lr=learning_rate, weight_decay=weight_decay)
        weights = [{"params": [layer.weight for layer in convolutions], "lr": MATRIX_RATE}]
        super().__init__([*weights, *({**group} for group in self._adamw.param_groups)], {})
        for group in self.param_groups:
            group["initial_lr"] = group["lr"]  # by the name that PyTorch's own schedulers use

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        inner = [*self._muon.param_groups, *self._adamw.param_groups]
        for mine, theirs in zip(self.param_groups, inner, strict=True):
            theirs["lr"] = mine["lr"]
        gradients = [part for layer in self._convolutions for part in _gradients(layer)]
        for matrix, gradient in zip(self._matrices, gradients, strict=True):
            matrix.grad = gradient
        self._muon.step()
        self._adamw.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        return {"muon": self._muon.state_dict(), "adamw": self._adamw.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._muon.load_state_dict(state_dict["muon"])
        self._adamw.load_state_dict(state_dict["adamw"])


def hidden_convolutions(head: LandmarkHead) -> list[nn.Conv2d]:
    """The head's convolutions across channels but the last."""
    parts = [head.reduce, *head.mix1.modules(), *head.mix2.modules()]
    return [part for part in parts if isinstance(part, nn.Conv2d) and part.weight.shape[1] > 1]


def matrices(layer: nn.Conv2d) -> list[nn.Parameter]:
    """Each group of a convolution as a matrix (outputs, inputs * kernel), in the same memory as its weight."""
    weight = layer.weight.detach()
    return [nn.Parameter(part) for part in weight.view(len(weight), -1).chunk(layer.groups)]


def _gradients(layer: nn.Conv2d) -> list[Tensor | None]:
    if layer.weight.grad is None:
        return [None] * layer.groups
    return list(layer.weight.grad.flatten(1).chunk(layer.groups))
