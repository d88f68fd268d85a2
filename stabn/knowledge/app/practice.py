"""The clip to practise on, and what somebody marked in it beside what is true."""

from typing import NamedTuple

import numpy as np

from stabn.data.ssv2 import class_text

PRACTICE = (1, (3,))  # class and seed of the clip
MISTAKEN = 2  # the class that a made-up network answers


class Clip(NamedTuple):
    """A drawn clip: frames uint8 (n, H, W, 3), true levels (n,), its class, the answer."""

    frames: np.ndarray
    levels: np.ndarray
    truth: str
    predicted: str


def clip() -> Clip:
    """Draw it; takes a second."""
    from stabn.data.mini.make import SIZES  # with scikit-image: not before somebody practises

    class_id, seed = PRACTICE
    texts = [class_text(template) for template in SIZES["mini"].templates]
    return Clip(*drawn(class_id, seed), texts[class_id], texts[MISTAKEN])


def drawn(class_id: int, seed: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A clip's frames, uint8 (n, H, W, 3), and its levels as people see them, (n,).

    The clip's own truth begins while the hand is still outside the picture; people go by what they
    see, so that is 0 here.
    """
    from stabn.data.mini.make import example

    made = example(class_id, seed)
    seen = made.hand.any(axis=(1, 2)) | (made.levels == 1)
    return made.frames, np.where(seen, made.levels, 0)


def compare(levels: np.ndarray, truth: np.ndarray) -> str:
    """What somebody marked beside what is true, in words.

    Args:
        levels: (n,) in [0, 1].
        truth: (n,) of 0, 0.5 and 1.
    """
    marked = _stretches(np.flatnonzero(np.asarray(levels) > 0.75))
    near = int(np.sum(np.abs(np.asarray(levels) - truth) < 0.25))
    apart = _stretches(np.flatnonzero(np.abs(np.asarray(levels) - truth) >= 0.25))
    return (
        f"The action is in frames {_stretches(np.flatnonzero(truth == 1))}; you marked "
        f"{marked or 'none'}. The hand comes or goes in frames "
        f"{_stretches(np.flatnonzero(truth == 0.5)) or 'none'}. In {near} of {len(truth)} frames "
        f"your level is the true one{f'; it is not in {apart}' if apart else ''}."
    )


def _stretches(frames: np.ndarray) -> str:
    """Frames 1, 2, 3, 7 as "1–3, 7"."""
    parts = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
    return ", ".join(
        f"{part[0]}–{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts if len(part)
    )
