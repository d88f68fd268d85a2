"""Train one network: ``stabn train --config run.yaml``.

Plain DistributedDataParallel, read from the environment: unlaunched it is one process, under
torchrun as many as there are. Step s sees the same clips whatever the number of processes. A run
whose folder holds ``last.pt`` goes on from there.
"""

import logging
from functools import partial

import torch.distributed as dist
from torch import nn
from torch.optim.lr_scheduler import MultiStepLR, ReduceLROnPlateau

from stabn.training.beside import Beside, copied
from stabn.training.checkpoint import content_of, load, write
from stabn.training.config import RunConfig, configured, write_config
from stabn.training.evaluate import figures_from_predictions, in_words, report
from stabn.training.files import remove_leftovers
from stabn.training.journal import Journal
from stabn.training.ledger import Ledger
from stabn.training.lock import holding
from stabn.training.nonfinite import SkippedSteps, writing_down
from stabn.training.optimizer import changes_each_step, learning_rate
from stabn.training.precise_bn import re_estimate
from stabn.training.predict import predict
from stabn.training.process import Process, heeding_sigterm, joined
from stabn.training.profiling import profiled
from stabn.training.records import (
    finished,
    new_record,
    peak_memory,
    read_record,
    unreported,
    write_record,
    writing,
)
from stabn.training.resume import Progress, note_resumption
from stabn.training.step import (
    Run,
    set_up,
    take_step,
)

log = logging.getLogger(__name__)


def train(config: RunConfig) -> None:
    """Train as ``config`` says, into its folder.

    Writes config.yaml, metrics.jsonl, last.pt and best.pt, and in the end predictions.parquet and
    record.json; decode_failures.jsonl where a video could not be decoded, nonfinite_steps.jsonl
    where a step was left out. On SIGTERM (pre-emption), and when what launched them has gone, all
    processes finish the step that they are in, last.pt is stored, and they exit with status 143; in
    an evaluation, before which last.pt is stored anyway, they do so at the next batch.

    Raises:
        ConfigError: a batch size that the processes cannot share; ``sync_bn`` without a GPU; a
            folder that cannot be written, holds a run of another configuration, or is that of a
            run at work.
        NonFiniteLossError: the loss is NaN or infinite; what is on disk stays as it was, and the
            batch's videos stand in ``non_finite_loss-<rank>.txt``.
        DecodeFailuresError: more than ``max_decode_failures`` of the clips.
        CheckpointError, WeightsError, AnnotationError, PreparationError, VideoError: a file that
            cannot be used.
    """
    with (
        joined() as me,
        holding(config.folder, me),
        heeding_sigterm(me),
        profiled(config.folder, config.profile_steps, me) as count_step,
        Beside(me) as beside,
    ):
        run = set_up(config, me)
        progress, schedule, sampler = run.progress, run.schedule, run.loader.batch_sampler
        open_folder(run)
        journal = Journal(
            config.folder / "metrics.jsonl", progress.step, config.log_every, me, progress.epoch
        )
        ledger = Ledger(
            config.folder / "decode_failures.jsonl",
            *(progress.step, config.batch_size, config.max_decode_failures, me),
        )
        skipped = SkippedSteps(
            config.folder / "nonfinite_steps.jsonl", progress.step, config.max_nonfinite_steps, me
        )

        while progress.epoch < config.epochs:
            sampler.epoch, sampler.start_batch = progress.epoch, progress.batch
            run.network.train()
            for batch in run.loader:
                parts = []
                with writing_down(config.folder, me), skipped.bearing(run.model, progress):
                    parts = take_step(run, batch)
                count_step()
                for part in parts:
                    journal.add(*part)
                if changes_each_step(schedule) and progress.step + 1 < run.steps:
                    schedule.step()
                progress.step, progress.batch = progress.step + 1, progress.batch + 1
                rate = learning_rate(run.optimizer)
                ahead = run.evaluations_left
                journal.trained(progress.epoch, progress.step, run.steps, rate, ahead)
                stop, failed = me.total(me.terminated.is_set(), len(batch.failures))
                if failed:
                    ledger.enter(progress.epoch, progress.step, batch.failures)
                due = progress.due(config.save_every, config.save_minutes)
                beside.look()
                if me.is_main and (stop or due):
                    with journal.aside("saving"):
                        run.store(beside)
                if stop:
                    me.leave()

            due = (progress.epoch + 1) % config.eval_every == 0
            evaluating = due or progress.epoch + 1 == config.epochs
            if evaluating and me.is_main:  # it may take long, and be cut off
                with journal.aside("saving"):
                    run.store(beside)
            progress.epoch, progress.batch = progress.epoch + 1, 0
            if evaluating:
                with journal.aside("evaluation"):
                    if config.precise_bn:
                        re_estimate(run)
                    share_statistics(run.model, me)
                    figures = figures_from_predictions(predict(run.model, run.watched, config, me))
                journal.evaluated(progress.epoch, progress.step, config.eval_split, figures)
                log.info("epoch %d, %s: %s", progress.epoch, config.eval_split, in_words(figures))
                total = figures["loss"] + figures.get("attention_loss", 0.0)
                if isinstance(schedule, ReduceLROnPlateau):
                    schedule.step(total)
                if progress.improves(figures["top1"], total) and me.is_main:
                    now = {"progress": progress.plain()}
                    with journal.aside("saving"):
                        best = copied(content_of(run.model, config, run.classes, **now))
                        beside(partial(write, config.folder / "best.pt", best))
            if isinstance(schedule, MultiStepLR):
                schedule.step()
            if me.is_main:
                with journal.aside("saving"):
                    run.store(beside)

        beside.wait()
        close_folder(config, progress, me)


def share_statistics(model: nn.Module, me: Process) -> None:
    """Give every rank rank 0's BN statistics, so that all evaluate the network that is saved."""
    if me.world_size > 1:
        for buffer in model.buffers():
            dist.broadcast(buffer, 0)


def open_folder(run: Run) -> None:
    """Rank 0: make the folder with config.yaml and a record; keep the record of a run taken up."""
    config, progress, me = run.config, run.progress, run.me
    if not me.is_main:
        return
    with writing(config.folder):
        remove_leftovers(config.folder)
        write_config(config, config.folder / "config.yaml")
        record = read_record(config.folder / "record.json")
        goes_on = progress.epoch < config.epochs
        if not (progress.step and record):
            record = new_record(config, run.classes, me.world_size, run.precision)
        elif goes_on or not finished(record, progress.step):
            record = unreported(record)
        if progress.step and goes_on:
            note_resumption(record, progress, me)
            record["config"] = config.model_dump(mode="json")
        write_record(config.folder / "record.json", record)


def close_folder(config: RunConfig, progress: Progress, me: Process) -> None:
    """Report the best checkpoint on ``report_split`` and complete the record."""
    if me.world_size > 1:
        dist.barrier()  # best.pt is rank 0's to write
    path = config.folder / "record.json"
    if finished(read_record(path), progress.step):
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


command = configured(train, RunConfig)
