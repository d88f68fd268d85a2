"""The temporal attention of a whole video, and what re-scoring an edit of it needs."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stabn.data.dataset import Failure, Videos
from stabn.data.sampling import interleaved_indices, views
from stabn.data.transforms import ClipTransform, eval_transform, normalise
from stabn.data.video import VideoError
from stabn.knowledge.selection.rescoring import Features
from stabn.models.folded import folded
from stabn.models.st_abn import STABN
from stabn.training.build import split_videos
from stabn.training.config import RunConfig
from stabn.training.process import Process, autocast, gathered, usable_precision


class Look(NamedTuple):
    """What the network makes of one video: M_t of all frames (n,), and of its clips the rest."""

    attention: np.ndarray
    features: Features


def whole_video_attention(
    model: STABN,
    videos: Videos,
    video_id: str,
    num_frames: int,
    transform: ClipTransform,
    *,
    batch_size: int = 8,
    precision: str = "fp32",
) -> np.ndarray:
    """M_t of every frame of a video, of any length.

    M_t depends on a frame's position in its clip, and a clip is spread over the whole video; so the
    network is shown interleaved segment samples, each a clip of the kind it knows, which together
    visit every frame. A frame that is visited more than once gets the mean.

    Args:
        model: ST-ABN in eval mode.
        videos: where frames come from.
        video_id: which video.
        num_frames: T, of the network.
        transform: evaluation's, from :func:`stabn.data.transforms.eval_transform`.
        batch_size: clips at a time.
        precision: fp32, bf16 or fp16, where the device can.

    Returns:
        float32 (n,) in [0, 1].

    Raises:
        VideoError: the video cannot be read.
    """
    seen = _all_frames(videos, video_id, transform)
    return _attention(model, seen, num_frames, batch_size, precision)


def _all_frames(videos: Videos, video_id: str, transform: ClipTransform) -> Tensor:
    """All frames as the network sees them, uint8 (3, n, size, size)."""
    return transform(videos.read(video_id, np.arange(videos.frames(video_id))))[0]


@torch.no_grad()
def _attention(
    model: STABN, seen: Tensor, num_frames: int, batch_size: int, precision: str
) -> np.ndarray:
    n = seen.shape[1]
    samples = interleaved_indices(n, num_frames)  # (J, T)
    weights = []
    for rows in torch.from_numpy(samples).split(batch_size):
        clips = _clips(model, seen, rows)
        with autocast(usable_precision(precision, clips.device), clips.device):
            weights.append(model(clips).temporal_attention.float().cpu())
    total = np.bincount(samples.ravel(), torch.cat(weights).flatten().numpy(), minlength=n)
    return (total / np.bincount(samples.ravel(), minlength=n)).astype(np.float32)


def _clips(model: STABN, seen: Tensor, rows: Tensor) -> Tensor:
    """The clips of ``seen`` (3, n, size, size) at ``rows`` (N, T), normalised, on the device."""
    device = next(model.parameters()).device
    return normalise(seen[:, rows].transpose(0, 1).to(device))  # (N, 3, T, size, size)


@torch.no_grad()
def look(model: STABN, videos: Videos, video_id: str, config: RunConfig, batch_size: int) -> Look:
    """One video's whole attention, and the features of the clips that evaluation takes of it.

    Raises:
        VideoError: the video cannot be read.
    """
    transform = eval_transform(config.image_size, short_side=config.short_side)
    seen = _all_frames(videos, video_id, transform)
    attention = _attention(model, seen, config.num_frames, batch_size, config.precision)
    indices = torch.from_numpy(views(config.sampling, seen.shape[1], config.num_frames))  # (V, T)
    clips = _clips(model, seen, indices)
    with autocast(usable_precision(config.precision, clips.device), clips.device):
        maps = model.features(clips)
        output = model.from_features(maps)
    tensors = (maps, output.spatial_attention, output.temporal_attention)
    return Look(attention, Features(*(t.float().cpu() for t in tensors), indices))


def looks(
    model: STABN, video_ids: Sequence[str], config: RunConfig, me: Process
) -> Iterator[Look | Failure]:
    """A look at each video, in order, on every rank: each looks at every world_size-th.

    A video that cannot be decoded, in any of its frames, gives a failure.
    """
    videos = split_videos(config, config.train_split)[1]
    batch_size = clips_at_a_time(config, me)
    model = folded(model)
    for start in range(0, len(video_ids), me.world_size):
        mine: list[Look | Failure] = []
        for video_id in video_ids[start : start + me.world_size][me.rank : me.rank + 1]:
            try:
                mine.append(look(model, videos, video_id, config, batch_size))
            except VideoError as error:
                mine.append(Failure(video_id, str(error)))
        yield from gathered(mine, me)


def clips_at_a_time(config: RunConfig, me: Process) -> int:
    """As many as in evaluation."""
    return max(1, config.batch_size // me.world_size)
