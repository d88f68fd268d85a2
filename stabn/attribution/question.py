"""What is asked again and again: how probable is a class when only a part of a clip is kept?

Occlusion, RISE, insertion and deletion differ in the parts they keep, and in nothing else.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stabn.losses import answer

AT_ONCE = 16  # clips in a forward pass,
VALUES = 2**24  # of so many values together: large clips go through a few at a time


def mean_fill(clip: Tensor) -> Tensor:
    """A clip (3, T, H, W) of one colour, the mean of this one: neither shape nor motion is left."""
    return clip.mean(dim=(1, 2, 3), keepdim=True).expand_as(clip)


def still_fill(clip: Tensor) -> Tensor:
    """A clip (3, T, H, W) that stands still: every frame is the mean of this one's frames.

    Colours and the resting scene are left, and nothing of a single frame alone.
    """
    return clip.mean(dim=1, keepdim=True).expand_as(clip)


FILLS = {"mean": mean_fill, "still": still_fill}


def logits_of(model: nn.Module, clips: Tensor) -> Tensor:
    """Logits (N, K) of clips (N, 3, T, H, W), whether a network answers with them alone or more."""
    return answer(model(clips))


@dataclass
class Question:
    """How probable a network finds a class in a clip of which a part is replaced.

    Attributes:
        model: the network, in eval mode; it answers with logits, or with more that has ``logits``.
        clip: float (3, T, H, W), normalised, on the network's device.
        target: the class asked about.
        fill: what stands where the clip is taken away: ``"mean"`` or ``"still"``.
        passes: clips that the network has been run on so far. A backward pass counts as two.
    """

    model: nn.Module
    clip: Tensor
    target: int
    fill: str = "mean"
    passes: int = 0

    def __post_init__(self):
        if self.clip.ndim != 4:
            raise ValueError(f"a question is about one clip (3, T, H, W), not {self.clip.shape}")
        if self.fill not in FILLS:
            raise ValueError(f"fill must be one of {', '.join(FILLS)}, not {self.fill!r}")
        self._removed = FILLS[self.fill](self.clip)

    @property
    def frames(self) -> int:
        """T, frames in the clip."""
        return self.clip.shape[1]

    @torch.no_grad()
    def __call__(self, keep: Tensor) -> Tensor:
        """Probability (n,) of the class for every mask, float32 on the CPU.

        Args:
            keep: (n, T, h, w) in [0, 1]: 1 keeps the clip, 0 shows the fill, between them a blend.
                T or h·w may be 1, for masks that are the same in every frame, or all over it; a
                mask of cells is spread over the pixels.
        """
        few = max(1, min(AT_ONCE, VALUES // self.clip.numel()))
        answers = [self._probability(part) for part in keep.split(few)]
        self.passes += len(keep)
        return torch.cat(answers)

    def whole(self) -> float:
        """Probability of the class for the clip as it is."""
        return self(torch.ones(1, 1, 1, 1)).item()

    def _probability(self, keep: Tensor) -> Tensor:
        keep = F.interpolate(keep.to(self.clip), size=self.clip.shape[2:], mode="nearest-exact")
        clips = self._removed.lerp(self.clip, keep[:, None])  # (n, 3, T, H, W)
        clips = clips.contiguous(memory_format=torch.channels_last_3d)
        return logits_of(self.model, clips).float().softmax(dim=1)[:, self.target].cpu()
