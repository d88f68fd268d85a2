"""Kinetics' slow networks under their own names: the same features from our backbone."""

from itertools import count

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from stabn.models.inflation import load_inflated
from stabn.models.kinetics import is_theirs, renamed, turned
from stabn.models.resnet3d import ResNet3d
from stabn.models.weights import WeightsError, state_dict_in

STAGES = [(3, 64, 1), (4, 128, 1), (6, 256, 3), (3, 512, 3)]  # blocks, width, temporal kernel


def slow_r50() -> dict[str, Tensor]:
    """Random weights by pytorchvideo's names, as its slow_r50 has them."""
    torch.manual_seed(0)
    state = {}

    def layer(conv: str, norm: str, *shape: int) -> None:
        fan_in = shape[1] * shape[2] * shape[3] * shape[4]
        state[f"{conv}.weight"] = torch.randn(shape) / fan_in**0.5
        for name in ("weight", "bias", "running_mean", "running_var"):
            state[f"{norm}.{name}"] = 0.5 + torch.rand(shape[0])
        state[f"{norm}.num_batches_tracked"] = torch.tensor(7)

    layer("blocks.0.conv", "blocks.0.norm", 64, 3, 1, 7, 7)
    inputs = 64
    for stage, (depth, width, time) in enumerate(STAGES, start=1):
        for number in range(depth):
            block = f"blocks.{stage}.res_blocks.{number}"
            inner = f"{block}.branch2"
            if number == 0:
                layer(f"{block}.branch1_conv", f"{block}.branch1_norm", 4 * width, inputs, 1, 1, 1)
            layer(f"{inner}.conv_a", f"{inner}.norm_a", width, inputs, time, 1, 1)
            layer(f"{inner}.conv_b", f"{inner}.norm_b", width, width, 1, 3, 3)
            layer(f"{inner}.conv_c", f"{inner}.norm_c", 4 * width, width, 1, 1, 1)
            inputs = 4 * width
    state["blocks.5.proj.weight"] = torch.randn(400, 2048)
    state["blocks.5.proj.bias"] = torch.randn(400)
    return state


def by_pyslowfasts_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors as PySlowFast writes them, which counts the stem as its first stage."""
    told = {}
    for name, tensor in state.items():
        parts = name.split(".")
        if parts[1] == "0":
            name = ".".join(["s1", "pathway0_stem", parts[2].replace("norm", "bn"), parts[3]])
        elif parts[1] == "5":
            name = f"head.projection.{parts[3]}"
        else:
            layer = ".".join(parts[4:-1])
            for theirs, its in [("branch1_conv", "branch1"), ("branch1_norm", "branch1_bn")]:
                layer = its if layer == theirs else layer
            for letter in "abc":
                layer = layer.replace(f"conv_{letter}", letter)
                layer = layer.replace(f"norm_{letter}", f"{letter}_bn")
            name = f"s{int(parts[1]) + 1}.pathway0_res{parts[3]}.{layer}.{parts[-1]}"
        told[name] = tensor
    return told


def features(state: dict[str, Tensor], clip: Tensor) -> Tensor:
    """What pytorchvideo's slow_r50 gives before its head: its layers, one after the other."""

    def norm(x: Tensor, name: str) -> Tensor:
        values = [state[f"{name}.{n}"] for n in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *values)

    x = F.conv3d(clip, state["blocks.0.conv.weight"], stride=(1, 2, 2), padding=(0, 3, 3))
    x = F.max_pool3d(F.relu(norm(x, "blocks.0.norm")), (1, 3, 3), (1, 2, 2), (0, 1, 1))
    for stage in range(1, 5):
        for number in count():
            block = f"blocks.{stage}.res_blocks.{number}"
            if f"{block}.branch2.conv_a.weight" not in state:
                break
            stride = (1, 2, 2) if stage > 1 and number == 0 else 1
            a, b, c = (state[f"{block}.branch2.conv_{i}.weight"] for i in "abc")
            y = F.conv3d(x, a, padding=(a.shape[2] // 2, 0, 0))
            y = F.conv3d(F.relu(norm(y, f"{block}.branch2.norm_a")), b, None, stride, (0, 1, 1))
            y = F.conv3d(F.relu(norm(y, f"{block}.branch2.norm_b")), c)
            if f"{block}.branch1_conv.weight" in state:
                x = F.conv3d(x, state[f"{block}.branch1_conv.weight"], None, stride)
                x = norm(x, f"{block}.branch1_norm")
            x = F.relu(x + norm(y, f"{block}.branch2.norm_c"))
    return x


@pytest.fixture(scope="module")
def theirs() -> dict[str, Tensor]:
    return slow_r50()


@pytest.fixture(scope="module")
def network() -> ResNet3d:
    return ResNet3d("resnet50", 5).eval()


@pytest.mark.parametrize("told", [dict, by_pyslowfasts_names])
@torch.no_grad()
def test_our_backbone_gives_their_features(theirs, network, told):
    state = told(theirs)
    assert is_theirs(state)
    load_inflated(network, renamed(state, "slow.pyth"))
    clip = torch.randn(1, 3, 4, 32, 32)
    ours = network.layer4(network.features(clip))
    right = features(theirs, clip)
    assert right.std() > 0.1
    torch.testing.assert_close(ours, right, rtol=1e-3, atol=1e-3 * float(right.std()))


@torch.no_grad()
def test_the_stem_gives_for_our_frames_what_it_gave_for_theirs(theirs, network):
    """Away from the edge; by their preprocessing and ours, written out."""
    load_inflated(network, turned(renamed(theirs, "slow.pyth")))
    pixels = torch.rand(1, 3, 2, 32, 32)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1, 1)
    ours = network.bn1(network.conv1((pixels - mean) / std))
    y = F.conv3d(
        (pixels - 0.45) / 0.225, theirs["blocks.0.conv.weight"], None, (1, 2, 2), (0, 3, 3)
    )
    right = F.batch_norm(
        y,
        *(theirs[f"blocks.0.norm.{n}"] for n in ("running_mean", "running_var", "weight", "bias")),
    )
    inside = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(ours[inside], right[inside], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(ours, right, atol=1e-2)  # around the clip lie zeros: another grey


def test_another_network_is_named(theirs, network):
    slowfast = {
        n.replace("blocks.0.", "blocks.0.multipathway_blocks.0."): t for n, t in theirs.items()
    }
    with pytest.raises(WeightsError, match=r"x\.pyth: .* a SlowFast network's.*multipathway"):
        renamed(slowfast, "x.pyth")
    with pytest.raises(WeightsError, match=r"x\.pyth: .* not a slow ResNet's \(1 of .*blocks.6"):
        renamed(theirs | {"blocks.6.weight": torch.zeros(1)}, "x.pyth")
    flat = {n: t[:, :, :1] if "conv_a" in n else t for n, t in theirs.items()}  # as C2D's kernels
    before = network.layer3[0].conv1.weight.clone()
    with pytest.raises(WeightsError, match=r"9 tensors do not fit: layer3\.0\.conv1\.weight is"):
        load_inflated(network, renamed(flat, "x.pyth"), "x.pyth")
    assert torch.equal(before, network.layer3[0].conv1.weight)


@pytest.mark.parametrize("key", ["model_state", "state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize(
    "prefix", ["", "module.", "_orig_mod.", "model.", "model.module._orig_mod."]
)
def test_what_wraps_a_state_dict_is_taken_off(tmp_path, key, prefix):
    state = {"conv1.weight": torch.ones(2), "layer1.bias": torch.zeros(1)}
    wrapped = {key: {prefix + name: tensor for name, tensor in state.items()}, "epoch": 3}
    for content in (wrapped, wrapped[key]):
        assert state_dict_in(content, tmp_path / "x.pyth") == state
