"""What would stop an evaluation: ``stabn preflight evaluate``.

Given the evaluation's ``--config`` and launched as it will be, on as many processes, it looks at
the checkpoint, the data and the folder, reads and scores clips at full size, and says when all will
be scored. Nothing is written.
"""

from functools import partial
from pathlib import Path

from stabn.training.build import eval_loader
from stabn.training.checkpoint import Trained, load
from stabn.training.config import RunConfig, configured
from stabn.training.eval_config import EvalConfig
from stabn.training.evaluate import as_asked, check_classes, check_own, inverts
from stabn.training.lock import holding
from stabn.training.preflight.findings import Findings
from stabn.training.preflight.memory import tell_peak
from stabn.training.preflight.ready import check_data, check_disk, check_folder
from stabn.training.preflight.trial import (
    forward,
    read_ahead,
    tell_failures,
    tell_speed,
    tell_time,
    time_scoring,
    together,
)
from stabn.training.process import heeding_sigterm, joined, usable_precision
from stabn.words import counted

WRITABLE = "make it writable"


def preflight(config: EvalConfig) -> None:
    """Check all that an evaluation needs, and measure what it will take.

    Raises:
        PreflightError: something would stop it; the message lists everything that would.
    """
    folder = Path(config.run)
    path = folder / f"{config.checkpoint}.pt"
    with joined() as me, heeding_sigterm(me):
        found = Findings(me)
        check_folder(found, folder, WRITABLE)
        with found.checking("checkpoint"), holding(folder, me):
            trained = load(path)
            check_own(trained, folder)
            found.good("checkpoint", trained.origin)
            effective = as_asked(trained.config, config)
            split = config.split or effective.report_split
            counts = check_data(found, effective, [split], bears=1, unlabelled=True)
            if counts:
                check_classes(trained, effective, path)
        found.settle()

        loader = eval_loader(effective, split, me, config.views, unlabelled=True)
        times = 2 if inverts(config, effective) and loader.dataset.labelled else 1
        batches, reading = read_ahead(loader, me)
        tell_failures(found, batches)
        alone = scoring_alone(trained, effective, found)
        scoring = time_scoring(found, batches, alone)
        tell_peak(found)
        values = 2 * len(trained.classes) + 3 * effective.num_frames * loader.sampler.views
        written = 8.0 * values * counts[split] * times
        check_disk(found, folder, written, "predictions", WRITABLE)
        found.settle()
        tell_speed(found, "scored", 1 / scoring, reading, loader.num_workers)
        videos = times * counts[split] * loader.sampler.views
        seconds = videos * together(1 / reading, scoring, loader.num_workers)
        what = f"{counts[split]} videos" + (", scored twice" if times == 2 else "")
        tell_time(found, seconds, what)


def scoring_alone(trained: Trained, config: RunConfig, found: Findings) -> partial[None]:
    """The forward pass by which this process scores a batch."""
    device = found.me.device
    precision = usable_precision(config.precision, device)
    found.good("run", f"{counted(found.me.world_size, 'process')}, {precision}")
    return partial(forward, trained.model.to(device).eval(), precision, device)


command = configured(preflight, EvalConfig)
