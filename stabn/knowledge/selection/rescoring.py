"""What the network would answer, had its temporal attention been the edited one.

An edit changes M_t only: the feature maps before the attention point stay as they are. They are
kept in the queue's folder, so that fusion and perception branch alone answer, at once.
"""

import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from stabn.knowledge.selection.queue import Queue, QueueError
from stabn.models.attention import Fusion
from stabn.models.resnet3d import backbone_named, residual_stage
from stabn.models.st_abn import STABN
from stabn.training.config import RunConfig
from stabn.training.files import replacing

FORMAT = "stabn head 1"
_REMEDY = "copy it again, or delete the queue's folder and select again"
_one_at_a_time = threading.Lock()


class Features(NamedTuple):
    """What the network makes of one video up to the fusion: V clips of T frames.

    Attributes:
        features: f(x) at the attention point, (V, C, T, H′, W′).
        spatial: M_s, (V, 1, T, H′, W′) in [0, 1].
        temporal: M_t, (V, T) in [0, 1].
        indices: int64 (V, T), the source frames.
    """

    features: Tensor
    spatial: Tensor
    temporal: Tensor
    indices: Tensor


def save_features(path: Path, video: Features) -> None:
    """Write one video's features, maps in float16: half the bytes, answers the same to 1e-3.

    Raises:
        OSError: no permission, disk full.
    """
    with replacing(path) as file:
        np.savez(
            file,
            features=video.features.half().numpy(),
            spatial=video.spatial.half().numpy(),
            temporal=video.temporal.float().numpy(),
            indices=video.indices.numpy(),
        )


class Head(nn.Module):
    """ST-ABN after the attention point, without the attention branch: fusion and perception.

    Args:
        fusion: :class:`stabn.models.attention.Fusion`.
        last_stage: the backbone's last residual stage.
        norm: what stands before the last linear layer.
        fc: the last linear layer.
    """

    def __init__(self, fusion: Fusion, last_stage: nn.Module, norm: nn.Module, fc: nn.Linear):
        super().__init__()
        self.fusion = fusion
        self.last_stage = last_stage
        self.norm = norm
        self.fc = fc

    def forward(self, features: Tensor, spatial: Tensor, temporal: Tensor) -> Tensor:
        """f (N, C, T, H′, W′), M_s (N, 1, T, H′, W′), M_t (N, T) → logits (N, K)."""
        pooled = self.last_stage(self.fusion(features, spatial, temporal)).mean(dim=(2, 3, 4))
        return self.fc(self.norm(pooled))  # dropout does nothing here


def save_head(path: Path, model: STABN, config: RunConfig) -> None:
    """Write the weights of fusion and perception branch, and what is needed to rebuild them.

    Raises:
        OSError: no permission, disk full.
    """
    last_stage = getattr(model.backbone, f"layer{len(model.backbone.backbone.stages)}")
    head = Head(model.fusion, last_stage, model.backbone.norm, model.backbone.fc)
    content = {
        "format": FORMAT,
        "backbone": config.backbone,
        "fusion": config.fusion,
        "fusion_relu": config.fusion_relu,
        "weights": {name: tensor.cpu() for name, tensor in head.state_dict().items()},
    }
    buffer = io.BytesIO()  # written by torch itself, a full disk would be a RuntimeError
    torch.save(content, buffer)
    with replacing(path) as file:
        file.write(buffer.getbuffer())


def load_head(path: Path) -> Head:
    """The head that :func:`save_head` wrote, in eval mode.

    Its weights are mapped from the file, so that all processes of a machine share one copy.

    Raises:
        QueueError: missing, truncated, not written by :func:`save_head`, or of a network whose
            weights are no numbers.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        known = isinstance(content, dict) and content.get("format") == FORMAT
    except FileNotFoundError as error:
        raise QueueError(f"{path}: no such file; {_REMEDY}") from error
    except Exception as error:  # torch raises half a dozen kinds for damaged files
        raise QueueError(f"{path}: cannot be read, it is damaged; {_REMEDY}") from error
    if not known:
        raise QueueError(f"{path}: is no {FORMAT!r}; {_REMEDY}")
    weights = content["weights"]
    try:
        spec = backbone_named(content["backbone"])
        channels, last = spec.feature_channels, spec.stages[-1]
        with torch.device("meta"):  # shapes only, the weights come from the file
            head = Head(
                Fusion(channels, content["fusion"], content["fusion_relu"]),
                residual_stage(channels, last),
                nn.BatchNorm1d(last.channels) if spec.norm_before_fc else nn.Identity(),
                nn.Linear(last.channels, len(weights["fc.bias"])),
            )
        head.load_state_dict(weights, assign=True)
    except (KeyError, ValueError, RuntimeError) as error:
        raise QueueError(f"{path}: is of another version of stabn; select again") from error
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise QueueError(f"{path}: holds NaN or infinity; select again with an earlier checkpoint")
    return head.eval().requires_grad_(False)


class Rescorer:
    """Answers for queued videos under another M_t, in milliseconds, without the extractor.

    It keeps the features of the last two videos in memory. Every answer is computed in a single
    thread, so that many annotators share a machine evenly. May be called from any thread.

    Args:
        queue: from :func:`stabn.knowledge.selection.queue.read_queue`.

    Raises:
        QueueError: the queue's ``head.pt`` is missing or damaged.
    """

    def __init__(self, queue: Queue):
        self.queue = queue
        self._head = load_head(queue.folder / "head.pt")
        self._features = lru_cache(maxsize=2)(self._read)  # one looked at, one read ahead

    def __call__(self, video_id: str, levels: np.ndarray) -> np.ndarray:
        """Class probabilities, float32 (K,), with ``levels`` as M_t.

        The queue's own ``attention`` as levels gives :meth:`own` only nearly: M_t of a whole video
        comes from other clips than evaluation's.

        Args:
            video_id: a queued video.
            levels: (n,) in [0, 1], one for every source frame.

        Raises:
            QueueError: the video is not queued, or its features are missing or damaged.
            ValueError: another number of levels, or one outside [0, 1].
        """
        n = self.queue.video(video_id).frames
        levels = np.asarray(levels, dtype=np.float32)
        if levels.shape != (n,):
            raise ValueError(f"video {video_id} has {n} frames, not {levels.shape} levels")
        if not ((levels >= 0) & (levels <= 1)).all():
            raise ValueError(f"video {video_id}: levels must lie in [0, 1]")
        video = self._features(video_id)
        return self._answer(video, torch.from_numpy(levels)[video.indices])  # M_t: (V, T)

    def own(self, video_id: str) -> np.ndarray:
        """Class probabilities, float32 (K,), with the network's own M_t."""
        video = self._features(video_id)
        return self._answer(video, video.temporal)

    def spatial(self, video_id: str) -> np.ndarray:
        """M_s of the sampled frames, float32 (V·T, H′, W′) in [0, 1]."""
        return self._features(video_id).spatial.flatten(0, 2).numpy()

    @torch.inference_mode()
    def _answer(self, video: Features, temporal: Tensor) -> np.ndarray:
        with _single_thread():
            logits = self._head(video.features, video.spatial, temporal)  # (V, K)
            return logits.mean(dim=0).softmax(dim=0).numpy()

    def _read(self, video_id: str) -> Features:
        queued = self.queue.video(video_id)
        if queued.features is None:
            raise QueueError(f"{self.queue.folder}: video {video_id} has no features; select again")
        path = self.queue.folder / queued.features
        try:
            with np.load(path) as stored:
                video = Features(
                    features=torch.from_numpy(stored["features"]).float(),
                    spatial=torch.from_numpy(stored["spatial"]).float(),
                    temporal=torch.from_numpy(stored["temporal"]),
                    indices=torch.from_numpy(stored["indices"]),
                )
        except FileNotFoundError as error:
            raise QueueError(f"{path}: no such file; {_REMEDY}") from error
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise QueueError(f"{path}: is damaged ({error}); {_REMEDY}") from error
        if tuple(video.indices.flatten().tolist()) != queued.sampled:
            raise QueueError(f"{path}: is of another video than {video_id}; {_REMEDY}")
        return video


@contextmanager
def _single_thread() -> Iterator[None]:
    """One thread within, as many as before afterwards; the lock keeps two calls from mixing up."""
    with _one_at_a_time:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
