"""A set's videos through a frozen encoder, once: what a network is trained on that begins with one.

``stabn features --root data/mini --out data/mini_lite0 --encoder efficientnet_lite0``
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, get_args

import av
import click
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from stabn import given
from stabn.data.dataset import Videos
from stabn.data.features import (
    KEY,
    FeatureCache,
    FeatureKey,
    FeaturesError,
    Taken,
    VideoFeatures,
    as_json,
)
from stabn.data.prepared import PreparedFrames
from stabn.data.sampling import second_indices, segment_indices
from stabn.data.ssv2 import VideoFolder
from stabn.data.transforms import eval_transform
from stabn.data.video import VideoError, probe
from stabn.models.encoders import ENCODERS, LITE0, Encoder, pooled
from stabn.training.files import file_hash, remove_leftovers, replacing
from stabn.training.lock import held
from stabn.training.process import joined, obey_parent_alone, worker_context
from stabn.words import counted

AT_ONCE = 32  # frames through the encoder together


class _Seen(NamedTuple):
    """A video as an encoder is to see it: uint8 (3, n, size, size), or why it cannot be read."""

    video_id: str
    clip: Tensor | None
    indices: Tensor | None
    frames: int
    video_hash: str
    cause: str = ""


class _Clips(Dataset[_Seen]):
    """Videos → their frames as an encoder is to see them: the largest square in the middle."""

    def __init__(self, videos: Videos, ids: Sequence[str], key: FeatureKey):
        self.videos, self.ids, self.key = videos, ids, key
        size = ENCODERS[key.encoder].size
        self.transform = eval_transform(size, short_side=size)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> _Seen:
        video_id = self.ids[row]
        try:
            n = self.videos.frames(video_id)
            indices = self._indices(video_id, n)
            clip, _ = self.transform(self.videos.read(video_id, indices))
        except VideoError as error:
            return _Seen(video_id, None, None, 0, "", str(error))
        content = hash_of(self.videos, video_id)
        return _Seen(video_id, clip, torch.from_numpy(indices), n, content)

    def _indices(self, video_id: str, n: int) -> np.ndarray:
        if self.key.taken == "all":
            return np.arange(n)
        if self.key.taken == "segments":
            return segment_indices(n, self.key.num_frames)
        return each_second(self.videos.path(video_id), n)


def each_second(path: Path, n: int) -> np.ndarray:
    """The first frame of every second of a video of n frames, int64.

    Raises:
        VideoError: it does not say how many frames a second has.
    """
    if not (fps := probe(path).fps):
        raise VideoError(path, "does not say its frames per second: re-encode it")
    return second_indices(n, fps)


def key_of(
    encoder: Encoder, videos: Videos, output: str, taken: Taken, num_frames: int | None
) -> FeatureKey:
    """What the features of these videos are of; parameters as those of the key.

    Raises:
        FeaturesError: ``taken`` and the rest do not go together.
    """
    if (taken == "segments") != (num_frames is not None):
        raise FeaturesError(
            f"frames: {taken} take no number, they are as many as a video has"
            if num_frames
            else "frames: segments need a number of frames a video, as --frames 16"
        )
    decoder = f"av {av.__version__}"
    if isinstance(videos, PreparedFrames):
        if taken == "seconds":
            raise FeaturesError(
                f"{videos.folder}: a prepared set does not know how many frames a second has; "
                "read the videos themselves, without --prepared"
            )
        index = videos.index
        decoder = f"{index['decoder']}, {index['short_side']} px, {index['data']}"
    return FeatureKey(
        *(encoder.name, encoder.weights_hash, encoder.official, output, taken, num_frames, decoder)
    )


def hash_of(videos: Videos, video_id: str) -> str:
    """SHA-256 of a video's file; "" of a prepared set, whose key names its content."""
    return "" if isinstance(videos, PreparedFrames) else file_hash(videos.path(video_id))


def extract(
    encoder: Encoder,
    videos: Videos,
    video_ids: Sequence[str],
    out: Path | str,
    *,
    output: str = "pooled",
    taken: Taken = "segments",
    num_frames: int | None = None,
    jobs: int = 0,
) -> FeatureCache:
    """Encode the frames of videos, and keep what comes of them; what is there already stays.

    Killed at any moment, the same call goes on where it stopped.

    Args:
        encoder: On the device where it is to work.
        videos: Where frames come from.
        video_ids: Which of them.
        out: The cache's folder, made if missing.
        output, taken, num_frames: As :class:`~stabn.data.features.FeatureKey`'s.
        jobs: Processes that decode meanwhile; 0 for this one, in turns with encoding.

    Raises:
        FeaturesError: The folder holds features of another key, or of a video that has changed
            since; some videos are broken (all others are encoded first, each is named with its
            cause); the folder cannot be written.
    """
    out = given.path(out)
    if not video_ids:
        raise FeaturesError(f"{out}: no videos to encode")
    key = key_of(encoder, videos, output, taken, num_frames)
    try:
        with held(out):
            remove_leftovers(out)
            cache = _opened(out, key)
            clips = _Clips(videos, _missing(cache, videos, video_ids), key)
            broken = _encode(encoder, clips, cache, len(video_ids), jobs)
    except OSError as error:
        raise FeaturesError(f"{out}: cannot be written: {error.strerror}") from error
    if broken:
        raise FeaturesError(
            f"{out}: {len(broken)} of {len(video_ids)} videos cannot be read, all others are "
            "encoded:\n" + "\n".join(broken)
        )
    return cache


def _opened(out: Path, key: FeatureKey) -> FeatureCache:
    """The cache in a folder, begun if there is none."""
    if not (out / KEY).exists():
        with replacing(out / KEY, "w") as file:
            file.write(as_json(key))
    return FeatureCache(out, **vars(key))


def _missing(cache: FeatureCache, videos: Videos, video_ids: Sequence[str]) -> list[str]:
    """The videos that have no features yet, or damaged ones.

    Raises:
        FeaturesError: A video is another one than that whose features there are.
    """
    missing = []
    for video_id in video_ids:
        try:
            kept = cache.read(video_id)
            if kept.video_hash != hash_of(videos, video_id):
                raise FeaturesError(
                    f"{cache.path(video_id)}: the video has changed since its features were made; "
                    "delete this file, or the whole folder if the set is another one"
                )
        except (VideoError, OSError):  # no features; or no such video, which is said later
            missing.append(video_id)
    return missing


def _encode(
    encoder: Encoder, clips: _Clips, cache: FeatureCache, total: int, jobs: int
) -> list[str]:
    """Write the features of all clips that can be read; why the others cannot."""
    loader = DataLoader(
        clips,
        batch_size=None,
        num_workers=jobs,
        multiprocessing_context=worker_context() if jobs else None,
        worker_init_fn=obey_parent_alone,
    )
    shown = partial(tqdm, total=total, initial=total - len(clips), unit="video", mininterval=1.0)
    broken = []
    for seen in shown(loader, desc="encoding"):
        if seen.clip is None:
            broken.append(seen.cause)
            continue
        features = encoded(encoder, seen.clip, cache.key.output)
        kept = VideoFeatures(features, seen.indices, seen.frames, seen.video_hash)
        with replacing(cache.path(seen.video_id)) as file:
            file.write(cache.packed(seen.video_id, kept))
    return broken


def encoded(encoder: Encoder, clip: Tensor, output: str) -> Tensor:
    """A clip uint8 (3, n, size, size) → features on the CPU: float32 (n, C[, H′, W′])."""
    device = next(encoder.parameters()).device
    parts = []
    for part in clip.split(AT_ONCE, dim=1):
        cube = encoder(part[None].to(device))[0]  # (≤ 32, C, H′, W′)
        parts.append((pooled(cube) if output == "pooled" else cube).cpu())
    return torch.cat(parts)


def named(weights: str) -> str | None:
    """Weights as a command names them: none for random ones, else what an encoder takes."""
    return None if weights == "none" else weights


@click.command(help="Run a set's videos through a frozen ImageNet network, once.")
@click.option("--root", type=given.path, help="data set with videos/<id>.webm")
@click.option("--prepared", type=given.path, help="instead: a prepared set, smaller and faster")
@click.option("--out", type=given.path, required=True, help="folder of the features")
@click.option("--encoder", type=click.Choice(list(ENCODERS)), default=LITE0, show_default=True)
@click.option("--weights", default="imagenet", show_default=True, help="imagenet | FILE | none")
@click.option("--official", is_flag=True, help="feed BGR, the source's fault, to compare")
@click.option("--cube", is_flag=True, help="keep (C, H′, W′) of each frame, not its mean (C,)")
@click.option("--taken", type=click.Choice(get_args(Taken)), default="segments", show_default=True)
@click.option("--frames", type=click.IntRange(min=1), help="of each video, with segments")
@click.option("--jobs", type=click.IntRange(min=0), default=0, help="processes that decode")
def command(
    root: Path | None,
    prepared: Path | None,
    out: Path,
    encoder: str,
    weights: str,
    official: bool,
    cube: bool,
    taken: Taken,
    frames: int | None,
    jobs: int,
) -> None:
    """``stabn features --root data/mini --out data/mini_lite0 --frames 16``."""
    if (root is None) == (prepared is None):
        raise click.UsageError("give --root or --prepared, one of the two")
    videos = VideoFolder(root) if root else PreparedFrames(prepared)
    with joined() as me:
        network = Encoder(encoder, named(weights), official=official)
        ids, output = videos.video_ids(), "cube" if cube else "pooled"
        cache = extract(
            network.to(me.device),
            *(videos, ids, out),
            output=output,
            taken=taken,
            num_frames=frames,
            jobs=jobs,
        )
    size = sum(cache.path(video_id).stat().st_size for video_id in ids)
    click.echo(
        f"{out}: features of {counted(len(ids), 'video')} by {encoder}, of "
        f"{counted(cache.mean_length(ids), 'frame')} on average, {size / 1e6:.1f} MB"
    )
