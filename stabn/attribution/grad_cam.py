"""Grad-CAM (Selvaraju and others, 2017), a map for every frame.

Captum's Grad-CAM computes the same for a 3-D network, and the tests hold this one to it. It has to
be told the layer, though, and takes the second axis for the channels: of a network that looks at
one frame at a time, whose maps are (N, T, C, H′, W′), it makes something else. So here are ten
lines of our own.
"""

import torch
from torch import Tensor, nn

from stabn.attribution.evidence import Evidence, Unexplained
from stabn.attribution.question import Question, logits_of
from stabn.models.behind_encoder import BehindEncoder


def grad_cam(question: Question) -> Evidence:
    """The last maps, weighed by the mean gradient of the class's logit; negative sums are 0.

    The mean of the gradient is over frames and places together, so that the maps of a clip's frames
    have one scale; a frame's temporal evidence is the mean of its map. The fill plays no part.

    Raises:
        Unexplained: the network has no maps of each of the clip's frames.
    """
    clip = question.clip[None].detach().clone().requires_grad_()  # a frozen network has gradients
    # cuDNN would go back through an LSTM in training mode only
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        maps, logits = last_maps(question.model, clip)
        (gradient,) = torch.autograd.grad(logits[0, question.target], maps)
    question.passes += 3  # forward, and a backward pass, which costs about two
    channels = 2 if isinstance(question.model, BehindEncoder) else 1
    maps, gradient = (each[0].movedim(channels - 1, 0).float() for each in (maps, gradient))
    weights = gradient.mean(dim=(1, 2, 3))  # (C,)
    spatial = torch.einsum("c,cthw->thw", weights, maps).relu().detach().cpu()
    return Evidence(spatial.mean(dim=(1, 2)).numpy(), spatial.numpy())


def last_maps(model: nn.Module, clip: Tensor) -> tuple[Tensor, Tensor]:
    """The last feature maps that keep frames and places apart, and the logits (N, K).

    Of a network over an encoder's frames they are the encoder's, (N, T, C, H′, W′). Of any other
    they are the last output of a layer (N, C, T, H′, W′), last in the order of computation, which
    the order of definition need not be.

    Raises:
        Unexplained: no layer answers so for each of the clip's T frames.
    """
    if isinstance(model, BehindEncoder):
        maps = model.features(clip)
        if not maps.requires_grad:  # a frozen encoder keeps no way back to the clip
            maps.requires_grad_()
        return maps, model.from_features(maps).logits
    found: list[Tensor] = []

    def note(_module: nn.Module, _inputs, output) -> None:
        if isinstance(output, Tensor) and output.ndim == 5 and output.shape[2] == clip.shape[2]:
            found[:] = [output]

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    try:
        logits = logits_of(model, clip)
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        raise Unexplained(
            f"{type(model).__name__} has no layer with a map for each of the {clip.shape[2]} "
            f"frames, which Grad-CAM needs; use occlusion or rise"
        )
    return found[0], logits
