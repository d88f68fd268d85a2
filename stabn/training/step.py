"""What a run works with, and one optimizer step of it."""

import logging
import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.utils.data import DataLoader

from stabn.data.dataset import Batch
from stabn.losses import ClassificationLoss, answer, loss_of
from stabn.training.batch_statistics import check_statistics
from stabn.training.beside import Beside
from stabn.training.build import build_model, class_texts, eval_loader, split_videos, train_loader
from stabn.training.config import ConfigError, RunConfig
from stabn.training.forward import forward
from stabn.training.nonfinite import check_finite
from stabn.training.optimizer import make_optimizer, make_schedule
from stabn.training.process import Process, agreeing, autocast, usable_precision
from stabn.training.records import check_features
from stabn.training.resume import (
    Progress,
    check_same_step,
    checkpoints,
    step_seed,
    store,
    take_up,
)
from stabn.training.start import start_from

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """What a run works with, as it stands where it begins or goes on.

    Attributes:
        config: the run.
        me: this process.
        classes: class texts, by class id.
        loader: this process's share of the training clips.
        watched: its share of ``eval_split``.
        steps: optimizer steps from beginning to end.
        model: the network, on ``me.device``.
        network: the same; where there are several processes, wrapped to average their gradients.
        precision: the one in use.
        optimizer, schedule, scaler: what changes the weights.
        progress: how far the run has come.
    """

    config: RunConfig
    me: Process
    classes: tuple[str, ...]
    loader: DataLoader
    watched: DataLoader
    steps: int
    model: nn.Module
    network: nn.Module
    precision: str
    optimizer: Optimizer
    schedule: LRScheduler | ReduceLROnPlateau
    scaler: torch.amp.GradScaler
    progress: Progress

    @property
    def evaluations_left(self) -> int:
        """How many lie ahead: every ``eval_every`` epochs, after the last one, and the report."""
        every, epochs = self.config.eval_every, self.config.epochs
        return epochs // every - self.progress.epoch // every + (epochs % every > 0) + 1

    def store(self, beside: Beside) -> None:
        """Write ``last.pt`` beside the steps."""
        parts = _stateful(self.optimizer, self.schedule, self.scaler)
        keep = self.config.keep_last
        store(self.config, self.classes, self.model, parts, self.progress, beside, keep=keep)


def set_up(config: RunConfig, me: Process) -> Run:
    """Everything that ``config`` describes, taken up where the run in its folder was left.

    Raises:
        ConfigError: a batch size that the processes cannot share; ``sync_bn`` without a GPU; the
            folder holds a run of another configuration.
        CheckpointError, WeightsError, AnnotationError, PreparationError, VideoError: a file that
            cannot be used; ConfigError where it is another process that cannot use it.
    """
    check_sync_bn(config, me)
    with agreeing(me):
        classes = class_texts(config)
        loader, watched = train_loader(config, me), eval_loader(config, config.eval_split, me)
        split_videos(config, config.report_split)  # what is wrong with it is said before training
        check_statistics(config, len(classes), me)
        check_features(config, config.folder)
        steps = config.epochs * len(loader.batch_sampler)

        torch.manual_seed(config.seed)  # every rank draws the same weights
        model = build_model(config, len(classes))
    fill_at_the_start(model, config, me)
    with agreeing(me):
        if config.sync_bn:
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        model.to(me.device)
        optimizer = make_optimizer(config, model)
        schedule = make_schedule(config, optimizer, steps)
        precision = usable_precision(config.precision, me.device)
        if precision != config.precision:
            log.info("this %s has no %s units: fp32 instead", me.device.type, config.precision)
        scaler = torch.amp.GradScaler(me.device.type, enabled=precision == "fp16")
        torch.backends.cudnn.benchmark = True

        parts = _stateful(optimizer, schedule, scaler)
        progress = take_up(config, classes, model, parts, forced=config.resume_changed)
    check_same_step(progress, me)
    network = DistributedDataParallel(model) if me.world_size > 1 else model
    changing = (optimizer, schedule, scaler)
    return Run(
        *(config, me, classes, loader, watched, steps),
        *(model, network, precision, *changing, progress),
    )


def check_sync_bn(config: RunConfig, me: Process) -> None:
    """Whether ``sync_bn`` can be had.

    Raises:
        ConfigError: not on the CPU.
    """
    if config.sync_bn and me.device.type == "cpu":
        raise ConfigError("sync_bn: PyTorch has none for the CPU; set it to false here")


def fill_at_the_start(model: nn.Module, config: RunConfig, me: Process) -> None:
    """Fill a network with ``config.weights``, unless the run's folder holds weights to go on from.

    The first process of each machine does so before the others: it may have to fetch them.
    """
    taken_up = me.total(len(checkpoints(config.folder)))[0]
    if not config.weights or taken_up:
        return
    for turn in (True, False):
        with agreeing(me):
            if me.is_first_here == turn:
                start_from(model, config)


def _stateful(
    optimizer: Optimizer, schedule: LRScheduler | ReduceLROnPlateau, scaler: torch.amp.GradScaler
) -> dict[str, Any]:
    """What a checkpoint holds beside the weights, by the name it has there."""
    return {"optimizer": optimizer, "schedule": schedule, "scaler": scaler}


def take_step(run: Run, batch: Batch) -> list[tuple[ClassificationLoss, Tensor, Tensor]]:
    """One optimizer step: forward, L_att + L_per, backward, and the weights change.

    Returns:
        Loss, logits (n, K) and labels (n,) of each of the batch's ``accumulate`` parts.

    Raises:
        NonFiniteLossError: NaN or infinite; the weights are as they were. Where such steps may be
            left out (``max_nonfinite_steps``), on all processes, and for a gradient's norm too.
    """
    config, me, step = run.config, run.me, run.progress.step
    torch.manual_seed(step_seed(config.seed, step, me.rank))  # dropout's
    run.optimizer.zero_grad(set_to_none=True)
    parts, together = [], config.max_nonfinite_steps > 0
    for part in in_parts(batch, config.accumulate, run.network):
        labels = part.label.to(me.device, non_blocking=True)
        with autocast(run.precision, me.device):
            output = forward(run.network, part, me.device)
            loss = loss_of(output, labels, config.label_smoothing)
        check_finite(loss.total, "loss", step + 1, part.video_id, me, together=together)
        run.scaler.scale(loss.total / config.accumulate).backward()
        parts.append((loss, answer(output).detach(), labels))
    if config.clip_norm is not None or together:
        run.scaler.unscale_(run.optimizer)
        norm = nn.utils.clip_grad_norm_(run.model.parameters(), config.clip_norm or math.inf)
        if together and not run.scaler.is_enabled():  # the scaler leaves such steps out by itself
            check_finite(norm, "gradient's norm", step + 1, batch.video_id, me, together=True)
    run.scaler.step(run.optimizer)
    run.scaler.update()
    return parts


def in_parts(batch: Batch, count: int, network: nn.Module) -> Iterator[Batch]:
    """``count`` equal parts of a batch; processes add up their gradients after the last one alone.

    Each loss is a mean over its part, so the mean of their gradients is the whole batch's. What a
    network computes over a batch, BN's statistics, it computes over each part.
    """
    *others, last = batch.split(count)
    shared = isinstance(network, DistributedDataParallel)
    with network.no_sync() if shared and others else nullcontext():
        yield from others
    yield last
