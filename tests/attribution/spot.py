"""A network made by hand: its answer depends on one frame and one place, and nothing else."""

import torch
from torch import Tensor, nn

T, CELLS, PIXELS = 4, 3, 4  # frames, rows and columns of places, pixels of a place
SIDE = CELLS * PIXELS
CLASS = 1


class Detector(nn.Module):
    """Brightness of every place, blind everywhere but at (frame, row, column): (N, 1, T, h, w)."""

    def __init__(self, frame: int, row: int, column: int):
        super().__init__()
        seen = torch.zeros(T, CELLS, CELLS)
        seen[frame, row, column] = 1
        self.register_buffer("seen", seen)
        self.pool = nn.AvgPool3d((1, PIXELS, PIXELS))

    def forward(self, clips: Tensor) -> Tensor:
        return self.pool(clips.mean(dim=1, keepdim=True)) * self.seen


class Spot(nn.Module):
    """Logits (0, gain · mean of the detector's maps): class 1 is the spot."""

    def __init__(self, frame: int, row: int, column: int, gain: float = 72.0):
        super().__init__()
        self.maps = Detector(frame, row, column)
        self.gain = gain

    def forward(self, clips: Tensor) -> Tensor:
        logit = self.gain * self.maps(clips).mean(dim=(1, 2, 3, 4))
        return torch.stack([torch.zeros_like(logit), logit], dim=1)


def bright(frame: int, row: int, column: int) -> Tensor:
    """A clip (3, T, SIDE, SIDE): 1 at the spot, 0 everywhere else."""
    clip = torch.zeros(3, T, SIDE, SIDE)
    clip[:, frame, row * PIXELS :, column * PIXELS :][:, :PIXELS, :PIXELS] = 1
    return clip
