"""What a network answers to a batch."""

from typing import Any

import torch
from torch import Tensor, nn

from stabn.data.dataset import Batch
from stabn.data.transforms import normalise
from stabn.models.output import VideoOutput
from stabn.models.st_abn import STABNOutput

Output = Tensor | STABNOutput | VideoOutput  # logits (N, K) alone, of a network without attention


def forward(network: nn.Module, batch: Batch, device: torch.device, **how: Any) -> Output:
    """The network's output for a batch; ``how`` are its own arguments, as ``invert_spatial``.

    Where features of short videos are filled up, it is told how long each video is.
    """
    present = batch.frame_indices >= 0  # (N, T)
    if not present.all():
        how["lengths"] = present.sum(dim=1).to(device)
    return network(inputs(batch, device), **how)


def inputs(batch: Batch, device: torch.device) -> Tensor:
    """What a network reads of a batch, on a device: frames normalised, or features as they are."""
    video = batch.video.to(device, non_blocking=True)
    return video if video.is_floating_point() else normalise(video)
