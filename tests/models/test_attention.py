"""The heads and the fusion equal their formulas, written out with loops."""

import pytest
import torch

from stabn.models.attention import AttentionBranch, ClassHead, Fusion, SpatialHead, TemporalHead
from stabn.models.resnet3d import Stage

N, K, T, H, W, C = 2, 5, 6, 4, 3, 8


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def h():
    return torch.rand(N, K, T, H, W)


def with_statistics(bn):
    bn.running_mean.normal_(0, 0.3)
    bn.running_var.uniform_(0.5, 2)
    return bn


def bn_scalar(x, bn):
    """Eval-mode BN of a single-channel map."""
    x = (x - bn.running_mean) / torch.sqrt(bn.running_var + bn.eps)
    return x * bn.weight + bn.bias


def test_spatial_head_is_a_weighted_sum_over_classes_then_sigmoid(h):
    head = SpatialHead(K).eval()
    with_statistics(head.bn)
    w = head.conv.weight.view(K)
    expected = torch.sigmoid(bn_scalar(sum(w[k] * h[:, k] for k in range(K)), head.bn))
    torch.testing.assert_close(head(h)[:, 0], expected)
    assert head(h).shape == (N, 1, T, H, W)


@pytest.mark.parametrize("tail", ["two_fc", "literal"])
def test_temporal_head_written_out(h, tail):
    head = TemporalHead(K, T, tail).eval()
    with_statistics(head.bn)
    padded = torch.zeros(N, K, T + 2, H + 2, W + 2)
    padded[:, :, 1:-1, 1:-1, 1:-1] = h
    one = torch.zeros(N, T, H, W)
    for t in range(T):
        for y in range(H):
            for x in range(W):
                window = padded[:, :, t : t + 3, y : y + 3, x : x + 3]
                one[:, t, y, x] = (window * head.conv.weight[0]).sum(dim=(1, 2, 3, 4))
    one = bn_scalar(one, head.bn).clamp(min=0)
    mixed = torch.einsum("st,nthw->nshw", head.mix.weight[:, :, 0, 0], one).clamp(min=0)
    x = (mixed.mean(dim=(2, 3)) @ head.fc1.weight.T + head.fc1.bias).clamp(min=0)
    if tail == "two_fc":
        x = x @ head.fc2.weight.T + head.fc2.bias
    torch.testing.assert_close(head(h), 1 / (1 + torch.exp(-x)))


def test_the_literal_tail_cannot_fall_below_one_half_and_the_other_can(h):
    literal, two_fc = TemporalHead(K, T, "literal"), TemporalHead(K, T, "two_fc")
    with torch.no_grad():
        for head in (literal, two_fc):
            head.fc1.bias.fill_(-3)
        two_fc.fc2.bias.fill_(-3)
    assert literal(h).min() >= 0.5
    assert two_fc(h).max() < 0.5


def test_class_heads(h):
    fc = ClassHead(K, T, "fc", dropout=0.0)
    w = fc.conv.weight.view(K, K)
    per_frame = torch.einsum("jk,nkthw->njt", w, h) / (H * W)
    class_major = [per_frame[:, k, t] for k in range(K) for t in range(T)]
    flat = torch.stack(class_major, dim=1)  # (N, K·T)
    torch.testing.assert_close(fc(h), flat @ fc.fc.weight.T + fc.fc.bias)

    gap = ClassHead(K, T, "gap", dropout=0.5)
    expected = torch.einsum("jk,nkthw->nj", gap.conv.weight.view(K, K), h) / (T * H * W)
    torch.testing.assert_close(gap(h), expected)


@pytest.mark.parametrize(("kind", "closed"), [("paper", 0.0), ("gated", 0.0), ("gated", 0.3)])
@pytest.mark.parametrize("relu", [True, False])
def test_fusion_is_equations_1_to_3(kind, closed, relu):
    fusion = Fusion(C, kind, relu, closed).eval()
    with_statistics(fusion.bn)
    f, m_s, m_t = torch.randn(N, C, T, H, W), torch.rand(N, 1, T, H, W), torch.rand(N, T)
    f_s, f_t = torch.zeros_like(f), torch.zeros_like(f)
    for n in range(N):
        for t in range(T):
            weight = max(0.0, (m_t[n, t] - closed) / (1 - closed))
            gate = weight if kind == "gated" else 1.0
            f_s[n, :, t] = (1 + m_s[n, 0, t]) * f[n, :, t] * gate
            f_t[n, :, t] = weight * f[n, :, t]
    left, right = fusion.conv.weight[:, :C, 0, 0, 0], fusion.conv.weight[:, C:, 0, 0, 0]
    x = torch.einsum("oc,ncthw->nothw", left, f_s) + torch.einsum("oc,ncthw->nothw", right, f_t)
    expected = fusion.bn(x)
    torch.testing.assert_close(
        fusion(f, m_s, m_t), expected.clamp(min=0) if relu else expected, atol=1e-5, rtol=1e-5
    )


def test_with_gated_fusion_a_frame_of_weight_zero_is_gone_and_with_the_papers_it_leaks():
    f, other = torch.randn(1, C, T, H, W), None
    other = f.clone()
    other[:, :, 2] = torch.randn(C, H, W)  # only frame 2 differs
    m_s, m_t = torch.rand(1, 1, T, H, W), torch.ones(1, T)
    m_t[0, 2] = 0
    gated, paper = Fusion(C, "gated").eval(), Fusion(C, "paper").eval()
    torch.testing.assert_close(gated(f, m_s, m_t), gated(other, m_s, m_t))
    assert not torch.allclose(paper(f, m_s, m_t), paper(other, m_s, m_t))


def test_a_gate_that_closes_is_shut_for_small_weights_and_open_at_one():
    f = torch.randn(1, C, T, H, W, requires_grad=True)
    m_s, m_t = torch.rand(1, 1, T, H, W), torch.ones(1, T)
    m_t[0, 1], m_t[0, 2] = 0.0, 0.25
    m_t.requires_grad_()
    spatial, temporal = Fusion(C, "gated", closed=0.3).halves(f, m_s, m_t)
    torch.testing.assert_close(spatial[:, :, 3], (1 + m_s[:, :, 3]) * f[:, :, 3])
    torch.testing.assert_close(temporal[:, :, 3], f[:, :, 3])
    assert (spatial[:, :, 1:3] == 0).all()
    assert (temporal[:, :, 1:3] == 0).all()
    (spatial.square().sum() + temporal.square().sum()).backward()
    assert (f.grad[:, :, 1:3] == 0).all()
    assert (m_t.grad[0, 1:3] == 0).all()
    assert (f.grad[:, :, 3] != 0).all()


def test_the_branch_keeps_the_resolution_and_reads_one_h():
    stage = Stage(depth=1, channels=16, temporal_kernel=3, stride=2)
    branch = AttentionBranch(C, stage, K, T)
    out = branch(torch.randn(N, C, T, H, W))
    assert out.logits.shape == (N, K)
    assert out.spatial_attention.shape == (N, 1, T, H, W)
    assert out.temporal_attention.shape == (N, T)


def test_from_evidence_both_attentions_begin_as_the_mean_of_the_class_maps():
    """In evaluation BN is the identity here: M follows from the class maps by hand."""
    h = torch.rand(2, 5, 4, 6, 6)
    spatial, temporal = SpatialHead(5).eval(), TemporalHead(5, 4).eval()
    spatial.start_from_evidence()
    temporal.start_from_evidence()
    rtol = 1e-4  # BN divides by sqrt(1 + 1e-5)
    torch.testing.assert_close(
        spatial(h), torch.sigmoid(h.mean(dim=1, keepdim=True)), rtol=rtol, atol=0
    )
    box = torch.nn.functional.avg_pool3d(h.mean(dim=1, keepdim=True), 3, stride=1, padding=1)
    per_frame = box[:, 0].mean(dim=(2, 3))  # (N, T)
    torch.testing.assert_close(temporal(h), torch.sigmoid(4 * per_frame - 1.6), rtol=rtol, atol=0)


@pytest.mark.parametrize("tail", ["two_fc", "literal"])
def test_from_evidence_a_frame_with_more_of_it_gets_more_weight(tail):
    head = TemporalHead(3, 5, tail).eval()
    head.start_from_evidence()
    h = torch.zeros(1, 3, 5, 4, 4)
    h[:, :, 2], h[:, :, 3] = 2, 1
    weights = head(h)[0]  # each frame sees its two neighbours: 0, ⅔, 1, 1, ⅓
    assert weights[0] < weights[4] < weights[1] < weights[2]
    torch.testing.assert_close(weights[2], weights[3])
