"""An encoder gives a map for each frame; what stands behind it is trained with it."""

import pytest
import torch

from stabn.models.behind_encoder import BehindEncoder
from stabn.models.bilstm import BiLSTM
from stabn.models.convlstm import AttentiveConvLSTM
from stabn.models.resnet3d import Convolutions, ResNet3d

N, T, K, C = 2, 4, 3, 64


@pytest.fixture
def clip():
    return torch.randn(N, 3, T, 21, 24, generator=torch.Generator().manual_seed(1))


def test_the_encoder_is_a_resnet_before_it_averages(clip):
    """With the ResNet's last layer behind the mean of its maps it answers as the ResNet does."""
    torch.manual_seed(0)
    whole, encoder = ResNet3d("small", K).eval(), Convolutions("small").eval()
    rest = encoder.load_state_dict(whole.state_dict(), strict=False)
    assert not rest.missing_keys
    assert {name.split(".")[0] for name in rest.unexpected_keys} == {"norm", "fc"}
    pooled = encoder(clip).mean(dim=(2, 3, 4))
    torch.testing.assert_close(whole.fc(whole.norm(pooled)), whole(clip))
    assert encoder(clip).shape[:3] == (N, encoder.channels, T) == (N, C, T)


def test_maps_of_a_mini_clip_are_those_of_vgg():
    assert Convolutions("small")(torch.zeros(1, 3, 1, 56, 56)).shape[-2:] == (7, 7)


@pytest.mark.parametrize("kind", ["convlstm", "bilstm"])
def test_encoder_and_network_are_one(clip, kind):
    torch.manual_seed(0)
    if kind == "convlstm":
        network = AttentiveConvLSTM(C, (3, 3), K, hidden=4, dense=8)
        edit = {"spatial_attention": torch.rand(N, 1, T, 3, 3)}
    else:
        network = BiLSTM(C * 3 * 3, T, K, units=4, dense=8)
        edit = {"temporal_attention": torch.rand(N, T)}
    model = BehindEncoder(Convolutions("small"), network).eval()
    features = model.features(clip)
    torch.testing.assert_close(model(clip).logits, network(features).logits)
    edited = model(clip, **edit)
    torch.testing.assert_close(edited.logits, model.from_features(features, **edit).logits)
    assert not torch.allclose(edited.logits, model(clip).logits)
    model.train()(clip).logits.sum().backward()
    assert all(p.grad is not None for p in model.parameters())
