"""Two dimensions, and matrices, give what three give: outputs, gradients, statistics."""

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from stabn.models import planes
from stabn.models.plain import plain
from stabn.models.planes import PlaneConv3d, PlaneMaxPool3d, clips, frames, neighbours
from stabn.models.resnet3d import ResNet3d, Stage, count_multiply_adds, residual_stage
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


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_so_it_is_in_the_precisions_of_runs(kernel, dtype, near):
    ours = PlaneConv3d(8, 6, kernel, 2).to(dtype)
    theirs = nn.Conv3d(8, 6, kernel, ours.stride, ours.padding, bias=False).to(dtype)
    theirs.load_state_dict(ours.state_dict())
    results = []
    for layer in (ours, theirs):
        torch.manual_seed(0)
        clip = torch.randn(2, 8, 3, 9, 8, dtype=dtype, requires_grad=True)
        y = layer(clip)
        y.backward(torch.randn(y.shape, dtype=dtype))
        results.append((y.detach(), clip.grad, layer.weight.grad))
    for a, b in zip(*results, strict=True):
        assert far(a, b) < near


def far(a: torch.Tensor, b: torch.Tensor) -> float:
    """The largest difference, as a share of the largest number of ``b``."""
    return ((a - b).abs().max() / b.abs().max()).item()


@pytest.fixture
def conv3d_calls(monkeypatch) -> list[tuple[int, ...]]:
    """The shapes of clips that PyTorch's own 3-D convolution is asked for; all weights are many."""
    calls, own = [], nn.Conv3d.forward

    def noted(self, clip):
        calls.append(tuple(clip.shape))
        return own(self, clip)

    monkeypatch.setattr(planes, "MANY", 0)
    monkeypatch.setattr(nn.Conv3d, "forward", noted)
    return calls


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(2, 3, 5, 8, 6), (1, 4, 1, 7, 7), (3, 2, 2, 9, 5)], ids=str)
@pytest.mark.parametrize("few", [True, False])
def test_an_answer_of_many_weights_is_pytorchs(
    kernel, stride, shape, few, conv3d_calls, monkeypatch
):
    monkeypatch.setattr(planes, "FEW", 10**6 if few else 0)
    ours = PlaneConv3d(shape[1], 6, kernel, stride)
    clip = torch.randn(shape)
    with torch.no_grad():
        y = ours(clip)
        assert len(conv3d_calls) == (few and kernel != (1, 1, 1))
        assert far(y, torch.conv3d(clip, ours.weight, None, ours.stride, ours.padding)) < 1e-5


@pytest.mark.parametrize("stride", [1, 2])
def test_places_are_counted_of_one_clip_whatever_the_batch(stride, conv3d_calls, monkeypatch):
    conv = PlaneConv3d(2, 2, (1, 3, 3), stride)
    with torch.no_grad():
        shapes = conv(torch.zeros(1, 2, 3, 9, 8)).shape, conv(torch.zeros(5, 2, 3, 9, 8)).shape
        places = shapes[0][2:].numel()
        assert len(conv3d_calls) == 2
        monkeypatch.setattr(planes, "FEW", places)
        conv(torch.zeros(1, 2, 3, 9, 8))
        conv(torch.zeros(5, 2, 3, 9, 8))
        assert len(conv3d_calls) == 2
        monkeypatch.setattr(planes, "FEW", places + 1)
        conv(torch.zeros(5, 2, 3, 9, 8))
        assert len(conv3d_calls) == 3


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("what", ["gradients", "bf16", "autocast", "float64"])
def test_nothing_else_is_computed_another_way_for_many_weights(
    kernel, what, conv3d_calls, monkeypatch
):
    """Not one bit: a run that is resumed trains on as it would have."""
    dtype = {"bf16": torch.bfloat16, "float64": torch.float64}.get(what, torch.float32)
    conv = PlaneConv3d(4, 6, kernel).to(dtype)
    clip = torch.randn(2, 4, 3, 6, 5, dtype=dtype)
    answers = []
    for many in (0, 10**9):
        monkeypatch.setattr(planes, "MANY", many)
        with (
            torch.set_grad_enabled(what == "gradients"),
            torch.autocast("cpu", torch.bfloat16, enabled=what == "autocast"),
        ):
            answers.append(conv(clip))
    assert torch.equal(*answers)
    assert not conv3d_calls


def test_the_small_networks_layers_are_not_of_many_weights():
    for network in (ResNet3d("small", 20), STABN("small", 20, 16)):
        convs = [m for m in network.modules() if isinstance(m, PlaneConv3d)]
        assert max(conv.weight.numel() for conv in convs) < planes.MANY


def test_a_whole_networks_answer_is_pytorchs_and_counts_as_much(monkeypatch):
    torch.manual_seed(0)
    ours = STABN("resnet50", 5, 3).eval()
    clip = torch.randn(2, 3, 3, 64, 64)
    with torch.no_grad():
        for a, b in zip(ours(clip), plain(ours)(clip), strict=True):
            assert far(a, b) < 1e-5
    counted = count_multiply_adds(ours, clip)
    monkeypatch.setattr(planes, "MANY", 10**9)
    assert counted == count_multiply_adds(ours, clip)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("few", [0, 10**6])
def test_blocks_of_many_weights_agree_their_statistics_too(training, few, monkeypatch):
    monkeypatch.setattr(planes, "MANY", 0)
    monkeypatch.setattr(planes, "FEW", few)
    torch.manual_seed(0)
    ours = residual_stage(24, Stage(2, 64, temporal_kernel=3, stride=2)).train(training)
    three = plain(ours)
    clip = torch.randn(3, 24, 5, 12, 12)
    with torch.no_grad():
        assert far(ours(clip), three(clip)) < 1e-5
    for (name, a), b in zip(ours.named_buffers(), three.buffers(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("shape", [(2, 3, 5, 8, 6), (1, 4, 1, 7, 7)], ids=str)
def test_the_maximum_is_pytorchs(shape):
    clip = torch.randn(shape)
    assert torch.equal(
        PlaneMaxPool3d(3, stride=2, padding=1)(clip),
        nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))(clip),
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(2, 3, 5, 8, 6), (1, 4, 1, 7, 7)], ids=str)
def test_the_way_back_through_it_is_pytorchs_and_keeps_places_alone(shape, dtype):
    whole = torch.randint(-2, 3, shape).to(dtype)  # so that many maxima are equal
    results, kept = [], []
    pools = PlaneMaxPool3d(3, stride=2, padding=1), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
    for pool in pools:
        torch.manual_seed(0)
        clip = whole.clone().requires_grad_()
        with saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
            y = pool(clip)
        y.backward(torch.randn(y.shape).to(dtype))
        results.append((y, clip.grad))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6 if dtype == torch.float32 else 2e-2, atol=1e-6)
    ours, _pictures, _places = kept
    assert (ours.dtype, ours.numel()) == (torch.int32, results[0][0].numel())


def test_relu_of_the_maximum_is_the_maximum_of_relu_way_back_included():
    """The stem of a network pools first; that of the published one last."""
    results = []
    for pools_first in (True, False):
        torch.manual_seed(0)
        clip = torch.randn(2, 3, 4, 9, 9, requires_grad=True)
        pool = PlaneMaxPool3d(3, stride=2, padding=1)
        y = pool(clip - 1).relu() if pools_first else pool((clip - 1).relu())
        assert (y == 0).any()
        y.backward(torch.randn(y.shape))
        results.append((y, clip.grad))
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


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
