"""The attentive ConvLSTM is its equations, place by place; forward and backward."""

import math

import pytest
import torch

from stabn.models.convlstm import (
    AttentiveConvLSTM,
    ConvLSTMCell,
    SoftAttention,
    mean_probability,
    step_accuracy,
    video_accuracy,
)

N, T, C, D, K, H, W = 2, 3, 3, 2, 4, 3, 4


@pytest.fixture
def network():
    torch.manual_seed(0)
    return AttentiveConvLSTM(C, (H, W), K, hidden=D, dense=5, dropout=0).double()


@pytest.fixture
def features():
    return torch.randn(N, T, C, H, W, dtype=torch.double).requires_grad_()


def slow_conv(x, weight, bias):
    """3×3, zeros outside: each output a sum over the places around it, written out."""
    out = []
    for row in range(H):
        for column in range(W):
            total = bias if bias is not None else torch.zeros(len(weight)).double()
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    y, z = row + dy, column + dx
                    if 0 <= y < H and 0 <= z < W:
                        total = total + weight[:, :, dy + 1, dx + 1] @ x[:, y, z]
            out.append(total)
    return torch.stack(out, dim=1).unflatten(1, (H, W))


def slow_cell(cell, x, h, c):
    """The four gates, each by its own share of the kernels."""
    both = torch.cat([x, h])
    kernels, biases = cell.gates.weight.split(D), cell.gates.bias.split(D)
    i, f, o, g = (slow_conv(both, k, b) for k, b in zip(kernels, biases, strict=True))
    c = 1 / (1 + torch.exp(-f)) * c + 1 / (1 + torch.exp(-i)) * torch.tanh(g)
    return 1 / (1 + torch.exp(-o)) * torch.tanh(c), c


def slow_attention(attention, x, h):
    """e of each place by itself; then exp(e) over the sum of all."""
    w_c, w_d, u = (
        layer.weight.flatten(1)
        for layer in (attention.of_frame, attention.of_memory, attention.energy)
    )
    e = torch.stack(
        [
            (u @ torch.tanh(w_c @ x[:, y, z] + w_d @ h[:, y, z] + attention.of_frame.bias))[0]
            for y in range(H)
            for z in range(W)
        ]
    )
    return (e.exp() / e.exp().sum()).unflatten(0, (H, W))


def slow(network, features):
    """One video and one step at a time."""
    logits, maps = [], []
    for video in features:
        mean = sum(video) / T
        h, c = (
            torch.tanh(slow_conv(mean, layer.weight, layer.bias))
            for layer in (network.first_h, network.first_c)
        )
        for x in video:
            alpha = slow_attention(network.attention, x, h)
            h, c = slow_cell(network.cell, alpha * x, h, c)
            units = torch.tanh(network.dense.weight @ h.flatten() + network.dense.bias)
            logits.append(network.fc.weight @ units + network.fc.bias)
            maps.append(alpha)
    return torch.stack(logits).unflatten(0, (N, T)), torch.stack(maps).unflatten(0, (N, 1, T))


def gradients(network, features, scalar):
    return torch.autograd.grad(scalar, [features, *network.parameters()])


def test_it_equals_a_slow_version_forward_and_backward(network, features):
    output, (logits, maps) = network(features), slow(network, features)
    torch.testing.assert_close(output.step_logits, logits)
    torch.testing.assert_close(output.spatial_attention, maps)
    assert output.temporal_attention is None
    weights = torch.randn(N, T, K).double()
    ours = gradients(network, features, (weights * output.step_logits).sum())
    theirs = gradients(network, features, (weights * logits).sum())
    for mine, other in zip(ours, theirs, strict=True):
        assert other.abs().sum() > 0
        torch.testing.assert_close(mine, other)


def test_on_a_single_place_the_cell_is_an_lstm_of_pytorch():
    """A 1×1 map has zeros around it: the kernel's middle alone counts."""
    cell, lstm = ConvLSTMCell(C, D), torch.nn.LSTMCell(C, D)
    i, f, o, g = cell.gates.weight[:, :, 1, 1].detach().chunk(4)
    ordered = torch.cat([i, f, g, o])  # PyTorch's order
    bias = torch.cat([cell.gates.bias.detach().chunk(4)[k] for k in (0, 1, 3, 2)])
    lstm.weight_ih.data, lstm.weight_hh.data = ordered[:, :C], ordered[:, C:]
    lstm.bias_ih.data, lstm.bias_hh.data = bias, torch.zeros(4 * D)
    x, h, c = torch.randn(N, C), torch.randn(N, D), torch.randn(N, D)
    ours = cell(x[..., None, None], (h[..., None, None], c[..., None, None]))
    for mine, theirs in zip(ours, lstm(x, (h, c)), strict=True):
        torch.testing.assert_close(mine[..., 0, 0], theirs)


def test_a_place_is_weighed_by_what_is_there_and_remembered():
    """With W = U = 1 and b = 0, e = tanh(x + h): by hand for two places."""
    attention = SoftAttention(1, 1)
    for layer in (attention.of_frame, attention.of_memory, attention.energy):
        torch.nn.init.ones_(layer.weight)
    torch.nn.init.zeros_(attention.of_frame.bias)
    alpha = attention(torch.tensor([[[[0.5, 0.0]]]]), torch.tensor([[[[0.5, 0.0]]]]))
    share = math.exp(math.tanh(1.0)) / (math.exp(math.tanh(1.0)) + 1)
    torch.testing.assert_close(alpha, torch.tensor([[[[share, 1 - share]]]]))


def test_attention_sums_to_one_in_every_frame_and_an_edit_of_it_reaches_the_answer(
    network, features
):
    own = network(features)
    torch.testing.assert_close(own.spatial_attention.sum(dim=(1, 3, 4)), torch.ones(N, T).double())
    again = network(features, spatial_attention=own.spatial_attention)
    torch.testing.assert_close(again.logits, own.logits)
    edited = network(features, spatial_attention=own.spatial_attention.flip(4))
    assert not torch.allclose(edited.logits, own.logits)
    with pytest.raises(ValueError, match=r"spatial_attention must have shape \(2, 1, 3, 3, 4\)"):
        network(features, spatial_attention=own.spatial_attention[:, 0])


def test_the_answer_is_the_mean_probability_of_the_steps():
    steps = torch.tensor([[[0.9, 0.1], [0.3, 0.7]]]).log()
    torch.testing.assert_close(mean_probability(steps).exp(), torch.tensor([[0.6, 0.4]]))


def test_accuracy_of_frames_and_of_videos_by_hand():
    """Sure of the right class once, barely wrong twice: a frame in three, but the video."""
    steps = torch.tensor([[[0.9, 0.1], [0.4, 0.6], [0.45, 0.55]], [[0.2, 0.8]] * 3]).log()
    labels = torch.tensor([0, 0])
    assert step_accuracy(steps, labels) == pytest.approx(1 / 6)
    assert video_accuracy(steps, labels) == pytest.approx(1 / 2)
