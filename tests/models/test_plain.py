"""The plain network without batch normalisation before its layers answers as the network does."""

import pytest
import torch
from torch import nn

from stabn.models.plain import answering, fold_forward
from stabn.models.resnet3d import ResNet3d
from stabn.models.st_abn import STABN


def unsettled(network: nn.Module) -> nn.Module:
    """In eval mode, with BN that does something: its statistics and weights are drawn."""
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor in (module.weight.data, module.running_var):
                tensor.uniform_(0.5, 2)
            for tensor in (module.bias.data, module.running_mean):
                tensor.normal_(std=0.3)
    return network.eval()


@pytest.mark.parametrize("bias", [True, False])
def test_folding_forward_is_exact(bias):
    bn = unsettled(nn.BatchNorm3d(3).double())
    conv = nn.Conv3d(3, 5, 1, bias=bias).double()
    clip = torch.randn(2, 3, 4, 5, 6, dtype=torch.float64)
    wanted = conv(bn(clip))
    fold_forward(bn, conv)
    torch.testing.assert_close(conv(clip), wanted, rtol=1e-12, atol=1e-12)


def test_a_linear_layer_folds_as_well():
    bn, fc = unsettled(nn.BatchNorm1d(7).double()), nn.Linear(7, 2).double()
    row = torch.randn(3, 7, dtype=torch.float64)
    wanted = fc(bn(row))
    fold_forward(bn, fc)
    torch.testing.assert_close(fc(row), wanted, rtol=1e-12, atol=1e-12)


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
