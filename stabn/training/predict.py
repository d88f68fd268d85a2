"""Videos → predictions keyed by video id, each video once whatever the number of processes."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from stabn.data.dataset import Batch
from stabn.data.mini.truth import read_truth
from stabn.data.transforms import normalise
from stabn.data.video import VideoError
from stabn.metrics import mass_in_mask, pointing_game
from stabn.training.config import RunConfig
from stabn.training.pace import paced
from stabn.training.process import Process, autocast, gathered, usable_precision


@torch.no_grad()
def predict(
    model: nn.Module,
    loader: DataLoader,
    config: RunConfig,
    me: Process,
    *,
    invert_spatial: bool = False,
    with_truth: bool = False,
) -> pd.DataFrame:
    """Score every video of ``loader`` over all processes; a line a minute says how far it is.

    Logits of a video's views are averaged; the frames and the attention of its views stand one
    after the other. A video that cannot be decoded, in any of its views, has no row; it is listed
    in ``.attrs["failed"]``, {video id: cause}, which goes into the parquet file and back.

    Args:
        model: the network, on ``me.device``; left in eval mode.
        loader: from :func:`stabn.training.build.eval_loader`.
        config: the run's, for its precision and data.
        me: this process.
        invert_spatial: use 1 − M_s (equation (7)).
        with_truth: also compare the attention with the truth (mini-SSv2 only).

    Returns:
        On every rank one row a video, sorted by ``video_id``: label, logits (K,), frame_indices
        (V·T,); from ST-ABN also attention_logits (K,) and temporal_attention (V·T,); with the truth
        also temporal_truth (V·T,), and M_s's pointing and mass_in_mask, each with its chance level.

    Raises:
        VideoError: not one video could be decoded.
        SystemExit: all were sent SIGTERM, in training.
    """
    model.eval()
    precision = usable_precision(config.precision, me.device)
    rows, failures = [], []
    for batch in paced(loader, len(loader), "videos scored", len(loader.dataset)):
        if me.terminated.is_set():
            break
        failures += batch.failures
        if not len(batch):
            continue
        with autocast(precision, me.device):
            video = normalise(batch.video.to(me.device, non_blocking=True))
            output = model(video, invert_spatial=True) if invert_spatial else model(video)
        rows += _rows(output, batch, loader, config, with_truth)
    if me.total(me.terminated.is_set())[0]:
        me.leave()
    failed = {video_id: cause for video_id, cause in sorted(gathered(failures, me))}
    rows = [row for row in gathered(rows, me) if row["video_id"] not in failed]
    if not rows:
        cause = next(iter(failed.values()), "there is none")
        raise VideoError(f"none of the {len(loader.dataset)} videos can be decoded: {cause}")
    predictions = _by_video(rows)
    predictions.attrs["failed"] = failed
    return predictions


def _rows(
    output: Any, batch: Batch, loader: DataLoader, config: RunConfig, with_truth: bool
) -> list[dict[str, Any]]:
    """One row a clip; nothing of the batch is kept, whose shared memory is an open file."""
    rows = [
        {"video_id": video_id, "label": int(label), "frame_indices": indices.numpy().copy()}
        for video_id, label, indices in zip(
            batch.video_id, batch.label, batch.frame_indices, strict=True
        )
    ]
    if isinstance(output, Tensor):
        named = {"logits": output}
    else:
        named = {
            "logits": output.logits,
            "attention_logits": output.attention_logits,
            "temporal_attention": output.temporal_attention,
        }
    for name, tensor in named.items():
        for row, values in zip(rows, tensor.float().cpu().numpy(), strict=True):
            row[name] = values
    if with_truth and not isinstance(output, Tensor):
        for row, maps in zip(rows, output.spatial_attention.float().cpu(), strict=True):
            row |= _against_truth(maps, row, loader, config.data_root)
    return rows


def _against_truth(
    maps: Tensor, row: dict[str, Any], loader: DataLoader, root: str
) -> dict[str, Any]:
    """M_s (1, T, H′, W′) of one clip beside the truth: acting object and hand, in motion."""
    truth = read_truth(root, row["video_id"])
    at = row["frame_indices"]
    masks = (truth.actor | truth.hand)[at]  # (T, H, W)
    levels = truth.levels[at]  # (T,)
    painted = np.repeat(masks[..., None].astype(np.uint8) * 255, 3, axis=3)  # (T, H, W, 3)
    cropped = loader.dataset.transform(painted)[0][0] > 127  # (T, H, W), as the clip was
    measured = {"temporal_truth": levels}
    for name, measure in [("pointing", pointing_game), ("mass_in_mask", mass_in_mask)]:
        score = measure(maps.transpose(0, 1)[None, :, 0], cropped[None], active=levels[None] == 1)
        measured |= {name: score.value, f"{name}_chance": score.chance}
    return measured


def _by_video(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """One row a video from one row a clip."""
    clips = pd.DataFrame(rows)
    how = dict.fromkeys(clips.columns.drop("video_id"), "mean")
    how |= {"label": "first"}
    how |= {name: _mean for name in ("logits", "attention_logits") if name in how}
    how |= {
        name: _joined_up
        for name in ("frame_indices", "temporal_attention", "temporal_truth")
        if name in how
    }
    return clips.groupby("video_id", sort=True).agg(how).reset_index()


def _mean(column: pd.Series) -> np.ndarray:
    return np.mean(list(column), axis=0)


def _joined_up(column: pd.Series) -> np.ndarray:
    return np.concatenate(list(column))
