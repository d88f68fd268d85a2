"""Videos → predictions keyed by video id, each video once whatever the number of processes."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from stabn.data.dataset import Batch, Failure
from stabn.data.mini.truth import read_truth
from stabn.data.video import VideoError
from stabn.losses import answer
from stabn.metrics import mass_in_mask, pointing_game
from stabn.models.folded import folded
from stabn.training.config import RunConfig
from stabn.training.forward import Output, forward
from stabn.training.pace import paced
from stabn.training.process import Process, autocast, gathered, usable_precision

Row = dict[str, Any]


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

    The answers of a video's clips become one, see :func:`averaged`; the frames and the attention of
    its clips stand one after the other. A video that cannot be decoded, in any of its clips, has no
    row; it is listed in ``.attrs["failed"]``, {video id: cause}, which goes into the parquet file
    and back.

    Args:
        model: the network, on ``me.device``; left in eval mode.
        loader: from :func:`stabn.training.build.eval_loader`.
        config: the run's, for its precision and data.
        me: this process.
        invert_spatial: use 1 − M_s (equation (7)).
        with_truth: also compare the attention with the truth (mini-SSv2 only; centre crops only).

    Returns:
        On every rank one row a video, sorted by ``video_id``: label (not of an unlabelled split),
        logits (K,), frame_indices (V·T,) of its V clips; as far as the network has them also
        attention_logits (K,), temporal_attention (V·T,) and step_classes (V·T,), what it says at
        each step; with the truth also temporal_truth (V·T,), and M_s's pointing and mass_in_mask,
        each with its chance level.

    Raises:
        VideoError: not one video could be decoded.
        SystemExit: all were sent SIGTERM, in training.
    """
    model.eval()
    failures: list[Failure] = []
    several = loader.dataset.views.several
    clips = _scored(folded(model), loader, config, me, failures, invert_spatial, with_truth)
    # a rank has all clips of its videos, one after the other: few are kept at a time
    rows = [_video([*own], several) for _, own in groupby(clips, key=itemgetter("video_id"))]
    if me.total(me.terminated.is_set())[0]:
        me.leave()
    failed = {video_id: cause for video_id, cause in sorted(gathered(failures, me))}
    rows = [row for row in gathered(rows, me) if row["video_id"] not in failed]
    if not rows:
        cause = next(iter(failed.values()), "there is none")
        raise VideoError(f"none of the {len(loader.dataset)} videos can be decoded: {cause}")
    predictions = pd.DataFrame(rows).sort_values("video_id", ignore_index=True)
    if not loader.dataset.labelled:
        predictions = predictions.drop(columns="label")
    predictions.attrs["failed"] = failed
    return predictions


def _scored(
    model: nn.Module,
    loader: DataLoader,
    config: RunConfig,
    me: Process,
    failures: list[Failure],
    invert_spatial: bool,
    with_truth: bool,
) -> Iterator[Row]:
    """One row a clip, of this process's share; what cannot be decoded goes to ``failures``."""
    precision = usable_precision(config.precision, me.device)
    for batch in paced(loader, len(loader), "videos scored", len(loader.dataset)):
        if me.terminated.is_set():
            break
        failures += batch.failures
        if not len(batch):
            continue
        with autocast(precision, me.device):
            how = {"invert_spatial": True} if invert_spatial else {}
            output = forward(model, batch, me.device, **how)
        yield from _rows(output, batch, loader, config, with_truth)


def _rows(
    output: Output, batch: Batch, loader: DataLoader, config: RunConfig, with_truth: bool
) -> list[Row]:
    """One row a clip; nothing of the batch is kept, whose shared memory is an open file."""
    rows = [
        {"video_id": video_id, "label": int(label), "frame_indices": indices.numpy().copy()}
        for video_id, label, indices in zip(
            batch.video_id, batch.label, batch.frame_indices, strict=True
        )
    ]
    named = {"logits": answer(output)}
    for name in ("attention_logits", "temporal_attention"):
        if (tensor := getattr(output, name, None)) is not None:
            named[name] = tensor
    named = {name: tensor.float() for name, tensor in named.items()}
    if (steps := getattr(output, "step_logits", None)) is not None:
        named["step_classes"] = steps.argmax(dim=2)
    for name, tensor in named.items():
        for row, values in zip(rows, tensor.cpu().numpy(), strict=True):
            row[name] = values
    if with_truth:
        maps = getattr(output, "spatial_attention", None)
        for i, row in enumerate(rows):
            own = None if maps is None else maps[i].float().cpu()
            row |= _against_truth(own, row, loader, config.data_root)
    return rows


def _against_truth(maps: Tensor | None, row: Row, loader: DataLoader, root: str) -> Row:
    """The attention of one clip beside the truth, as far as the network has any.

    Levels beside M_t; acting object and hand, in motion, beside M_s (1, T, H′, W′).
    """
    if maps is None and "temporal_attention" not in row:
        return {}
    truth, at = read_truth(root, row["video_id"]), row["frame_indices"]
    levels = truth.levels[at]  # (T,)
    measured: Row = {"temporal_truth": levels} if "temporal_attention" in row else {}
    if maps is None:
        return measured
    (centred,) = loader.dataset.transforms
    cropped = centred.masks((truth.actor | truth.hand)[at])  # (T, H, W), as the clip was
    for name, measure in [("pointing", pointing_game), ("mass_in_mask", mass_in_mask)]:
        score = measure(maps.transpose(0, 1)[None, :, 0], cropped[None], active=levels[None] == 1)
        measured |= {name: score.value, f"{name}_chance": score.chance}
    return measured


def _video(clips: Sequence[Row], several: bool) -> Row:
    """One row of a video from the rows of its clips."""
    row: Row = {}
    for name, first in clips[0].items():
        column = [clip[name] for clip in clips]
        if name in ("video_id", "label"):
            row[name] = first
        elif name in ("logits", "attention_logits"):
            row[name] = averaged(np.stack(column), probabilities=several)
        elif isinstance(first, np.ndarray):  # frames, and what is said of each
            row[name] = np.concatenate(column)
        else:
            row[name] = pd.Series(column).mean()  # of the clips of which it is known
    return row


def averaged(logits: np.ndarray, *, probabilities: bool) -> np.ndarray:
    """One answer from the logits (V, K) of a video's V clips: logits (K,).

    Those of a sampling rule itself (two of ``two_clip``) are averaged as they are. Several *views*
    are averaged after the softmax, as published multi-view tests do it: returned is the logarithm
    of the mean probability, so that its softmax is that mean.
    """
    if not probabilities:
        return logits.mean(axis=0)
    z = logits.astype(np.float64)
    log_p = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    return (np.logaddexp.reduce(log_p, axis=0) - np.log(len(z))).astype(logits.dtype)
