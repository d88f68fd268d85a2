"""Whether a copy shows what its source shows, frame by frame, as training will read both."""

from pathlib import Path

import numpy as np
from PIL import Image

from stabn.data.video import read_frames

# Thumbnails even out what scaling and encoding change, and keep what a wrong picture would change.
_SIDES = (2, 16)  # pixels: a quarter of a copy's short side, within these
_ALIKE = 15.0  # of 255, root mean square: copies differ by 1 to 10, pictures turned by 20 and more
_NEARER = 2.0  # of 255: by so much another frame may seem to be the right one
_ROUNDED = 3.0  # pixels: what rounding to whole or even ones may change in the form of a copy


def unlike(source: Path, copy: Path, frames: int) -> str | None:
    """What tells the first, middle or last frame of a copy from its source's, in words; or None.

    Each must resemble its own frame of the source, and none beside it more: so a copy that is
    squeezed, turned, mirrored, or a frame late is found, though its size and length are right.

    Args:
        source: A video.
        copy: Its copy, of the same shape at any size.
        frames: How many both have.

    Raises:
        VideoError: One of the two cannot be read.
    """
    looked_at = sorted({0, frames // 2, frames - 1})
    beside = sorted({k + d for k in looked_at for d in (-1, 0, 1)} & set(range(frames)))
    copies, originals = read_frames(copy, looked_at), read_frames(source, beside)  # (·, H, W, 3)
    (height, width), (old_height, old_width) = copies.shape[1:3], originals.shape[1:3]
    if abs(height * old_width / (width * old_height) - 1) > _ROUNDED / min(height, width):
        return f"its copy is squeezed, {height}×{width} of {old_height}×{old_width}"
    side = int(np.clip(min(height, width) // 4, *_SIDES))
    originals = {j: _thumbnail(frame, side) for j, frame in zip(beside, originals, strict=True)}
    for k, frame in zip(looked_at, copies, strict=True):
        thumbnail = _thumbnail(frame, side)
        distances = {j: _distance(thumbnail, original) for j, original in originals.items()}
        nearest = min(distances, key=distances.get)
        if distances[nearest] > _ALIKE:
            return f"its copy shows another picture than the source, as in frame {k}"
        if distances[k] > distances[nearest] + _NEARER:
            return f"its copy shows frame {nearest} of the source as frame {k}"
    return None


def _thumbnail(frame: np.ndarray, side: int) -> np.ndarray:
    """A frame (H, W, 3) as float (side, side, 3), each pixel the mean of its part of it."""
    small = Image.fromarray(frame).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small, np.float64)


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))
