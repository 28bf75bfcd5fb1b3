import copy

import pytest
import torch
from scenes import TINY_SHAPE

from reloc_ros.inference.network import LandmarkHead
from reloc_ros.offline.training.optimizer import MATRIX_RATE, MuonAndAdamW, hidden_convolutions, matrices


class HeadOnly(torch.nn.Module):
    def __init__(self, groups: int = 1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = LandmarkHead(12, 8, TINY_SHAPE.landmarks, groups)


def descend(network, optimizer, steps: int, seed: int = 0) -> list[float]:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn((2, 12, 6, 8), generator=generator)
    wanted = torch.randn((2, TINY_SHAPE.landmarks, 6, 8), generator=generator)
    losses = []
    for _ in range(steps):
        maps = network.head(features)
        offsets = network.head.offsets_of_all(maps.context, torch.zeros((2, TINY_SHAPE.landmarks), dtype=int))
        loss = (maps.logits - wanted).square().mean() + (offsets - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("groups", [1, 2])
def test_every_weight_moves_and_the_loss_falls(groups):
    network = HeadOnly(groups)
    before = copy.deepcopy(network.state_dict())
    losses = descend(network, MuonAndAdamW(network, 6e-3, 1e-2), 60)
    assert losses[-1] < 0.7 * losses[0]
    for name, value in network.state_dict().items():
        assert not torch.equal(value, before[name]), name


@pytest.mark.parametrize("groups", [1, 2])
def test_a_step_turns_each_group_of_a_convolution_by_the_rate(groups):
    network = HeadOnly(groups)
    optimizer = MuonAndAdamW(network, 6e-3, 0.0)
    before = [matrix.detach().clone() for matrix in matrices(network.head.mix1[1])]
    descend(network, optimizer, 1)
    after = matrices(network.head.mix1[1])
    assert len(after) == groups
    for old, new in zip(before, after, strict=True):
        values = torch.linalg.svdvals(new.detach() - old)
        # Newton-Schulz brings singular values near one, not to it; the rank is full as the gradient's is.
        assert values.max() < 1.3 * MATRIX_RATE and values.median() > 0.5 * MATRIX_RATE


def test_rates_of_the_groups_are_obeyed():
    network = HeadOnly()
    optimizer = MuonAndAdamW(network, 6e-3, 0.0)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = copy.deepcopy(network.state_dict())
    descend(network, optimizer, 2)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_restored_optimizer_goes_on_as_if_never_stopped():
    straight, stopped = HeadOnly(), HeadOnly()
    descend(straight, MuonAndAdamW(straight, 6e-3, 1e-2), 6)
    first = MuonAndAdamW(stopped, 6e-3, 1e-2)
    descend(stopped, first, 3)
    second = MuonAndAdamW(stopped, 6e-3, 1e-2)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    descend(stopped, second, 3)
    for name, value in straight.state_dict().items():
        torch.testing.assert_close(stopped.state_dict()[name], value, msg=name)


def test_what_muon_moves_is_the_weight_itself():
    layer = hidden_convolutions(HeadOnly().head)[1]
    matrices(layer)[0].data.fill_(3.0)
    assert (layer.weight == 3).all()
