"""The 3-D CNN of Ji, Xu, Yang and Yu (2013): the baseline of the CNN + bi-LSTM comparison.

It was made for 7 frames of 60×40 pixels, seen in five fixed ways: grey, its slopes along x and y,
and the optical flow along x and y. Each of these goes through two kernels of 7×7×3, 2×2
sub-sampling, and each of what results through three kernels of 7×6×3 and 3×3 sub-sampling; kernels
over all that is left of the frames give 128 numbers, and these the classes. Here the last kernels
take the size that other clips leave. The comparison does not say how its own copy differs, so this
one follows the paper; the flow, whose method the paper leaves open, is that of Lucas and Kanade.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WINDOW = 5  # pixels: a square in which the flow is taken as one


def hardwired(clip: Tensor) -> tuple[Tensor, Tensor]:
    """The layer without parameters: clips (N, 3, T, H, W) → what is seen of frames and of pairs.

    Returns:
        Grey and its slopes along x and y, (N, 3, T, H, W); and flow, (N, 2, T − 1, H, W).
    """
    grey = clip.mean(dim=1)  # (N, T, H, W)
    wider = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    along_x = (wider[..., 1:-1, 2:] - wider[..., 1:-1, :-2]) / 2
    along_y = (wider[..., 2:, 1:-1] - wider[..., :-2, 1:-1]) / 2
    return torch.stack([grey, along_x, along_y], dim=1), flow(grey, along_x, along_y)


def flow(grey: Tensor, along_x: Tensor, along_y: Tensor) -> Tensor:
    """Motion (u, v) in pixels a frame by least squares (Lucas and Kanade, 1981).

    In each window it is sought so that ``along_x``·u + ``along_y``·v + the change in time is as
    near 0 as can be. Where a window is flat nothing can be told, and the flow is near 0.

    Args:
        grey, along_x, along_y: each (N, T, H, W).

    Returns:
        (N, 2, T − 1, H, W).
    """
    x, y = ((a[:, :-1] + a[:, 1:]) / 2 for a in (along_x, along_y))
    t = grey[:, 1:] - grey[:, :-1]
    window = x.new_full((x.shape[1], 1, WINDOW, WINDOW), 1 / WINDOW**2)
    xx, xy, yy, xt, yt = (  # means; as a convolution several times as fast as a pooling
        F.conv2d(product, window, padding=WINDOW // 2, groups=len(window))
        for product in (x * x, x * y, y * y, x * t, y * t)
    )
    xx, yy = xx + 1e-4, yy + 1e-4  # a flat window has no slopes to divide by
    determinant = xx * yy - xy * xy
    return torch.stack([xy * yt - yy * xt, xy * xt - xx * yt], dim=1) / determinant[:, None]


class Subsample(nn.Module):
    """Means of squares of pixels, each map with a factor and an offset that are learnt.

    (N, C, T, H, W) → (N, C, T, H // size, W // size); each channel of each frame is a map.
    """

    def __init__(self, channels: int, frames: int, size: int):
        super().__init__()
        self.size = size
        self.factor = nn.Parameter(torch.ones(channels, frames, 1, 1))
        self.offset = nn.Parameter(torch.zeros(channels, frames, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool3d(x, (1, self.size, self.size)) * self.factor + self.offset


class Stream(nn.Sequential):
    """Both convolutions and sub-samplings over some of the channels, each channel by itself.

    Args:
        channels: C.
        frames: T of them.
    """

    def __init__(self, channels: int, frames: int):
        super().__init__(
            nn.Conv3d(channels, 2 * channels, (3, 7, 7), groups=channels),
            nn.Tanh(),
            Subsample(2 * channels, frames - 2, 2),
            nn.Conv3d(2 * channels, 6 * channels, (3, 7, 6), groups=2 * channels),
            nn.Tanh(),
            Subsample(6 * channels, frames - 4, 3),
            nn.Flatten(),
        )


class CNN3d(nn.Module):
    """Clips (N, 3, T, H, W), normalised → logits (N, K).

    Args:
        num_classes: K.
        num_frames: T, 6 or more.
        size: H, W, 24 × 22 or more.
        features: numbers that the last convolution gives.

    Raises:
        ValueError: clips of which the convolutions leave nothing.
    """

    def __init__(
        self, num_classes: int, num_frames: int, size: tuple[int, int], *, features: int = 128
    ):
        super().__init__()
        height, width = ((size[0] - 6) // 2 - 6) // 3, ((size[1] - 6) // 2 - 5) // 3
        if num_frames < 6 or height < 1 or width < 1:
            raise ValueError(
                f"this network needs 6 frames of 24×22 pixels at least, not {num_frames} of "
                f"{size[0]}×{size[1]}"
            )
        self.still, self.moving = Stream(3, num_frames), Stream(2, num_frames - 1)
        maps = 6 * (3 * (num_frames - 4) + 2 * (num_frames - 5))
        self.last = nn.Linear(maps * height * width, features)
        self.fc = nn.Linear(features, num_classes)

    def forward(self, clip: Tensor) -> Tensor:
        still, moving = (  # grouped convolutions are several times as fast in this order
            seen.contiguous(memory_format=torch.channels_last_3d) for seen in hardwired(clip)
        )
        seen = torch.cat([self.still(still), self.moving(moving)], dim=1)
        return self.fc(torch.tanh(self.last(seen)))
