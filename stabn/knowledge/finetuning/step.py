"""What a fine-tuning works with, and one step of all its arms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from stabn.data.dataset import Batch
from stabn.data.transforms import normalise
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.finetuning.arms import Arm, Told, take_step, trainable_copy, trained_together
from stabn.knowledge.finetuning.config import FinetuneConfig
from stabn.knowledge.finetuning.targets import Levels, read_targets, shifted, swapped
from stabn.models.folded import folded
from stabn.training.batch_statistics import check_statistics
from stabn.training.beside import Beside
from stabn.training.build import split_videos, train_loader
from stabn.training.checkpoint import CheckpointError, Trained, load
from stabn.training.config import RunConfig
from stabn.training.evaluate import attends, inverts, weighs_frames
from stabn.training.optimizer import make_optimizer, make_schedule
from stabn.training.process import Process, agreeing, autocast, usable_precision
from stabn.training.resume import Progress, check_same_step, step_seed, store, take_up


class Lessons(NamedTuple):
    """What is learned from.

    Attributes:
        edits: all of them, as they were read.
        class_of: {video id: class id} of the training split.
        levels: what the annotators agree on, of the videos that somebody corrected.
    """

    edits: Sequence[Edit]
    class_of: Mapping[str, int]
    levels: Levels


@dataclass(frozen=True)
class Tuning:
    """What a fine-tuning works with, as it stands where it begins or goes on.

    Attributes:
        config: the fine-tuning.
        run: the run that is fine-tuned, with what fine-tuning changes of its description.
        me: this process.
        before: the network that all arms start from, on ``me.device``.
        extractor: a copy of it that computes f(x), without BN.
        lessons: what is learned from.
        loader: this process's share of the training clips.
        steps: optimizer steps from beginning to end.
        precision: the one in use.
        models: the arms' networks; they share the frozen extractor.
        arms: the arms, in the order in which they take their steps.
        progress: how far the fine-tuning has come.
    """

    config: FinetuneConfig
    run: RunConfig
    me: Process
    before: Trained
    extractor: nn.Module
    lessons: Lessons
    loader: DataLoader
    steps: int
    precision: str
    models: nn.ModuleDict
    arms: Mapping[str, Arm]
    progress: Progress

    def store(self, beside: Beside) -> None:
        """Write ``last.pt`` beside the steps."""
        parts = _parts(self.arms)
        store(self.config, self.before.classes, self.models, parts, self.progress, beside)


def opened(config: FinetuneConfig) -> tuple[Trained, RunConfig]:
    """The network to start from, and its run with what fine-tuning changes of it.

    Raises:
        CheckpointError: it cannot be loaded, or has no attention to correct.
        ConfigError: the run and the fine-tuning do not go together.
    """
    before = load(config.start)
    if not weighs_frames(before.config):
        raise CheckpointError(f"{config.start}: {why_not(before.config)}")
    return before, config.as_run(before.config)


def why_not(run: RunConfig) -> str:
    """Why edits cannot correct a network, and which they can."""
    fit = "fine-tune an ST-ABN, or a bilstm with attention, that reads frames"
    if run.encoder:
        return f"reads features of {run.encoder}, whose frames edits are not put beside; {fit}"
    return f"has no attention to correct, no weight for each frame; {fit}"


def scored_splits(config: FinetuneConfig, run: RunConfig) -> list[str]:
    """The splits on which every network is scored, as often as it is."""
    inverted = [run.report_split] if inverts(config, run) else []
    return [run.report_split, *config.also_report, *inverted]


def read_lessons(run: RunConfig, edits: Sequence[Edit]) -> Lessons:
    """The edits, checked against the training split.

    Raises:
        EditError: see :func:`stabn.knowledge.finetuning.targets.read_targets`.
        AnnotationError, PreparationError, VideoError: a list or an edited video cannot be read.
    """
    records, videos = split_videos(run, run.train_split)
    class_of = {record.video_id: record.class_id for record in records}
    return Lessons(edits, class_of, read_targets(edits, class_of, videos))


def pulled_towards(name: str, config: FinetuneConfig, lessons: Lessons) -> Levels | None:
    """What L_temp compares an arm's M_t with; None for the control.

    Raises:
        EditError: a single edited video: the placebo has no other's edit to take.
    """
    if name == "control":
        return None
    if name == "knowledge":
        return lessons.levels
    if config.placebo == "shift":
        return shifted(lessons.levels)
    return swapped(lessons.levels, lessons.class_of, config.seed)


def set_up(
    config: FinetuneConfig, before: Trained, run: RunConfig, lessons: Lessons, me: Process
) -> Tuning:
    """Everything that ``config`` describes, taken up where the run in its folder was left.

    Raises:
        ConfigError: an impossible batch size; a folder that holds another fine-tuning.
        CheckpointError: the state in the folder cannot be used.
        EditError: the edits do not suffice for an arm.
    """
    with agreeing(me):
        for split in dict.fromkeys(scored_splits(config, run)):
            split_videos(run, split)  # what is wrong with it is said before training
        loader = train_loader(run, me, _clips_of_an_epoch(config, lessons), config.draws)
        check_statistics(run, len(before.classes), me)
        steps = config.epochs * len(loader.batch_sampler)
        towards = {name: pulled_towards(name, config, lessons) for name in config.arms}
        before.model.to(me.device)
        precision = usable_precision(run.precision, me.device)
        models = nn.ModuleDict({name: trainable_copy(before.model) for name in config.arms})
        shares = not attends(run)  # an ST-ABN has a sigmoid for each frame, a bilstm a softmax
        if not shares:
            for model in models.values():  # all kinds of fusion have the same weights
                model.fusion.kind, model.fusion.closed = run.fusion, run.closed
        changing = {}
        for name, model in models.items():
            optimizer = make_optimizer(run, model)
            scaler = torch.amp.GradScaler(me.device.type, enabled=precision == "fp16")
            changing[name] = optimizer, make_schedule(run, optimizer, steps), scaler
        arms = {
            name: Arm(name, towards[name], models[name], *changing[name], shares)
            for name in config.arms
        }
        progress = take_up(config, before.classes, models, _parts(arms))
    check_same_step(progress, me)
    for name, arm in arms.items():
        arm.network = trained_together(models[name], me)
    return Tuning(
        *(config, run, me, before, folded(before.model), lessons, loader, steps),
        *(precision, models, arms, progress),
    )


def _clips_of_an_epoch(config: FinetuneConfig, lessons: Lessons) -> dict[str, int]:
    """How often an epoch takes each training video."""
    others = 0 if config.edited_only else 1
    return {i: config.edited_repeats if i in lessons.levels else others for i in lessons.class_of}


def _parts(arms: Mapping[str, Arm]) -> dict[str, Any]:
    """What a checkpoint holds beside the weights, by the name it has there."""
    names = ("optimizer", "schedule", "scaler")
    return {f"{arm.name}.{name}": getattr(arm, name) for arm in arms.values() for name in names}


@torch.no_grad()
def extracted(tuning: Tuning, batch: Batch) -> Tensor:
    """f(x) of a batch, as the network's ``features`` gives it: computed, or as it was kept."""
    features = batch.video.to(tuning.me.device, non_blocking=True)
    if not features.is_floating_point():
        with autocast(tuning.precision, tuning.me.device):
            features = tuning.extractor.features(normalise(features))
    # in one order in memory, as sums over it are rounded by order
    return features.contiguous(memory_format=torch.channels_last_3d)


def take_steps(tuning: Tuning, batch: Batch) -> dict[str, Told]:
    """One optimizer step of every arm, from one and the same f(x).

    Raises:
        NonFiniteLossError: NaN or infinite; that arm's weights are as they were.
    """
    config, me, step = tuning.config, tuning.me, tuning.progress.step
    features = extracted(tuning, batch)
    told = {}
    for name, arm in tuning.arms.items():
        torch.manual_seed(step_seed(config.seed, step, me.rank))  # dropout's
        told[name] = take_step(arm, features, batch, config, tuning.precision, me)
    return told
