"""Clips whose truth is known, a few of each class: the same ones for every network."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stabn.data.mini.truth import has_truth, read_truth
from stabn.data.transforms import normalise
from stabn.training.build import dataset
from stabn.training.checkpoint import CheckpointError
from stabn.training.config import RunConfig


class Known(NamedTuple):
    """One clip and its truth.

    Attributes:
        video: float32 (3, T, H, W), normalised.
        label: its class.
        levels: float32 (T,): 1 is motion, 0.5 its context, 0 nothing.
        masks: bool (T, H, W), where actor and hand are, cropped as the clip was.
    """

    video: Tensor
    label: int
    levels: np.ndarray
    masks: np.ndarray


def known_clips(run: RunConfig, per_class: int, device: torch.device) -> list[Known]:
    """The first ``per_class`` clips of each class, of the list that a run reports on.

    Raises:
        CheckpointError: no truth is known of the run's videos, or it reads no frames of them.
        AnnotationError, PreparationError, VideoError, FileNotFoundError: they cannot be read.
    """
    if run.encoder or not has_truth(run.data_root):
        raise CheckpointError(
            f"{run.name}: is judged by what is true of each clip; give a run that reads frames of "
            f"a set with a folder truth/, as mini-SSv2 has ({run.data_root})"
        )
    clips = dataset(run, run.report_split, training=False)
    (cropped,) = clips.transforms
    found, taken = [], Counter()
    for index, record in enumerate(clips.records):
        if taken[record.class_id] == per_class:
            continue
        taken[record.class_id] += 1
        clip = clips[index]
        truth, at = read_truth(run.data_root, clip.video_id), clip.frame_indices.numpy()
        video = normalise(clip.video[None])[0].to(device)
        masks = cropped.masks((truth.actor | truth.hand)[at])
        found.append(Known(video, clip.label, truth.levels[at], masks))
    return found
