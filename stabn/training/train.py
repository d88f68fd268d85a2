"""Train one network: ``python -m stabn.training.train --config run.yaml``.

Plain DistributedDataParallel, read from the environment: unlaunched it is one process, under
torchrun as many as there are. Step s sees the same clips whatever the number of processes. A run
whose folder holds ``last.pt`` goes on from there.
"""

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, MultiStepLR, OneCycleLR, ReduceLROnPlateau

from stabn.data.dataset import Batch
from stabn.data.transforms import normalise
from stabn.losses import classification_loss
from stabn.training.build import build_model, class_texts, eval_loader, train_loader
from stabn.training.checkpoint import USER_ERRORS, load, save, start_from
from stabn.training.config import ConfigError, RunConfig, read_config, write_config
from stabn.training.evaluate import figures_from_predictions, in_words, predict, report
from stabn.training.journal import Journal
from stabn.training.ledger import DecodeFailuresError, Ledger
from stabn.training.process import Process, autocast, heeding_sigterm, joined, usable_precision
from stabn.training.records import new_record, peak_memory, read_record, write_record
from stabn.training.resume import Progress, step_seed, store, take_up

log = logging.getLogger(__name__)


class NonFiniteLossError(Exception):
    """The loss became NaN or infinite; the message lists the videos of that batch."""


def train(config: RunConfig) -> None:
    """Train as ``config`` says, into its folder.

    Writes config.yaml, metrics.jsonl, last.pt and best.pt, and in the end predictions.parquet and
    record.json; decode_failures.jsonl where a video could not be decoded. On SIGTERM (pre-emption)
    all processes finish the step that they are in, last.pt is stored, and they exit with status
    143; in an evaluation, before which last.pt is stored anyway, they do so at the next batch.

    Raises:
        ConfigError: a batch size that the processes cannot share; ``sync_bn`` without a GPU; a
            folder that cannot be written, or holds a run of another configuration.
        NonFiniteLossError: the loss is NaN or infinite; what is on disk stays as it was.
        DecodeFailuresError: more than ``max_decode_failures`` of the clips.
        CheckpointError, WeightsError, AnnotationError, PreparationError, VideoError: a file that
            cannot be used.
    """
    with joined() as me, heeding_sigterm(me):
        if config.sync_bn and me.device.type == "cpu":
            raise ConfigError("sync_bn: PyTorch has none for the CPU; set it to false here")
        classes = class_texts(config)
        loader, watched = train_loader(config, me), eval_loader(config, config.eval_split, me)
        sampler = loader.batch_sampler
        steps = config.epochs * len(sampler)

        torch.manual_seed(config.seed)  # every rank draws the same weights
        model = build_model(config, len(classes))
        if config.weights:
            start_from(model, config)
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

        parts = {"optimizer": optimizer, "schedule": schedule, "scaler": scaler}
        progress = take_up(config, classes, model, parts, forced=config.resume_changed)
        open_folder(config, classes, progress, precision, me)
        journal = Journal(
            config.folder / "metrics.jsonl", progress.step, config.log_every, me, progress.epoch
        )
        ledger = Ledger(
            config.folder / "decode_failures.jsonl",
            *(progress.step, config.batch_size, config.max_decode_failures, me),
        )
        network = DistributedDataParallel(model) if me.world_size > 1 else model

        while progress.epoch < config.epochs:
            sampler.epoch, sampler.start_batch = progress.epoch, progress.batch
            network.train()
            for batch in loader:
                torch.manual_seed(step_seed(config.seed, progress.step, me.rank))  # dropout's
                optimizer.zero_grad(set_to_none=True)
                for part in in_parts(batch, config.accumulate, network):
                    labels = part.label.to(me.device, non_blocking=True)
                    with autocast(precision, me.device):
                        output = network(normalise(part.video.to(me.device, non_blocking=True)))
                        logits, attention_logits = (
                            (output, None) if isinstance(output, Tensor) else output[:2]
                        )
                        loss = classification_loss(logits, attention_logits, labels)
                    if not torch.isfinite(loss.total):
                        raise NonFiniteLossError(
                            f"the loss is {loss.total.item()} at step {progress.step}: lower lr or "
                            f"set clip_norm, and look at these videos: {', '.join(part.video_id)}"
                        )
                    scaler.scale(loss.total / config.accumulate).backward()
                    journal.add(loss, logits, labels)
                if config.clip_norm is not None:
                    scaler.unscale_(optimizer)
                    nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
                scaler.step(optimizer)
                scaler.update()
                if isinstance(schedule, OneCycleLR) and progress.step + 1 < steps:
                    schedule.step()

                progress.step, progress.batch = progress.step + 1, progress.batch + 1
                journal.trained(progress.epoch, progress.step, steps, learning_rate(optimizer))
                stop, failed = me.total(me.terminated.is_set(), len(batch.failures))
                if failed:
                    ledger.enter(progress.epoch, progress.step, batch.failures)
                due = config.save_every and progress.step % config.save_every == 0
                if me.is_main and (stop or due):
                    store(config, classes, model, parts, progress, keep=config.keep_last)
                if stop:
                    me.leave()

            due = (progress.epoch + 1) % config.eval_every == 0
            evaluating = due or progress.epoch + 1 == config.epochs
            if evaluating and me.is_main:  # it may take long, and be cut off
                store(config, classes, model, parts, progress, keep=config.keep_last)
            progress.epoch, progress.batch = progress.epoch + 1, 0
            if evaluating:
                share_statistics(model, me)
                figures = figures_from_predictions(predict(model, watched, config, me))
                journal.evaluated(progress.epoch, progress.step, config.eval_split, figures)
                log.info("epoch %d, %s: %s", progress.epoch, config.eval_split, in_words(figures))
                total = figures["loss"] + figures.get("attention_loss", 0.0)
                if isinstance(schedule, ReduceLROnPlateau):
                    schedule.step(total)
                if progress.improves(figures["top1"], total) and me.is_main:
                    best = config.folder / "best.pt"
                    save(best, model, config, classes, progress=progress.plain())
            if isinstance(schedule, MultiStepLR):
                schedule.step()
            if me.is_main:
                store(config, classes, model, parts, progress, keep=config.keep_last)

        close_folder(config, progress, me)


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


def make_optimizer(config: RunConfig, model: nn.Module) -> Optimizer:
    """SGD or AdamW over the parameters that are trained; their fused kernels, the fastest ones."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    if config.optimizer == "adamw":
        return AdamW(parameters, config.lr, weight_decay=config.weight_decay, fused=True)
    return SGD(
        parameters,
        config.lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
        weight_decay=config.weight_decay,
        fused=True,
    )


def learning_rate(optimizer: Optimizer) -> float:
    """The learning rate of the step just taken or to come."""
    return optimizer.param_groups[0]["lr"]


def make_schedule(
    config: RunConfig, optimizer: Optimizer, steps: int
) -> LRScheduler | ReduceLROnPlateau:
    """The learning rate's schedule: stepped after an evaluation, an epoch, or a step."""
    if config.schedule == "plateau":
        return ReduceLROnPlateau(optimizer, factor=config.lr_factor, patience=config.patience)
    if config.schedule == "milestones":
        return MultiStepLR(optimizer, config.milestones, gamma=config.lr_factor)
    return OneCycleLR(optimizer, max_lr=config.lr, total_steps=steps)


def share_statistics(model: nn.Module, me: Process) -> None:
    """Give every rank rank 0's BN statistics, so that all evaluate the network that is saved."""
    if me.world_size > 1:
        for buffer in model.buffers():
            dist.broadcast(buffer, 0)


def open_folder(
    config: RunConfig, classes: tuple[str, ...], progress: Progress, precision: str, me: Process
) -> None:
    """Rank 0: make the folder with config.yaml and a record; keep the record of a run taken up."""
    if not me.is_main:
        return
    try:
        write_config(config, config.folder / "config.yaml")
        record = read_record(config.folder / "record.json")
        if not (progress.step and record):
            record = new_record(config, classes, me.world_size, precision)
        elif progress.epoch < config.epochs:
            note_resumption(record, config, progress, me)
        write_record(config.folder / "record.json", record)
    except OSError as error:
        raise ConfigError(
            f"out_dir: {config.folder} cannot be written ({error.strerror}); make it writable or "
            f"choose another out_dir"
        ) from error


def note_resumption(
    record: dict[str, Any], config: RunConfig, progress: Progress, me: Process
) -> None:
    """Add to a record where the run goes on, on how many processes, and what was changed."""
    resumed = record.setdefault("resumed", [])
    before = [record["hardware"]["processes"], *(entry["processes"] for entry in resumed)][-1]
    if before != me.world_size:
        log.warning(
            "number of processes: %d up to step %d, %d from here on: the same clips in the same "
            "steps, but in other shares for BN and dropout, so not bit for bit the same run",
            *(before, progress.step, me.world_size),
        )
    entry = {"step": progress.step, "processes": me.world_size, "changed": progress.changed}
    resumed.append(entry)
    record["config"] = config.model_dump(mode="json")


def close_folder(config: RunConfig, progress: Progress, me: Process) -> None:
    """Report the best checkpoint on ``report_split`` and complete the record."""
    if me.world_size > 1:
        dist.barrier()  # best.pt is rank 0's to write
    path = config.folder / "record.json"
    if config.report_split in read_record(path).get("results", {}):
        log.info("%s is trained and reported already; delete it to start over", config.folder)
        return
    report(
        load(config.folder / "best.pt"), config, me, split=config.report_split, folder=config.folder
    )
    if me.is_main:
        record = read_record(path) | {
            "wall_seconds": round(progress.plain()["seconds"], 1),
            "peak_memory_gib": peak_memory(),
            "steps": progress.step,
            "best": {"epoch": progress.best_epoch, "top1": progress.best_top1},
        }
        write_record(path, record)
        log.info("done in %.0f s: %s", record["wall_seconds"], path)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", required=True, help="YAML file: one `name: value` a line")
    arguments = parser.parse_args()
    try:
        train(read_config(arguments.config))
    except (*USER_ERRORS, NonFiniteLossError, DecodeFailuresError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
