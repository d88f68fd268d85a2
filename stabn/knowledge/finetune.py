"""Fine-tune with edited attention: ``python -m stabn.knowledge.finetune --config finetune.yaml``.

Step 3 of the paper, with the comparisons it lacks. All arms start from one checkpoint, see the same
clips in the same order and drop the same features; they differ in what L_temp pulls M_t towards:

- ``knowledge``: what people edited;
- ``control``: nothing (γ_t = 0): the same further training without any edit;
- ``placebo``: other videos' edits.

The extractor is frozen, its batch normalisation too, so one f(x) serves all arms.
"""

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence

import torch
import torch.distributed as dist
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from stabn.data.transforms import normalise
from stabn.knowledge.arms import Arm, take_step, trainable_copy, trained_together
from stabn.knowledge.database import StoreError
from stabn.knowledge.edits import Edit, EditError
from stabn.knowledge.exchange import read_json, write_json
from stabn.knowledge.finetuning import FinetuneConfig
from stabn.knowledge.targets import (
    Levels,
    read_edits,
    read_targets,
    shifted,
    swapped,
    unchanged,
)
from stabn.models.st_abn import STABN
from stabn.training.build import class_texts, split_videos, train_loader
from stabn.training.checkpoint import USER_ERRORS, CheckpointError, Trained, load, save
from stabn.training.config import ConfigError, RunConfig, parse, read_yaml, write_config
from stabn.training.evaluate import attends, report
from stabn.training.files import file_hash
from stabn.training.journal import Journal
from stabn.training.ledger import DecodeFailuresError, Ledger
from stabn.training.process import Process, autocast, heeding_sigterm, joined, usable_precision
from stabn.training.records import new_record, peak_memory, read_record, write_record
from stabn.training.resume import Progress, step_seed, store, take_up
from stabn.training.step import NonFiniteLossError, learning_rate, make_optimizer, make_schedule

log = logging.getLogger(__name__)


def finetune(config: FinetuneConfig) -> None:
    """Train every arm, then score all of them and the start. A run that was cut off goes on.

    Writes config.yaml, edits.json (what a store held when the run began), last.pt, and for each
    arm ``<arm>.pt``, ``metrics-<arm>.jsonl`` and predictions; decode_failures.jsonl where a video
    could not be decoded. record.json holds the figures under ``results.<arm>-<split>``, those of
    ``before`` included. On SIGTERM (pre-emption) it does as training does.

    Raises:
        EditError, StoreError: the edits cannot be used.
        ConfigError: an impossible batch size; a folder that holds another fine-tuning.
        NonFiniteLossError: a loss is NaN or infinite; what is on disk stays as it was.
        DecodeFailuresError: more than the run's ``max_decode_failures`` of the clips.
        CheckpointError, AnnotationError, PreparationError, VideoError: a file that cannot be used.
    """
    with joined() as me, heeding_sigterm(me):
        before = load(config.start)
        if not attends(before.config):
            raise CheckpointError(
                f"{config.start}: has no attention to correct; fine-tune an ST-ABN, not the "
                f"baseline or the matched control"
            )
        run, classes = config.as_run(before.config), before.classes
        if class_texts(run) != classes:
            load(config.start, class_texts(run))  # says what differs
        records, videos = split_videos(run, run.train_split)
        class_of = {record.video_id: record.class_id for record in records}
        edits = frozen_edits(config, me)
        levels = read_targets(edits, class_of, videos)
        loader = train_loader(run, me, clips_of_an_epoch(config, class_of, levels))
        sampler = loader.batch_sampler
        steps = config.epochs * len(sampler)

        before.model.to(me.device)
        precision = usable_precision(run.precision, me.device)
        models = nn.ModuleDict({name: trainable_copy(before.model) for name in config.arms})
        parts = {}
        for name, model in models.items():
            optimizer = make_optimizer(run, model)
            parts |= {
                f"{name}.optimizer": optimizer,
                f"{name}.schedule": make_schedule(run, optimizer, steps),
                f"{name}.scaler": torch.amp.GradScaler(me.device.type, enabled=precision == "fp16"),
            }
        progress = take_up(config, classes, models, parts)
        open_folder(config, run, classes, edits, levels, class_of, precision, me)
        arms = {
            name: Arm(
                name,
                pulled_towards(name, config, levels, class_of),
                trained_together(models[name], me),
                *(parts[f"{name}.{part}"] for part in ("optimizer", "schedule", "scaler")),
                Journal(
                    config.folder / f"metrics-{name}.jsonl", progress.step, config.log_every, me
                ),
            )
            for name in config.arms
        }

        ledger = Ledger(
            config.folder / "decode_failures.jsonl",
            *(progress.step, config.batch_size, run.max_decode_failures, me),
        )
        while progress.epoch < config.epochs:
            sampler.epoch, sampler.start_batch = progress.epoch, progress.batch
            for batch in loader:
                with torch.no_grad(), autocast(precision, me.device):
                    video = batch.video.to(me.device, non_blocking=True)
                    features = before.model.features(normalise(video))  # (N, C, T, H′, W′)
                for arm in arms.values():
                    torch.manual_seed(step_seed(config.seed, progress.step, me.rank))  # dropout's
                    take_step(arm, features, batch, config, precision, me)
                    if isinstance(arm.schedule, OneCycleLR) and progress.step + 1 < steps:
                        arm.schedule.step()
                progress.step, progress.batch = progress.step + 1, progress.batch + 1
                for arm in arms.values():
                    rate = learning_rate(arm.optimizer)
                    arm.journal.trained(progress.epoch, progress.step, steps, rate)
                stop, failed = me.total(me.terminated.is_set(), len(batch.failures))
                if failed:
                    ledger.enter(progress.epoch, progress.step, batch.failures)
                due = config.save_every and progress.step % config.save_every == 0
                if me.is_main and (stop or due):
                    store(config, classes, models, parts, progress)
                if stop:
                    me.leave()
            progress.epoch, progress.batch = progress.epoch + 1, 0
            if me.is_main:
                store(config, classes, models, parts, progress)

        close_folder(config, run, before, models, progress, me)


def frozen_edits(config: FinetuneConfig, me: Process) -> list[Edit]:
    """The edits as they were when the run began: people may go on editing in the store."""
    kept = config.folder / "edits.json"
    if me.is_main and not kept.is_file():
        write_json(read_edits(config.edits), kept)
    if me.world_size > 1:
        dist.barrier()
    return read_json(kept)


def clips_of_an_epoch(
    config: FinetuneConfig, class_of: Mapping[str, int], levels: Levels
) -> dict[str, int]:
    """How often an epoch takes each training video."""
    others = 0 if config.edited_only else 1
    return {i: config.edited_repeats if i in levels else others for i in class_of}


def pulled_towards(
    name: str, config: FinetuneConfig, levels: Levels, class_of: Mapping[str, int]
) -> Levels | None:
    """What L_temp compares an arm's M_t with; None for the control."""
    if name == "control":
        return None
    if name == "knowledge":
        return levels
    return shifted(levels) if config.placebo == "shift" else swapped(levels, class_of, config.seed)


def open_folder(
    config: FinetuneConfig,
    run: RunConfig,
    classes: tuple[str, ...],
    edits: Sequence[Edit],
    levels: Levels,
    class_of: Mapping[str, int],
    precision: str,
    me: Process,
) -> None:
    """Rank 0: write config.yaml and a record; keep the record of a run taken up."""
    if not me.is_main:
        return
    model, path = file_hash(config.start), config.folder / "record.json"
    left = len(unchanged(edits))
    if left:
        log.info("%d videos were looked at and not corrected: nothing is learned from them", left)
    foreign = sum(edit.model != model for edit in edits)
    if foreign:
        log.warning(
            "%d of %d edits correct another network's attention than that of %s; they are used: "
            "when the action is does not depend on who asked",
            *(foreign, len(edits), config.start),
        )
    try:
        write_config(config, config.folder / "config.yaml")
        if read_record(path):
            return
        record = new_record(run, classes, me.world_size, precision) | {
            "finetuning": config.model_dump(mode="json"),
            "started_from": {"checkpoint": str(config.start), "sha256": model},
            "edits": {
                "videos": len(levels),
                "unchanged": left,
                "share_of_training": len(levels) / len(class_of),
                "annotators": sorted({edit.annotator for edit in edits}),
                "seconds": sum(edit.seconds for edit in edits),
                "of_another_network": foreign,
            },
            "modified": sorted({class_of[video_id] for video_id in levels}),
        }
        write_record(path, record)
    except OSError as error:
        raise ConfigError(
            f"out_dir: {config.folder} cannot be written ({error.strerror}); make it writable or "
            f"choose another out_dir"
        ) from error


def close_folder(
    config: FinetuneConfig,
    run: RunConfig,
    before: Trained,
    models: Mapping[str, STABN],
    progress: Progress,
    me: Process,
) -> None:
    """Keep every arm's network, score all on ``report_split``, complete the record."""
    path = config.folder / "record.json"
    if read_record(path).get("wall_seconds") is not None:
        log.info("%s is fine-tuned and reported already; delete it to start over", config.folder)
        return
    if me.is_main:
        for name, model in models.items():
            save(
                config.folder / f"{name}.pt", model, run, before.classes, progress=progress.plain()
            )
    how = {"split": run.report_split, "folder": config.folder}
    for name, model in {"before": before.model, **models}.items():
        trained = Trained(model, run, before.classes, name)
        report(trained, run, me, **how, checkpoint=name)
        for split in config.also_report:
            report(trained, run, me, **how | {"split": split}, checkpoint=name)
        if config.invert_spatial:
            report(trained, run, me, **how, checkpoint=name, invert_spatial=True)
    if me.is_main:
        record = read_record(path) | {
            "wall_seconds": round(progress.plain()["seconds"], 1),
            "peak_memory_gib": peak_memory(),
            "steps": progress.step,
        }
        write_record(path, record)
        log.info("done in %.0f s: %s", record["wall_seconds"], path)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", required=True, help="YAML file: one `name: value` a line")
    arguments = parser.parse_args()
    try:
        finetune(parse(FinetuneConfig, read_yaml(arguments.config), arguments.config))
    except (
        *(*USER_ERRORS, EditError, StoreError),
        *(NonFiniteLossError, DecodeFailuresError),
    ) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
