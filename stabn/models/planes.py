"""3-D convolution and pooling of clips, computed in two dimensions: the same numbers, sooner.

A clip (N, C, T, H, W) whose channels lie next to each other in memory (``channels_last_3d``) is,
without a copy, N·T pictures (N·T, C, H, W) or N planes (N, C, T, H·W). On these

- a 1×k×k kernel is a 2-D convolution of the pictures;
- a k×1×1 kernel is a k×1 convolution of the planes;
- a k×k×k kernel is a 2-D convolution of pictures that hold the channels of k frames in a row.

Libraries are faster in two dimensions than in three. The weights keep their five dimensions, so
checkpoints are those of :class:`torch.nn.Conv3d`, which the tests compare with.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlaneConv3d(nn.Conv3d):
    """A convolution without bias that keeps T, as every one of this library does.

    Args:
        inputs, outputs: channels.
        kernel: (kt, kh, kw), odd; the edges are padded with zeros.
        stride: in space; in time it is 1.
    """

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int, int], stride: int = 1):
        padding = tuple(k // 2 for k in kernel)
        super().__init__(inputs, outputs, kernel, (1, stride, stride), padding, bias=False)

    def forward(self, clip: Tensor) -> Tensor:
        """(N, C, T, H, W) → (N, outputs, T, H′, W′)."""
        clip = clip.contiguous(memory_format=torch.channels_last_3d)
        kt, kh, kw = self.kernel_size
        if kt > 1 and kh == kw == self.stride[1] == 1:
            planes = _conv(clip.flatten(3), self.weight.squeeze(4), 1, (kt // 2, 0))
            return planes.unflatten(3, clip.shape[3:])  # (N, outputs, T, H·W) → (…, H, W)
        pictures = frames(clip) if kt == 1 else neighbours(clip, kt)
        weight = self.weight.transpose(1, 2).flatten(1, 2)  # (outputs, kt·C, kh, kw)
        return clips(_conv(pictures, weight, self.stride[1:], self.padding[1:]), len(clip))


class PlaneMaxPool3d(nn.MaxPool2d):
    """The maximum over space, frame by frame: (N, C, T, H, W) → (N, C, T, H′, W′)."""

    def forward(self, clip: Tensor) -> Tensor:
        clip = clip.contiguous(memory_format=torch.channels_last_3d)
        return clips(super().forward(frames(clip)), len(clip))


def frames(clip: Tensor) -> Tensor:
    """(N, C, T, H, W) → (N·T, C, H, W), a view where the channels lie last."""
    return clip.transpose(1, 2).flatten(0, 1)


def clips(pictures: Tensor, n: int) -> Tensor:
    """(N·T, C, H, W) → (N, C, T, H, W), a view."""
    return pictures.unflatten(0, (n, -1)).transpose(1, 2)


def neighbours(clip: Tensor, count: int) -> Tensor:
    """(N, C, T, H, W) → (N·T, count·C, H, W): each frame with those around it, or zeros."""
    t, half = clip.shape[2], count // 2
    padded = F.pad(clip.permute(0, 2, 3, 4, 1), (0, 0, 0, 0, 0, 0, half, half))  # (N, T+, H, W, C)
    around = torch.cat([padded[:, i : i + t] for i in range(count)], dim=-1)
    return around.flatten(0, 1).permute(0, 3, 1, 2)


def _conv(pictures: Tensor, weight: Tensor, stride, padding) -> Tensor:
    weight = weight.contiguous(memory_format=torch.channels_last)
    return F.conv2d(pictures, weight, None, stride, padding)
