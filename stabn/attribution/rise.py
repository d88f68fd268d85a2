"""RISE (Petsiuk and others, 2018) on video: keep random parts, and average what was kept."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from stabn.attribution.evidence import Evidence
from stabn.attribution.occlusion import CELLS, FRAMES
from stabn.attribution.question import AT_ONCE, Question

MASKS = 500  # in time, and as many in space
KEPT = 0.5  # chance of each cell to be kept


def rise(
    question: Question,
    *,
    masks: int = MASKS,
    cells: int = CELLS,
    frames: int = FRAMES,
    seed: int = 0,
) -> Evidence:
    """How much more probable the class is where a frame, or a place, is kept than on the average.

    That is RISE's own map less the mean answer over all masks, which is the same everywhere. In
    time every frame is kept or not by a coin of its own. In space the coins are those of a grid of
    ``cells`` × ``cells`` places and a moment every ``frames`` frames; the grid is spread smoothly
    over the clip and shifted at random, as published. It takes 2 · masks forward passes.

    Args:
        question: network, clip, class and fill.
        masks: how many, of each of the two kinds.
        cells: H′ = W′, rows and columns of the grid.
        frames: between two moments of the grid.
        seed: of the masks.
    """
    draw = torch.Generator().manual_seed(seed)
    t, (height, width) = question.frames, question.clip.shape[2:]
    batches = [min(AT_ONCE, masks - done) for done in range(0, masks, AT_ONCE)]
    in_time = (_coins((n, t, 1, 1), draw) for n in batches)
    in_space = (smooth_masks(n, (t, height, width), cells, frames, draw) for n in batches)
    temporal = _gain(question, in_time, 1)[:, 0, 0]
    return Evidence(temporal.numpy(), _gain(question, in_space, cells).numpy())


def _coins(shape: tuple[int, ...], draw: Generator) -> Tensor:
    return (torch.rand(shape, generator=draw) < KEPT).float()


def smooth_masks(
    n: int, clip: tuple[int, int, int], cells: int, frames: int, draw: Generator
) -> Tensor:
    """n masks (n, T, H, W) in [0, 1] of a clip (T, H, W): coarse coins, spread, shifted, cut."""
    grid = (math.ceil(clip[0] / frames), cells, cells)
    step = [math.ceil(length / many) for length, many in zip(clip, grid, strict=True)]
    coarse = _coins((n, 1, *grid), draw)
    size = [(many + 1) * s for many, s in zip(grid, step, strict=True)]
    spread = F.interpolate(coarse, size=size, mode="trilinear", align_corners=False)[:, 0]
    shifts = torch.stack([torch.randint(s, (n,), generator=draw) for s in step], dim=1)
    return torch.stack(
        [
            mask[a : a + clip[0], b : b + clip[1], c : c + clip[2]]
            for mask, (a, b, c) in zip(spread, shifts.tolist(), strict=True)
        ]
    )


def _gain(question: Question, masks: Iterator[Tensor], cells: int) -> Tensor:
    """Mean answer weighed by how far a place was kept, less the mean answer: (T, cells, cells)."""
    weighed, kept, answers, count = 0, 0, 0.0, 0
    for keep in masks:
        answer = question(keep)  # (n,)
        places = F.adaptive_avg_pool2d(keep, cells)  # (n, T, cells, cells)
        weighed = weighed + torch.einsum("n,nthw->thw", answer, places)
        kept = kept + places.sum(dim=0)
        answers, count = answers + answer.sum(), count + len(keep)
    return weighed / kept.clamp(min=1e-6) - answers / count
