"""Where a step's time goes: torch.profiler over a few steps of a run."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, schedule

from stabn.training.process import Process

log = logging.getLogger(__name__)

ROWS = 15  # of the table


@contextmanager
def profiled(folder: Path, steps: int, me: Process) -> Iterator[Callable[[], None]]:
    """What it gives is to be called after every step.

    Two steps pass first, in which kernels and memory are fetched. Of the next ``steps``, those of
    rank 0, the operations that took longest are logged as a table, and ``trace.json.gz`` is written
    for https://ui.perfetto.dev or chrome://tracing. With 0 steps nothing happens.
    """
    if not (steps and me.is_main):
        yield lambda: None
        return

    def tell(profiler: profile) -> None:
        path = folder / "trace.json.gz"
        profiler.export_chrome_trace(str(path))
        longest = f"self_{me.device.type}_time_total"
        table = profiler.key_averages().table(sort_by=longest, row_limit=ROWS)
        log.info("where %d steps' time went (all of it: %s)\n%s", steps, path, table)

    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
    when = schedule(skip_first=1, wait=0, warmup=1, active=steps, repeat=1)
    with profile(activities=activities, schedule=when, on_trace_ready=tell) as profiler:
        yield profiler.step
