"""What would stop a run at night, found before it: ``python -m stabn.training.preflight``.

Given the run's ``--config`` and launched as the run will be, on as many processes, it looks at what
the run will need, reads clips as the run's loader does, takes steps at full size, and says what
memory that takes and when the run will have finished. What it trains is thrown away.
"""

import argparse
import sys
from datetime import datetime, timedelta

from stabn.training.checkpoint import USER_ERRORS
from stabn.training.config import RunConfig, read_config
from stabn.training.findings import Findings, PreflightError
from stabn.training.process import heeding_sigterm, joined
from stabn.training.ready import check_data, check_disk, check_folder
from stabn.training.step import NonFiniteLossError, set_up
from stabn.training.trial import read_ahead, stored_bytes, tell_failures, time_scoring, time_steps


def preflight(config: RunConfig) -> None:
    """Check all that a training run needs, and measure what it will take.

    Raises:
        PreflightError: something would stop the run; the message lists everything that would.
    """
    with joined() as me, heeding_sigterm(me):
        found = Findings(me)
        splits = (config.train_split, config.eval_split, config.report_split)
        counts = check_data(found, config, splits)
        check_folder(found, config.folder)
        found.settle()
        with found.checking("run"):
            run = set_up(config, me)
        found.settle()
        if run.progress.epoch >= config.epochs:
            found.good("run", f"{config.folder} is trained already: nothing is left but its report")
            return
        begun = f"goes on after step {run.progress.step}" if run.progress.step else "begins"
        found.good("run", f"{config.folder} {begun}; {me.world_size} processes, {run.precision}")

        batches, reading = read_ahead(run.loader, me)
        tell_failures(found, batches)
        run.network.train()
        step = time_steps(found, batches, run)
        scoring = time_scoring(run, batches[0])
        check_disk(found, config.folder, stored_bytes(run))
        found.settle()
        left = run.steps - run.progress.step
        passes = (config.epochs - run.progress.epoch) // config.eval_every + 1
        videos = passes * counts[config.eval_split] + counts[config.report_split]
        scored = videos * run.watched.sampler.views
        trained = left * together(config.batch_size / reading, step, config.workers)
        evaluated = scored * together(1 / reading, scoring, config.workers)
        tell_time(found, config, reading, step, trained + evaluated, f"{left} steps")


def together(reading: float, computing: float, workers: int) -> float:
    """Seconds where workers read ahead: the longer of the two; without any, their sum."""
    return max(reading, computing) if workers else reading + computing


def tell_time(
    found: Findings, config: RunConfig, reading: float, step: float, seconds: float, what: str
) -> None:
    """How fast clips are read and trained on, which of them is waited for, and the end."""
    training = config.batch_size / step
    found.good("speed", f"{training:.2f} clips/s trained, {reading:.2f} clips/s read")
    if reading < training and config.workers:
        found.warn(
            "speed",
            f"the network would wait for clips: {training / reading:.1f} times as many workers on "
            f"as many cores, or smaller prepared videos, would keep it busy",
        )
    end = datetime.now().astimezone() + timedelta(seconds=seconds)
    hours = f"{seconds / 3600:.1f} hours" if seconds > 5400 else f"{seconds / 60:.1f} minutes"
    found.good("time", f"about {hours} for {what} and the scoring: until {end:%Y-%m-%d %H:%M %Z}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", required=True, help="YAML file: one `name: value` a line")
    arguments = parser.parse_args()
    try:
        preflight(read_config(arguments.config))
    except (*USER_ERRORS, NonFiniteLossError, PreflightError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
