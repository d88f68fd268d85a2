"""What a frozen encoder makes of a set's videos, kept on disk and read in place of frames.

A cache is a folder: ``features.json`` says what its features are of (:class:`FeatureKey`), and
``<video id>.safetensors`` holds those of one video, with the source frame index of each and the
same key. A file stands there whole or not at all, so a cache that was begun can be gone on with; a
cache of another key, or a file of another cache, is refused. ``stabn features`` makes one
(:mod:`stabn.training.features`).
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from stabn import given
from stabn.data.dataset import ONE_VIEW, Clip, ClipKey, LabelledClips, Views, clip_rng
from stabn.data.sampling import segment_indices
from stabn.data.ssv2 import Record
from stabn.data.video import VideoError
from stabn.errors import UserError

KEY = "features.json"
_VERSION = 1
_SAID = "stabn"

Taken = Literal["segments", "seconds", "all"]  # which frames of a video are encoded


class FeaturesError(UserError):
    """A cache that is missing, damaged, or of another encoder, weights, frames or decoder."""


@dataclass(frozen=True)
class FeatureKey:
    """All that the features of a video depend on, beside the video.

    Attributes:
        encoder: Its name in :mod:`stabn.models.encoders`.
        weights: SHA-256 of its weights.
        official: Whether it was fed BGR, as the source's code did.
        output: ``"pooled"``: float32 (C,) a frame; ``"cube"``: float16 (C, H′, W′).
        taken: Which frames: ``"segments"``, the middle ones of ``num_frames`` equal parts;
            ``"seconds"``, the first of every second; ``"all"``.
        num_frames: With ``"segments"``, how many; None else.
        decoder: What read the frames, or the prepared set that they come from.
    """

    encoder: str
    weights: str
    official: bool
    output: Literal["pooled", "cube"]
    taken: Taken
    num_frames: int | None
    decoder: str

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of all of it: what a run's record and a checkpoint can name."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


class VideoFeatures(NamedTuple):
    """One video's features, float32 (n, C) or float16 (n, C, H′, W′), n frames in their order.

    Beside them the source frame index of each, int64 (n,); how many frames the video has; and the
    SHA-256 of its file, or "" where the key says it.
    """

    features: Tensor
    indices: Tensor
    frames: int
    video_hash: str


class FeatureCache:
    """A cache of features.

    Args:
        path: Its folder.
        expected: What somebody relies on: fields of its :class:`FeatureKey`, by name.

    Attributes:
        folder: Where it lies.
        key: What its features are of.

    Raises:
        FeaturesError: No cache, a damaged one, or one that differs from what is expected; the
            message names each field that does.
    """

    def __init__(self, path: Path | str, **expected: object):
        self.folder = given.path(path)
        file = self.folder / KEY
        try:
            written = given.read_json(file)
            if written.pop("version") != _VERSION:
                raise FeaturesError(f"{file}: made by another version; make the features again")
            self.key = FeatureKey(**written)
        except OSError as error:
            raise FeaturesError(f"{file}: {error.strerror}; make it with stabn features") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FeaturesError(f"{file}: damaged ({error}); make the features again") from error
        check_same(self.folder, self.key, expected)

    def path(self, video_id: str) -> Path:
        """The file of a video's features, whether it is there or not."""
        return self.folder / f"{video_id}.safetensors"

    def video_ids(self) -> list[str]:
        """The videos whose features are here, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.safetensors"))

    def read(self, video_id: str) -> VideoFeatures:
        """The features of a video, as they are kept.

        Raises:
            VideoError: There are none, or the file is damaged or of another cache or video.
        """
        with self._opened(video_id) as file:
            said = _said(file)
            tensors = file.get_tensor("features"), file.get_tensor("indices")
            return VideoFeatures(*tensors, said["frames"], said["video"])

    def mean_length(self, video_ids: Iterable[str]) -> int:
        """Mean number of a video's frames here, rounded: the T of "T = the set's mean length".

        Raises:
            VideoError: As :meth:`read`.
        """
        lengths = []
        for video_id in video_ids:
            with self._opened(video_id) as file:
                lengths.append(file.get_slice("indices").get_shape()[0])
        return round(sum(lengths) / len(lengths))

    @contextmanager
    def _opened(self, video_id: str) -> Iterator[safe_open]:
        path = self.path(video_id)
        try:
            with safe_open(path, "pt") as file:
                said = _said(file)
                if (said.get("key"), said.get("video_id")) != (self.key.hash, video_id):
                    raise VideoError(
                        path, "is of another cache or video: delete it and run stabn features again"
                    )
                yield file
        except FileNotFoundError as error:
            raise VideoError(path, "not there: run stabn features again for this set") from error
        except (OSError, SafetensorError) as error:
            raise VideoError(
                path, f"damaged ({error}): delete it and run stabn features again"
            ) from error

    def packed(self, video_id: str, found: VideoFeatures) -> bytes:
        """The content of a video's file.

        Raises:
            FeaturesError: A feature is NaN, or greater than what is kept of a cube can be.
        """
        kind = torch.float16 if self.key.output == "cube" else torch.float32
        features = found.features.to(kind)
        if not torch.isfinite(features).all():
            raise FeaturesError(
                f"{self.path(video_id)}: a feature is NaN, infinite, or too great for {kind}; are "
                f"the weights of {self.key.encoder} what they should be?"
            )
        tensors = {"features": features.contiguous(), "indices": found.indices}
        said = {"key": self.key.hash, "video_id": video_id, "video": found.video_hash}
        return save(tensors, {_SAID: json.dumps(said | {"frames": found.frames})})


def _said(file: safe_open) -> dict[str, Any]:
    """What a file says beside its tensors: one text, as several would stand in any order."""
    return json.loads((file.metadata() or {}).get(_SAID, "{}"))


def as_json(key: FeatureKey) -> str:
    """The content of ``features.json``."""
    return json.dumps({"version": _VERSION, **asdict(key)}, indent=1)


def check_same(folder: Path, key: FeatureKey, expected: dict[str, object]) -> None:
    """Whether a cache is what somebody relies on.

    Raises:
        FeaturesError: It is not; the message names each field that differs.
    """
    there = asdict(key)
    if strange := expected.keys() - there.keys():
        raise TypeError(f"no part of a FeatureKey: {', '.join(sorted(strange))}")
    differs = [
        f"{name} {there[name]}, not {value}"
        for name, value in expected.items()
        if there[name] != value
    ]
    if differs:
        raise FeaturesError(
            f"{folder}: holds features of {'; '.join(differs)}: give another folder, or make these "
            "there with stabn features after deleting it"
        )


class FeatureDataset(LabelledClips):
    """Features of labelled videos in place of their frames, one for each ``ClipKey``.

    It serves the same samplers, loaders and ``collate`` as a data set of clips. A clip's ``video``
    is float32 (T, C), or (T, C, H′, W′) of a cache of cubes. Which T of the frames that are kept:

    - ``"segments"``: all; the cache was made for this T.
    - ``"all"``: one of each of T equal parts, drawn in training, in the middle in evaluation.
    - ``"seconds"``: the first T. A shorter video ends in zeros with frame index −1; so
      ``batch.frame_indices >= 0`` is the mask of the frames that there are, bool (N, T).

    Args:
        records: The split's videos.
        cache: Their features.
        num_frames: T.
        seed: Training's seed, or None for evaluation.

    ``dataset[key]`` raises a VideoError where a video has no features; a DataLoader goes on, as
    with videos that cannot be decoded.

    Raises:
        FeaturesError: The cache was made for another T.
    """

    views: Views = ONE_VIEW

    def __init__(
        self,
        records: Sequence[Record],
        cache: FeatureCache,
        num_frames: int,
        seed: int | None = None,
    ):
        super().__init__(records, seed)
        if cache.key.taken == "segments":
            check_same(cache.folder, cache.key, {"num_frames": num_frames})
        self.cache, self.num_frames = cache, num_frames

    def __getitem__(self, key: ClipKey | int) -> Clip:
        key = key if isinstance(key, ClipKey) else ClipKey(int(key))
        record = self.records[key.index]
        kept = self.cache.read(record.video_id)
        rows = self._rows(len(kept.indices), record.video_id, key)
        features, indices = kept.features[rows].float(), kept.indices[rows]
        if missing := self.num_frames - len(rows):
            features = torch.cat([features, features.new_zeros(missing, *features.shape[1:])])
            indices = torch.cat([indices, indices.new_full((missing,), -1)])
        return Clip(features, record.class_id, record.video_id, indices)

    def _rows(self, n: int, video_id: str, key: ClipKey) -> np.ndarray:
        """Which of a video's n kept frames, at most T."""
        if self.cache.key.taken != "all":
            return np.arange(min(n, self.num_frames))
        rng = None if self.seed is None else clip_rng(self.seed, video_id, key)
        return segment_indices(n, self.num_frames, rng)
