"""Two dimensions give what three give: outputs, gradients, statistics; and nothing is copied."""

import pytest
import torch
from torch import nn

from stabn.models.plain import plain
from stabn.models.planes import PlaneConv3d, PlaneMaxPool3d, clips, frames, neighbours
from stabn.models.resnet3d import ResNet3d
from stabn.models.st_abn import STABN

KERNELS = [(1, 1, 1), (1, 3, 3), (1, 7, 7), (3, 1, 1), (5, 1, 1), (3, 3, 3), (3, 5, 5)]


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(2, 3, 5, 8, 6), (1, 4, 1, 7, 7), (3, 1, 2, 9, 5)], ids=str)
def test_a_convolution_is_pytorchs_forward_and_backward(kernel, stride, shape):
    ours = PlaneConv3d(shape[1], 6, kernel, stride).double()
    theirs = nn.Conv3d(shape[1], 6, kernel, ours.stride, ours.padding, bias=False).double()
    theirs.load_state_dict(ours.state_dict())
    results = []
    for layer in (ours, theirs):
        torch.manual_seed(0)
        clip = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        y = layer(clip)
        y.backward(torch.randn(y.shape, dtype=y.dtype))
        results.append((y, clip.grad, layer.weight.grad))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", [(2, 3, 5, 8, 6), (1, 4, 1, 7, 7)], ids=str)
def test_the_maximum_is_pytorchs(shape):
    clip = torch.randn(shape)
    assert torch.equal(
        PlaneMaxPool3d(3, stride=2, padding=1)(clip),
        nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))(clip),
    )


@pytest.mark.parametrize("network", ["baseline", "st_abn", "resnet50"])
@pytest.mark.parametrize("training", [True, False])
def test_whole_networks_agree_gradients_and_statistics_too(network, training):
    torch.manual_seed(0)
    if network == "st_abn":
        ours = STABN("small", 5, 4, dropout=0.0)
    else:
        ours = ResNet3d({"baseline": "small"}.get(network, network), 5, dropout=0.0)
    ours = ours.double().train(training)
    pair = (ours, plain(ours))
    clip = torch.randn(4, 3, 4, 32, 32, dtype=torch.float64)
    outputs = []
    for model in pair:
        model.zero_grad()
        output = model(clip)
        logits = output if isinstance(output, torch.Tensor) else output.logits
        logits.square().sum().backward()
        gradients = {
            name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None
        }
        statistics = {name: b.clone() for name, b in model.named_buffers()}
        outputs.append((logits, gradients, statistics))
    torch.testing.assert_close(*outputs, rtol=1e-8, atol=1e-8)


def test_a_network_works_on_views_alone():
    """Channels that lie last stay there: no layer between two convolutions copies the clip."""
    clip = torch.randn(2, 3, 4, 6, 5).contiguous(memory_format=torch.channels_last_3d)
    assert frames(clip).data_ptr() == clip.data_ptr()
    assert clips(frames(clip), 2).data_ptr() == clip.data_ptr()
    assert torch.equal(clips(frames(clip), 2), clip)
    for kernel in KERNELS:
        y = PlaneConv3d(3, 4, kernel)(clip)
        assert y.is_contiguous(memory_format=torch.channels_last_3d), kernel


def test_neighbours_of_a_frame_are_those_before_and_after_it():
    clip = torch.arange(3.0).reshape(1, 1, 3, 1, 1) + 1
    assert neighbours(clip, 3).flatten(1).tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 0]]
