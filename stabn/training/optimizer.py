"""What changes the weights, and by how much: the optimizer, and the course of its learning rate."""

import math

from torch import nn
from torch.optim import SGD, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import (
    LambdaLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
)

from stabn.training.config import RunConfig


def make_optimizer(config: RunConfig, model: nn.Module) -> Optimizer:
    """SGD, AdamW or RMSProp over the parameters that are trained; fused kernels, where there are.

    RMSProp has the settings that Keras gives it: the mean of squares keeps 0.9 of itself a step.

    Without ``decay_bn_and_biases`` there are two groups: kernels, with weight decay; and the
    vectors, which are BN's scales and shifts and all biases, without.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not config.decay_bn_and_biases:
        vectors = [p for p in parameters if p.dim() <= 1]
        parameters = [p for p in parameters if p.dim() > 1]
        parameters = [{"params": parameters}, {"params": vectors, "weight_decay": 0.0}]
    if config.optimizer == "adamw":
        return AdamW(parameters, config.scaled_lr, weight_decay=config.weight_decay, fused=True)
    if config.optimizer == "rmsprop":
        decay = config.weight_decay
        return RMSprop(parameters, config.scaled_lr, alpha=0.9, eps=1e-7, weight_decay=decay)
    return SGD(
        parameters,
        config.scaled_lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
        weight_decay=config.weight_decay,
        fused=True,
    )


def learning_rate(optimizer: Optimizer) -> float:
    """The learning rate of the step just taken or to come."""
    return optimizer.param_groups[0]["lr"]


def make_schedule(
    config: RunConfig, optimizer: Optimizer, steps: int
) -> LRScheduler | ReduceLROnPlateau:
    """The learning rate's schedule: stepped after an evaluation, an epoch, or a step."""
    if config.schedule == "plateau":
        return ReduceLROnPlateau(optimizer, factor=config.lr_factor, patience=config.patience)
    if config.schedule == "milestones":
        return MultiStepLR(optimizer, config.milestones, gamma=config.lr_factor)
    if config.schedule == "one_cycle":
        cycled = config.optimizer != "rmsprop"  # which has no momentum here
        return OneCycleLR(optimizer, config.scaled_lr, total_steps=steps, cycle_momentum=cycled)
    rising = round(config.warmup_epochs * steps / config.epochs)
    return LambdaLR(optimizer, lambda step: share_of_peak(step, rising, steps))


def changes_each_step(schedule: LRScheduler | ReduceLROnPlateau) -> bool:
    """Whether a schedule is stepped after every step."""
    return isinstance(schedule, OneCycleLR | LambdaLR)


def share_of_peak(step: int, rising: int, steps: int) -> float:
    """The schedule ``cosine``: what share of its peak the learning rate has in a step.

    It rises in equal parts over ``rising`` steps, from 1/rising to 1, and then falls along half a
    cosine, towards 0 after the last one. A function of the step alone: a run that is taken up goes
    on at exactly the same rate.

    Args:
        step: from 0 on.
        rising: steps of the warm-up.
        steps: all of them.
    """
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / (steps - rising)))
