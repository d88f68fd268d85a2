"""What would stop a run at night, found before it: ``stabn preflight train``.

Given the run's ``--config`` and launched as the run will be, on as many processes, it looks at what
the run will need, reads clips as the run's loader does, takes steps at full size, and says what
memory that takes and when the run will have finished. What it trains is thrown away.
"""

from functools import partial
from pathlib import Path

from stabn.training.batch_statistics import noting_values
from stabn.training.build import check_shares
from stabn.training.config import ConfigError, RunConfig, configured
from stabn.training.lock import holding
from stabn.training.preflight.findings import Findings
from stabn.training.preflight.normalisation import tell_statistics
from stabn.training.preflight.precision import check_precision
from stabn.training.preflight.ready import check_data, check_disk, check_folder, checkpoint_bytes
from stabn.training.preflight.trial import (
    forward,
    read_ahead,
    state_bytes,
    tell_failures,
    tell_speed,
    tell_time,
    time_scoring,
    time_steps,
    together,
    weight_bytes,
)
from stabn.training.process import Process, heeding_sigterm, joined
from stabn.training.resume import check_same_run, checkpoints
from stabn.training.step import Run, check_sync_bn, set_up, take_step
from stabn.words import counted


def preflight(config: RunConfig) -> None:
    """Check all that a training run needs, and measure what it will take.

    Raises:
        PreflightError: something would stop the run; the message lists everything that would.
    """
    with joined() as me, heeding_sigterm(me):
        found = Findings(me)
        splits = (config.train_split, config.eval_split, config.report_split)
        counts = check_data(found, config, splits, bears=config.max_decode_failures)
        check_folder(found, config.folder)
        for check in (check_shares, check_sync_bn, check_start):
            with found.checking("run"):
                check(config, me)  # set_up would stop at the first fault
        if found.faults:  # else set_up looks
            with found.checking("run"):
                check_same_run(config)
        found.settle()
        with found.checking("run"), holding(config.folder, me):
            run = set_up(config, me)
        found.settle()
        if run.progress.epoch >= config.epochs:
            found.good("run", f"{config.folder} is trained already: nothing is left but its report")
            return
        begun = f"goes on after step {run.progress.step}" if run.progress.step else "begins"
        how = f"{counted(me.world_size, 'process')}, {run.precision}"
        found.good("run", f"{config.folder} {begun}; {how}")

        batches, reading = read_ahead(run.loader, me)
        tell_failures(found, batches)
        check_precision(found, run.model, batches[0], config.precision, run.precision)
        run.network.train()
        alone = partial(forward, run.model, run.precision, me.device)
        work = {"forward": alone, "step": partial(take_step, run), "parts": config.accumulate}
        with noting_values(run.model) as values:
            step = time_steps(found, batches, run.model, **work)
        tell_statistics(found, config, values)
        run.model.eval()
        scoring = time_scoring(found, batches, alone)
        check_disk(found, config.folder, stored_bytes(run) - checkpoint_bytes(config.folder))
        found.settle()
        left = run.steps - run.progress.step
        passes = run.evaluations_left - 1
        videos = passes * counts[config.eval_split] + counts[config.report_split]
        scored = videos * run.watched.sampler.views
        trained = left * together(config.batch_size / reading, step, run.loader.num_workers)
        evaluated = scored * together(1 / reading, scoring, run.loader.num_workers)
        tell_speed(found, "trained", config.batch_size / step, reading, run.loader.num_workers)
        tell_time(found, trained + evaluated, f"{left} steps and the scoring")


def check_start(config: RunConfig, me: Process) -> None:
    """Whether a file to start from is there, unless the run has weights to go on from.

    Raises:
        ConfigError: it is not.
    """
    weights = config.weights
    if weights in (None, "imagenet") or checkpoints(config.folder):
        return
    if not Path(weights).is_file():
        raise ConfigError(f"weights: {weights}: no such file; correct the path, or give null")


def stored_bytes(run: Run) -> int:
    """Bytes of the checkpoints that stand in a run's folder at its fullest moment.

    Those to go on from and one being written, each with the optimizer's state; the best weights
    and those being written in their place.
    """
    weights = weight_bytes(run.model)
    return (run.config.keep_last + 1) * (weights + state_bytes(run.optimizer)) + 2 * weights


command = configured(preflight, RunConfig)
