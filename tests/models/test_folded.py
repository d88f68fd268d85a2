"""A network whose BN is in its weights answers as the network does, and the network stays."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from stabn.models.abn import ABN
from stabn.models.behind_encoder import BehindEncoder
from stabn.models.bilstm import BiLSTM
from stabn.models.cnn3d import CNN3d
from stabn.models.convlstm import AttentiveConvLSTM
from stabn.models.folded import fold_back, fold_forward, folded
from stabn.models.resnet3d import Convolutions, ResNet3d
from stabn.models.st_abn import OFFICIAL, STABN

FRAMES, SIZE, CLASSES = 6, 32, 5  # the 3-D CNN asks for 6 frames at least
VARIANTS = {
    "paper": {},
    "official": OFFICIAL,
    "gap": {"class_head": "gap"},
    "literal": {"temporal_tail": "literal"},
    "gated": {"fusion": "gated"},
    "closed": {"fusion": "gated", "closed": 0.4},
    "evidence": {"attention_start": "evidence"},
    "constant": {"constant_attention": (0.5, 0.5)},
}
NETWORKS = {f"st_abn {name}": ("small", how) for name, how in VARIANTS.items()}
NETWORKS |= {
    "st_abn resnet50": ("resnet50", {}),
    "st_abn resnet50 official": ("resnet50", OFFICIAL),
}


def unsettled(network: nn.Module) -> nn.Module:
    """In eval mode, with BN that does something: its statistics and weights are drawn."""
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            for tensor in (module.weight.data, module.running_var):
                tensor.uniform_(0.5, 2)
            for tensor in (module.bias.data, module.running_mean):
                tensor.normal_(std=0.3)
    return network.eval()


def odd(network: nn.Module) -> nn.Module:
    """BN as no training would wish it: channels that never varied, or are turned, or shut."""
    for module in unsettled(network).modules():
        if isinstance(module, _BatchNorm) and module.num_features > 3:
            module.running_var[0] = 0  # a channel that is the same everywhere
            module.weight.data[1] = -1
            module.weight.data[2] = 0
            module.running_mean[3] = 50
    return network


def built(name: str) -> nn.Module:
    """One of the library's networks, for clips of 6 frames of 32 pixels."""
    torch.manual_seed(0)
    if name in NETWORKS:
        backbone, how = NETWORKS[name]
        return STABN(backbone, CLASSES, FRAMES, **how)
    return {
        "baseline": lambda: ResNet3d("small", CLASSES),
        "resnet50": lambda: ResNet3d("resnet50", CLASSES),
        "cnn3d": lambda: CNN3d(CLASSES, FRAMES, (56, 56)),
        "convlstm": lambda: BehindEncoder(
            Convolutions("small"), AttentiveConvLSTM(64, (4, 4), CLASSES, hidden=8, dense=8)
        ),
        "bilstm": lambda: BehindEncoder(
            Convolutions("small"), BiLSTM(64 * 16, FRAMES, CLASSES, units=8, dense=8)
        ),
    }[name]()


def answers(network: nn.Module, clip: Tensor, **edited: Tensor) -> list[Tensor]:
    """All tensors of an answer."""
    output = network(clip, **edited)
    return [output] if isinstance(output, Tensor) else [o for o in output if o is not None]


def far(a: Tensor, b: Tensor) -> float:
    """The largest difference, as a share of the largest number of ``b``."""
    return ((a - b).abs().max() / b.abs().max().clamp(min=1e-3)).item()


@pytest.mark.parametrize("name", [*NETWORKS, "baseline", "resnet50", "cnn3d", "convlstm", "bilstm"])
@torch.no_grad()
def test_a_network_answers_the_same_and_is_as_it_was(name):
    network = odd(built(name)).double()
    clip = torch.randn(2, 3, FRAMES, *(2 * [56 if name == "cnn3d" else SIZE])).double()
    before, wanted = copy.deepcopy(network.state_dict()), answers(network, clip)
    lean = folded(network)
    assert not [m for m in lean.modules() if isinstance(m, _BatchNorm)]
    for a, b in zip(answers(lean, clip), wanted, strict=True):
        assert far(a, b) < 1e-9
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[n], after[n]) for n in before)
    assert all(p.requires_grad for n, p in network.named_parameters() if "head" not in n)
    for a, b in zip(answers(network, clip), wanted, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", ["st_abn paper", "st_abn resnet50", "baseline", "resnet50"])
@torch.no_grad()
def test_in_single_precision_to_rounding(name):
    network = unsettled(built(name))
    clip = torch.randn(2, 3, FRAMES, SIZE, SIZE)
    for a, b in zip(answers(folded(network), clip), answers(network, clip), strict=True):
        assert far(a, b) < 1e-5


@pytest.mark.parametrize("fusion", ["paper", "gated", "closed"])
@torch.no_grad()
def test_with_edited_attention_too(fusion):
    network = unsettled(built(f"st_abn {fusion}")).double()
    clip = torch.randn(2, 3, FRAMES, SIZE, SIZE).double()
    spatial = network(clip).spatial_attention
    edits = {
        "spatial_attention": torch.rand_like(spatial),
        "temporal_attention": torch.rand(2, FRAMES).double(),
    }
    for given in (edits, {"temporal_attention": edits["temporal_attention"]}):
        pair = (answers(n, clip, **given, invert_spatial=True) for n in (folded(network), network))
        for a, b in zip(*pair, strict=True):
            assert far(a, b) < 1e-9


@torch.no_grad()
def test_of_images_too():
    network = unsettled(ABN(CLASSES)).double()
    network.to_classes[0] = nn.Identity()  # BN before a convolution: of a clip's branch alone
    image = torch.randn(2, 3, SIZE, SIZE).double()
    for a, b in zip(answers(folded(network), image), answers(network, image), strict=True):
        assert far(a, b) < 1e-9


def test_a_network_in_training_is_left_in_training():
    network = ResNet3d("small", CLASSES).train()
    assert not folded(network).training
    assert all(module.training for module in network.modules())


@pytest.mark.parametrize("bias", [True, False])
def test_folding_back_is_exact(bias):
    bn = unsettled(nn.BatchNorm3d(5).double())
    conv = nn.Conv3d(3, 5, 3, padding=1, bias=bias).double()
    clip = torch.randn(2, 3, 4, 5, 6, dtype=torch.float64)
    wanted = bn(conv(clip))
    fold_back(conv, bn)
    torch.testing.assert_close(conv(clip), wanted, rtol=1e-12, atol=1e-12)


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
