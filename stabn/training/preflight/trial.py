"""A run tried out: clips read, steps taken and clips scored at full size: speed and memory."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from stabn.data.dataset import Batch
from stabn.training.forward import forward as answer_to
from stabn.training.pace import duration
from stabn.training.preflight.findings import Findings
from stabn.training.preflight.memory import check_memory, counting_saved, tell_peak, watching_growth
from stabn.training.process import Process, autocast
from stabn.words import counted

READING = 10.0  # seconds for which clips are read, beyond the first batch
SAMPLE = 0.1  # of what there is to read: then that is enough
STEPPING = 45.0  # seconds that steps at full size may take; a longer one is extrapolated
SCORING = 10.0  # seconds that a batch may take to be scored; a longer one is extrapolated

REMEDY = "lower batch_size, raise accumulate or set checkpoint_activations"

Work = Callable[[Batch], object]


def read_ahead(loader: DataLoader, me: Process) -> tuple[list[Batch], float]:
    """A few batches as the run reads them, and clips a second over all processes.

    The first batch is not timed where there are workers: they are still starting, and then deliver
    a batch each at about the same time. Where they make no second one, all are timed. Where a split
    is scored, a process's share may hold a batch more than another's, or be empty.
    """
    batches: list[Batch] = []
    enough = max(1 + 2 * loader.num_workers, SAMPLE * len(loader))
    sizes: list[int] = []
    start = since = time.monotonic()
    coming, over = iter(loader), False
    while not over:
        batch = next(coming, None)
        if batch is not None:
            batches = [*batches, batch][:4]
            sizes.append(len(batch))
            if loader.num_workers and len(sizes) == 1:
                since = time.monotonic()
        late = time.monotonic() - since > READING or me.terminated.is_set()
        over = me.total(late or len(sizes) >= enough or batch is None)[0] > 0
    clips = sum(sizes[1:])
    if len(sizes) <= 1 + loader.num_workers or not loader.num_workers:
        clips, since = sum(sizes), start
    mine = clips / max(time.monotonic() - since, 1e-6)
    return batches, me.total(round(1000 * mine))[0] / 1000


def tell_failures(found: Findings, batches: Sequence[Batch]) -> None:
    """Videos among those just read that could not be decoded; a collective call.

    That none could is a fault, of which the first cause is told.
    """
    causes = [failure.cause for batch in batches for failure in batch.failures]
    for cause in causes[:3]:
        found.warn("reading", cause)
    read = found.me.total(sum(len(batch) for batch in batches))[0]
    if not read and causes:
        found.fault("reading", f"none of the first {len(causes)} can be decoded: {causes[0]}")
    found.settle()


def time_steps(
    found: Findings,
    batches: Sequence[Batch],
    model: nn.Module,
    forward: Work,
    step: Work,
    parts: int = 1,
) -> float:
    """Seconds of a step at full size; what memory it takes is told.

    Two clips a part first (BN needs two): they say whether the whole share finds room in the
    memory, before the system ends the process for it, and whether a step is short enough to be
    waited for.

    Args:
        found: gets what is found.
        batches: this process's share of some global batches.
        model: what is trained; its weights are no part of what a clip takes.
        forward: what keeps tensors for the way back, on this process alone.
        step: the whole step, over all processes.
        parts: of a batch, one after the other.
    """
    me, size = found.me, len(batches[0]) // parts
    few = min(2, size)
    with counting_saved(model) as saved:
        forward(first(batches[0], few))
    probe = first(batches[0], parts * few)
    expected = mean(timed(step, probe, me), me) * size / few
    check_memory(found, saved[0] / few, size, "kept of each clip for the way back", REMEDY)
    found.settle()
    if expected < 2 * STEPPING:  # the first one fetched kernels and memory
        expected = mean(timed(step, probe, me), me) * size / few
    if expected > STEPPING:
        found.warn("step", f"a whole one would take {expected:.0f} s: reckoned from {few} clips")
        return expected
    seconds = min(timed(step, batch, me) for batch in batches)
    tell_peak(found)
    return mean(seconds, me)


def mean(seconds: float, me: Process) -> float:
    """The mean over all processes, the same on each; a collective call."""
    return me.total(round(1e6 * seconds))[0] / 1e6 / me.world_size


def first(batch: Batch, count: int) -> Batch:
    """The first ``count`` clips of a batch."""
    tensors = batch.video[:count], batch.label[:count]
    return Batch(*tensors, batch.video_id[:count], batch.frame_indices[:count])


def timed(work: Work, batch: Batch, me: Process) -> float:
    """Seconds that some work on a batch takes on this process, its GPU included."""
    start = time.monotonic()
    work(batch)
    if me.device.type == "cuda":
        torch.cuda.synchronize(me.device)
    return time.monotonic() - start


def forward(model: nn.Module, precision: str, device: torch.device, batch: Batch) -> None:
    """A forward pass on this process alone."""
    with autocast(precision, device):
        answer_to(model, batch, device)


@torch.no_grad()
def time_scoring(found: Findings, batches: Sequence[Batch], forward: Work) -> float:
    """Seconds that a clip takes to be scored, over all processes; a collective call.

    On a CPU one clip comes first, for the memory that the others take beside it, and to know
    whether the whole batch is short enough to be waited for.

    Args:
        found: gets what is found.
        batches: some of what this process is to score; of an empty share, none.
        forward: a forward pass of the network in eval mode.
    """
    me, rate = found.me, 0.0
    batch = max(batches, key=len, default=None)
    probe = batch
    if batch and me.device.type == "cpu":
        probe = first(batch, 1)
    if probe:
        timed(forward, probe, me)  # this one fetches kernels and memory
        with watching_growth() as growth:
            seconds = timed(forward, probe, me)
        rate = len(probe) / seconds
        if me.device.type == "cpu":
            what = "taken by each clip that is scored"
            check_memory(found, growth[0], len(batch), what, "lower batch_size")
    found.settle()
    if batch and len(batch) > len(probe) and len(batch) / rate < SCORING:
        rate = len(batch) / timed(forward, batch, me)
    return 1e6 / max(me.total(round(1e6 * rate))[0], 1)


def weight_bytes(model: nn.Module) -> int:
    """Bytes of a network's weights in a checkpoint, what its parts share counted once."""
    tensors = {t.data_ptr(): t for t in model.state_dict().values()}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def state_bytes(*optimizers: Optimizer) -> int:
    """Bytes of the optimizers' state in a checkpoint."""
    values = [v for o in optimizers for state in o.state.values() for v in state.values()]
    return sum(t.numel() * t.element_size() for t in values if isinstance(t, Tensor))


def together(reading: float, computing: float, workers: int) -> float:
    """Seconds where workers read ahead: the longer of the two; without any, their sum."""
    return max(reading, computing) if workers else reading + computing


def tell_speed(found: Findings, done: str, computing: float, reading: float, workers: int) -> None:
    """How many clips a second are computed and read, by whom, and if the network waits."""
    by = f" by {counted(workers, 'worker')} of each process" if workers else " in between"
    found.good("speed", f"{computing:.2f} clips/s {done}, {reading:.2f} clips/s read{by}")
    if reading < computing and workers:
        found.warn(
            "speed",
            f"the network would wait for clips: {computing / reading:.1f} times as many workers on "
            f"as many cores, or smaller prepared videos, would keep it busy",
        )


def tell_time(found: Findings, seconds: float, what: str) -> None:
    """How long the run will take, and when it will have ended."""
    end = datetime.now().astimezone() + timedelta(seconds=seconds)
    found.good("time", f"about {duration(seconds)} for {what}: until {end:%Y-%m-%d %H:%M %Z}")
