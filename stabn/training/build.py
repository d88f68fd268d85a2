"""From a configuration to the objects it describes: classes, clips, loaders, network."""

import os
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.utils.data import DataLoader

from stabn.data import pretext
from stabn.data.dataset import (
    ONE_VIEW,
    ClipDataset,
    EvalSampler,
    TrainSampler,
    Videos,
    Views,
    collate,
)
from stabn.data.features import FeatureCache, FeatureDataset
from stabn.data.prepared import PreparedFrames
from stabn.data.sampling import views as clips_of
from stabn.data.ssv2 import Record, VideoFolder, mirror_pairs, read_classes, read_split
from stabn.data.transforms import eval_transforms, train_transform
from stabn.models.resnet3d import ResidualStage, ResNet3d
from stabn.models.st_abn import STABN
from stabn.training.config import ConfigError, RunConfig
from stabn.training.process import (
    SILENCE,
    Process,
    obey_parent_alone,
    usable_cores,
    worker_context,
)

MOST_WORKERS = 16  # that a process takes where nobody says how many


def build_model(config: RunConfig, num_classes: int) -> nn.Module:
    """The network of a run: :class:`ResNet3d` for the baseline, :class:`STABN`, or another one.

    Raises:
        ConfigError: one that cannot read such clips.
    """
    model = _network(config, num_classes)
    for module in model.modules():
        if isinstance(module, ResidualStage):
            module.checkpoint = config.checkpoint_activations
    return model


def _network(config: RunConfig, num_classes: int) -> nn.Module:
    if config.network is not None:
        shape = config.num_frames, config.image_size
        try:
            return config.network.build(num_classes, *shape, config.dropout)
        except ValueError as error:
            raise ConfigError(f"num_frames, image_size: {error}") from error
    if config.model == "baseline":
        return ResNet3d(config.backbone, num_classes, config.dropout)
    return STABN(
        config.backbone,
        num_classes,
        config.num_frames,
        class_head=config.class_head,
        temporal_tail=config.temporal_tail,
        fusion=config.fusion,
        fusion_relu=config.fusion_relu,
        closed=config.closed,
        attention_start=config.attention_start,
        dropout=config.dropout,
        constant_attention=config.constant_attention,
    )


def class_texts(config: RunConfig) -> tuple[str, ...]:
    """Class texts of the run's data set, by class id."""
    return pretext.CLASSES if config.data == "pretext" else read_classes(config.data_root)


def split_videos(
    config: RunConfig, split: str, *, unlabelled: bool = False
) -> tuple[list[Record], Videos | FeatureCache]:
    """The videos of a split, labelled if ids alone will not do, and where their frames are from.

    Of a run that reads features, these are what comes in place of the frames.
    """
    if config.data == "pretext":
        count = config.pretext_clips if split == "train" else max(1, config.pretext_clips // 10)
        height, width = config.short_side, config.short_side * 4 // 3
        return pretext.records(count, split), pretext.PretextVideos(height, width, config.seed)
    if config.encoder:
        videos = features(config)
    else:
        videos = (
            PreparedFrames(config.prepared) if config.prepared else VideoFolder(config.data_root)
        )
    classes = class_texts(config)
    return read_split(config.data_root, split, classes, unlabelled=unlabelled), videos


def features(config: RunConfig) -> FeatureCache:
    """The features that a run reads in place of frames.

    Raises:
        FeaturesError: none in the folder, or another encoder's.
        ConfigError: not such as this network needs.
    """
    cache = FeatureCache(config.prepared, encoder=config.encoder)
    if cache.key.output != "cube" and not getattr(config.network, "pooled", False):
        raise ConfigError(
            f"prepared: {config.prepared} holds the mean of each map, and this {config.model} "
            f"reads all places: make it with --cube"
            + (", or set pooled" if config.model == "bilstm" else "")
        )
    if cache.key.taken == "seconds" and config.model == "convlstm":
        raise ConfigError(
            f"prepared: {config.prepared} holds a frame a second, and a convlstm names a class for "
            f"each of {config.num_frames} frames: make it with --frames {config.num_frames}"
        )
    return cache


def dataset(
    config: RunConfig,
    split: str,
    *,
    training: bool,
    views: Views = ONE_VIEW,
    unlabelled: bool = False,
) -> ClipDataset | FeatureDataset:
    """The clips of a split, augmented for training or looked at in ``views`` for evaluation.

    Raises:
        ConfigError: of features, which are as they are, another view or rule is wanted.
    """
    if config.encoder:
        if views.several or config.sampling != "segments":
            raise ConfigError(
                f"sampling, views: {config.prepared} holds features of one view alone; leave both "
                f"as they are"
            )
        records, cache = split_videos(config, split, unlabelled=unlabelled)
        seed = config.seed if training else None
        return FeatureDataset(records, cache, config.num_frames, seed=seed)
    if training:
        transform = train_transform(
            config.image_size,
            short_side=None if config.train_area else config.train_short_side,
            area=config.train_area,
            mirror=mirror_pairs(class_texts(config)) if config.flip else None,
            jitter=config.jitter,
        )
    else:
        transform = eval_transforms(
            config.image_size, short_side=config.short_side, crops=views.spatial
        )
    return ClipDataset(
        *split_videos(config, split, unlabelled=unlabelled),
        config.num_frames,
        config.sampling,
        transform,
        seed=config.seed if training else None,
        temporal=views.temporal,
    )


def check_shares(config: RunConfig, me: Process) -> None:
    """Whether the processes can share a batch.

    Raises:
        ConfigError: they cannot; the message says by what ``batch_size`` must be divisible.
    """
    if config.batch_size % (shares := me.world_size * config.accumulate):
        parts = f", each in {config.accumulate} parts (accumulate)" * (config.accumulate > 1)
        raise ConfigError(
            f"batch_size: {config.batch_size} cannot be shared by {me.world_size} processes"
            f"{parts}; use a multiple of {shares}"
        )


def train_loader(
    config: RunConfig,
    me: Process,
    times: Mapping[str, int] | None = None,
    draws: int | None = None,
) -> DataLoader:
    """This rank's share of every global batch; set ``.batch_sampler.epoch`` before each epoch.

    Args:
        config: the run.
        me: this process.
        times: {video id: how often an epoch takes it}; once, if it is not named.
        draws: after so many epochs the same clips come again; None: never.

    Raises:
        ConfigError: a batch size that the processes cannot share, or that an epoch does not fill.
    """
    check_shares(config, me)
    clips, times = dataset(config, config.train_split, training=True), times or {}
    repeats = [_clips(config) * times.get(record.video_id, 1) for record in clips.records]
    if sum(repeats) < config.batch_size:
        raise ConfigError(
            f"batch_size: {config.batch_size} is more than the {sum(repeats)} clips of "
            f"{config.train_split} in an epoch"
        )
    sampler = TrainSampler(
        len(clips),
        config.batch_size,
        me.rank,
        me.world_size,
        seed=config.seed,
        repeats=repeats,
        draws=draws,
    )
    return DataLoader(clips, batch_sampler=sampler, **loading(config, me))


def eval_loader(
    config: RunConfig,
    split: str,
    me: Process,
    views: Views = ONE_VIEW,
    *,
    unlabelled: bool = False,
) -> DataLoader:
    """This rank's videos of a split, each once with all its views, in the split's order.

    Args:
        config: the run; ``batch_size`` counts clips, whatever video or view they are of.
        split: whose videos.
        me: this process.
        views: in which each video is looked at.
        unlabelled: whether a list of ids alone will do.
    """
    clips = dataset(config, split, training=False, views=views, unlabelled=unlabelled)
    each = _clips(config) * views.temporal * views.spatial
    sampler = EvalSampler(len(clips), each, me.rank, me.world_size)
    size = max(1, config.batch_size // me.world_size)
    size = size // views.spatial * views.spatial or size  # one worker makes all crops of a clip
    return DataLoader(clips, size, sampler=sampler, **loading(config, me))


def _clips(config: RunConfig) -> int:
    """V, clips that the sampling rule takes of each video."""
    return len(clips_of(config.sampling, config.num_frames, config.num_frames))


def worker_count(config: RunConfig) -> int:
    """Loader processes of each process: as given, else as many as there are cores for them.

    Each process has its share of the machine's cores. One of them is its own, the others read
    clips; more than ``MOST_WORKERS`` would hold much memory for little.
    """
    if config.workers is not None:
        return config.workers
    share = usable_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return min(MOST_WORKERS, max(1, share - 1))


def loading(config: RunConfig, me: Process) -> dict[str, Any]:
    """How every DataLoader of a run works, as its keywords."""
    workers = worker_count(config)
    return {
        "num_workers": workers,
        "timeout": SILENCE if workers else 0,
        "multiprocessing_context": worker_context() if workers else None,
        "persistent_workers": workers > 0,
        "pin_memory": me.device.type == "cuda",
        "collate_fn": collate,
        "worker_init_fn": obey_parent_alone,
    }
