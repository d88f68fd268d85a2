"""Where this process runs: its rank among its peers, its device, its threads, its precision."""

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist

log = logging.getLogger(__name__)
Row = TypeVar("Row")

LAUNCHER_PID = "STABN_LAUNCHER_PID"  # set by stabn.training.launch


@dataclass(frozen=True)
class Process:
    """One of ``world_size`` processes; alone, rank 0 of 1.

    Attributes:
        rank: in [0, world_size); rank 0 writes the files and the log.
        world_size: number of processes in the run.
        device: ``cuda:<local rank>`` where there is one, else ``cpu``.
    """

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0


@contextmanager
def joined() -> Iterator[Process]:
    """Join the processes that torchrun's environment announces, or be alone where it says nothing.

    NCCL where there are GPUs, gloo where there are none. One process alone needs no group.
    """
    rank, world_size, local_rank, local_world_size = (
        int(os.environ.get(name, default))
        for name, default in [
            ("RANK", 0),
            ("WORLD_SIZE", 1),
            ("LOCAL_RANK", 0),
            ("LOCAL_WORLD_SIZE", 1),
        ]
    )
    logging.basicConfig(
        level=logging.INFO if rank == 0 else logging.WARNING,
        format="%(message)s" if world_size == 1 else f"[{rank}] %(message)s",
        stream=sys.stdout,
    )
    if "TORCHELASTIC_RUN_ID" in os.environ:
        _leave_with_the_launcher()
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
    elif "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, usable_cores() // local_world_size))
    if world_size == 1:
        yield Process(rank, world_size, device)
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Process(rank, world_size, device)
    finally:
        dist.destroy_process_group()


def usable_cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _leave_with_the_launcher() -> None:
    """End this process when torchrun, or the notebook that called it, has vanished.

    torchrun's workers live in sessions of their own: a SIGKILL to either would otherwise leave them
    behind, holding their GPUs.
    """
    torchrun = os.getppid()
    notebook = int(os.environ.get(LAUNCHER_PID, torchrun))

    def watch() -> None:
        while os.getppid() == torchrun and _alive(notebook):
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def gathered(rows: list[Row], me: Process) -> list[Row]:
    """The rows of all ranks, in rank order, on every rank."""
    if me.world_size == 1:
        return rows
    parts: list[list[Row]] = [[] for _ in range(me.world_size)]
    dist.all_gather_object(parts, rows)
    return [row for part in parts for row in part]


def usable_precision(precision: str, device: torch.device) -> str:
    """``precision`` where the device has it in hardware, else ``"fp32"``."""
    if device.type == "cuda":
        has = {"fp16": True, "bf16": torch.cuda.is_bf16_supported(including_emulation=False)}
    else:
        capabilities = torch.cpu.get_capabilities()
        has = {"bf16": any(capabilities.get(c) for c in ("avx512_bf16", "amx_bf16", "bf16"))}
    return precision if has.get(precision, False) else "fp32"


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """The context in which a forward pass runs at ``precision`` ("fp32", "bf16", "fp16")."""
    if precision == "fp32":
        return nullcontext()
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    return torch.autocast(device.type, dtype)
