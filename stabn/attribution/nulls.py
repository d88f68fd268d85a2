"""Explanations that look at nothing: what any other has to be better than."""

import numpy as np
import torch

from stabn.attribution.evidence import Evidence
from stabn.attribution.occlusion import CELLS
from stabn.attribution.question import Question


def random(question: Question, *, cells: int = CELLS, seed: int = 0) -> Evidence:
    """Uniform noise in [0, 1), in time and in space; every clip should have a seed of its own."""
    draw = torch.Generator().manual_seed(seed)
    temporal = torch.rand(question.frames, generator=draw)
    return Evidence(
        temporal.numpy(), torch.rand(question.frames, cells, cells, generator=draw).numpy()
    )


def centre(question: Question, *, cells: int = CELLS) -> Evidence:
    """The middle of the clip and of every frame: a bell in time, and one in space.

    People film what matters in the middle, so this null explanation is often hard to beat.
    """
    across = _bell(cells)
    place = np.outer(across, across)
    return Evidence(_bell(question.frames), np.repeat(place[None], question.frames, axis=0))


def _bell(n: int) -> np.ndarray:
    """Float32 (n,) in (0, 1]: a Gaussian about the middle, its standard deviation n / 4."""
    away = (np.arange(n) - (n - 1) / 2) / (n / 4)
    return np.exp(-(away**2) / 2).astype(np.float32)
