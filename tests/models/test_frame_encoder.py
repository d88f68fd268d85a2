"""The encoder sees one frame at a time; what stands behind it is trained with it."""

import pytest
import torch

from stabn.models.bilstm import BiLSTM
from stabn.models.convlstm import AttentiveConvLSTM
from stabn.models.frame_encoder import FrameByFrame, FrameEncoder, encoded_size

N, T, K = 2, 4, 3


@pytest.fixture
def clip():
    return torch.randn(N, 3, T, 21, 24, generator=torch.Generator().manual_seed(1))


def test_each_frame_is_encoded_by_itself(clip):
    torch.manual_seed(0)
    encoder = FrameEncoder((4, 6)).eval()
    maps = encoder(clip)
    assert maps.shape == (N, 6, T, encoded_size(21, 2), encoded_size(24, 2))
    for n in range(N):
        for t in range(T):
            alone = encoder(clip[n : n + 1, :, t : t + 1])
            torch.testing.assert_close(maps[n, :, t], alone[0, :, 0])


def test_maps_of_a_mini_clip_are_those_of_vgg():
    assert encoded_size(56, 3) == 7


@pytest.mark.parametrize("kind", ["convlstm", "bilstm"])
def test_encoder_and_network_are_one(clip, kind):
    torch.manual_seed(0)
    if kind == "convlstm":
        network = AttentiveConvLSTM(6, (6, 6), K, hidden=4, dense=8)
        edit = {"spatial_attention": torch.rand(N, 1, T, 6, 6)}
    else:
        network = BiLSTM(6 * 6 * 6, T, K, units=4, dense=8)
        edit = {"temporal_attention": torch.rand(N, T)}
    model = FrameByFrame(FrameEncoder((4, 6)), network).eval()
    features = model.features(clip)
    torch.testing.assert_close(model(clip).logits, network(features).logits)
    edited = model(clip, **edit)
    torch.testing.assert_close(edited.logits, model.from_features(features, **edit).logits)
    assert not torch.allclose(edited.logits, model(clip).logits)
    model.train()(clip).logits.sum().backward()
    assert all(p.grad is not None for p in model.parameters())
