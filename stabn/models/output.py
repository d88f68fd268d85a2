"""What a video network without an attention branch answers."""

from typing import NamedTuple

from torch import Tensor


class VideoOutput(NamedTuple):
    """An answer, and where and when the network looked, as far as it has such attention.

    Attributes:
        logits: (N, K): the answer for the whole clip.
        step_logits: (N, T, K) of a network that names a class at every step; else None.
        spatial_attention: (N, 1, T, H′, W′) in [0, 1], or None.
        temporal_attention: (N, T) in [0, 1], or None.
    """

    logits: Tensor
    step_logits: Tensor | None = None
    spatial_attention: Tensor | None = None
    temporal_attention: Tensor | None = None


def check_attention(name: str, given: Tensor | None, shape: tuple[int, ...]) -> None:
    """Whether an attention that is to be used in place of a network's own has its shape.

    Raises:
        ValueError: it has another one.
    """
    if given is not None and tuple(given.shape) != shape:
        raise ValueError(f"{name} must have shape {shape} here, not {tuple(given.shape)}")
