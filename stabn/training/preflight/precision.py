"""Which precision a run should use here: a step's loss, gradients and time beside fp32's.

Some devices and libraries compute bf16 convolutions wrongly, without a word, and some compute them
more slowly than fp32. Neither shows in a log before days have passed.

The gradient of a whole step says little: in a deep network with fresh weights, whose BN sees a few
clips, rounding alone turns it by far. So gradients are compared layer by layer, from the same
input: there rounding makes some thousandths, and a wrong kernel stands out.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from stabn.data.dataset import Batch
from stabn.losses import loss_of
from stabn.training.forward import forward, inputs
from stabn.training.preflight.findings import Findings
from stabn.training.preflight.trial import first, timed
from stabn.training.process import Process, autocast, usable_precision

CLIPS = 2  # BN needs two
LOSS_OFF = 0.05  # at most, of fp32's loss or of 1, whichever is more
LAYER_OFF = 0.05  # ‖a − a₃₂‖ / ‖a₃₂‖, at most


class Step(NamedTuple):
    """What a step says: its loss, and its seconds once everything is fetched."""

    loss: float
    seconds: float


def check_precision(found: Findings, model: nn.Module, batch: Batch, asked: str, used: str) -> None:
    """Compare a step of two clips with fp32, on this process's device, and say which to use.

    Of a run in fp32 it is told what bf16 would be, where the device has units for it.

    Args:
        found: gets what is found.
        model: BN's statistics of it change, its weights do not.
        batch: of clips as the run reads them.
        asked: the precision that the run asks for.
        used: the one that it gets here.
    """
    device = found.me.device
    if used != asked:
        found.warn("precision", f"this {device.type} has no {asked} units: fp32 instead")
    other = used if used != "fp32" else usable_precision("bf16", device)
    if other == "fp32" or len(batch) < CLIPS:
        return
    clips = first(batch, CLIPS)
    exact, ours = (one_step(model, name, clips, found.me) for name in ("fp32", other))
    layer, off = worst_layer(model, inputs(clips, device), other)
    told = (
        f"{other}: a step's loss is {ours.loss:.4f}, {exact.loss:.4f} in fp32; layer by "
        f"layer results and gradients are within {off:.1%} ({layer})"
    )
    right = abs(ours.loss - exact.loss) <= LOSS_OFF * max(exact.loss, 1) and off <= LAYER_OFF
    ratio = ours.seconds / exact.seconds
    slower = f"{other} takes {ratio:.1f} times as long as fp32 here"
    faster = f"{other} takes {ratio:.2f} of fp32's time here"
    if used == "fp32":
        reason = slower if right else f"{told}: computed wrongly here"
        advice = f"fp32 is the one to use: {reason}"
        if right and ratio < 1:
            advice = f"{faster}, and agrees with it: set precision to {other}"
        found.good("precision", advice)
        return
    if not right:
        found.fault("precision", f"{told}: computed wrongly here; set precision to fp32")
        return
    found.good("precision", told)
    if ratio > 1:
        found.warn("precision", f"{slower}; set precision to fp32")
    else:
        found.good("precision", f"{faster}: the one to use")


def one_step(model: nn.Module, precision: str, clips: Batch, me: Process) -> Step:
    """A step of some clips, without dropout; BN as in training. No weight changes."""
    device, losses = me.device, []

    def step(batch: Batch) -> None:
        with autocast(precision, device):
            loss = loss_of(forward(model, batch, device), batch.label.to(device)).total
        loss.backward()
        model.zero_grad(set_to_none=True)
        losses.append(loss.item())

    model.train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    step(clips)  # this one fetches kernels and memory
    seconds = timed(step, clips, me)
    model.train()
    return Step(losses[-1], seconds)


@torch.no_grad()
def worst_layer(model: nn.Module, clip: Tensor, precision: str) -> tuple[str, float]:
    """Which layer is farthest from fp32 at some precision, and how far: ‖a − a₃₂‖ / ‖a₃₂‖.

    Every convolution and linear layer gets the input that it has in fp32, and a random gradient.
    a: its output, or the gradient of its input or of its weights, whichever is farthest.

    Args:
        model: looked at as it is, in training.
        clip: (n, 3, T, H, W), normalised.
        precision: as in a run.
    """
    off: dict[str, float] = {}

    def compare(name: str, layer: nn.Module, x: Tensor, output: Tensor) -> None:
        upstream = torch.randn_like(output)
        exact, ours = (results(layer, x, upstream, p) for p in ("fp32", precision))
        for a, b in zip(ours, exact, strict=True):
            apart = ((a - b).norm() / b.norm().clamp(min=1e-30)).item()
            off[name] = max(off.get(name, 0.0), apart if apart == apart else float("inf"))  # NaN

    layers = [
        (name, layer)
        for name, layer in model.named_modules()
        if any(p.dim() > 1 for p in layer.parameters(recurse=False))
        and not isinstance(layer, nn.RNNBase)  # whose steps add rounding up, as a network does
    ]
    hooks = [
        layer.register_forward_hook(
            lambda layer, inputs, output, name=name: compare(name, layer, inputs[0], output)
        )
        for name, layer in layers
    ]
    model(clip)
    for hook in hooks:
        hook.remove()
    worst = max(off, key=off.get)
    return worst, off[worst]


@torch.enable_grad()
def results(layer: nn.Module, x: Tensor, upstream: Tensor, precision: str) -> list[Tensor]:
    """A layer's output, and the gradients of its input and weights, as float32."""
    x = x.detach().requires_grad_()
    with autocast(precision, x.device):
        output = layer.forward(x)
    trained = [p for p in layer.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(output, [x, *trained], upstream.to(output.dtype))
    return [tensor.detach().float() for tensor in (output, *gradients)]
