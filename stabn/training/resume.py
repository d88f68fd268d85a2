"""An interrupted run goes on where it stopped.

``last.pt`` holds the weights and what else the next step depends on: the state of optimizer,
schedule and AMP scaler, and the place in the data. Random numbers need no storing: a clip's come
from (seed, epoch, video id, repeat), a step's dropout from (seed, step, rank).
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from torch import nn

from stabn.training.checkpoint import CheckpointError, load_state, read, save
from stabn.training.config import ConfigError, RunConfig

log = logging.getLogger(__name__)

# May differ when a run is taken up again: where things lie, how they are run, not what is computed.
FREE = {"out_dir", "name", "data_root", "prepared", "workers", "log_every", "save_every"}


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        epoch: epochs completed.
        batch: global batches done of the next one.
        step: optimizer steps done in all.
        best_top1: of the evaluations so far, with its ``best_loss`` and ``best_epoch``.
        seconds: spent up to here, interrupted runs' lost work left out.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best_top1: float = -1.0
    best_loss: float = float("inf")
    best_epoch: int = 0
    seconds: float = 0.0
    _since: float = field(default_factory=time.monotonic)

    def plain(self) -> dict[str, Any]:
        """As values to store, with the seconds up to now."""
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now
        return {name: value for name, value in asdict(self).items() if name != "_since"}

    def improves(self, top1: float, loss: float) -> bool:
        """Whether an evaluation is the best so far (top-1 first, then loss); remember it if so."""
        better = (top1, -loss) > (self.best_top1, -self.best_loss)
        if better:
            self.best_top1, self.best_loss, self.best_epoch = top1, loss, self.epoch
        return better


def step_seed(seed: int, step: int, rank: int) -> int:
    """Seed of one rank's random numbers (dropout) in one step."""
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0] >> 1)


def store(
    config: RunConfig,
    classes: tuple[str, ...],
    model: nn.Module,
    parts: Mapping[str, Any],
    progress: Progress,
) -> None:
    """Write ``last.pt``. ``parts`` are the objects with a ``state_dict`` beside the model."""
    state = {name: part.state_dict() for name, part in parts.items()}
    save(
        config.folder / "last.pt", model, config, classes, progress=progress.plain(), training=state
    )


def take_up(
    config: RunConfig, classes: tuple[str, ...], model: nn.Module, parts: Mapping[str, Any]
) -> Progress:
    """Put ``last.pt``'s state into model and parts, if there is one.

    Returns:
        How far the run had come; the beginning where there was nothing to take up.

    Raises:
        ConfigError: the folder holds a run of another configuration; the message names the fields.
        CheckpointError: ``last.pt`` is unusable.
    """
    path = config.folder / "last.pt"
    if not path.is_file():
        return Progress()
    content = read(path)
    theirs, mine = content["config"], config.model_dump(mode="json")
    names = theirs.keys() | mine.keys()
    changed = sorted(n for n in names - FREE if theirs.get(n) != mine.get(n))
    if changed:
        listed = ", ".join(f"{n} ({theirs.get(n)!r} there, {mine.get(n)!r} here)" for n in changed)
        raise ConfigError(
            f"{config.folder} holds a run of another configuration: {listed}; choose another name, "
            f"or delete the folder to start over"
        )
    if tuple(content["classes"]) != classes:
        raise CheckpointError(f"{path}: was trained on other classes than {config.data_root} has")
    load_state(model, content["model"], path)
    for name, part in parts.items():
        part.load_state_dict(content["training"][name])
    known = {f.name for f in fields(Progress)}
    progress = Progress(**{k: v for k, v in content["progress"].items() if k in known})
    log.info("taking up %s after %d steps", config.folder, progress.step)
    return progress
