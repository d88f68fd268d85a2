"""What memory a run takes: counted for a few clips, set against what there is."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch
from torch import Tensor, nn

from stabn.training.preflight.findings import Findings
from stabn.words import counted

SPARE = 1.2  # times the memory that was counted


def check_memory(found: Findings, per_clip: float, size: int, what: str, remedy: str) -> None:
    """Whether ``size`` clips find room beside each other; a GPU says so by itself."""
    text = f"{per_clip / 2**30:.2f} GiB {what}, {size} at a time"
    if found.me.device.type == "cuda":
        found.good("memory", text)
        return
    local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    free, needed = psutil.virtual_memory().available, SPARE * per_clip * size * local
    text += f" in {counted(local, 'process')}; {free / 2**30:.0f} GiB are free"
    if needed > free:
        found.fault("memory", f"{text}, {needed / 2**30:.0f} are needed: {remedy}")
    else:
        found.good("memory", text)


def tell_peak(found: Findings) -> None:
    """What a GPU's memory had to hold."""
    if found.me.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(found.me.device) / 2**30
        card = torch.cuda.get_device_properties(found.me.device).total_memory / 2**30
        found.good("memory", f"{peak:.1f} of the card's {card:.1f} GiB at its peak")


@contextmanager
def counting_saved(model: nn.Module) -> Iterator[list[int]]:
    """Count the bytes that forward passes within keep for the way back, weights left out.

    Fake tensors will do: they have storages, but no data that a pointer could tell apart.
    """
    weights = {p.untyped_storage()._cdata for p in model.parameters()}
    total, seen = [0], set()

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights and storage._cdata not in seen:
            seen.add(storage._cdata)
            total[0] += storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield total


@contextmanager
def watching_growth() -> Iterator[list[int]]:
    """The bytes by which this process grows within, at its peak; looked at 100 times a second."""
    process, over = psutil.Process(), threading.Event()
    before, growth = process.memory_info().rss, [0]

    def watch() -> None:
        while not over.wait(0.01):
            growth[0] = max(growth[0], process.memory_info().rss - before)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield growth
    finally:
        over.set()
        thread.join()
