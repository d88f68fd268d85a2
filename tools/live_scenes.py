"""The clips of figures that show networks of the set with a known fault, each chosen by a rule.

They are fresh ones, drawn as those of its validation lists are: of a scene with the class's own
sign, with its partner's, or without.
"""

import torch

from stabn.data.mini.make import VARIANTS, example
from stabn.data.transforms import normalise
from stabn.training.checkpoint import Trained
from stabn.training.config import RunConfig
from tools.live_clips import Clip, clip_of
from tools.live_maps import cropped

TRIED = 40  # scenes of each class, at most
# how the sign goes with the class → in words
SIGNS = {"own": "its own sign", "partner": "its partner’s sign", "none": "no sign"}


def scene(k: int, i: int, shown: str, config: RunConfig) -> Clip:
    """Fresh scene i of class k, with a sign as in `SIGNS`."""
    size = VARIANTS["biased"]["mini"]
    video = example(k, (16, k, i), split="validation", size=size, shown=shown)
    return clip_of(video, k, video.caption, config)


def signs(clip: Clip, config: RunConfig) -> list[bool]:
    """Whether the network sees a sign in each frame."""
    return cropped(clip, clip.video.sign, config).any(axis=(1, 2)).tolist()


def in_three_ways(k: int, i: int, config: RunConfig) -> list[Clip]:
    """Fresh scene i of class k with each of `SIGNS`."""
    clips = [(scene(k, i, shown, config), words) for shown, words in SIGNS.items()]
    return [clip._replace(title=f"{clip.title}: {words}") for clip, words in clips]


@torch.no_grad()
def is_right(trained: Trained, clip: Clip) -> bool:
    """Whether a network, left alone, gives the clip's class."""
    return trained.model(normalise(clip.pixels[None])).logits.argmax().item() == clip.label


def both_right(*networks: Trained) -> list[Clip]:
    """Of each class the first clip without a sign that every network gets right, if any."""
    found = []
    for k in range(len(networks[0].classes)):
        clips = (scene(k, i, "none", networks[0].config) for i in range(TRIED))
        right = (clip for clip in clips if all(is_right(one, clip) for one in networks))
        found += [clip for clip in [next(right, None)] if clip is not None]
    return found


def mended_and_not(before: Trained, *arms: Trained) -> list[Clip]:
    """Two scenes in which the sign decides what ``before`` answers, each with all three `SIGNS`.

    Args:
        before: the network that is fine-tuned.
        arms: control and knowledge of the paper's way, control and knowledge of the way that mends.

    Returns:
        Six clips: of the first scene that the paper's way leaves wrong with the partner's sign, and
        the other mends; then of the first that neither mends. (``before`` and the paper's knowledge
        are right with the own sign and wrong with the partner's; the other is right with the own.)
    """
    _, left, _, mended = arms
    found: dict[bool, list[Clip]] = {}
    for i in range(TRIED):
        for k in range(len(before.classes)):
            own = scene(k, i, "own", before.config)
            if not all(is_right(one, own) for one in (before, left, mended)):
                continue
            partner = scene(k, i, "partner", before.config)
            if is_right(before, partner) or is_right(left, partner):
                continue
            mends = is_right(mended, partner)
            if mends not in found:
                found[mends] = in_three_ways(k, i, before.config)
            if len(found) == 2:
                return found[True] + found[False]
    raise ValueError(f"no such scenes among {TRIED} of each class: raise TRIED in {__file__}")


# figure → its clips, given its networks
CHOSEN = {"fusion": both_right, "fault": mended_and_not}
