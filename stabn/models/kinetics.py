"""Slow ResNets trained on Kinetics, by pytorchvideo's and PySlowFast's names → our backbone.

The networks are ours, layer by layer: a 1×7×7 stem, temporal kernels 1, 1, 3, 3, no stride in time,
the spatial stride in the 3×3 convolution. So each tensor has its place, and f(x) is theirs. Two
things differ:

- The last layer answers for Kinetics' classes; ours keeps its fresh values.
- They read frames as (p − 0.45) / 0.225, for p in [0, 1]; ours read ImageNet's mean and deviation.
  Here the *weights* are turned, the first kernel and its BN's mean, so that the stem gives for our
  frames what it gave for theirs. At the clip's edge it differs by a little: the zeros around it
  stand for another grey.
"""

import re

import torch
from torch import Tensor

from stabn.data.transforms import MEAN, STD
from stabn.models.weights import WeightsError

THEIR_MEAN, THEIR_STD = 0.45, 0.225

LAYERS = {
    "blocks.0.conv": "conv1",
    "blocks.0.norm": "bn1",
    "blocks.5.proj": "fc",
    "s1.pathway0_stem.conv": "conv1",
    "s1.pathway0_stem.bn": "bn1",
    "head.projection": "fc",
}
# within a block; a: k×1×1, b: 1×3×3, c: 1×1×1
PARTS = {
    "branch1_conv": "downsample.0",
    "branch1_norm": "downsample.1",
    "branch1": "downsample.0",
    "branch1_bn": "downsample.1",
}
for _number, _letter in enumerate("abc", start=1):
    PARTS |= {f"branch2.conv_{_letter}": f"conv{_number}", f"branch2.{_letter}": f"conv{_number}"}
    PARTS |= {f"branch2.norm_{_letter}": f"bn{_number}", f"branch2.{_letter}_bn": f"bn{_number}"}
# number of the first stage there, and the form of a block's names
BLOCKS = (
    (1, re.compile(r"blocks\.([1-4])\.res_blocks\.(\d+)\.(.+)")),
    (2, re.compile(r"s([2-5])\.pathway0_res(\d+)\.(.+)")),
)


def is_theirs(state: dict[str, Tensor]) -> bool:
    """Whether a state dict's names are those of pytorchvideo or PySlowFast."""
    return any(name.startswith(("blocks.0.", "s1.pathway0_")) for name in state)


def our_name(theirs: str) -> str | None:
    """``s4.pathway0_res2.branch2.a_bn.bias`` → ``layer3.2.bn1.bias``; None without a place."""
    layer, _, tensor = theirs.rpartition(".")
    if layer in LAYERS:
        return f"{LAYERS[layer]}.{tensor}"
    for first, form in BLOCKS:
        if (found := form.fullmatch(layer)) and found[3] in PARTS:
            return f"layer{int(found[1]) - first + 1}.{found[2]}.{PARTS[found[3]]}.{tensor}"
    return None


def renamed(state: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """The same tensors by our names.

    Raises:
        WeightsError: some have no place in a slow ResNet: another network's.
    """
    names = {name: our_name(name) for name in state}
    if strange := [name for name, ours in names.items() if ours is None]:
        two = any(".multipathway_" in name or "pathway1_" in name for name in strange)
        what = "a SlowFast network's, of two pathways" if two else "not a slow ResNet's"
        raise WeightsError(
            f"{source}: its weights are {what} ({len(strange)} of {len(state)} tensors have no "
            f"place here, {strange[0]} among them); a slow network's, as SLOW_8x8_R50, would fit"
        )
    return {ours: state[name] for name, ours in names.items()}


def turned(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same network, by our names, for frames normalised as ours are.

    The first convolution of theirs, w ∗ x + 0 with x = (p − 0.45) / 0.225, is (w·s) ∗ x′ + b for
    our x′ = (p − mean) / std, with s = std / 0.225 and b = Σ w·(mean − 0.45) / 0.225. BN's mean
    takes up b.
    """
    if not {"conv1.weight", "bn1.running_mean"} <= state.keys():
        return state  # whoever copies it names what is missing
    mean, std = (torch.tensor(values).view(1, 3, 1, 1, 1) for values in (MEAN, STD))
    kernel = state["conv1.weight"]  # (O, 3, 1, 7, 7)
    shift = (kernel * (mean - THEIR_MEAN) / THEIR_STD).sum(dim=(1, 2, 3, 4))
    return state | {
        "conv1.weight": kernel * std / THEIR_STD,
        "bn1.running_mean": state["bn1.running_mean"] - shift,
    }
