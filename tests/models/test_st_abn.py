"""ST-ABN is its four parts in order; overrides, the split, inversion and the control do as told."""

import pytest
import torch

from stabn.losses import classification_loss
from stabn.models.st_abn import STABN

N, K, T = 2, 6, 4


@pytest.fixture
def model():
    torch.manual_seed(0)
    return STABN("small", K, T).eval()


@pytest.fixture
def clip():
    return torch.randn(N, 3, T, 32, 40, generator=torch.Generator().manual_seed(1))


def test_forward_is_extractor_branch_fusion_perception(model, clip):
    f = model.backbone.features(clip)
    branch = model.attention_branch(f)
    fused = model.fusion(f, branch.spatial_attention, branch.temporal_attention)
    out = model(clip)
    torch.testing.assert_close(out.logits, model.backbone.perception(fused))
    torch.testing.assert_close(out.attention_logits, branch.logits)
    torch.testing.assert_close(out.spatial_attention, branch.spatial_attention)
    torch.testing.assert_close(out.temporal_attention, branch.temporal_attention)


def test_the_split_at_the_attention_point_loses_nothing(model, clip):
    for a, b in zip(model(clip), model.from_features(model.features(clip)), strict=True):
        torch.testing.assert_close(a, b)


def test_its_own_attention_passed_in_changes_nothing(model, clip):
    own = model(clip)
    again = model(
        clip,
        spatial_attention=own.spatial_attention,
        temporal_attention=own.temporal_attention,
    )
    torch.testing.assert_close(again.logits, own.logits)
    assert again.attention_logits is None  # nothing left for the branch to do


def test_with_both_attentions_given_the_branch_is_not_run(model, clip, monkeypatch):
    own = model(clip)
    monkeypatch.setattr(model.attention_branch, "forward", None)
    model(clip, spatial_attention=own[2], temporal_attention=own[3])
    with pytest.raises(TypeError):
        model(clip, temporal_attention=own[3])


def test_an_edit_of_when_reaches_the_answer(model, clip):
    edited = model(clip, temporal_attention=torch.zeros(N, T))
    assert not torch.allclose(edited.logits, model(clip).logits)
    assert (edited.temporal_attention == 0).all()
    assert edited.attention_logits is not None


def test_inverting_twice_is_nothing(model, clip):
    own = model(clip)
    inverted = model(clip, invert_spatial=True)
    torch.testing.assert_close(inverted.spatial_attention, 1 - own.spatial_attention)
    assert not torch.allclose(inverted.logits, own.logits)
    back = model(clip, spatial_attention=inverted.spatial_attention, invert_spatial=True)
    torch.testing.assert_close(back.logits, own.logits)


def test_the_control_holds_both_attentions_and_has_the_same_parameters(clip):
    control = STABN("small", K, T, constant_attention=(0.5, 0.25))
    full = STABN("small", K, T)
    assert {n: p.shape for n, p in control.named_parameters()} == {
        n: p.shape for n, p in full.named_parameters()
    }
    out = control(clip)
    assert (out.spatial_attention == 0.5).all()
    assert (out.temporal_attention == 0.25).all()
    classification_loss(out.logits, out.attention_logits, torch.zeros(N).long()).total.backward()
    for name, parameter in control.named_parameters():
        frozen = ".spatial_head." in name or ".temporal_head." in name
        assert (parameter.grad is None) == frozen, name


def test_every_parameter_of_the_full_network_is_trained(clip):
    model = STABN("small", K, T, dropout=0.0)
    out = model(clip)
    classification_loss(out.logits, out.attention_logits, torch.zeros(N).long()).total.backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


def test_nothing_hard_codes_a_size():
    for k, t, size in ((3, 5, 24), (11, 8, 48)):
        out = STABN("small", k, t).eval()(torch.randn(1, 3, t, size, size + 8))
        assert out.logits.shape == (1, k)
        assert out.temporal_attention.shape == (1, t)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"class_head": "mlp"}, "class_head must be one of"),
        ({"temporal_tail": "fc"}, "temporal_tail must be one of"),
        ({"fusion": "sum"}, "fusion must be one of"),
    ],
)
def test_an_unknown_variant_is_refused_by_name(arguments, words):
    with pytest.raises(ValueError, match=words):
        STABN("small", K, T, **arguments)


def test_wrong_shapes_are_refused_with_the_right_one(model, clip):
    with pytest.raises(ValueError, match="clips of 4 frames, this one has 3"):
        model(clip[:, :, :3])
    with pytest.raises(ValueError, match=r"temporal_attention must have shape \(2, 4\)"):
        model(clip, temporal_attention=torch.zeros(N, T + 1))
    with pytest.raises(ValueError, match="spatial_attention must have shape"):
        model(clip, spatial_attention=torch.zeros(N, 1, T, 3, 3))
