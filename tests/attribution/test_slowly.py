"""Each method equals a slow, obvious version, or an independent library, on real networks."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam, Occlusion
from torch import nn

from stabn.attribution import Question, agreement, explained
from stabn.attribution.evidence import Evidence
from stabn.attribution.faithfulness import deletion, insertion
from stabn.attribution.grad_cam import grad_cam
from stabn.attribution.intrinsic import intrinsic
from stabn.attribution.occlusion import occlusion
from stabn.attribution.question import FILLS
from stabn.attribution.rise import rise, smooth_masks
from stabn.models.behind_encoder import BehindEncoder
from stabn.models.bilstm import BiLSTM
from stabn.models.convlstm import AttentiveConvLSTM
from stabn.models.resnet3d import Convolutions, ResNet3d
from stabn.models.st_abn import STABN

T, SIDE, CLASS = 4, 24, 1


@pytest.fixture(params=["baseline", "st_abn"])
def model(request) -> nn.Module:
    torch.manual_seed(0)
    made = ResNet3d("small", 3) if request.param == "baseline" else STABN("small", 3, T)
    nn.init.normal_(next(m for n, m in made.named_modules() if n.endswith("fc")).weight)
    return made.eval()


@pytest.fixture
def clip() -> torch.Tensor:
    return torch.randn(3, T, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


class Noted(Question):
    """A question that remembers the masks it was asked with."""

    def __post_init__(self):
        super().__post_init__()
        self.asked = []

    def __call__(self, keep):
        self.asked += keep
        return super().__call__(keep)


def logits(model: nn.Module, clips: torch.Tensor) -> torch.Tensor:
    output = model(clips)
    return output if isinstance(output, torch.Tensor) else output.logits


def probability(model: nn.Module, clip: torch.Tensor) -> float:
    with torch.no_grad():
        return logits(model, clip[None]).softmax(dim=1)[0, CLASS].item()


def test_grad_cam_equals_a_loop_over_channels_frames_and_places(model, clip):
    backbone = getattr(model, "backbone", model) if isinstance(model, STABN) else model
    kept = []
    hook = backbone.layer3.register_forward_hook(lambda _m, _i, out: kept.append(out))
    logit = logits(model, clip[None])[0, CLASS]
    hook.remove()
    (maps,) = kept
    (gradient,) = torch.autograd.grad(logit, maps)
    expected = torch.zeros(T, *maps.shape[3:])
    for t in range(T):
        for y, x in np.ndindex(*maps.shape[3:]):
            for channel in range(maps.shape[1]):
                weight = gradient[0, channel].mean()  # over frames and places
                expected[t, y, x] += weight * maps[0, channel, t, y, x].detach()
    expected = expected.clamp(min=0).numpy()
    ours = grad_cam(Question(model, clip, CLASS))
    assert expected.max() > 0
    np.testing.assert_allclose(ours.spatial, expected, atol=1e-6)
    np.testing.assert_allclose(ours.temporal, expected.mean(axis=(1, 2)), atol=1e-6)


def test_grad_cam_of_the_baseline_is_its_class_activation_map(clip):
    """Its answer is linear in the last maps' mean, so the maps' own weights must come out."""
    torch.manual_seed(0)
    model = ResNet3d("small", 3).eval()
    with torch.no_grad():
        maps = model.layer3(model.features(clip[None]))[0]  # (C, T, h, w)
        scale = model.norm.weight / (model.norm.running_var + model.norm.eps).sqrt()
        places = maps[0].numel()
        cam = torch.einsum("c,cthw->thw", model.fc.weight[CLASS] * scale / places, maps)
    ours = grad_cam(Question(model, clip, CLASS)).spatial
    np.testing.assert_allclose(ours, cam.clamp(min=0), atol=1e-6)


def test_grad_cam_of_a_3d_network_equals_captums(model, clip):
    """Told the layer, which is the last computed, not the last defined."""
    layer = (model.backbone if isinstance(model, STABN) else model).layer3
    theirs = LayerGradCam(lambda clips: logits(model, clips), layer)
    maps = theirs.attribute(clip[None], target=CLASS, relu_attributions=True)[0, 0]
    ours = grad_cam(Question(model, clip, CLASS)).spatial
    np.testing.assert_allclose(ours, maps.detach(), atol=1e-6)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.fixture(params=["convlstm", "bilstm"])
def behind(request) -> BehindEncoder:
    """A network over an encoder's maps: of 24 pixels they are 3×3, of 64 channels."""
    torch.manual_seed(0)
    networks = {
        "convlstm": lambda: AttentiveConvLSTM(64, (3, 3), 3, hidden=4, dense=6),
        "bilstm": lambda: BiLSTM(64 * 3 * 3, T, 3, units=5, dense=6),
    }
    return BehindEncoder(Convolutions("small"), networks[request.param]()).eval()


def test_grad_cam_of_a_network_behind_an_encoder_equals_a_loop(behind, clip):
    maps = behind.features(clip[None])
    (gradient,) = torch.autograd.grad(behind.from_features(maps).logits[0, CLASS], maps)
    expected = np.zeros((T, 3, 3))
    for channel in range(64):
        weight = gradient[0, :, channel].mean().item()
        for t, y, x in np.ndindex(T, 3, 3):
            expected[t, y, x] += weight * maps[0, t, channel, y, x].item()
    ours = grad_cam(Question(behind, clip, CLASS))
    np.testing.assert_allclose(ours.spatial, expected.clip(0), atol=1e-6)


def test_half_an_attention_says_nothing_of_the_other_half(behind, clip):
    with torch.no_grad():
        output = behind(clip[None])
    ours = intrinsic(Question(behind, clip, CLASS))
    if output.temporal_attention is None:
        assert (ours.temporal == 1).all()
        np.testing.assert_array_equal(ours.spatial, output.spatial_attention[0, 0])
    else:
        assert (ours.spatial == 1).all()
        np.testing.assert_array_equal(ours.temporal, output.temporal_attention[0])
    levels = np.array([[0, 1, 0, 0.5]])
    found = agreement([ours], levels, np.random.default_rng(0).random((1, T, SIDE, SIDE)) < 0.2)
    if output.temporal_attention is None:
        assert (found.when.value, found.iou.value) == (0, pytest.approx(found.iou.chance))
    else:
        assert found.pointing.value == pytest.approx(found.pointing.chance)
        assert found.mass.value == pytest.approx(found.mass.chance)


def test_a_frozen_network_is_explained_as_any_other(model, clip):
    before = grad_cam(Question(model, clip, CLASS))
    with torch.no_grad():
        after = grad_cam(Question(model.requires_grad_(False), clip, CLASS))
    np.testing.assert_array_equal(before.spatial, after.spatial)


@pytest.mark.parametrize("fill", ["mean", "still"])
def test_occlusion_equals_captums(model, clip, fill):
    other = FILLS[fill](clip)[None]

    def ask(clips):
        return logits(model, clips).softmax(dim=1)

    shared = {"target": CLASS, "baselines": other}
    windows = {"sliding_window_shapes": (3, 1, SIDE, SIDE), "strides": (3, 1, SIDE, SIDE)}
    with torch.no_grad():
        in_time = Occlusion(ask).attribute(clip[None], **windows, **shared)
        windows = dict.fromkeys(windows, (3, 2, 8, 8))
        in_space = Occlusion(ask).attribute(clip[None], **windows, **shared)
    ours = occlusion(Question(model, clip, CLASS, fill), cells=3, frames=2)
    np.testing.assert_allclose(ours.temporal, in_time[0, 0, :, 0, 0], atol=1e-6)
    np.testing.assert_allclose(ours.spatial, in_space[0, 0, :, ::8, ::8], atol=1e-6)


def test_occlusion_of_a_length_and_a_side_that_do_not_divide(model, clip):
    ours = occlusion(Question(model, clip, CLASS), cells=5, frames=3)
    assert ours.spatial.shape == (T, 5, 5)
    np.testing.assert_array_equal(ours.spatial[0], ours.spatial[2])
    hidden = clip.clone()
    hidden[:, 3:, 19:, 19:] = clip.mean(dim=(1, 2, 3)).view(3, 1, 1, 1)  # of 24 pixels 19 to 23
    fall = probability(model, clip) - probability(model, hidden)
    assert ours.spatial[3, 4, 4] == pytest.approx(fall, abs=1e-6)


def test_rise_equals_a_loop_over_masks_and_places(model, clip):
    ask = Noted(model, clip, CLASS)
    ours = rise(ask, masks=20, cells=3, frames=2, seed=5)
    masks = [mask.expand(T, SIDE, SIDE) for mask in ask.asked]
    grey = clip.mean(dim=(1, 2, 3)).view(3, 1, 1, 1)
    answers = np.array([probability(model, m * clip + (1 - m) * grey) for m in masks])
    for kind, at in (("time", slice(0, 20)), ("space", slice(20, 40))):
        mean = answers[at].mean()
        for t, y, x in np.ndindex(T, 3, 3):
            rows, columns = slice(8 * y, 8 * y + 8), slice(8 * x, 8 * x + 8)
            kept = np.array([m[t, rows, columns].mean().item() for m in masks[at]])
            gain = (kept * answers[at]).sum() / kept.sum() - mean
            got = ours.temporal[t] if kind == "time" else ours.spatial[t, y, x]
            assert got == pytest.approx(gain, abs=1e-6)


def test_rise_s_masks_are_smooth_shifted_and_half_open():
    draw = torch.Generator().manual_seed(0)
    masks = smooth_masks(400, (6, 20, 28), 7, 4, draw)
    assert masks.shape == (400, 6, 20, 28)
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert masks.mean() == pytest.approx(0.5, abs=0.02)
    assert masks.diff(dim=3).abs().max() <= 1 / 4 + 1e-6  # a step of four pixels from 0 to 1
    assert len({mask.numpy().tobytes() for mask in masks}) == 400
    again = smooth_masks(400, (6, 20, 28), 7, 4, torch.Generator().manual_seed(0))
    assert torch.equal(masks, again)


@pytest.mark.parametrize("fill", ["mean", "still"])
@pytest.mark.parametrize("over", ["time", "space", "both"])
def test_insertion_and_deletion_equal_a_loop(model, clip, over, fill):
    rng = np.random.default_rng(0)
    evidence = Evidence(rng.random(T, np.float32), rng.random((T, 3, 3), np.float32))
    other = FILLS[fill](clip)
    if over == "time":
        scores = evidence.temporal[:, None, None]
    elif over == "space":
        scores = evidence.spatial
    else:
        scores = evidence.temporal[:, None, None] * evidence.spatial
    parts = {"time": T, "space": 9, "both": 36}[over]
    steps = {"time": 4, "space": 3, "both": 6}[over]
    rising, falling = [], []
    for step in range(steps + 1):
        taken = round(parts * step / steps)
        full, empty = other.clone(), clip.clone()
        for t in range(T):
            own = scores[t] if over == "space" else scores  # each frame's own order, or all
            best = sorted(own.ravel(), reverse=True)[:taken]
            for y, x in np.ndindex(scores.shape[1:]):
                if scores[t, y, x] in best:
                    high, wide = SIDE // scores.shape[1], SIDE // scores.shape[2]
                    place = slice(high * y, high * (y + 1)), slice(wide * x, wide * (x + 1))
                    full[:, t, *place] = clip[:, t, *place]
                    empty[:, t, *place] = other[:, t, *place]
        rising.append(probability(model, full))
        falling.append(probability(model, empty))
    ask = Question(model, clip, CLASS, fill)
    up, down = (
        insertion(ask, evidence, over, steps=steps),
        deletion(ask, evidence, over, steps=steps),
    )
    np.testing.assert_allclose(up.probability, rising, atol=1e-6)
    np.testing.assert_allclose(down.probability, falling, atol=1e-6)
    heights = [(a + b) / 2 / steps for a, b in pairwise(rising)]
    assert up.area == pytest.approx(sum(heights), abs=1e-6)
    assert ask.passes == 2 * (steps + 1)


def test_inserting_from_the_other_end_is_deleting_read_backwards(model, clip):
    rng = np.random.default_rng(1)
    own = Evidence(rng.random(T, np.float32), rng.random((T, 3, 3), np.float32))
    turned = Evidence(-own.temporal, -own.spatial)
    ask = Question(model, clip, CLASS)
    for over, steps in (("time", 4), ("space", 3)):
        falling = deletion(ask, own, over, steps=steps)
        rising = insertion(ask, turned, over, steps=steps)
        np.testing.assert_allclose(rising.probability, falling.probability[::-1], atol=1e-6)


def test_equal_evidence_is_ordered_by_chance_not_by_time(clip):
    ask = Noted(ResNet3d("small", 3).eval(), clip.repeat(1, 4, 1, 1), CLASS)
    flat = Evidence(np.zeros(4 * T, np.float32), np.zeros((4 * T, 2, 2), np.float32))
    insertion(ask, flat, "time", steps=2)
    half = ask.asked[1].flatten()
    assert half.sum() == 2 * T
    assert half[: 2 * T].sum() not in (0, 2 * T)


def test_intrinsic_is_what_the_network_used(clip):
    torch.manual_seed(0)
    model = STABN("small", 3, T).eval()
    with torch.no_grad():
        output = model(clip[None])
    found = explained("intrinsic", Question(model, clip, CLASS))
    np.testing.assert_array_equal(found.evidence.temporal, output.temporal_attention[0])
    np.testing.assert_array_equal(found.evidence.spatial, output.spatial_attention[0, 0])
    assert found.passes == 1
    assert intrinsic(Question(model, clip, 2)).temporal.tolist() == found.evidence.temporal.tolist()
