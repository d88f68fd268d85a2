"""Three drawn clips with the levels that are right for them, as pictures for the guidelines."""

import base64
import html
from functools import cache
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image

from stabn.data.ssv2 import class_text
from stabn.knowledge.app.practice import drawn

SHOWN = 5  # frames of each clip
HEIGHT = 84  # pixels of each picture
QUALITY = 70  # of its JPEG


class Example(NamedTuple):
    """A clip to draw: its class and seed, and what it teaches."""

    class_id: int
    seed: tuple[int, ...]
    lesson: str


EXAMPLES = (
    Example(0, (21,), "The hand comes: 0.5. It covers the thing: 1. Afterwards: 0."),
    Example(9, (22,), "Pretending is the action here, as the title says: 1."),
    Example(4, (23,), "Other things drift about before and after: that is 0."),
)
WORDS = {0.0: "nothing to see", 0.5: "the hand comes or goes", 1.0: "the action"}


@cache
def pictures() -> str:
    """The examples as HTML; drawing takes a second or two, once a process."""
    shown = "".join(_strip(example) for example in EXAMPLES)
    return (
        "<p>These clips are synthetic: drawn, not filmed. Under each picture stands the level that "
        f"is right for its frame.</p>{shown}"
    )


def _strip(example: Example) -> str:
    from stabn.data.mini.make import SIZES  # with scikit-image: not before somebody asks

    frames, levels = drawn(example.class_id, example.seed)
    title = class_text(SIZES["mini"].templates[example.class_id])
    cells = "".join(_cell(int(k), frames[k], levels[k]) for k in _telling(levels))
    return (
        f"<figure><figcaption><b>{html.escape(title)}</b>. {example.lesson}</figcaption>"
        f"<div class='stabn-strip'>{cells}</div></figure>"
    )


def _telling(levels: np.ndarray) -> np.ndarray:
    """Frames that show every stretch of levels: (SHOWN,) of them, or fewer, in order."""
    edges = np.flatnonzero(np.diff(levels)) + 1
    middles = [(part[0] + part[-1]) // 2 for part in np.split(np.arange(len(levels)), edges)]
    even = np.linspace(0, len(levels) - 1, SHOWN).round().astype(int)
    spare = sorted(even, key=lambda k: -min(abs(k - m) for m in middles))
    return np.unique([*middles, *spare[: max(0, SHOWN - len(middles))]])


def _cell(number: int, frame: np.ndarray, level: float) -> str:
    file = BytesIO()
    height, width = frame.shape[:2]
    picture = Image.fromarray(frame).resize((round(width * HEIGHT / height), HEIGHT))
    picture.save(file, "JPEG", quality=QUALITY)
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f"<div><img src='data:image/jpeg;base64,{data}' height='{HEIGHT}' "
        f"alt='Frame {number}: {WORDS[level]}'><b>{level:g}</b> <small>frame {number}</small></div>"
    )
