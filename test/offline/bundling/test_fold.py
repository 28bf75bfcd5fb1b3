import dataclasses

import pytest
import torch
from scenes import TINY_SHAPE, noise_image, tiny_network

from reloc_ros.inference.network import LandmarkNetwork
from reloc_ros.offline.bundling.fold import folded


def test_a_folded_network_returns_the_same_keypoints():
    images = torch.stack([torch.from_numpy(noise_image(seed)) for seed in range(4)])
    with torch.inference_mode():
        torch.testing.assert_close(
            folded(tiny_network())(images), tiny_network()(images), rtol=1e-3, atol=2e-2
        )


@pytest.mark.parametrize(("encoder", "groups"), [("resnet18", 1), ("efficientnet_lite0", 2)])
def test_any_network_can_be_folded(encoder, groups):
    torch.manual_seed(0)
    network = LandmarkNetwork(dataclasses.replace(TINY_SHAPE, encoder=encoder, groups=groups)).eval()
    network.features.mean.normal_()
    network.features.std.uniform_(0.5, 2.0)
    image = torch.from_numpy(noise_image(0))[None]
    with torch.inference_mode():
        features = network.features(image)
        context = network.head(features).context
        torch.testing.assert_close(
            folded(network).head(folded(network).features(image)).context, context, rtol=1e-3, atol=1e-3
        )


def test_folding_leaves_the_network_alone():
    before = {name: value.clone() for name, value in tiny_network().state_dict().items()}
    folded(tiny_network())
    assert all(torch.equal(value, before[name]) for name, value in tiny_network().state_dict().items())
