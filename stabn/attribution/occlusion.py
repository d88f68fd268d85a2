"""Occlusion (Zeiler and Fergus, 2014): what is hidden, and how far the answer falls."""

import math

import torch

from stabn.attribution.evidence import Evidence
from stabn.attribution.question import Question

CELLS = 7  # a frame is cut into so many rows and columns, as the last maps of a ResNet are
FRAMES = 4  # that are hidden together when a place is


def occlusion(question: Question, *, cells: int = CELLS, frames: int = FRAMES) -> Evidence:
    """Fall of the class's probability when a frame is hidden, and when a place is.

    In time one frame at a time is hidden. In space one cell at a time is hidden for ``frames``
    frames in a row, and the fall is theirs; a single frame's cell would hardly be missed. It takes
    1 + T + ⌈T / frames⌉ · cells² forward passes.

    Args:
        question: network, clip, class and fill.
        cells: H′ = W′, rows and columns of the grid.
        frames: how many frames a place is hidden for.
    """
    t = question.frames
    whole = question.whole()
    temporal = whole - question(1 - torch.eye(t)[:, :, None, None])  # (T,)

    blocks = math.ceil(t / frames)
    fall = torch.empty(blocks, cells * cells)
    for block in range(blocks):
        hidden = torch.zeros(cells * cells, t, cells, cells)
        cell = torch.eye(cells * cells).view(-1, 1, cells, cells)
        hidden[:, block * frames : (block + 1) * frames] = cell
        fall[block] = whole - question(1 - hidden)
    spatial = fall.view(blocks, cells, cells).repeat_interleave(frames, dim=0)[:t]
    return Evidence(temporal.numpy(), spatial.numpy())
