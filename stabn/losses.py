"""L = L_att + L_per (equation (4)), and L_temp for fine-tuning (equations (5) and (6))."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from stabn.models.output import VideoOutput
from stabn.models.st_abn import STABNOutput


class ClassificationLoss(NamedTuple):
    """Scalars: ``total`` = ``attention`` + ``perception``; ``attention`` is 0 without a branch."""

    total: Tensor
    attention: Tensor
    perception: Tensor


def classification_loss(
    logits: Tensor, attention_logits: Tensor | None, labels: Tensor, smoothing: float = 0.0
) -> ClassificationLoss:
    """Equation (4): cross-entropy of both branches, equally weighted, averaged over the batch.

    Args:
        logits: (N, K) of the perception branch.
        attention_logits: (N, K) of the attention branch, or None for the plain backbone.
        labels: int64 (N,) in [0, K).
        smoothing: ε in [0, 1): the target is 1 − ε for the label and ε/K more for every class.
    """
    perception = cross_entropy(logits, labels, label_smoothing=smoothing)
    if attention_logits is None:
        return ClassificationLoss(perception, torch.zeros_like(perception), perception)
    attention = cross_entropy(attention_logits, labels, label_smoothing=smoothing)
    return ClassificationLoss(attention + perception, attention, perception)


def loss_of(
    output: Tensor | STABNOutput | VideoOutput, labels: Tensor, smoothing: float = 0.0
) -> ClassificationLoss:
    """The loss of what a network gives, whichever it is; labels and smoothing as above.

    Of a network that names a class at every step, it is the mean over all steps.
    """
    if getattr(output, "step_logits", None) is not None:
        steps = output.step_logits  # (N, T, K)
        repeated = labels.repeat_interleave(steps.shape[1])
        return classification_loss(steps.flatten(0, 1), None, repeated, smoothing)
    branch = getattr(output, "attention_logits", None)
    return classification_loss(answer(output), branch, labels, smoothing)


def answer(output: Tensor | STABNOutput | VideoOutput) -> Tensor:
    """The logits (N, K) that count, of whatever a network gives."""
    return output if isinstance(output, Tensor) else output.logits


def temporal_loss(
    temporal_attention: Tensor,
    target: Tensor,
    edited: Tensor,
    gamma: float,
    divisor: Tensor | float | None = None,
) -> Tensor:
    """Equation (6): γ_t · mean over frames of (M_t′ − M_t)², averaged over the *edited* clips.

    Clips without an edit have no part in it, nor in the average; with none at all it is 0.

    Args:
        temporal_attention: M_t, (N, T).
        target: M_t′, (N, T) in [0, 1]; rows of clips without an edit are not read.
        edited: bool (N,), which clips have an edit.
        gamma: γ_t.
        divisor: what the sum over edited clips is divided by; None for their number. Where several
            processes share a batch and average their gradients, it is the number of edited clips
            in the whole batch over the number of processes.
    """
    per_clip = (target[edited] - temporal_attention[edited]).square().mean(dim=1)  # (edited,)
    return gamma * per_clip.sum() / (edited.sum().clamp(min=1) if divisor is None else divisor)
