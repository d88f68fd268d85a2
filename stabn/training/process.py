"""Where this process runs: its rank among its peers, its device, its threads, its precision."""

import atexit
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing import forkserver, get_context, parent_process, resource_tracker
from multiprocessing.context import BaseContext
from typing import NoReturn, TypeVar

import torch
import torch.distributed as dist

from stabn.training.config import ConfigError
from stabn.training.ending import LAUNCHER_PID, leave_with_the_launcher, on_sigterm

log = logging.getLogger(__name__)
Row = TypeVar("Row")


class OtherProcessError(ConfigError):
    """Another process cannot go on, for a reason that it tells itself."""


PREEMPTED = "pre-empted (SIGTERM): everything is stored; started again, the run goes on from there"
TERMINATED = 128 + signal.SIGTERM  # exit status 143, as a shell gives it
PRELOADED = ("stabn.training.build", "stabn.__main__")  # what a worker would import
SILENCE = 600  # seconds that a loader's worker may be silent
PATIENCE = (
    30  # seconds between SIGTERM and SIGKILL, unless this variable of torchrun's names others:
)
PATIENCE_NAMED = "TORCH_ELASTIC_SHUTDOWN_TIMEOUT"


@dataclass(frozen=True)
class Process:
    """One of ``world_size`` processes; alone, rank 0 of 1.

    Attributes:
        rank: in [0, world_size); rank 0 writes the files and the log.
        world_size: number of processes in the run.
        device: ``cuda:<local rank>`` where there is one, else ``cpu``.
        terminated: set when this process was sent SIGTERM, within :func:`heeding_sigterm`.
        unfinished: each waits for work that must be done before this process leaves.
    """

    rank: int
    world_size: int
    device: torch.device
    terminated: threading.Event = field(default_factory=threading.Event, compare=False)
    unfinished: list[Callable[[], None]] = field(default_factory=list, compare=False)

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    @property
    def is_first_here(self) -> bool:
        """Whether this is the first process of its machine."""
        return os.environ.get("LOCAL_RANK", "0") == "0"

    def total(self, *numbers: int) -> list[int]:
        """Each number summed over all processes; all must call this at the same point.

        The sum is taken on the CPU: about a third of a millisecond for two processes on one
        machine, and no wait for the GPU.
        """
        if self.world_size == 1:
            return list(numbers)
        sums = torch.tensor(numbers, dtype=torch.int64)
        dist.all_reduce(sums)
        return sums.tolist()

    def leave(self) -> NoReturn:
        """End with exit status 143 and the line by which :func:`launch` knows a pre-emption.

        All leave together, when rank 0 has stored what there is: torchrun ends the others of a
        machine soon after the first one. One process of each machine says the line.
        """
        for wait in self.unfinished:
            wait()
        self.total(0)
        if self.is_first_here:
            log.log(logging.INFO if self.is_main else logging.WARNING, PREEMPTED)
        raise SystemExit(TERMINATED)


@contextmanager
def joined() -> Iterator[Process]:
    """Join the processes that torchrun's environment announces, or be alone where it says nothing.

    NCCL between GPUs, gloo between CPUs: numbers that lie there take no detour over the GPU. One
    process alone needs no group.

    Raises:
        ConfigError: the memory was used up, or a loader's worker was lost; the message names what
            to change.
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
    logging.raiseExceptions = False  # a reader who has gone, as `| head`, is no fault of the run
    terminated = threading.Event()
    if {LAUNCHER_PID, "TORCHELASTIC_RUN_ID"} & os.environ.keys():
        leave_with_the_launcher()
    device = torch.device("cpu")
    if torch.cuda.is_available():
        if local_rank >= (cards := torch.cuda.device_count()):
            raise ConfigError(
                f"nproc_per_node: {local_world_size} processes, but this machine has {cards} GPUs; "
                f"start one for each"
            )
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
    elif "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, usable_cores() // local_world_size))
    me = Process(rank, world_size, device, terminated)
    with _naming_the_remedy(device):
        if world_size == 1:
            yield me
            return
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
        together = False
        try:
            yield me
            together = True
        except SystemExit as left:
            together = left.code == TERMINATED
            raise
        finally:
            if together or device.type == "cpu":
                dist.destroy_process_group()
            else:
                # NCCL's end waits for the others, who wait for this process: nobody would leave,
                # and nobody read why. torchrun ends the others when this one has gone.
                atexit.register(_leave_at_once)


def _leave_at_once() -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


@contextmanager
def agreeing(me: Process) -> Iterator[None]:
    """Each process works for itself within; none goes on from there if one has failed.

    Without it those who did not fail would wait in the next collective for one that never comes.

    Raises:
        OtherProcessError: another process failed.
    """
    try:
        yield
    except Exception:
        me.total(1)
        raise
    if me.total(0)[0]:
        raise OtherProcessError("another process cannot go on; its own message says why")


@contextmanager
def _naming_the_remedy(device: torch.device) -> Iterator[None]:
    """What a user can do where the memory is used up or a worker is lost, told in many forms."""
    try:
        yield
    except (MemoryError, RuntimeError, ConnectionError, EOFError, FileNotFoundError) as error:
        said = str(error)
        if isinstance(error, FileNotFoundError) and error.filename is not None:
            raise
        hung_up = isinstance(error, OSError | EOFError)  # in the midst of handing a batch over
        if "timed out after" in said and "DataLoader" in said:
            raise ConfigError(
                f"workers: no clip came for {SILENCE // 60} minutes: a file hangs the decoder, or "
                f"the disk does not answer; data_scripts/verify.py names files that hang"
            ) from error
        if hung_up or "exited unexpectedly" in said:
            raise ConfigError(
                f"workers: a process that reads videos was lost ({said or 'end of file'}), as a "
                f"rule for want of memory; lower workers or batch_size, or enlarge /dev/shm"
            ) from error
        known = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not known and "can't allocate memory" not in said:  # PyTorch's for the CPU
            raise
        raise ConfigError(
            f"batch_size: the memory of this process's {device} is used up ({said}); lower "
            f"batch_size, or in training raise accumulate or set checkpoint_activations"
        ) from error


def heeding_sigterm(me: Process) -> AbstractContextManager[None]:
    """Within it SIGTERM sets ``me.terminated``: the caller must look, and leave."""
    return on_sigterm(me.terminated.set)


def worker_context() -> BaseContext:
    """How a DataLoader starts its workers: forked from a server that does nothing else.

    Forked from a process itself, a worker can hang: a thread of gloo's own enters the interpreter
    to let go of a collective's tensor, and a worker that is forked at that very moment inherits a
    lock which nobody will release (CPython's gh-112275, seen on a busy machine). The server has no
    such thread, has imported what its workers need, and was born deaf to SIGTERM, as they are.
    """
    if sys.platform != "linux":
        return get_context("spawn")  # as everywhere on macOS, whose own libraries bear no fork
    context = get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    resource_tracker.ensure_running()  # unblocks SIGTERM as it starts: so before it is blocked
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


def obey_parent_alone(worker: int = 0) -> None:
    """For a DataLoader's worker: SIGTERM ends it only if its own process sent it.

    torchrun and Slurm send SIGTERM to every process; a worker that it ended would take its process
    along in the midst of a step. One whose process has vanished ends by itself, within seconds.
    """
    parent = parent_process()

    def follow() -> None:
        parent.join()
        os._exit(0)

    threading.Thread(target=follow, daemon=True).start()
    if not hasattr(signal, "sigwaitinfo"):  # Macs: no word of who sent it
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def wait() -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent.pid:
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def usable_cores() -> int:
    """CPU cores this process may use; of a Slurm job, those that its task was given."""
    there = os.cpu_count() or 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else there
    return max(1, min(cores, int(os.environ.get("SLURM_CPUS_PER_TASK", cores))))


def gathered(rows: list[Row], me: Process) -> list[Row]:
    """The rows of all ranks, in rank order, on every rank."""
    if me.world_size == 1:
        return rows
    parts: list[list[Row]] = [[] for _ in range(me.world_size)]
    dist.all_gather_object(parts, rows)
    return [row for part in parts for row in part]


def usable_precision(precision: str, device: torch.device) -> str:
    """``precision`` where the device has it in hardware and PyTorch may use it, else ``"fp32"``.

    On a CPU oneDNN convolves, which ONEDNN_MAX_CPU_ISA keeps from the newest instructions.
    """
    if device.type == "cuda":
        has = {"fp16": True, "bf16": torch.cuda.is_bf16_supported(including_emulation=False)}
    else:
        capabilities = torch.cpu.get_capabilities()
        units = any(capabilities.get(c) for c in ("avx512_bf16", "amx_bf16", "bf16"))
        barred = torch.backends.mkldnn.is_available() and not _onednn_has_bf16()
        has = {"bf16": units and not barred}
    return precision if has.get(precision, False) else "fp32"


def _onednn_has_bf16() -> bool:
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """The context in which a forward pass runs at ``precision`` ("fp32", "bf16", "fp16")."""
    if precision == "fp32":
        return nullcontext()
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    return torch.autocast(device.type, dtype)
