"""A run tried out: clips read and steps taken at full size, for their speed and their memory."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import psutil
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from stabn.data.dataset import Batch
from stabn.data.transforms import normalise
from stabn.training.findings import Findings
from stabn.training.process import Process, autocast
from stabn.training.step import Run, take_step

READING = 10.0  # seconds for which clips are read, beyond the first batch
STEPPING = 45.0  # seconds that steps at full size may take; a longer one is extrapolated
SPARE = 1.2  # times the memory that was counted


def read_ahead(loader: DataLoader, me: Process) -> tuple[list[Batch], float]:
    """A few batches as training reads them, and clips a second over all processes.

    The first batch is not timed where there are workers: they are still starting. An epoch of one
    batch has no other.
    """
    batches: list[Batch] = []
    clips, start = 0, time.monotonic()
    since = start
    for batch in loader:
        batches = [*batches, batch][:4]
        if loader.num_workers and since == start:
            since = time.monotonic()
        else:
            clips += len(batch)
        if me.total(time.monotonic() - since > READING or me.terminated.is_set())[0]:
            break
    if not clips:
        clips, since = len(batches[0]), start
    mine = clips / max(time.monotonic() - since, 1e-6)
    return batches, me.total(round(1000 * mine))[0] / 1000


def tell_failures(found: Findings, batches: Sequence[Batch]) -> None:
    """Videos among those just read that could not be decoded."""
    for failure in [failure for batch in batches for failure in batch.failures][:3]:
        found.warn("reading", failure.cause)


def time_steps(found: Findings, batches: Sequence[Batch], run: Run) -> float:
    """Seconds of a step at full size; what memory it takes is told.

    Two clips a part first (BN needs two): they say whether the whole share finds room in the
    memory, before the system ends the process for it, and whether a step is short enough to be
    waited for.
    """
    me, parts = run.me, run.config.accumulate
    size = len(batches[0]) // parts
    few = min(2, size)
    with counting_saved(run.model) as saved:
        forward(run, first(batches[0], few))
    probe = first(batches[0], parts * few)
    timed(take_step, run, probe)  # this one fetches kernels and memory
    check_memory(found, saved[0] / few, size, me)
    found.settle()
    expected = timed(take_step, run, probe) * size / few
    expected = me.total(round(1000 * expected))[0] / 1000 / me.world_size
    if expected > STEPPING:
        found.warn("step", f"a whole one would take {expected:.0f} s: reckoned from {few} clips")
        return expected
    seconds = min(timed(take_step, run, batch) for batch in batches)
    if me.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(me.device) / 2**30
        card = torch.cuda.get_device_properties(me.device).total_memory / 2**30
        found.good("memory", f"{peak:.1f} of the card's {card:.1f} GiB at its peak")
    return me.total(round(1e6 * seconds))[0] / 1e6 / me.world_size


def first(batch: Batch, count: int) -> Batch:
    """The first ``count`` clips of a batch."""
    tensors = batch.video[:count], batch.label[:count]
    return Batch(*tensors, batch.video_id[:count], batch.frame_indices[:count])


def check_memory(found: Findings, per_clip: float, size: int, me: Process) -> None:
    """Whether ``size`` clips find room beside each other; a GPU says so by itself."""
    text = f"{per_clip / 2**30:.2f} GiB kept of each clip for the way back, {size} at a time"
    if me.device.type == "cuda":
        found.good("memory", text)
        return
    local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    free, needed = psutil.virtual_memory().available, SPARE * per_clip * size * local
    text += f" in {local} processes; {free / 2**30:.0f} GiB are free"
    if needed > free:
        remedy = "lower batch_size, raise accumulate or set checkpoint_activations"
        found.fault("memory", f"{text}, {needed / 2**30:.0f} are needed: {remedy}")
    else:
        found.good("memory", text)


@contextmanager
def counting_saved(model: nn.Module) -> Iterator[list[int]]:
    """Count the bytes that forward passes within keep for the way back, weights left out."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    total, seen = [0], set()

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights and storage.data_ptr() not in seen:
            seen.add(storage.data_ptr())
            total[0] += storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield total


def timed(work: Callable[[Run, Batch], object], run: Run, batch: Batch) -> float:
    """Seconds that some work on a batch takes on this process, its GPU included."""
    start = time.monotonic()
    work(run, batch)
    if run.me.device.type == "cuda":
        torch.cuda.synchronize(run.me.device)
    return time.monotonic() - start


def forward(run: Run, batch: Batch) -> None:
    """A forward pass on this process alone."""
    with autocast(run.precision, run.me.device):
        run.model(normalise(batch.video.to(run.me.device)))


@torch.no_grad()
def time_scoring(run: Run, batch: Batch) -> float:
    """Seconds that a clip takes to be scored, over all processes."""
    run.model.eval()
    some = batch if run.me.device.type == "cuda" else first(batch, 1)
    timed(forward, run, some)
    return timed(forward, run, some) / len(some) / run.me.world_size


def stored_bytes(run: Run) -> int:
    """Bytes of the checkpoints that stand in a run's folder at its fullest moment.

    Those to go on from and one being written, each with the optimizer's state; the best weights
    and those being written in their place.
    """
    weights = sum(t.numel() * t.element_size() for t in run.model.state_dict().values())
    states = [value for values in run.optimizer.state.values() for value in values.values()]
    state = sum(t.numel() * t.element_size() for t in states if isinstance(t, Tensor))
    return (run.config.keep_last + 1) * (weights + state) + 2 * weights
