"""Over how many clips and values batch normalisation takes its statistics in training."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from stabn.training.build import build_model
from stabn.training.config import ConfigError, RunConfig
from stabn.training.process import Process


def clips_together(config: RunConfig, me: Process) -> int:
    """Clips over which they are taken: a process's share of a part, with ``sync_bn`` all's."""
    part = config.batch_size // config.accumulate
    return part if config.sync_bn else part // me.world_size


@contextmanager
def noting_values(model: nn.Module) -> Iterator[dict[str, int]]:
    """{layer: values of a channel in one clip}, T·H·W as a rule, of what is trained within."""
    seen: dict[str, int] = {}

    def note(name: str, layer: nn.Module, given: Tensor) -> None:
        if layer.training:
            seen[name] = given[0].numel() // layer.num_features

    layers = [(n, m) for n, m in model.named_modules() if isinstance(m, _BatchNorm)]
    hooks = [
        layer.register_forward_pre_hook(lambda layer, given, name=name: note(name, layer, given[0]))
        for name, layer in layers
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def check_statistics(config: RunConfig, num_classes: int, me: Process) -> None:
    """Whether every layer has more than one value: one alone has no spread to be divided by.

    Raises:
        ConfigError: a single clip, and in it a single value; the message says what to change.
    """
    if clips_together(config, me) > 1 or config.encoder:  # behind features there are no such layers
        return
    with torch.device("meta"):  # shapes alone go through, nothing is computed
        model = build_model(config, num_classes).train()
        clip = torch.empty(1, 3, config.num_frames, config.image_size, config.image_size)
        try:
            model(clip)
        except ValueError as error:  # PyTorch's of such a layer
            raise ConfigError(
                f"batch_size: {config.batch_size} leaves each process a single clip at a time, and "
                f"this network normalises over the clips of a batch; use a multiple of "
                f"{2 * me.world_size * config.accumulate}, fewer processes or a lower accumulate"
            ) from error
