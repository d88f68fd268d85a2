"""Fine-tune with edited attention: ``stabn finetune --config finetune.yaml``.

Step 3 of the paper, with the comparisons it lacks. All arms start from one checkpoint, see the same
clips in the same order and drop the same features; they differ in what L_temp pulls M_t towards:

- ``knowledge``: what people edited;
- ``control``: nothing (γ_t = 0): the same further training without any edit;
- ``placebo``: other videos' edits.

The extractor is frozen, its batch normalisation too, so one f(x) serves all arms, and with
``draws`` several epochs (:mod:`stabn.knowledge.finetuning.features`).

A bi-LSTM with attention over time is taught as ST-ABN is; its extractor is its encoder of frames.
Its weights are shares of 1, and so is what it learns of an edit
(:func:`stabn.knowledge.finetuning.arms.take_step`).
"""

import logging
from collections.abc import Mapping
from contextlib import ExitStack

from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.edits.exchange import read_json, write_json
from stabn.knowledge.finetuning.config import FinetuneConfig
from stabn.knowledge.finetuning.features import fed_with_features, forget_features
from stabn.knowledge.finetuning.step import (
    Tuning,
    opened,
    read_lessons,
    scored_splits,
    set_up,
    take_steps,
)
from stabn.knowledge.finetuning.targets import read_edits, unchanged
from stabn.training.beside import Beside
from stabn.training.checkpoint import Trained, save
from stabn.training.config import configured, write_config
from stabn.training.evaluate import check_classes, inverts, report
from stabn.training.files import file_hash, remove_leftovers
from stabn.training.journal import Journal
from stabn.training.ledger import Ledger
from stabn.training.lock import holding
from stabn.training.nonfinite import writing_down
from stabn.training.optimizer import changes_each_step, learning_rate
from stabn.training.process import Process, agreeing, heeding_sigterm, joined
from stabn.training.records import (
    finished,
    new_record,
    peak_memory,
    read_record,
    unreported,
    write_record,
    writing,
)
from stabn.training.resume import note_resumption

log = logging.getLogger(__name__)


def finetune(config: FinetuneConfig) -> None:
    """Train every arm, then score all of them and the start. A run that was cut off goes on.

    Writes config.yaml, edits.json (what a store held when the run began), last.pt, and for each
    arm ``<arm>.pt``, ``metrics-<arm>.jsonl`` and predictions; decode_failures.jsonl where a video
    could not be decoded. record.json holds the figures under ``results.<arm>-<split>``, those of
    ``before`` included. On SIGTERM (pre-emption), and when what
    launched it has gone, it does as training does.

    Raises:
        EditError, StoreError: the edits cannot be used.
        ConfigError: an impossible batch size; a folder that holds another fine-tuning, or is that
            of one at work.
        NonFiniteLossError: a loss is NaN or infinite; what is on disk stays as it was.
        DecodeFailuresError: more than the run's ``max_decode_failures`` of the clips.
        CheckpointError, AnnotationError, PreparationError, VideoError: a file that cannot be used.
    """
    with (
        joined() as me,
        holding(config.folder, me),
        heeding_sigterm(me),
        Beside(me) as beside,
    ):
        before, run = opened(config)
        check_classes(before, run, config.start)
        lessons = read_lessons(run, frozen_edits(config, me))
        tuning = set_up(config, before, run, lessons, me)
        progress, steps, sampler = tuning.progress, tuning.steps, tuning.loader.batch_sampler
        open_folder(tuning)
        tuning = fed_with_features(tuning)
        journals = {
            name: Journal(
                config.folder / f"metrics-{name}.jsonl", progress.step, config.log_every, me
            )
            for name in config.arms
        }
        ledger = Ledger(
            config.folder / "decode_failures.jsonl",
            *(progress.step, config.batch_size, run.max_decode_failures, me),
        )

        scorings = (1 + len(config.arms)) * len(scored_splits(config, run))
        while progress.epoch < config.epochs:
            sampler.epoch, sampler.start_batch = progress.epoch, progress.batch
            for batch in tuning.loader:
                with writing_down(config.folder, me):
                    told_by_arm = take_steps(tuning, batch)
                for name, told in told_by_arm.items():
                    journals[name].add(told.loss, told.logits, told.labels, temporal=told.temporal)
                for arm in tuning.arms.values():
                    if changes_each_step(arm.schedule) and progress.step + 1 < steps:
                        arm.schedule.step()
                progress.step, progress.batch = progress.step + 1, progress.batch + 1
                for name, arm in tuning.arms.items():
                    rate = learning_rate(arm.optimizer)
                    journals[name].trained(progress.epoch, progress.step, steps, rate, scorings)
                stop, failed = me.total(me.terminated.is_set(), len(batch.failures))
                if failed:
                    ledger.enter(progress.epoch, progress.step, batch.failures)
                due = progress.due(config.save_every, config.save_minutes)
                beside.look()
                if me.is_main and (stop or due):
                    save_all(tuning, journals, beside)
                if stop:
                    me.leave()
            progress.epoch, progress.batch = progress.epoch + 1, 0
            if me.is_main:
                save_all(tuning, journals, beside)

        beside.wait()
        forget_features(config.folder, me)
        close_folder(tuning)


def save_all(tuning: Tuning, journals: Mapping[str, Journal], beside: Beside) -> None:
    """Write ``last.pt``, which is no arm's training."""
    with ExitStack() as stack:
        for journal in journals.values():
            stack.enter_context(journal.aside("saving"))
        tuning.store(beside)


def frozen_edits(config: FinetuneConfig, me: Process) -> list[Edit]:
    """The edits as they were when the run began: people may go on editing in the store."""
    kept = config.folder / "edits.json"
    with agreeing(me):
        if me.is_main and not kept.is_file():
            edits = read_edits(config.edits)
            with writing(config.folder):
                write_json(edits, kept)
    return read_json(kept)


def open_folder(tuning: Tuning) -> None:
    """Rank 0: write config.yaml and a record; keep the record of a run taken up."""
    config, lessons, me, progress = tuning.config, tuning.lessons, tuning.me, tuning.progress
    if not me.is_main:
        return
    model, path = file_hash(config.start), config.folder / "record.json"
    edits, left = lessons.edits, len(unchanged(lessons.edits))
    if left:
        log.info("%d videos were looked at and not corrected: nothing is learned from them", left)
    foreign = sum(edit.model != model for edit in edits)
    if foreign:
        log.warning(
            "%d of %d edits correct another network's attention than that of %s; they are used: "
            "when the action is does not depend on who asked",
            *(foreign, len(edits), config.start),
        )
    with writing(config.folder):
        remove_leftovers(config.folder)
        write_config(config, config.folder / "config.yaml")
        if record := read_record(path):
            goes_on = progress.epoch < config.epochs
            if goes_on or not finished(record, progress.step):
                record = unreported(record)
            if goes_on:
                note_resumption(record, progress, me)
            write_record(path, record)
            return
        start = new_record(tuning.run, tuning.before.classes, me.world_size, tuning.precision)
        record = start | {
            "finetuning": config.model_dump(mode="json"),
            "started_from": {"checkpoint": str(config.start), "sha256": model},
            "edits": {
                "videos": len(lessons.levels),
                "unchanged": left,
                "share_of_training": len(lessons.levels) / len(lessons.class_of),
                "annotators": sorted({edit.annotator for edit in edits}),
                "seconds": sum(edit.seconds for edit in edits),
                "of_another_network": foreign,
            },
            "modified": sorted({lessons.class_of[video_id] for video_id in lessons.levels}),
        }
        write_record(path, record)


def close_folder(tuning: Tuning) -> None:
    """Keep every arm's network, score all on ``report_split``, complete the record."""
    config, run, before, me = tuning.config, tuning.run, tuning.before, tuning.me
    path, progress = config.folder / "record.json", tuning.progress
    if finished(read_record(path), progress.step):
        log.info("%s is fine-tuned and reported already; delete it to start over", config.folder)
        return
    if me.is_main:
        for name, model in tuning.models.items():
            save(
                config.folder / f"{name}.pt", model, run, before.classes, progress=progress.plain()
            )
    how = {"split": run.report_split, "folder": config.folder}
    for name, model in {"before": before.model, **tuning.models}.items():
        trained = Trained(model, run, before.classes, name)
        report(trained, run, me, **how, checkpoint=name)
        for split in config.also_report:
            report(trained, run, me, **how | {"split": split}, checkpoint=name)
        if inverts(config, run):
            report(trained, run, me, **how, checkpoint=name, invert_spatial=True)
    if me.is_main:
        record = read_record(path) | {
            "wall_seconds": round(progress.plain()["seconds"], 1),
            "peak_memory_gib": peak_memory(),
            "steps": progress.step,
        }
        write_record(path, record)
        log.info("done in %.0f s: %s", record["wall_seconds"], path)


command = configured(finetune, FinetuneConfig)
