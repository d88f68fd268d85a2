"""Clips that play: side by side in one small video, within the page itself."""

import base64
import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from stabn.data.video import write_video
from stabn.figures.sheet import PAPER

GAP = 4  # pixels between two clips


@dataclass(frozen=True, repr=False)
class Moving:
    """A video in WebM, its still, and the words under each clip; a notebook shows it playing."""

    video: bytes
    still: np.ndarray  # uint8 (H, W, 3), of the video's size
    words: tuple[str, ...]

    def __repr__(self) -> str:
        return f"clips: {', '.join(self.words)}"

    def _repr_html_(self) -> str:
        source = base64.b64encode(self.video).decode()
        picture = io.BytesIO()
        Image.fromarray(self.still).save(picture, "JPEG", quality=90)
        poster = base64.b64encode(picture.getvalue()).decode()
        height, width = self.still.shape[:2]
        captions = "".join(f"<span>{escape(word)}</span>" for word in self.words)
        return (
            f'<figure class="moving"><video src="data:video/webm;base64,{source}" '
            f'poster="data:image/jpeg;base64,{poster}" width="{width}" height="{height}" '
            f'aria-label="{escape(repr(self))}" controls loop muted playsinline></video>'
            f"<figcaption>{captions}</figcaption></figure>"
        )


def moving_clips(clips: Mapping[str, np.ndarray], stills: Sequence[int], fps: float = 12) -> Moving:
    """Clips uint8 (n, H, W, 3) of one shape, side by side, each over its name.

    They begin together, loop without a sound, and can be paused. A page plays them only for
    readers whose system does not ask for less motion.

    Args:
        clips: name → frames.
        stills: the frame of each clip that is seen before it plays, and on paper.
        fps: frames a second.

    Raises:
        ValueError: clips of different shapes, or not one still for each.
    """
    shown = [frames[k] for frames, k in zip(clips.values(), stills, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clips.webm"
        write_video(path, _side_by_side(list(clips.values())), fps)
        return Moving(path.read_bytes(), _side_by_side(shown), tuple(clips))


def _side_by_side(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures or clips uint8 (…, H, W, 3), joined along their width with paper between."""
    paper = np.array([round(255 * part) for part in to_rgb(PAPER)], np.uint8)
    gap = np.broadcast_to(paper, (*pictures[0].shape[:-2], GAP, 3))
    return np.concatenate([part for one in pictures for part in (gap, one)][1:], axis=-2)
