"""A draft in words: for those who do not see it, and beside every picture of it."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from stabn.knowledge.edits.edit import LEVELS, Draft

WORDS = dict(zip(LEVELS, ("irrelevant", "context", "the action"), strict=True))
RUNS = 8  # a summary that lists more stretches of equal level than this is no summary


def describe(
    draft: Draft,
    *,
    truth: str = "",
    predicted: str = "",
    classes: Sequence[str] = (),
    own: np.ndarray | None = None,
    after: np.ndarray | None = None,
) -> str:
    """A draft in one line of text, and what it does to the two classes that matter.

    Args:
        draft: The levels.
        truth: Text of the true class, as in ``classes``.
        predicted: Text of the class that the network answered.
        classes: Texts of all K.
        own: (K,) probabilities before the edit.
        after: (K,) probabilities after it.
    """
    parts = [f"{len(draft.levels)} frames: {_levels_in_words(draft.levels)}."]
    if draft.changed:
        differ = int(np.sum(draft.levels != draft.attention))
        parts.append(f"Differs from the network's attention in {differ}.")
    else:
        parts.append("This is the network's own attention.")
    for text in dict.fromkeys(text for text in (truth, predicted) if text in classes):
        k = classes.index(text)
        values = [f"{p[k]:.2f} {when}" for p, when in ((own, "before"), (after, "after"))
                  if p is not None]  # fmt: skip
        if values:
            parts.append(f"“{text}”: {', '.join(values)}.")
    return " ".join(parts)


def _levels_in_words(levels: np.ndarray) -> str:
    """Stretches of equal level, or, where there are many, the range and the mean."""
    values = [round(float(level), 2) for level in levels]
    runs = [(level, len(list(run))) for level, run in groupby(values)]
    if len(runs) > RUNS:
        low, high = int(np.argmin(levels)), int(np.argmax(levels))
        return (
            f"levels from {levels[low]:.2f} (frame {low}) to {levels[high]:.2f} (frame {high}), "
            f"mean {levels.mean():.2f}"
        )
    words, first = [], 0
    for level, length in runs:
        name = f"{WORDS[level]} ({level:g})" if level in WORDS else f"level {level:.2f}"
        last = first + length - 1
        words.append(f"{first} {name}" if length == 1 else f"{first}–{last} {name}")
        first += length
    return ", ".join(words)
