"""Grad-CAM (Selvaraju and others, 2017), a map for every frame."""

import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

from stabn.attribution.evidence import Evidence, Unexplained
from stabn.attribution.question import Question, logits_of


def grad_cam(question: Question, *, layer: nn.Module | None = None) -> Evidence:
    """Maps of a layer, weighed by the mean gradient of the class's logit; negative sums are 0.

    The mean of the gradient is over frames and places together, so that the maps of a clip's frames
    have one scale; a frame's temporal evidence is the mean of its map. The fill plays no part.

    Captum's Grad-CAM is right for clips: it takes the mean over all axes behind the channels. It
    does not find the layer; :func:`last_maps` does.

    Args:
        question: network, clip and class.
        layer: a module whose output is (N, C, T, H′, W′); by default the last such.

    Raises:
        Unexplained: no module has such an output.
    """
    clip = question.clip[None]
    if layer is None:
        layer = last_maps(question.model, clip)
        question.passes += 1
    explained = LayerGradCam(lambda clips: logits_of(question.model, clips), layer)
    maps = explained.attribute(clip, target=question.target, relu_attributions=True)
    question.passes += 3  # forward, and a backward pass, which costs about two
    spatial = maps[0, 0].detach().float().cpu()  # (T, H′, W′)
    return Evidence(spatial.mean(dim=(1, 2)).numpy(), spatial.numpy())


@torch.no_grad()
def last_maps(model: nn.Module, clip: Tensor) -> nn.Module:
    """The last module to answer with maps (N, C, T, H′, W′): one for each of the clip's T frames.

    Last in the order of computation, which the order of definition need not be.

    Raises:
        Unexplained: there is none.
    """
    found: list[nn.Module] = []

    def note(module: nn.Module, _inputs, output) -> None:
        if isinstance(output, Tensor) and output.ndim == 5 and output.shape[2] == clip.shape[2]:
            found.append(module)

    hooks = [m.register_forward_hook(note) for m in model.modules() if m is not model]
    try:
        model(clip)
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        raise Unexplained(
            f"{type(model).__name__} has no layer with a map for each of the {clip.shape[2]} "
            f"frames, which Grad-CAM needs; use occlusion or rise"
        )
    return found[-1]
