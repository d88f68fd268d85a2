"""Videos of mini-SSv2 drawn in memory, in place of a folder of files."""

from collections.abc import Iterable, Sequence

import numpy as np

from stabn.data.mini.make import example
from stabn.data.mini.scene import MiniVideo
from stabn.data.ssv2 import Record


class DrawnVideos:
    """Synthetic clips with the two methods of a source of videos, their records, and the truth.

    Clip ``i`` of class ``k`` is ``example(k, (*seed, k, i), split=split)``; its video id is
    ``"k-i"``. A clip of 128 pixels' height takes 4 MB or so.

    Args:
        classes: Class ids; the records are in this order.
        per_class: How many clips of each.
        seed: One number or several; the same seed gives the same pixels.
        split: Photographs of ``"train"`` are used nowhere else.

    Attributes:
        clips: {video id: the clip, with what is true of it}.
        records: The same videos with their labels, as an annotation file lists them.
    """

    def __init__(
        self,
        classes: Iterable[int],
        per_class: int,
        seed: int | tuple[int, ...],
        *,
        split: str = "validation",
    ):
        numbers = (seed,) if isinstance(seed, int) else seed
        self.clips: dict[str, MiniVideo] = {}
        self.records: list[Record] = []
        for k in classes:
            for i in range(per_class):
                clip = example(k, (*numbers, k, i), split=split)
                self.clips[f"{k}-{i}"] = clip
                self.records.append(Record(f"{k}-{i}", k, clip.template, clip.caption))

    @property
    def levels(self) -> dict[str, np.ndarray]:
        """{video id: float32 (n,)}, the truth level of every source frame."""
        return {video_id: clip.levels for video_id, clip in self.clips.items()}

    def frames(self, video_id: str) -> int:
        """How many frames a video has."""
        return len(self.clips[video_id].frames)

    def read(self, video_id: str, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Frames uint8 (T, H, W, 3) at source frame indices (T,), a copy."""
        return self.clips[video_id].frames[np.asarray(indices, dtype=np.int64)]
