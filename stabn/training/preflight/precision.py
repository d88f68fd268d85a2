"""Whether a run's precision can be trusted here: a step's loss and gradient beside those of fp32.

Some devices and libraries compute bf16 convolutions wrongly, without a word, and some compute them
more slowly than fp32. Neither shows in a log before days have passed.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from stabn.data.dataset import Batch
from stabn.data.transforms import normalise
from stabn.losses import classification_loss
from stabn.training.preflight.findings import Findings
from stabn.training.preflight.trial import first, timed
from stabn.training.process import autocast
from stabn.training.step import Run

CLIPS = 2  # BN needs two
LOSS_OFF = 0.05  # of fp32's, at most
KERNEL_OFF = 0.7  # ‖g − g₃₂‖ / ‖g₃₂‖ of any kernel, at most: rounding makes some tenths of it
FAINT = 1e-3  # of the whole gradient: a kernel's below that is not held to its own size
LOSS_SCALE = 1024.0  # for fp16, whose smallest numbers are not small


class Step(NamedTuple):
    """What a step gives: its loss, {kernel: gradient}, and seconds once everything is fetched."""

    loss: float
    gradient: dict[str, Tensor]
    seconds: float


def check_precision(found: Findings, run: Run, batch: Batch) -> None:
    """Compare a step of two clips at the run's precision with fp32, on this process's device."""
    asked = run.config.precision
    if run.precision != asked:
        found.warn("precision", f"this {run.me.device.type} has no {asked} units: fp32 instead")
    if run.precision == "fp32" or len(batch) < CLIPS:
        return
    clips = first(batch, CLIPS)
    exact, ours = one_step(run, "fp32", clips), one_step(run, run.precision, clips)
    loss_off, worst, kernel = apart(ours, exact)
    told = (
        f"{run.precision}: a step's loss is {ours.loss:.4f}, {exact.loss:.4f} in fp32; of the "
        f"kernels' gradients {kernel}'s differs most, by {worst:.0%}"
    )
    if not (loss_off <= LOSS_OFF and worst <= KERNEL_OFF):
        found.fault("precision", f"{told}: computed wrongly here; set precision to fp32")
        return
    found.good("precision", told)
    if ours.seconds > exact.seconds:
        ratio = ours.seconds / exact.seconds
        found.warn("precision", f"{run.precision} takes {ratio:.1f} times as long as fp32 here")


def one_step(run: Run, precision: str, clips: Batch) -> Step:
    """Loss and gradient of some clips, without dropout; BN as in training. No weight changes."""
    model, device = run.model, run.me.device
    scale = LOSS_SCALE if precision == "fp16" else 1.0
    losses = []

    def step(batch: Batch) -> None:
        model.zero_grad(set_to_none=True)
        with autocast(precision, device):
            output = model(normalise(batch.video.to(device)))
            logits, attention_logits = (output, None) if isinstance(output, Tensor) else output[:2]
            loss = classification_loss(logits, attention_logits, batch.label.to(device)).total
        (scale * loss).backward()
        losses.append(loss.item())

    model.train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    step(clips)  # this one fetches kernels and memory
    seconds = timed(step, clips, run.me)
    gradient = {
        name: p.grad / scale
        for name, p in model.named_parameters()
        if p.grad is not None and p.dim() > 1
    }
    model.zero_grad(set_to_none=True)
    model.train()
    return Step(losses[-1], gradient, seconds)


def apart(ours: Step, exact: Step) -> tuple[float, float, str]:
    """How far two steps are apart: the loss, the kernel's gradient that is worst, which it is.

    Both are relative to ``exact``. A kernel's gradient is compared as a whole, by its norm.
    """
    whole = torch.stack([g.norm() for g in exact.gradient.values()]).norm()
    off = {
        name: ((ours.gradient[name] - g).norm() / g.norm().clamp(min=FAINT * whole)).item()
        for name, g in exact.gradient.items()
    }
    off = {name: value if value == value else float("inf") for name, value in off.items()}  # NaN
    kernel = max(off, key=off.get)
    return abs(ours.loss - exact.loss) / abs(exact.loss), off[kernel], kernel
