"""Edit an attention, and see whether the answer follows: only a network's own attention allows it.

An edit here is the truth: the clip's own, or another clip's. If an answer is made with the
attention, the own truth should help it and another clip's should not.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stabn.losses import answer
from stabn.models.behind_encoder import BehindEncoder
from studies.known import Known


def _when(clip: Known, _like: Tensor) -> Tensor:
    """(1, T)."""
    return torch.as_tensor(clip.levels)[None]


def _where(clip: Known, like: Tensor) -> Tensor:
    """(1, 1, T, H′, W′): the part of each place that actor and hand cover."""
    return F.adaptive_avg_pool2d(torch.as_tensor(clip.masks).float(), like.shape[-2:])[None, None]


# attention → the truth in its shape, and the axes that it is shared out over where it sums to 1
EDITS: Mapping[str, tuple[str, Callable[[Known, Tensor], Tensor], tuple[int, ...]]] = {
    "when": ("temporal_attention", _when, (1,)),
    "where": ("spatial_attention", _where, (3, 4)),
}


@torch.no_grad()
def followed(model: nn.Module, clips: Sequence[Known]) -> dict[str, dict[str, dict[str, Any]]]:
    """How the answers follow edits of each attention that a network has.

    Returns:
        {``"when"``, ``"where"``: {``"own"`` attention, ``"truth"``, ``"other"`` clip's truth:
        ``top1``; ``probability`` of the true class; ``moved``: how far the probabilities went, half
        the sum of their changes}}, means over clips in [0, 1]. ``{}`` without attention.
    """
    rows: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    for clip, another in zip(clips, [*clips[-1:], *clips[:-1]], strict=True):
        video = clip.video[None]
        output = model(video)
        own = answer(output).softmax(dim=1)[0]
        for which, (name, truth, axes) in EDITS.items():
            attention = getattr(output, name, None)
            if attention is None:
                continue
            rows[which, "own"].append(_row(own, own, clip.label))
            for whose, known in {"truth": clip, "other": another}.items():
                edit = truth(known, attention).to(attention)
                if isinstance(model, BehindEncoder):
                    edit = shared(edit, axes)
                edited = answer(model(video, **{name: edit})).softmax(dim=1)[0]
                rows[which, whose].append(_row(edited, own, clip.label))
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for (which, whose), values in rows.items():
        means = torch.tensor(values).mean(dim=0).tolist()
        found[which][whose] = dict(zip(("top1", "probability", "moved"), means, strict=True))
        found[which][whose]["per_clip"] = [round(probability, 4) for _, probability, _ in values]
    return dict(found)


def _row(probabilities: Tensor, own: Tensor, label: int) -> tuple[float, float, float]:
    right = float(probabilities.argmax() == label)
    return right, probabilities[label].item(), ((probabilities - own).abs().sum() / 2).item()


def shared(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Values ≥ 0 divided by their sum over some axes; the same everywhere where they are all 0."""
    values = values + (values.sum(dim=axes, keepdim=True) == 0)
    return values / values.sum(dim=axes, keepdim=True)
