"""The network's own attention, where it has one."""

import torch
from torch import Tensor

from stabn.attribution.evidence import Evidence, Unexplained
from stabn.attribution.question import Question


@torch.no_grad()
def intrinsic(question: Question) -> Evidence:
    """M_t and M_s as the answer was made with them, raw, in [0, 1]; the class plays no part.

    Raises:
        Unexplained: the network answers with logits alone.
    """
    output = question.model(question.clip[None])
    question.passes += 1
    if isinstance(output, Tensor):
        raise Unexplained(
            f"{type(question.model).__name__} has no attention of its own to show; choose another "
            f"method, or give an ST-ABN's checkpoint"
        )
    return Evidence(
        output.temporal_attention[0].float().cpu().numpy(),
        output.spatial_attention[0, 0].float().cpu().numpy(),
    )
