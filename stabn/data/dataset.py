"""Records → clips → batches: reproducible to the sample, resumable, exact across ranks.

Samplers yield a :class:`ClipKey`, and all randomness of a clip comes from a hash of
(seed, epoch, video id, repeat): the same clip whatever the rank, the worker or the restart.

A file that cannot be decoded ends no DataLoader: in training the next record's clip takes its
place, in evaluation it is left out, and the batch says so.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler, default_collate

from stabn.data.sampling import Rule, views
from stabn.data.ssv2 import Record
from stabn.data.transforms import ClipTransform
from stabn.data.video import VideoError

TRIES = 20  # broken videos in a row, after which it is the data set that is broken


class Videos(Protocol):
    """Where frames come from: a ``VideoFolder`` or ``PreparedFrames``."""

    def frames(self, video_id: str) -> int:
        """How many frames a video has."""

    def read(self, video_id: str, indices: np.ndarray) -> np.ndarray:
        """Frames uint8 (T, H, W, 3) at source frame indices (T,)."""


class Views(NamedTuple):
    """How often an evaluation looks at a video: clips at other moments × crops at other places."""

    temporal: int = 1
    spatial: int = 1

    @property
    def several(self) -> bool:
        """Whether it is more than the sampling rule itself, cropped at the centre."""
        return self != ONE_VIEW


ONE_VIEW = Views()


class ClipKey(NamedTuple):
    """Which clip: the record's index, the epoch, and which of the video's clips (repeat, view)."""

    index: int
    epoch: int = 0
    repeat: int = 0


@dataclass(frozen=True)
class Clip:
    """One clip and what is known of it.

    Attributes:
        video: uint8 (3, T, H, W); of a :class:`~stabn.data.features.FeatureDataset` the features of
            its frames instead, float32 (T, C) or (T, C, H′, W′).
        label: Class id.
        video_id: The video it was taken from.
        frame_indices: int64 (T,), source frame indices; −1 where features of a short video are
            filled up with zeros.
    """

    video: Tensor
    label: int
    video_id: str
    frame_indices: Tensor


class Failure(NamedTuple):
    """A video that could not be decoded: its id, and why."""

    video_id: str
    cause: str


@dataclass(frozen=True)
class Batch:
    """N clips.

    Attributes:
        video: uint8 (N, 3, T, H, W), or float32 features (N, T, C) or (N, T, C, H′, W′).
        label: int64 (N,).
        video_id: N ids.
        frame_indices: int64 (N, T), −1 where there is no frame.
        failures: Videos that were to be among them and could not be decoded.
    """

    video: Tensor
    label: Tensor
    video_id: list[str]
    frame_indices: Tensor
    failures: tuple[Failure, ...] = ()

    def to(self, device: torch.device | str) -> "Batch":
        """The batch on a device; copies from pinned memory do not block."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """The batch in pinned memory (a DataLoader calls this)."""
        return self._map(Tensor.pin_memory)

    def split(self, count: int) -> list["Batch"]:
        """``count`` batches of equal size, in order; failures stay with the whole one."""
        size, rest = divmod(len(self), count)
        if rest:
            raise ValueError(f"{len(self)} clips cannot be {count} batches of equal size")
        parts = [slice(start, start + size) for start in range(0, len(self), size)]
        return [
            Batch(self.video[p], self.label[p], self.video_id[p], self.frame_indices[p])
            for p in parts
        ]

    def __len__(self) -> int:
        return len(self.video_id)

    def _map(self, function) -> "Batch":
        values = [getattr(self, field.name) for field in fields(self)]
        return Batch(*(function(v) if isinstance(v, Tensor) else v for v in values))


class LabelledClips(Dataset[Clip]):
    """A clip for each :class:`ClipKey` of labelled videos; who inherits it says which clip.

    ``dataset[key]`` raises what is wrong with a video. A DataLoader asks for a batch of keys, and
    gets what there is: see :meth:`__getitems__`.

    Args:
        records: The split's videos.
        seed: Training's seed, or None for evaluation.
    """

    def __init__(self, records: Sequence[Record], seed: int | None):
        self.records = records
        self.seed = seed

    def __len__(self) -> int:
        return len(self.records)

    @property
    def labelled(self) -> bool:
        """Whether the videos' classes are known; of an unlabelled split they are not."""
        return all(record.labelled for record in self.records)

    def __getitems__(self, keys: Sequence[ClipKey]) -> list[Clip | Failure]:
        """The clips of a batch, and a :class:`Failure` for every video that cannot be decoded.

        In training the clip of the next record in the list takes its place (the first one after the
        last), with that record's own random choices: a rule that knows no rank, worker or restart.
        In evaluation nothing does.

        Raises:
            VideoError: In training, when ``TRIES`` records in a row cannot be decoded.
        """
        return [part for key in keys for part in self._clip_or_failures(key)]

    def _clip_or_failures(self, key: ClipKey) -> list[Clip | Failure]:
        found: list[Clip | Failure] = []
        for further in range(1 if self.seed is None else min(TRIES, len(self))):
            index = (key.index + further) % len(self)
            try:
                return [*found, self[key._replace(index=index)]]
            except VideoError as error:
                found.append(Failure(self.records[index].video_id, str(error)))
        if self.seed is None:
            return found
        raise VideoError(
            f"{found[0].cause}; nor can the {len(found) - 1} videos after it in the list be "
            f"decoded: is the data set complete?"
        )


class ClipDataset(LabelledClips):
    """Clips of labelled videos, indexed by :class:`ClipKey`.

    Args:
        records: The split's videos.
        videos: Where frames come from.
        num_frames: T.
        sampling: Rule of :func:`stabn.data.sampling.views`; repeat r takes clip r mod V.
        transform: Frames → clip; or S of them, each of which makes a clip of the same frames: then
            repeat r is transform r mod S of clip r // S mod V.
        seed: Training's seed, or None for evaluation: middle frames, no augmentation.
        temporal: Evaluation: the argument of :func:`stabn.data.sampling.views`.

    Raises:
        VideoError: When a video cannot be read. No other video takes its place.
    """

    def __init__(
        self,
        records: Sequence[Record],
        videos: Videos,
        num_frames: int,
        sampling: Rule,
        transform: ClipTransform | Sequence[ClipTransform],
        seed: int | None = None,
        temporal: int = 1,
    ):
        super().__init__(records, seed)
        self.videos = videos
        self.num_frames = num_frames
        self.sampling = sampling
        self.transforms = transform if isinstance(transform, Sequence) else (transform,)
        self.temporal = temporal
        self._kept: tuple[tuple, np.ndarray] | None = None

    def __getitem__(self, key: ClipKey | int) -> Clip:
        key = key if isinstance(key, ClipKey) else ClipKey(int(key))
        record = self.records[key.index]
        rng = None if self.seed is None else clip_rng(self.seed, record.video_id, key)
        n = self.videos.frames(record.video_id)
        rows = views(self.sampling, n, self.num_frames, rng, self.temporal)  # (V, T)
        row, which = divmod(key.repeat, len(self.transforms))
        indices = rows[row % len(rows)]  # (T,)
        frames = self._read(record.video_id, indices)  # (T, H, W, 3)
        video, label = self.transforms[which](frames, record.class_id, rng)
        return Clip(video, label, record.video_id, torch.from_numpy(indices))

    @property
    def views(self) -> Views:
        """In how many ways each video is looked at."""
        return Views(self.temporal, len(self.transforms))

    def _read(self, video_id: str, indices: np.ndarray) -> np.ndarray:
        """The frames, read once for all the crops that follow each other."""
        if len(self.transforms) == 1:
            return self.videos.read(video_id, indices)
        wanted = (video_id, *indices.tolist())
        if self._kept is None or self._kept[0] != wanted:
            self._kept = wanted, self.videos.read(video_id, indices)
        return self._kept[1]


def clip_rng(seed: int, video_id: str, key: ClipKey) -> np.random.Generator:
    """The generator of a clip's random choices, from (seed, epoch, video id, repeat) alone."""
    name = f"{seed}/{key.epoch}/{video_id}/{key.repeat}".encode()
    digest = hashlib.blake2b(name, digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest))


def collate(parts: Sequence[Clip | Failure]) -> Batch:
    """N clips, and failures among them, → a batch; one without clips has N = 0.

    In a DataLoader's worker the clips are written straight into shared memory.
    """
    clips = [part for part in parts if isinstance(part, Clip)]
    failures = tuple(part for part in parts if isinstance(part, Failure))
    if not clips:
        return Batch(
            torch.empty(0), torch.empty(0, dtype=torch.int64), [], torch.empty(0), failures
        )
    return Batch(
        video=_together([clip.video for clip in clips]),
        label=torch.tensor([clip.label for clip in clips], dtype=torch.int64),
        video_id=[clip.video_id for clip in clips],
        frame_indices=default_collate([clip.frame_indices for clip in clips]),
        failures=failures,
    )


def _together(videos: list[Tensor]) -> Tensor:
    """Clips (3, T, H, W) → (N, 3, T, H, W), the channels last in memory; features as they are."""
    if videos[0].is_floating_point():
        return default_collate(videos)
    frames = default_collate([video.permute(1, 2, 3, 0) for video in videos])  # (N, T, H, W, 3)
    return frames.permute(0, 4, 1, 2, 3)


class TrainSampler(Sampler[list[ClipKey]]):
    """One rank's share of every global batch of an epoch; give it to a DataLoader as batch sampler.

    The epoch's order is a permutation drawn from (seed, epoch). Global batch b is the same set of
    clips for any world size; rank r takes every world_size-th clip of it. The last, incomplete
    batch is dropped: which clips that leaves out changes with the epoch.

    Args:
        n: Videos.
        batch_size: Clips in a *global* batch, a multiple of world_size.
        rank: This process, from 0.
        world_size: How many processes.
        seed: Training's seed.
        epoch: Which epoch; set the attribute before the next one.
        start_batch: Global batches already done, after a restart in mid-epoch.
        repeats: Clips taken of a video in an epoch (V of the sampling rule); one number, or each's.
        draws: After so many epochs the same clips come again, in another order; None: never.
    """

    def __init__(
        self,
        n: int,
        batch_size: int,
        rank: int = 0,
        world_size: int = 1,
        seed: int = 0,
        epoch: int = 0,
        start_batch: int = 0,
        repeats: int | Sequence[int] = 1,
        draws: int | None = None,
    ):
        if batch_size < 1 or batch_size % world_size:
            raise ValueError(f"batch size {batch_size} is no multiple of {world_size} processes")
        times = np.broadcast_to(repeats, n)
        rounds = [np.flatnonzero(times > r).tolist() for r in range(times.max())]
        self.clips = [(index, r) for r, videos in enumerate(rounds) for index in videos]
        if len(self.clips) < batch_size:
            raise ValueError(f"{n} videos do not fill one batch of {batch_size}")
        self.batch_size = batch_size
        self.rank, self.world_size = rank, world_size
        self.seed, self.epoch, self.start_batch, self.draws = seed, epoch, start_batch, draws

    def __len__(self) -> int:
        return len(self.clips) // self.batch_size - self.start_batch

    def __iter__(self) -> Iterator[list[ClipKey]]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.clips))
        draw = self.epoch % (self.draws or self.epoch + 1)
        for batch in range(self.start_batch, len(order) // self.batch_size):
            mine = order[batch * self.batch_size :][: self.batch_size][self.rank :: self.world_size]
            yield [ClipKey(index, draw, r) for index, r in (self.clips[i] for i in mine)]


class EvalSampler(Sampler[ClipKey]):
    """One rank's videos, every world_size-th, each once with all its views; nothing is padded.

    Args:
        n: Videos.
        views: Clips of each, over all its views.
        rank: This process, from 0.
        world_size: How many processes.
    """

    def __init__(self, n: int, views: int = 1, rank: int = 0, world_size: int = 1):
        self.videos, self.views = range(rank, n, world_size), views

    def __len__(self) -> int:
        return len(self.videos) * self.views

    def __iter__(self) -> Iterator[ClipKey]:
        return (ClipKey(i, 0, view) for i in self.videos for view in range(self.views))
