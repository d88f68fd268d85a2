"""Where videos were recorded, by what stands still in them → folds that share no place.

Clips of one place show the same wall, light and often the same hand. A network that has seen a
place has half seen its other clips, so a clip is tested by a network that saw none of its place.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from av.video.reformatter import VideoReformatter
from scipy.cluster.hierarchy import fcluster, linkage

from stabn.data.decoding import opened, playing

PLACES, FOLDS = 12, 5
_SMALL = 64, 48  # width and height at which the median is taken
_BLOCK = 8  # its pixels are averaged over blocks of this side


class Seen(NamedTuple):
    """A video as it lies there, and what stands still in it.

    Attributes:
        frames: how many play.
        size: height and width in pixels.
        fps: frames a second.
        background: float32 (6 · 8 · 3,), 0 to 255: the median over time, in blocks.
    """

    frames: int
    size: tuple[int, int]
    fps: float
    background: np.ndarray


def look(path: Path) -> Seen:
    """Decode a video once.

    Raises:
        VideoError: it cannot be read.
    """
    convert, small = VideoReformatter(), []
    with opened(path) as stream:
        for frame in playing(path, stream):
            size = frame.height, frame.width
            small.append(convert.reformat(frame, *_SMALL, format="rgb24").to_ndarray())
        fps = float(stream.average_rate or stream.guessed_rate)
    still = np.median(np.stack(small), axis=0)  # (48, 64, 3)
    width, height = (side // _BLOCK for side in _SMALL)
    blocks = still.reshape(height, _BLOCK, width, _BLOCK, 3).mean(axis=(1, 3))
    return Seen(len(small), size, fps, blocks.ravel().astype(np.float32))


def places(backgrounds: np.ndarray, most: int = PLACES) -> list[int]:
    """Which place each video shows, from 0: Ward's clusters of their backgrounds.

    Args:
        backgrounds: (N, D).
        most: how many places; rather too few than too many, as two places taken for one cost a
            little balance, and one taken for two lets a network see where it is tested.
    """
    if len(backgrounds) < 2:
        return [0] * len(backgrounds)
    found = fcluster(linkage(backgrounds, "ward"), most, "maxclust")
    return [int(place) - 1 for place in found]


def folds(of: Sequence[int], count: int = FOLDS) -> list[int]:
    """The fold of each video, by its place: the largest place first, to the smallest fold."""
    sizes = [0] * count
    fold_of: dict[int, int] = {}
    for place in sorted(set(of), key=lambda place: (-of.count(place), place)):
        fold_of[place] = sizes.index(min(sizes))
        sizes[fold_of[place]] += of.count(place)
    return [fold_of[place] for place in of]
