"""The clips of the figures that answer, each chosen by a rule and not by looks."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stabn.data.mini.make import example
from stabn.data.mini.scene import MiniVideo
from stabn.data.sampling import segment_indices
from stabn.data.transforms import eval_transform, normalise
from stabn.training.checkpoint import Trained
from stabn.training.config import RunConfig

TRIED = 3  # fresh clips of each class, at most
WANTED = {"right": 2, "mended": 1, "wrong": 1}


class Clip(NamedTuple):
    """A clip as the network reads it, and what is true of it.

    Attributes:
        title: what the page calls it.
        label: its class id.
        pixels: uint8 (3, T, S, S).
        frames: source frame numbers (T,).
        levels: truth levels (T,), float32.
    """

    title: str
    label: int
    pixels: Tensor
    frames: np.ndarray
    levels: np.ndarray


def clip_of(video: MiniVideo, label: int, title: str, config: RunConfig) -> Clip:
    """A video, sampled and cropped as in an evaluation."""
    frames = segment_indices(len(video.frames), config.num_frames)
    transform = eval_transform(config.image_size, short_side=config.short_side)
    return Clip(title, label, transform(video.frames[frames])[0], frames, video.levels[frames])


@torch.no_grad()
def kind_of(trained: Trained, clip: Clip) -> str:
    """Whether the network is right, would be with the true levels as its M_t, or is wrong."""
    features = trained.model.features(normalise(clip.pixels[None]))
    levels = torch.from_numpy(clip.levels)[None]
    for kind, given in (("right", {}), ("mended", {"temporal_attention": levels})):
        if trained.model.from_features(features, **given).logits.argmax() == clip.label:
            return kind
    return "wrong"


def telling(trained: Trained) -> list[Clip]:
    """The first clips of each kind in `WANTED`, of different classes, among fresh ones."""
    found: dict[str, list[Clip]] = {kind: [] for kind in WANTED}
    classes = set(range(len(trained.classes)))
    for i in range(TRIED):
        for k in sorted(classes):
            video = example(k, (16, k, i), split="validation")
            clip = clip_of(video, k, video.caption, trained.config)
            kind = kind_of(trained, clip)
            if len(found[kind]) < WANTED[kind]:
                found[kind].append(clip)
                classes.remove(k)
            if all(len(found[kind]) == count for kind, count in WANTED.items()):
                break
    return [clip for clips in found.values() for clip in clips]


# figure → its clips, given its networks
CHOSEN = {"when": telling}
