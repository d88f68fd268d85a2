"""What is recorded where a map is painted: the maps of a clip or a picture, and what answers them.

A map is written as its values in 255ths, row after row, a byte each: a page reads it as it stands.
"""

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from stabn.data.transforms import eval_transform, normalise
from stabn.training.checkpoint import Trained
from stabn.training.config import RunConfig
from tools.live_clips import Clip

# a map (T, H′, W′) in place of a network's own → logits (K,), and the map that was used
Answer = Callable[[Tensor | None], tuple[Tensor, Tensor]]


def levels(values: Tensor) -> Tensor:
    """A map in [0, 1] → the nearest one in 255ths, which is what can be written."""
    return (255 * values).round() / 255


def written(values: Tensor) -> str:
    """A map in [0, 1], for a script."""
    return base64.b64encode((255 * values).round().byte().numpy().tobytes()).decode()


def edits(own: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Maps whose answers are recorded, by what they are: a network's own, and far from it."""
    return {
        "its own map": levels(own),
        "Invert": levels(1 - own),
        "Its mean everywhere": levels(own.mean().expand_as(own)),
        "All 1": torch.ones_like(own),
        "All 0": torch.zeros_like(own),
        "its own, 0 on the object": levels(own * (truth < 0.5)),
        "The truth": levels(truth),
        "its own, left and right exchanged": levels(own.flip(-1)),
    }


def recorded(
    title: str, label: int, frames: list[int], truth: np.ndarray, networks: list[Answer]
) -> dict[str, Any]:
    """What is known before anybody paints, as plain values.

    Args:
        title: what the page calls the clip.
        label: its class id.
        frames: numbers of its frames (T,).
        truth: what should be looked at, bool (T, H, W) in pixels.
        networks: the first one's map is where the painting starts.
    """
    own = [answer(None) for answer in networks]
    first = own[0][1]
    # of the pixels that each cell touches, the share that should be looked at
    cells = adaptive_avg_pool2d(torch.from_numpy(truth).float(), first.shape[1:])
    found = []
    for name, given in edits(first, cells).items():
        shares = [rounded(answer(given)[0].softmax(0).tolist(), 7) for answer in networks]
        found.append({"title": name, "map": written(given), "probabilities": shares})
    return {
        "title": title,
        "label": label,
        "frames": frames,
        "cells": list(first.shape),
        "truth": written(cells),
        "answers": [
            {
                "map": written(used),
                "probabilities": rounded(logits.softmax(0).tolist(), 7),
                "logits": rounded(logits.tolist(), 4),
            }
            for logits, used in own
        ],
        "edits": found,
    }


def rounded(values: list[float], digits: int) -> list[float]:
    """As far as a page's comparison with them allows."""
    return [round(value, digits) for value in values]


@torch.no_grad()
def of_clip(clip: Clip, networks: list[Trained]) -> dict[str, Any]:
    """A clip's record; the truth is the moved object with the hand."""
    video = clip.video
    truth = cropped(clip, video.actor | video.hand, networks[0].config)
    answers = [answering(trained, clip) for trained in networks]
    return recorded(clip.title, clip.label, clip.frames.tolist(), truth, answers)


def answering(trained: Trained, clip: Clip) -> Answer:
    """ST-ABN before a clip: M_t stays its own."""
    features = trained.model.features(normalise(clip.pixels[None]))

    def answer(given: Tensor | None) -> tuple[Tensor, Tensor]:
        spatial = None if given is None else given[None, None]
        output = trained.model.from_features(features, spatial_attention=spatial)
        return output.logits[0], output.spatial_attention[0, 0]

    return answer


def strip(clip: Clip, config: RunConfig) -> np.ndarray:
    """A clip's frames side by side, uint8 (h, T·w, 3), as sharp as the video is."""
    return np.concatenate(list(cropped(clip, clip.video.frames, config)), axis=1)


def cropped(clip: Clip, of_video: np.ndarray, config: RunConfig) -> np.ndarray:
    """What the network sees of (n, H, W, …): its frames, its crop, in the video's own pixels."""
    transform = eval_transform(config.image_size, short_side=config.short_side)
    top, left, height, width = transform.crop(*of_video.shape[1:3], None)
    return of_video[clip.frames, top : top + height, left : left + width]
