"""The network's own attention, where it has one."""

import torch

from stabn.attribution.evidence import Evidence, Unexplained
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
    temporal, spatial = (
        getattr(output, f"{kind}_attention", None) for kind in ("temporal", "spatial")
    )
    if temporal is None and spatial is None:
        raise Unexplained(
            f"{type(question.model).__name__} has no attention of its own to show; choose another "
            f"method, or give an ST-ABN's checkpoint"
        )
    if temporal is None:
        temporal = torch.ones_like(spatial[:, 0, :, 0, 0])
    if spatial is None:
        spatial = torch.ones_like(temporal[:, None, :, None, None])
    return Evidence(temporal[0].float().cpu().numpy(), spatial[0, 0].float().cpu().numpy())
