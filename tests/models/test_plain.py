"""The plain network without batch normalisation before its layers answers as the network does."""

import pytest
import torch

from stabn.models.plain import answering
from stabn.models.resnet3d import ResNet3d
from stabn.models.st_abn import STABN
from tests.models.test_folded import unsettled


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(lambda: ResNet3d("small", 5), id="baseline"),
        pytest.param(lambda: STABN("small", 5, 4), id="st_abn"),
    ],
)
@torch.no_grad()
def test_a_whole_network_gives_the_same(network):
    network = unsettled(network()).double()
    clip = torch.randn(2, 3, getattr(network, "num_frames", 4), 32, 32, dtype=torch.float64)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    torch.testing.assert_close(answering(network)(clip), network(clip), rtol=1e-9, atol=1e-9)
    after = network.state_dict()  # the network itself is as it was
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert len(before) == len(after)
