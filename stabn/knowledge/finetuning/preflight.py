"""What would stop a fine-tuning: ``stabn preflight finetune``.

Given the fine-tuning's ``--config`` and launched as it will be, on as many processes, it looks at
the checkpoint, the data, the edits, the folder and what lies in it, takes steps of all arms at full
size, and says what memory that takes and when all arms will have been scored. What it trains is
thrown away.
"""

import copy
from collections.abc import Sequence
from functools import partial

from stabn.data.dataset import Batch
from stabn.data.sampling import views
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.edits.exchange import read_json
from stabn.knowledge.finetuning.config import FinetuneConfig
from stabn.knowledge.finetuning.features import keeping
from stabn.knowledge.finetuning.step import (
    Lessons,
    Tuning,
    extracted,
    opened,
    pulled_towards,
    read_lessons,
    scored_splits,
    set_up,
    take_steps,
)
from stabn.knowledge.finetuning.targets import distance, read_edits, unchanged
from stabn.training.batch_statistics import noting_values
from stabn.training.build import check_shares
from stabn.training.config import RunConfig, configured
from stabn.training.evaluate import check_classes
from stabn.training.files import file_hash
from stabn.training.lock import holding
from stabn.training.preflight.findings import Findings
from stabn.training.preflight.normalisation import tell_statistics
from stabn.training.preflight.precision import check_precision
from stabn.training.preflight.ready import check_data, check_disk, check_folder, checkpoint_bytes
from stabn.training.preflight.trial import (
    forward,
    mean,
    read_ahead,
    state_bytes,
    tell_failures,
    tell_speed,
    tell_time,
    time_scoring,
    time_steps,
    timed,
    together,
    weight_bytes,
)
from stabn.training.process import autocast, gathered, heeding_sigterm, joined
from stabn.training.records import finished, read_record
from stabn.training.resume import check_same_run
from stabn.words import counted

NEAR = 0.05  # of levels in [0, 1]


def preflight(config: FinetuneConfig) -> None:
    """Check all that a fine-tuning needs, and measure what it will take.

    Raises:
        PreflightError: something would stop it; the message lists everything that would.
    """
    with joined() as me, heeding_sigterm(me):
        found = Findings(me)
        check_folder(found, config.folder)
        edits: list[Edit] | None = None
        with found.checking("edits"):
            edits = edits_to_use(config) if me.is_main else None
        edits = gathered([edits], me)[0]  # a file of SQLite is not for several machines to open
        with found.checking("checkpoint"):
            before, run = opened(config)
            found.good("checkpoint", before.origin)
            splits = (run.train_split, run.report_split, *config.also_report)
            counts = check_data(found, run, splits, bears=run.max_decode_failures)
            if counts:
                check_classes(before, run, config.start)
            if edits is not None and run.train_split in counts:
                with found.checking("edits"):
                    lessons = check_edits(found, config, run, edits)
            with found.checking("run"):
                check_shares(run, me)  # set_up would stop at the first fault
        if found.faults:  # else set_up looks
            with found.checking("run"):
                check_same_run(config)
        found.settle()
        with found.checking("run"), holding(config.folder, me):
            tuning = set_up(config, before, run, lessons, me)
        found.settle()
        if tuning.progress.epoch >= config.epochs:
            record = read_record(config.folder / "record.json")
            reported = finished(record, tuning.progress.step)
            left = "nothing is left" if reported else "nothing is left but its report"
            found.good("run", f"{config.folder} is fine-tuned already: {left}")
            return
        step = tuning.progress.step
        begun = f"goes on after step {step}" if step else "begins"
        arms = ", ".join(config.arms)
        how = f"{counted(me.world_size, 'process')}, {tuning.precision}; arms: {arms}"
        found.good("run", f"{config.folder} {begun}; {how}")

        batches, reading = read_ahead(tuning.loader, me)
        tell_failures(found, batches)
        network = copy.deepcopy(before.model)  # whose frozen extractor all arms share
        check_precision(found, network, batches[0], run.precision, tuning.precision)
        alone, steps = partial(one_arm, tuning), partial(take_steps, tuning)
        with noting_values(tuning.models) as values:
            step = time_steps(found, batches, tuning.models, forward=alone, step=steps)
        tell_statistics(found, run, values)
        score = partial(forward, before.model.eval(), tuning.precision, me.device)
        scoring = time_scoring(found, batches, score)
        plan = keeping(tuning)
        if plan.keys:
            (found.good if plan.fits else found.warn)("features", str(plan))
        check_disk(found, config.folder, stored_bytes(tuning) - checkpoint_bytes(config.folder))
        found.settle()
        left, workers = tuning.steps - tuning.progress.step, tuning.loader.num_workers
        trained = left * together(config.batch_size / reading, step, workers)
        if plan.keys and plan.fits:  # read and extracted once, beforehand
            once = mean(timed(partial(extracted, tuning), batches[0], me), me)
            trained = left * max(step - once, 0)
            trained += plan.clips * together(1 / reading, once / config.batch_size, workers)
        videos = sum(counts[split] for split in scored_splits(config, run))
        clips = (
            (1 + len(config.arms))
            * videos
            * len(views(run.sampling, run.num_frames, run.num_frames))
        )
        scored = clips * together(1 / reading, scoring, tuning.loader.num_workers)
        tell_speed(found, "trained", config.batch_size / step, reading, tuning.loader.num_workers)
        networks = f"{1 + len(config.arms)} networks"
        tell_time(found, trained + scored, f"{left} steps and scoring {networks}")


def edits_to_use(config: FinetuneConfig) -> list[Edit]:
    """The edits that the run began with, if it has begun; else those that it will begin with.

    Raises:
        EditError, StoreError: they cannot be read.
    """
    kept = config.folder / "edits.json"
    return read_json(kept) if kept.is_file() else read_edits(config.edits)


def check_edits(
    found: Findings, config: FinetuneConfig, run: RunConfig, edits: Sequence[Edit]
) -> Lessons:
    """Whether the edits are of this data set and suffice for every arm; how many there are.

    Raises:
        EditError, VideoError: as :func:`stabn.knowledge.finetuning.step.read_lessons`.
    """
    lessons = read_lessons(run, edits)
    towards = {name: pulled_towards(name, config, lessons) for name in config.arms}
    people, videos = len({e.annotator for e in edits}), len({e.video_id for e in edits})
    learned, left = len(lessons.levels), len(unchanged(edits))
    found.good(
        "edits",
        f"{len(edits)} by {counted(people, 'annotator')} of {counted(videos, 'video')}: "
        f"{learned} ({learned / len(lessons.class_of):.1%} of {run.train_split}) are learned from, "
        f"{left} were looked at and not corrected",
    )
    if {"knowledge", "placebo"} <= towards.keys():
        tell_distance(found, distance(towards["knowledge"], towards["placebo"]))
    model = file_hash(config.start)
    foreign = sum(edit.model != model for edit in edits)
    if foreign:
        found.warn("edits", f"{foreign} of them correct another network's attention; they are used")
    return lessons


def tell_distance(found: Findings, mean: float) -> None:
    """Whether the placebo is another thing to learn than the edits."""
    text = f"the placebo's levels lie {mean:.2f} from the edits, on average over the frames"
    if mean >= NEAR:
        found.good("placebo", text)
        return
    found.warn(
        "placebo",
        f"{text}: both arms learn nearly the same, so what knowledge gives will not show; edit "
        f"videos whose actions lie at different times, and more of each class",
    )


def one_arm(tuning: Tuning, batch: Batch) -> None:
    """What an arm keeps for the way back: one after the other they take as much, alone."""
    name = tuning.config.arms[0]
    features = extracted(tuning, batch)
    with autocast(tuning.precision, tuning.me.device):
        tuning.models[name].from_features(features)


def stored_bytes(tuning: Tuning) -> float:
    """Bytes that stand in the folder at its fullest moment.

    All arms' state to go on from, once more while it is written, and each arm's network by itself.
    """
    optimizers = [arm.optimizer for arm in tuning.arms.values()]
    state = weight_bytes(tuning.models) + state_bytes(*optimizers)
    return 2 * state + sum(weight_bytes(model) for model in tuning.models.values())


command = configured(preflight, FinetuneConfig)
