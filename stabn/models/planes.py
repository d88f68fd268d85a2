"""3-D convolution and pooling of clips, computed in two dimensions or as a product of matrices.

The numbers are those of three dimensions, up to rounding. A clip (N, C, T, H, W) whose channels lie
next to each other in memory (``channels_last_3d``) is, without a copy, N·T pictures (N·T, C, H, W)
or N planes (N, C, T, H·W). On these

- a 1×k×k kernel is a 2-D convolution of the pictures;
- a k×1×1 kernel is a k×1 convolution of the planes;
- a k×k×k kernel is a 2-D convolution of pictures that hold the channels of k frames in a row,
  which are copied for it.

Three dimensions are not always slower. Where maps are small and kernels have many weights, as in
the late layers of a ResNet-50, two can take twice the time of :class:`torch.nn.Conv3d` on a CPU.
So where such layers answer in fp32 on a CPU, with no gradient wanted,

- 1×1×1, and kt×1×1 for a clip of many places, is one product of matrices;
- any other kernel, for a clip of few places, is PyTorch's own three-dimensional convolution.

That is a rule by size, the same on every machine and for every batch. To time all forms of a layer
at its first clip would win little more: 2 to 5 % of the time of ST-ABN-50's convolutions (AVX2 at
8×112² and 8×224², AVX-512 at 8×112²). And two processes could then choose differently, and differ
in the last bit. With gradients, in bf16 and on GPUs, where none of this was measured, all is
computed as ever, so a run that is resumed goes on bit for bit.

The weights keep their five dimensions: checkpoints are those of :class:`torch.nn.Conv3d`, which the
tests compare with.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

MANY = 2**16  # weights of a kernel; the small network's all have fewer
FEW = 2**10  # places of a clip's result, T·H′·W′


class PlaneConv3d(nn.Conv3d):
    """A convolution that keeps T, as all of the slow pathway and the attention do.

    It has no bias, as BN follows; where BN is folded into it (:mod:`stabn.models.folded`), it has.

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
        if self.weight.numel() >= MANY and _answers_in_fp32_on_a_cpu(clip):
            if kt * kh * kw > 1 and self._places(clip) < FEW:
                return super().forward(clip)
            if kh == kw == 1:
                return self._product(clip)
        if kt > 1 and kh == kw == self.stride[1] == 1:
            planes = self._conv(clip.flatten(3), self.weight.squeeze(4), 1, (kt // 2, 0))
            return planes.unflatten(3, clip.shape[3:])  # (N, outputs, T, H·W) → (…, H, W)
        weight = self.weight.transpose(1, 2).flatten(1, 2)  # (outputs, kt·C, kh, kw)
        pictures = self._conv(neighbours(clip, kt), weight, self.stride[1:], self.padding[1:])
        return clips(pictures, len(clip))

    def _places(self, clip: Tensor) -> int:
        """T·H′·W′ of one clip's result: whatever else is in the batch, its form is the same."""
        t, height, width = clip.shape[2:]
        return t * -(-height // self.stride[1]) * -(-width // self.stride[2])

    def _product(self, clip: Tensor) -> Tensor:
        """A kernel that looks at one place, kt×1×1, as a matrix: on each place's channels."""
        s = self.stride[1]
        pictures = neighbours(clip[..., ::s, ::s], self.kernel_size[0])  # (N·T, kt·C, H′, W′)
        weight = self.weight.transpose(1, 2).flatten(1)  # (outputs, kt·C)
        places = pictures.permute(0, 2, 3, 1).contiguous()  # (N·T, H′, W′, kt·C)
        rows = F.linear(places, weight, self.bias)  # (N·T, H′, W′, outputs)
        return clips(rows.permute(0, 3, 1, 2), len(clip))

    def _conv(self, pictures: Tensor, weight: Tensor, stride, padding) -> Tensor:
        weight = weight.contiguous(memory_format=torch.channels_last)
        return F.conv2d(pictures, weight, self.bias, stride, padding)


class PlaneMaxPool3d(nn.MaxPool2d):
    """The maximum over space, frame by frame: (N, C, T, H, W) → (N, C, T, H′, W′)."""

    def forward(self, clip: Tensor) -> Tensor:
        clip = clip.contiguous(memory_format=torch.channels_last_3d)
        window = (self.kernel_size, self.stride, self.padding)
        return clips(_MaxPool.apply(frames(clip), *window), len(clip))


class _MaxPool(torch.autograd.Function):
    """PyTorch's, except that it keeps where the maxima are and no picture for the way back.

    PyTorch keeps the pictures too, whose size is all that it reads of them, and places as int64.
    """

    @staticmethod
    def forward(ctx, pictures: Tensor, *window: int) -> Tensor:
        maxima, places = F.max_pool2d(pictures, *window, return_indices=True)
        ctx.save_for_backward(places.int())
        ctx.shape, ctx.window = pictures.shape, window
        return maxima

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (places,) = ctx.saved_tensors
        like = {"dtype": gradient.dtype, "device": gradient.device}
        as_wide = torch.empty(ctx.shape, **like, memory_format=torch.channels_last)
        window = [[length, length] for length in (*ctx.window, 1)]  # dilation is 1
        way_back = torch.ops.aten.max_pool2d_with_indices_backward
        back = way_back(gradient, as_wide, *window, False, places.long())
        return back, None, None, None


def frames(clip: Tensor) -> Tensor:
    """(N, C, T, H, W) → (N·T, C, H, W), a view where the channels lie last."""
    return clip.transpose(1, 2).flatten(0, 1)


def clips(pictures: Tensor, n: int) -> Tensor:
    """(N·T, C, H, W) → (N, C, T, H, W), a view."""
    return pictures.unflatten(0, (n, -1)).transpose(1, 2)


def neighbours(clip: Tensor, count: int) -> Tensor:
    """(N, C, T, H, W) → (N·T, count·C, H, W): each frame with those around it, or zeros.

    A frame by itself, ``count`` 1, is a view.
    """
    if count == 1:
        return frames(clip)
    t, half = clip.shape[2], count // 2
    padded = F.pad(clip.permute(0, 2, 3, 4, 1), (0, 0, 0, 0, 0, 0, half, half))  # (N, T+, H, W, C)
    around = torch.cat([padded[:, i : i + t] for i in range(count)], dim=-1)
    return around.flatten(0, 1).permute(0, 3, 1, 2)


def _answers_in_fp32_on_a_cpu(clip: Tensor) -> bool:
    exact = clip.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return exact and clip.is_cpu and not torch.is_grad_enabled()
