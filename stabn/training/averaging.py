"""One network on several processes: its gradients averaged, and rank 0's statistics for all."""

import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from stabn.training.process import Process


def averaging(network: nn.Module, me: Process) -> nn.Module:
    """A network whose gradients are averaged over all processes; as it is, where there is one.

    Gradients lie in the buckets that are sent, not beside them. BN's running statistics are not
    sent at every step, as PyTorch would: no step of training reads them. Who evaluates the network
    calls :func:`share_statistics` first.
    """
    if me.world_size == 1:
        return network
    trained = DistributedDataParallel(network, gradient_as_bucket_view=True)
    trained.broadcast_buffers = False  # as a keyword it has one name or another, by the version
    return trained


def share_statistics(model: nn.Module, me: Process) -> None:
    """Give every rank rank 0's BN statistics, so that all evaluate the network that is saved."""
    if me.world_size > 1:
        for buffer in model.buffers():
            dist.broadcast(buffer, 0)
