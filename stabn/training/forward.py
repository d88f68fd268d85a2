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
    """The network's output for a batch; ``how`` are its own arguments, as ``invert_spatial``."""
    return network(normalise(batch.video.to(device, non_blocking=True)), **how)
