"""The slow-pathway ResNet equals a slow, obvious version of itself, at the known cost."""

import pytest
import torch
from torch.nn import functional as F

from stabn.models.resnet3d import (
    BACKBONES,
    Backbone,
    ResNet3d,
    Stage,
    count_multiply_adds,
    count_parameters,
)
from stabn.models.st_abn import STABN

TINY_SLOW = Backbone(
    stem_channels=8,
    stem_kernel=(1, 7, 7),
    stages=(Stage(2, 16, 1, 1), Stage(1, 24, 1, 2), Stage(2, 32, 3, 2), Stage(1, 40, 3, 2)),
)


def conv3d_by_hand(x, weight, stride):
    """3-D convolution as a sum over temporal offsets of 2-D convolutions, frame by frame."""
    kt, kh = weight.shape[2], weight.shape[3]
    frames = []
    for t in range(x.shape[2]):
        total = 0
        for dt in range(kt):
            source = t + dt - kt // 2
            if 0 <= source < x.shape[2]:
                total = total + F.conv2d(
                    x[:, :, source], weight[:, :, dt], stride=stride, padding=kh // 2
                )
        frames.append(total)
    return torch.stack(frames, dim=2)


def batchnorm_by_hand(x, state, name):
    shape = (1, -1, 1, 1, 1)
    mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    scale, shift = state[f"{name}.weight"], state[f"{name}.bias"]
    normal = (x - mean.view(shape)) / torch.sqrt(var.view(shape) + 1e-5)
    return normal * scale.view(shape) + shift.view(shape)


def slow_pathway_by_hand(state, spec, clip):
    """Feichtenhofer et al., Table 1 (slow pathway), read line by line from a state dict."""
    x = batchnorm_by_hand(conv3d_by_hand(clip, state["conv1.weight"], 2), state, "bn1").clamp(min=0)
    x = torch.stack([F.max_pool2d(x[:, :, t], 3, 2, 1) for t in range(x.shape[2])], dim=2)
    for i, stage in enumerate(spec.stages, start=1):
        for b in range(stage.depth):
            p = f"layer{i}.{b}"
            stride = stage.stride if b == 0 else 1
            y = conv3d_by_hand(x, state[f"{p}.conv1.weight"], 1)
            y = batchnorm_by_hand(y, state, f"{p}.bn1").clamp(min=0)
            y = conv3d_by_hand(y, state[f"{p}.conv2.weight"], stride)
            y = batchnorm_by_hand(y, state, f"{p}.bn2").clamp(min=0)
            y = batchnorm_by_hand(
                conv3d_by_hand(y, state[f"{p}.conv3.weight"], 1), state, f"{p}.bn3"
            )
            if f"{p}.downsample.0.weight" in state:
                x = conv3d_by_hand(x, state[f"{p}.downsample.0.weight"], stride)
                x = batchnorm_by_hand(x, state, f"{p}.downsample.1")
            x = (x + y).clamp(min=0)
    return x.mean(dim=(2, 3, 4)) @ state["fc.weight"].T + state["fc.bias"]


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(BACKBONES, "tiny", TINY_SLOW)
    torch.manual_seed(0)
    model = ResNet3d("tiny", num_classes=5, dropout=0.0).double().eval()
    for m in model.modules():  # BN that does something
        if hasattr(m, "running_mean"):
            m.running_mean.normal_(0, 0.1)
            m.running_var.uniform_(0.5, 1.5)
            m.weight.data.uniform_(0.5, 1.5)
            m.bias.data.normal_(0, 0.1)
    return model


def test_equals_the_slow_obvious_version_forward_and_backward(tiny):
    clip = torch.randn(2, 3, 4, 33, 40, dtype=torch.double)
    state = {k: v.detach().clone() for k, v in tiny.state_dict().items()}
    weights = {n: p.detach().clone().requires_grad_() for n, p in tiny.named_parameters()}
    state |= weights

    ours, by_hand = tiny(clip), slow_pathway_by_hand(state, TINY_SLOW, clip)
    torch.testing.assert_close(ours, by_hand)

    direction = torch.randn_like(ours)
    (ours * direction).sum().backward()
    (by_hand * direction).sum().backward()
    for name, parameter in tiny.named_parameters():
        torch.testing.assert_close(parameter.grad, weights[name].grad, msg=name)


def test_the_two_halves_make_the_whole(tiny):
    clip = torch.randn(1, 3, 4, 32, 32, dtype=torch.double)
    features = tiny.features(clip)
    assert features.shape == (1, 32, 4, 2, 2)  # no temporal stride: T stays
    torch.testing.assert_close(tiny.perception(features), tiny(clip))


# Reference costs at 32×224², K = 174: parameters in millions, multiply–adds in thousand millions.
@pytest.mark.parametrize(
    ("make", "millions", "giga_macs"),
    [
        (lambda: ResNet3d("resnet50", 174), 32.0, 167),
        (lambda: ResNet3d("resnet101", 174), 59.9, 342),
        (lambda: STABN("resnet50", 174, 32), 55.7, 309),
        (lambda: STABN("resnet101", 174, 32), 83.6, 484),
    ],
)
def test_costs_equal_the_reference_within_one_percent(make, millions, giga_macs):
    with torch.device("meta"):
        model, clip = make(), torch.empty(1, 3, 32, 224, 224)
    assert count_parameters(model) / 1e6 == pytest.approx(millions, rel=0.01)
    assert count_multiply_adds(model, clip) / 1e9 == pytest.approx(giga_macs, rel=0.01)


def test_multiply_adds_of_one_convolution_by_hand():
    conv = torch.nn.Conv3d(3, 5, (1, 3, 3), padding=(0, 1, 1), bias=False)
    assert count_multiply_adds(conv, torch.zeros(1, 3, 2, 4, 6)) == 3 * 5 * 9 * (2 * 4 * 6)


def test_an_unknown_backbone_is_named_with_the_choices():
    with pytest.raises(ValueError, match=r"'resnet18'.*resnet50, resnet101, small"):
        ResNet3d("resnet18", 10)
