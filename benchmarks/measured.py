"""No benchmark: what the others share.

Their options, the part of a record that says how its rows came about, and how time and memory are
measured.
"""

import argparse
import ctypes
import gc
import json
import os
import platform
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from stabn.training.records import PACKAGES, code_version, hardware, read_record, write_record

SAME = ("code", "hardware", "versions", "question")  # of a record that can be gone on with


def parser_for(question: str) -> argparse.ArgumentParser:
    """A command line with the options that every benchmark with a record has."""
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write a record, as JSON")
    parser.add_argument("--note", help="what a reader of the record should know of the machine")
    return parser


def provenance(question: str, note: str | None) -> dict[str, Any]:
    """Everything in a record but its rows; call it before the first measurement.

    ``load_before`` is how many processes wanted a core in the minute before, on average: where that
    is not near 0 the machine had other work, and absolute figures may be too low.
    """
    versions = {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}}
    if torch.cuda.is_available():
        versions |= {"cuda": torch.version.cuda, "cudnn": str(torch.backends.cudnn.version())}
    return {
        "question": question,
        "code": code_version(),
        "hardware": hardware(),
        "versions": versions,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"python {_called()} {shlex.join(sys.argv[1:])}".rstrip(),
        "load_before": round(os.getloadavg()[0], 2),
        "note": note,
    }


def _called() -> str:
    script = Path(sys.argv[0]).name
    return "-m benchmarks" if script == "__main__.py" else f"benchmarks/{script}"


def begun(out: Path | None, fresh: dict[str, Any], same: Iterable[str] = ()) -> dict[str, Any]:
    """The record at ``out``, if it is this code's on this machine, else ``fresh``, without rows.

    Args:
        out: where the record is to lie; None: nowhere.
        fresh: a record that begins now.
        same: what must be equal beside code, machine, versions and question.
    """
    fresh = json.loads(json.dumps(fresh))
    before = {} if out is None else read_record(out)
    if before and all(before.get(name) == fresh[name] for name in (*SAME, *same)):
        return before
    if before:
        aside = out.with_name(f"{out.name}.before")  # no name that a table looks for
        shutil.copyfile(out, aside)
        print(f"{out}: is of other code or another machine; kept as {aside.name}")
    return fresh


def finish(record: dict[str, Any], out: Path | None) -> None:
    """Write the record where one is asked for, whole or not at all."""
    if out is not None:
        write_record(out, record)
        print(f"record: {out}")


def seconds_of(function: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """How long a call takes until the device has done it, and how long by the clock.

    On a GPU they are the same. On a CPU the first is its CPU time over the number of threads, on
    which other work on the machine falls little; what one thread does alone counts by its share.
    """
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.synchronize(device)
    begun, core = time.perf_counter(), time.process_time()
    function()
    if on_gpu:
        torch.cuda.synchronize(device)
    core, clock = time.process_time() - core, time.perf_counter() - begun
    return (clock if on_gpu else core / torch.get_num_threads()), clock


def forget_peak(device: torch.device) -> None:
    """Look for a new peak of memory from here on."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):  # not Linux
        Path("/proc/self/clear_refs").write_text("5")


def give_back(device: torch.device) -> None:
    """Let go of memory that is kept for later, so that the next peak is its owner's."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        return
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def memory_gib(device: torch.device, name: str) -> float | None:
    """On a GPU the peak of what PyTorch allocated; on a CPU ``VmHWM`` (peak) or ``VmRSS`` (now)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    with suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 2**20 for line in lines if line.startswith(name))
    return None
