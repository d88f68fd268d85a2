"""The image ABN is its published wiring, and its mechanism is (1 + M)·f."""

import pytest
import torch

from stabn.models.abn import ABN


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ABN(4, channels=(8, 12, 16), in_channels=1).eval()


def test_forward_is_features_branch_mechanism_perception(model):
    image = torch.randn(2, 1, 32, 32)
    f = model.features(image)
    h = model.to_classes(model.attention_stage(f))
    m = torch.sigmoid(model.map_bn(model.map_conv(h)))
    w = model.class_conv.weight[:, :, 0, 0]
    out = model(image)
    torch.testing.assert_close(out.attention, m)
    torch.testing.assert_close(out.attention_logits, h.mean(dim=(2, 3)) @ w.T)  # linear: GAP first
    weighted = f + m * f
    expected = model.fc(model.perception_stage(weighted).mean(dim=(2, 3)))
    torch.testing.assert_close(out.logits, expected)


def test_a_map_of_zeros_leaves_f_alone_with_the_residual_and_kills_it_without(model):
    image = torch.randn(1, 1, 32, 32)
    f = model.features(image)
    zeros = torch.zeros(1, 1, *f.shape[2:])
    plain = model.fc(model.perception_stage(f).mean(dim=(2, 3)))
    torch.testing.assert_close(model(image, attention=zeros).logits, plain)
    model.residual = False
    nothing = model.fc(model.perception_stage(torch.zeros_like(f)).mean(dim=(2, 3)))
    torch.testing.assert_close(model(image, attention=zeros).logits, nothing)


def test_the_map_has_the_resolution_of_f(model):
    out = model(torch.randn(3, 1, 48, 40))
    assert out.attention.shape == (3, 1, 12, 10)
    assert ((out.attention > 0) & (out.attention < 1)).all()
