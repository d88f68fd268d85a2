"""An interrupted run goes on where it stopped.

``last.pt`` holds the weights and what else the next step depends on: the state of optimizer,
schedule and AMP scaler, and the place in the data. Random numbers need no storing: a clip's come
from (seed, epoch, video id, repeat), a step's dropout from (seed, step, rank).
"""

import logging
import os
import shutil
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from stabn.training.beside import Beside, copied
from stabn.training.checkpoint import CheckpointError, content_of, load_state, read, write
from stabn.training.config import ConfigError, RunConfig
from stabn.training.networks import SETTINGS
from stabn.training.process import Process, gathered

log = logging.getLogger(__name__)

# May differ when a run is taken up again: where things lie, how they are run, not what is computed.
FREE = {"out_dir", "name", "data_root", "prepared", "workers", "log_every", "save_every"}
FREE |= {"save_minutes", "keep_last", "max_decode_failures", "resume_changed"}
FREE |= {"checkpoint_activations", "max_nonfinite_steps", "profile_steps"}
# May not, even with resume_changed: they say what the stored place in the data, and the stored
# state of optimizer and schedule, stand for.
FIXED = {"data", "pretext_clips", "train_split", "sampling", "seed", "batch_size"}
FIXED |= {"optimizer", "schedule", "milestones", "patience", "lr_factor", "decay_bn_and_biases"}
COURSE = {"lr", "lr_batch_size", "momentum", "epochs", "warmup_epochs"}  # set at the start, for all
SHAPES = {
    "model",
    "network",
    "backbone",
    "num_frames",
    "class_head",
    "temporal_tail",
    "fusion",
}  # tensors'
GROUPS = ("lr", "momentum", "nesterov", "weight_decay")  # kept in the optimizer's stored state


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        epoch: epochs completed.
        batch: global batches done of the next one.
        step: optimizer steps done in all.
        best_top1: of the evaluations so far, with its ``best_loss`` and ``best_epoch``.
        seconds: spent up to here, interrupted runs' lost work left out.
        changed: {field of the configuration: (before, now)} since the checkpoint taken up.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best_top1: float = -1.0
    best_loss: float = float("inf")
    best_epoch: int = 0
    seconds: float = 0.0
    changed: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    _since: float = field(default_factory=time.monotonic)
    _stored: float = field(default_factory=time.monotonic)

    def plain(self) -> dict[str, Any]:
        """As values to store, with the seconds up to now."""
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now
        stored = asdict(self)
        return {n: stored[n] for n in stored if n not in ("_since", "_stored", "changed")}

    def due(self, every: int | None, minutes: float) -> bool:
        """Whether it is time to store: after ``every`` steps, or so long after it was stored last.

        Only rank 0 stores, so its clock alone decides, and nobody need agree on it.
        """
        late = time.monotonic() - self._stored >= 60 * minutes
        return late or (every is not None and self.step % every == 0)

    def improves(self, top1: float, loss: float) -> bool:
        """Whether an evaluation is the best so far (top-1 first, then loss); remember it if so."""
        better = (top1, -loss) > (self.best_top1, -self.best_loss)
        if better:
            self.best_top1, self.best_loss, self.best_epoch = top1, loss, self.epoch
        return better


def check_same_step(progress: Progress, me: Process) -> None:
    """Whether all processes go on from the same step; a collective call.

    Raises:
        ConfigError: they do not see the same folder.
    """
    steps = gathered([progress.step], me)
    if len(set(steps)) > 1:
        raise ConfigError(
            f"out_dir: the processes found the run after {sorted(set(steps))} steps: its folder "
            f"must be the same on every machine, and every checkpoint in it readable there"
        )


def note_resumption(record: dict[str, Any], progress: Progress, me: Process) -> None:
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


def step_seed(seed: int, step: int, rank: int) -> int:
    """Seed of one rank's random numbers (dropout) in one step."""
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0] >> 1)


def store(
    config: RunConfig,
    classes: tuple[str, ...],
    model: nn.Module,
    parts: Mapping[str, Any],
    progress: Progress,
    beside: Beside,
    *,
    keep: int = 1,
) -> None:
    """Write ``last.pt`` beside the steps; what it will hold is as it is now.

    With ``keep`` > 1 the last ``keep`` of them stay as ``last-<step>.pt``, the newest under both
    names.

    Args:
        config: the run.
        classes: class texts, by class id.
        model: its weights are stored.
        parts: the objects with a ``state_dict`` beside the model.
        progress: how far the run has come.
        beside: writes it, and raises CheckpointError where it cannot.
        keep: how many.
    """
    state = {name: part.state_dict() for name, part in parts.items()}
    content = content_of(model, config, classes, progress=progress.plain(), training=state)
    beside(partial(_write, config.folder, copied(content), progress.step, keep))
    progress._stored = time.monotonic()


def _write(folder: Path, content: dict[str, Any], step: int, keep: int) -> None:
    path = folder / "last.pt"
    write(path, content)
    named = path.with_name(f"last-{step}.pt")
    if keep > 1:
        named.unlink(missing_ok=True)
        try:
            os.link(path, named)  # a second name for it costs no space
        except OSError:
            shutil.copyfile(path, named)
    older = [p for p in _by_step(folder) if _step(p) <= step]
    for other in _by_step(folder):
        if keep == 1 or other not in older[:keep]:
            other.unlink(missing_ok=True)


def _by_step(folder: Path) -> list[Path]:
    """``last-<step>.pt``, newest first."""
    found = [p for p in folder.glob("last-*.pt") if p.stem.removeprefix("last-").isdigit()]
    return sorted(found, key=_step, reverse=True)


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("last-"))


def checkpoints(folder: Path) -> list[Path]:
    """What a run in this folder would be taken up from: ``last.pt``, else an earlier one."""
    return [path for path in (folder / "last.pt", *_by_step(folder)) if path.is_file()]


def newest(folder: Path) -> dict[str, Any] | None:
    """The content of the first of a folder's :func:`checkpoints` that can be read.

    Raises:
        CheckpointError: there are some, but none of them can be read.
    """
    errors = []
    for path in checkpoints(folder):
        try:
            return read(path)
        except CheckpointError as error:
            errors.append(error)
            log.warning("skipped: %s", error)
    if errors:
        raise errors[0]
    return None


def check_same_run(config: RunConfig) -> None:
    """Whether what a run's folder holds can be gone on with, as far as its description goes.

    Raises:
        ConfigError, CheckpointError: as :func:`take_up`.
    """
    if content := newest(config.folder):
        changes(config, content["config"], forced=getattr(config, "resume_changed", False))


def changes(
    config: RunConfig, stored: Mapping[str, Any], *, forced: bool
) -> dict[str, tuple[Any, Any]]:
    """What differs from the stored configuration and matters: {field: (before, now)}, sorted.

    Raises:
        ConfigError: more than a run can go on with; the message names the fields.
    """
    defaults = type(config).model_construct().model_dump(mode="json")
    # a field that did not exist yet when the run began was as its default is now
    theirs, mine = defaults | stored, config.model_dump(mode="json")
    if own := theirs.get("network"):
        theirs["network"] = SETTINGS[theirs["model"]]().model_dump(mode="json") | own
    names = sorted((theirs.keys() | mine.keys()) - FREE)
    changed = {n: (theirs.get(n), mine.get(n)) for n in names if theirs.get(n) != mine.get(n)}
    fixed = FIXED | SHAPES | (COURSE if mine.get("schedule") in ("one_cycle", "cosine") else set())
    refused = [n for n in changed if not forced or n in fixed]
    if refused:
        listed = ", ".join("{} ({!r} there, {!r} here)".format(n, *changed[n]) for n in refused)
        raise ConfigError(
            f"{config.folder} holds a run of another configuration: {listed}; choose another name, "
            f"or delete the folder to start over{_instead(refused, fixed, mine)}"
        )
    return changed


def _instead(refused: Sequence[str], fixed: Set[str], mine: Mapping[str, Any]) -> str:
    """What ``resume_changed`` would do about it, where a run has it."""
    if "resume_changed" not in mine:
        return ""
    if never := [n for n in refused if n in fixed]:
        return f"; a run cannot go on with another {' or '.join(never)}, resume_changed or not"
    return "; with resume_changed: true it goes on with the new values, and the record says so"


def take_up(
    config: RunConfig,
    classes: tuple[str, ...],
    model: nn.Module,
    parts: Mapping[str, Any],
    *,
    forced: bool = False,
) -> Progress:
    """Put the state of the newest readable checkpoint into model and parts, if there is one.

    Args:
        config: the run.
        classes: class texts, by class id.
        model: gets the weights.
        parts: the objects with a ``state_dict`` beside the model.
        forced: go on with another configuration too, as far as that is possible.

    Returns:
        How far the run had come; the beginning where there was nothing to take up.

    Raises:
        ConfigError: the folder holds a run of another configuration; the message names the fields.
        CheckpointError: there are checkpoints, but none that can be used.
    """
    path = config.folder / "last.pt"
    content = newest(config.folder)
    if content is None:
        return Progress()
    changed = changes(config, content["config"], forced=forced)
    anew = {"lr" if n == "lr_batch_size" else n for n in changed}.intersection(GROUPS)
    groups = parts["optimizer"].param_groups if anew else []
    settings = [{n: group[n] for n in anew & group.keys()} for group in groups]
    if tuple(content["classes"]) != classes:
        raise CheckpointError(f"{path}: was trained on other classes than {config.data_root} has")
    load_state(model, content["model"], path)
    for name, part in parts.items():
        part.load_state_dict(content["training"][name])
    known = {f.name for f in fields(Progress)}
    progress = Progress(**{k: v for k, v in content["progress"].items() if k in known})
    progress.changed = changed
    if settings:
        for group, setting in zip(parts["optimizer"].param_groups, settings, strict=True):
            group.update(setting)
    log.info("taking up %s after %d steps", config.folder, progress.step)
    for name, (before, now) in progress.changed.items():
        log.warning("changed from here on: %s, %r before, %r now", name, before, now)
    return progress
