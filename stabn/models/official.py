"""Checkpoints of the 2022 public release → this library's ST-ABN, tensor by tensor.

The release's names are on the left, ours on the right; the backbone's own names (``conv1``,
``bn1``, ``layer1`` …, ``fc``) are the same under our ``backbone.``. Build the model with
``STABN(..., **OFFICIAL)``. That release feeds BGR frames; here the *weights* are turned: the input
channels of ``conv1`` are reversed, so that the loaded network reads RGB like every other. (Its
constants 103.53, 116.28, 123.675 and 57.375, 57.12, 58.395 are ImageNet's in reverse.)
"""

from pathlib import Path

from torch import Tensor

from stabn.models.st_abn import STABN
from stabn.models.weights import WeightsError, plain_names, read_content

PREFIXES = {
    "layer_att_common.": "attention_branch.stage.",
    "conv_att_common.0.": "attention_branch.to_classes.0.",
    "conv_att_common.1.": "attention_branch.to_classes.1.",
    "conv_att_common.2.": "attention_branch.to_classes.2.",
    "conv_att_out.0.": "attention_branch.class_head.conv.",
    "fc_att_out.": "attention_branch.class_head.fc.",
    "conv_spatial_att.0.": "attention_branch.spatial_head.conv.",
    "conv_spatial_att.1.": "attention_branch.spatial_head.bn.",
    "conv_temp_att1.0.": "attention_branch.temporal_head.conv.",
    "conv_temp_att1.1.": "attention_branch.temporal_head.bn.",
    "conv_temp_att2.0.": "attention_branch.temporal_head.mix.",
    "conv_temp_att3.0.": "attention_branch.temporal_head.fc1.",
    "conv_temp_att3.2.": "attention_branch.temporal_head.fc2.",
    "conv_att_mechanism.0.": "fusion.conv.",
    "conv_att_mechanism.1.": "fusion.bn.",
}


def our_name(official: str) -> str:
    """``conv_temp_att3.2.weight`` → ``attention_branch.temporal_head.fc2.weight``."""
    for theirs, ours in PREFIXES.items():
        if official.startswith(theirs):
            return ours + official.removeprefix(theirs)
    return f"backbone.{official}"


def official_name(ours: str) -> str:
    """The inverse of :func:`our_name`."""
    for theirs, mine in PREFIXES.items():
        if ours.startswith(mine):
            return theirs + ours.removeprefix(mine)
    return ours.removeprefix("backbone.")


def load_official(model: STABN, path: Path) -> None:
    """Load a checkpoint of the 2022 release, turning ``conv1`` from BGR to RGB.

    Args:
        model: built with ``STABN(backbone, num_classes, num_frames, **OFFICIAL)``.
        path: their checkpoint: a dict with the weights under ``model_state_dict``, names with or
            without ``module.``.

    Raises:
        WeightsError: not such a file, or made for another backbone, class count or clip length.
    """
    checkpoint = read_content(path)
    if not isinstance(checkpoint, dict) or "model_state_dict" not in checkpoint:
        raise WeightsError(f"{path}: no 'model_state_dict' in it: not a checkpoint of that release")

    theirs = plain_names(checkpoint["model_state_dict"])
    state: dict[str, Tensor] = {our_name(name): tensor for name, tensor in theirs.items()}
    own = model.state_dict()
    missing = sorted(own.keys() - state.keys())
    unknown = sorted(state.keys() - own.keys())
    shapes = sorted(n for n in own.keys() & state.keys() if own[n].shape != state[n].shape)
    if missing or unknown or shapes:
        raise WeightsError(
            f"{path}: made for another network ({len(missing)} tensors missing, {len(unknown)} "
            f"unknown, {len(shapes)} of another shape, e.g. {(shapes + missing + unknown)[0]}): "
            "check backbone, num_classes and num_frames, and build the model with **OFFICIAL"
        )
    state["backbone.conv1.weight"] = state["backbone.conv1.weight"].flip(1)
    model.load_state_dict(state)
