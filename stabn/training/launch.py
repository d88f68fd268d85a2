"""torchrun from a notebook: streams its output, fails loudly, leaves no orphan."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from pydantic import Field

from stabn.training.config import Config, ConfigError, Strict, parse, write_config
from stabn.training.process import LAUNCHER_PID, PATIENCE, PREEMPTED, usable_cores

PLAIN = str | int | float | list | dict | None  # what papermill passes
TAIL = 80  # lines repeated in the error, since a notebook's reader sees that first
# torchrun's own account of a failure: these lines name rank and exit status, the rest is its stack
ACCOUNT = re.compile(r"[WE]\d{4} .*torch/distributed/elastic/")
KILLED = re.compile(r"failed \(exitcode: -9\) local_rank: (\d+)")


class LaunchError(RuntimeError):
    """A launched command failed, or was pre-empted; the message ends with its last lines."""


class LaunchOptions(Strict):
    """On how many processes and machines a launch notebook runs its command."""

    nproc_per_node: int = Field(1, ge=1, description="processes on each machine: one per GPU")
    nnodes: int = Field(1, ge=1, description="machines; run the notebook on each")
    rdzv_endpoint: str | None = Field(None, description="host:port of one machine, if nnodes > 1")


def launch(
    module: str, arguments: Sequence[str] = (), options: LaunchOptions | None = None
) -> None:
    """Run ``python -m module`` under torchrun and print what it prints, line by line.

    Returns when every process has ended well. On an interrupt, or any other exception, the whole
    tree of processes is ended first; if this process is killed outright, the workers notice it
    within a second and end by themselves.

    Args:
        module: as in ``stabn.training.train``.
        arguments: its command line.
        options: processes and machines; None for a single process.

    Raises:
        LaunchError: the command failed; or it was sent SIGTERM and stored its state, which the
            message says.
        ConfigError: several machines but no place to meet.
    """
    options = options or LaunchOptions()
    if options.nnodes > 1 and options.rdzv_endpoint is None:
        raise ConfigError("rdzv_endpoint: is needed when nnodes > 1 (host:port of one machine)")
    meet = ["--standalone"]
    if options.nnodes > 1:
        meet = ["--rdzv-backend=c10d", f"--rdzv-endpoint={options.rdzv_endpoint}"]
    command = [
        *(sys.executable, "-m", "torch.distributed.run", *meet),
        *(f"--nproc-per-node={options.nproc_per_node}", f"--nnodes={options.nnodes}"),
        *("-m", module, *arguments),
    ]
    threads = max(1, usable_cores() // options.nproc_per_node)
    environment = {
        "OMP_NUM_THREADS": str(threads),  # torchrun would say 1
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        LAUNCHER_PID: str(os.getpid()),
    }
    tail: deque[str] = deque(maxlen=TAIL)
    over = preempted = False
    with _running(command, environment) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            account = ACCOUNT.match(line) is not None
            over = over or account
            preempted = preempted or PREEMPTED in line
            if account or not over:
                tail.append(line)
        status = process.wait()
    if status != 0 and preempted:
        raise LaunchError(f"{module} was {PREEMPTED}")
    if status != 0:
        text = "".join(tail)
        killed = KILLED.search(text)
        why = f"process {killed[1]} was killed by SIGKILL (for want of memory?); " if killed else ""
        raise LaunchError(f"{module} failed with exit status {status}; {why}it ended with:\n{text}")


@contextmanager
def _running(command: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen]:
    """A process in a session of its own; on leaving, it and all its descendants are gone."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end_tree(process)
        process.stdout.close()


def _end_tree(process: subprocess.Popen, patience: float = PATIENCE + 5) -> None:
    """Ask torchrun to stop, wait, then kill whatever is left of the tree.

    It asks its workers, who may first store their state, and kills them after ``PATIENCE`` seconds.
    """
    if process.poll() is not None:
        return
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        family += psutil.Process(process.pid).children(recursive=True)
        process.kill()
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()  # psutil checks that the pid was not reused
    process.wait()


def launch_config(
    module: str, config: Strict, options: LaunchOptions | None = None, *flags: str
) -> None:
    """:func:`launch` a module that takes ``--config``, with ``config`` as its file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        write_config(config, path)
        launch(module, ["--config", str(path), *flags], options)


def from_notebook(
    cls: type[Config], names: Mapping[str, Any], before: set[str]
) -> tuple[Config, LaunchOptions]:
    """A notebook's parameters, validated.

    papermill only warns of a parameter that the notebook does not have; here it is refused: every
    plain value in ``names`` must be a known parameter, unless its name was there ``before``.

    Args:
        cls: what the parameters describe; :class:`LaunchOptions` may stand among them.
        names: the notebook's ``globals()``.
        before: the names in it when nothing but imports had run.

    Raises:
        ConfigError: an unknown parameter, or an impossible value.
    """
    known = cls.model_fields.keys() | LaunchOptions.model_fields.keys()
    ipython = re.compile(r"_(_.*|i+|i?\d+|oh|dh)?$")  # its names for inputs and outputs
    given = {
        name: value
        for name, value in names.items()
        if name in known
        or (name not in before and not ipython.match(name) and isinstance(value, PLAIN))
    }
    how = {n: given.pop(n) for n in list(given) if n in LaunchOptions.model_fields}
    source = "parameters of this notebook"
    return parse(cls, given, source), parse(LaunchOptions, how, source)
