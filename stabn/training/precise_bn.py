"""BN's statistics for the network as it is now, from many training clips ("precise BN").

The running statistics of training average over the last hundred steps or so, in which the weights
were other ones, and on several processes they are those of rank 0's clips alone. Here they are
taken anew: the clips of some training batches go through the network as in training, and each layer
gets mean and variance over all of them, on all processes.
"""

from collections.abc import Iterable
from itertools import islice

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from stabn.training.forward import inputs
from stabn.training.process import Process, autocast
from stabn.training.step import Run


def re_estimate(run: Run) -> None:
    """Take BN's statistics from the first ``precise_bn`` batches of the epoch just done.

    Each batch goes through in its ``accumulate`` parts, without dropout, and changes no weight.
    """

    def videos() -> Iterable[Tensor]:
        run.loader.batch_sampler.start_batch = 0
        for batch in islice(run.loader, run.config.precise_bn):
            if run.me.total(run.me.terminated.is_set())[0]:
                run.me.leave()
            for part in batch.split(run.config.accumulate):
                yield inputs(part, run.me.device)

    with autocast(run.precision, run.me.device):
        set_statistics(run.model, videos(), run.me)


@torch.no_grad()
def set_statistics(model: nn.Module, clips: Iterable[Tensor], me: Process) -> None:
    """Give every BN layer the mean and variance of its inputs, all positions of all clips alike.

    As in training a layer normalises by what it sees at a time; everything else is as in
    evaluation. A collective call: all processes end with the same statistics.

    Args:
        model: its running statistics are replaced; its mode stays.
        clips: what this process puts through it, (n, 3, T, H, W) at a time.
        me: this process.
    """
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not layers:
        return
    counted = [layer.num_batches_tracked.clone() for layer in layers]
    sums = {layer: torch.zeros(3, layer.num_features, dtype=torch.float64) for layer in layers}

    def add(layer: _BatchNorm, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].float()
        variance, mean = torch.var_mean(x, [d for d in range(x.dim()) if d != 1], correction=0)
        variance, mean = variance.double().cpu(), mean.double().cpu()
        n = x.numel() / layer.num_features
        sums[layer] += n * torch.stack([torch.ones_like(mean), mean, variance + mean.square()])

    training = model.training
    model.eval()
    hooks = [layer.train().register_forward_pre_hook(add) for layer in layers]
    for clip in clips:
        model(clip)
    for hook in hooks:
        hook.remove()
    model.train(training)

    total = torch.cat(list(sums.values()), dim=1)
    if me.world_size > 1:
        dist.all_reduce(total)
    parts = total.split([layer.num_features for layer in layers], dim=1)
    for layer, count, (n, first, second) in zip(layers, counted, parts, strict=True):
        mean = first / n
        layer.running_mean.copy_(mean)
        layer.running_var.copy_((second / n - mean.square()) * n / (n - 1))  # unbiased, as BN's are
        layer.num_batches_tracked.copy_(count)
