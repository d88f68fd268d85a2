"""Clips that play: side by side in one small video, within the page itself."""

import base64
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb

from stabn.data.video import write_video
from stabn.figures.sheet import PAPER

GAP = 4  # pixels between two clips


@dataclass(frozen=True, repr=False)
class Moving:
    """A video in WebM, and the words under each of its clips; a notebook shows it playing."""

    video: bytes
    words: tuple[str, ...]

    def __repr__(self) -> str:
        return f"clips: {', '.join(self.words)}"

    def _repr_html_(self) -> str:
        source = base64.b64encode(self.video).decode()
        captions = "".join(f"<span>{escape(word)}</span>" for word in self.words)
        return (
            f'<figure class="moving"><video src="data:video/webm;base64,{source}" '
            f'aria-label="{escape(repr(self))}" controls loop muted playsinline></video>'
            f"<figcaption>{captions}</figcaption></figure>"
        )


def moving_clips(clips: Mapping[str, np.ndarray], fps: float = 12) -> Moving:
    """Clips uint8 (n, H, W, 3) of one shape, side by side, each over its name.

    They begin together, loop without a sound, and can be paused. A page plays them only for
    readers whose system does not ask for less motion.

    Raises:
        ValueError: clips of different shapes.
    """
    first = next(iter(clips.values()))
    paper = np.array([round(255 * part) for part in to_rgb(PAPER)], np.uint8)
    gap = np.broadcast_to(paper, (*first.shape[:2], GAP, 3))
    parts = [part for frames in clips.values() for part in (gap, frames)][1:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clips.webm"
        write_video(path, np.concatenate(parts, axis=2), fps)
        return Moving(path.read_bytes(), tuple(clips))
