"""The network's own attention, where it has one."""

import torch

from stabn.attribution.evidence import Evidence, Unexplained
from stabn.attribution.occlusion import CELLS
from stabn.attribution.question import Question


@torch.no_grad()
def intrinsic(question: Question) -> Evidence:
    """M_t and M_s as the answer was made with them, raw, in [0, 1]; the class plays no part.

    A network that weighs either frames or places weighs the others alike: they have 1 each.

    Raises:
        Unexplained: the network answers with logits alone.
    """
    output = question.model(question.clip[None])
    question.passes += 1
    temporal = getattr(output, "temporal_attention", None)
    spatial = getattr(output, "spatial_attention", None)
    if temporal is None and spatial is None:
        raise Unexplained(
            "this network has no attention of its own to show; choose another method, such as "
            "occlusion or rise"
        )
    t = question.frames
    temporal = torch.ones(t) if temporal is None else temporal[0]
    spatial = torch.ones(t, CELLS, CELLS) if spatial is None else spatial[0, 0]
    return Evidence(temporal.float().cpu().numpy(), spatial.float().cpu().numpy())
