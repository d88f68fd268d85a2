"""A command from a notebook, under torchrun where it needs several processes.

Its output is streamed, its failure is loud, and no orphan is left.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil
from pydantic import Field

from stabn.training.cluster.machines import Machines
from stabn.training.cluster.meeting import meeting
from stabn.training.config import Config, ConfigError, Strict, parse, write_config
from stabn.training.process import LAUNCHER_PID, PATIENCE, PREEMPTED, usable_cores

PLAIN = str | int | float | list | dict | None  # what papermill passes
TAIL = 80  # lines repeated in the error, since a notebook's reader sees that first
# torchrun's own account of a failure: these lines name rank and exit status, the rest is its stack
ACCOUNT = re.compile(r"[WE]\d{4} .*torch/distributed/elastic/")
KILLED = re.compile(r"failed \(exitcode: -(\d+)\) local_rank: (\d+)")
STARVED = "for want of memory? then lower batch_size or workers, or raise accumulate"


class LaunchError(RuntimeError):
    """A launched command failed, or was pre-empted; the message ends with its last lines."""


class LaunchOptions(Strict):
    """On how many processes and machines a launch notebook runs its command."""

    nproc_per_node: int = Field(1, ge=1, description="processes on each machine: one per GPU")
    nnodes: int = Field(1, ge=1, description="machines; run the notebook on each")
    rdzv_endpoint: str | None = Field(None, description="host:port of one machine, if nnodes > 1")


def launch(
    command: str,
    arguments: Sequence[str] = (),
    options: LaunchOptions | None = None,
    *,
    run: str = "",
) -> None:
    """Run ``python -m command`` and print what it prints, line by line.

    One process is started as it is, several by torchrun. Returns when every process has ended well. On an interrupt, or any other exception, the whole
    tree of processes is ended first; if this process is killed outright, the workers notice it
    within a second and end by themselves. Where another machine's part fails, or the connection to
    it is lost, this one's ends too.

    Args:
        command: a module and, if it has any, its command: ``stabn train``.
        arguments: the rest of its command line.
        options: processes and machines; None for a single process.
        run: what the run is called; several machines must agree on it.

    Raises:
        LaunchError: the command failed, here or on another machine; or it was sent SIGTERM and
            stored its state, which the message says.
        ConfigError: several machines but no place to meet, or none came there.
    """
    options = options or LaunchOptions()
    if options.nnodes > 1 and options.rdzv_endpoint is None:
        raise ConfigError("rdzv_endpoint: is needed when nnodes > 1 (host:port of one machine)")
    together = nullcontext()
    if options.nnodes > 1:
        job = os.environ.get("SLURM_JOB_ID")
        doing = f"{command} {run} on {options.nnodes} machines" + (f", job {job}" if job else "")
        together = meeting(options.rdzv_endpoint, options.nnodes, doing)
    with together as machines:
        _launch(command, arguments, options, machines)


def _launch(
    name: str, arguments: Sequence[str], options: LaunchOptions, machines: Machines | None
) -> None:
    alone = options.nproc_per_node == options.nnodes == 1
    torchrun = [
        "torch.distributed.run",
        *(machines.arguments if machines else ["--standalone"]),
        *(f"--nproc-per-node={options.nproc_per_node}", f"--nnodes={options.nnodes}", "-m"),
    ]
    # torchrun for a single process would import PyTorch once more, and end in a stack of its own
    command = [sys.executable, "-m", *(() if alone else torchrun), *name.split(), *arguments]
    threads = max(1, usable_cores() // options.nproc_per_node)
    environment = {
        "OMP_NUM_THREADS": str(threads),  # torchrun would say 1
        # gloo would take the one that this machine's name stands for: often 127.0.1.1
        **({"GLOO_SOCKET_IFNAME": machines.interface} if machines and machines.interface else {}),
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        LAUNCHER_PID: str(os.getpid()),
    }
    tail: deque[str] = deque(maxlen=TAIL)
    over = preempted = False
    with _running(command, environment) as process:
        if machines:
            machines.on_failure(lambda: _kill_tree(process))
        for line in process.stdout:
            print(line, end="", flush=True)
            account = ACCOUNT.match(line) is not None
            over = over or account
            preempted = preempted or PREEMPTED in line
            if account or not over:
                tail.append(line)
        status = process.wait()
    text = "".join(tail)
    # where there are several machines it may be the launcher itself that has ended torchrun
    started = "process 0" if alone else "torchrun"
    why = _killed(text, started, status if machines is None else 0)
    elsewhere: list[str] = []
    if machines:
        failed = status != 0 and not preempted
        word = f"exit status {status}; {why}{_last_words(tail)}" if failed else ""
        elsewhere = machines.leave(word, preempted=preempted)
        preempted = preempted or machines.preempted
    if status != 0 and preempted and not elsewhere:
        raise LaunchError(f"{name} was {PREEMPTED}")
    if status != 0:
        why += "".join(f"{other}; " for other in elsewhere)
        raise LaunchError(f"{name} failed with exit status {status}; {why}it ended with:\n{text}")


def _killed(text: str, started: str, status: int) -> str:
    """Who was killed, and by which signal; or "".

    Args:
        text: the last lines, torchrun's account among them.
        started: who was started here, by name.
        status: its exit status.
    """
    who, number = started, -status
    if found := KILLED.search(text):
        who, number = f"process {found[2]}", int(found[1])
    elif "death signal, shutting down workers" in text:  # it exits with status 1 then
        number = signal.SIGTERM
    if number <= 0:
        return ""
    name = {s.value: s.name for s in signal.Signals}.get(number, f"signal {number}")
    hint = f" ({STARVED})" if name == "SIGKILL" else ""
    return f"{who} was killed by {name}{hint}; "


def _last_words(tail: Iterable[str]) -> str:
    """The last line that is not torchrun's own: as a rule, the error."""
    lines = [line.strip() for line in tail if line.strip() and not ACCOUNT.match(line)]
    return lines[-1] if lines else ""


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
    """Ask what was started to stop, wait, then kill whatever is left of the tree.

    torchrun asks its workers, who may first store their state, and kills them after ``PATIENCE``
    seconds.
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


def _kill_tree(process: subprocess.Popen) -> None:
    """End torchrun and its workers at once: those wait for one that will not answer."""
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()


def launch_config(
    command: str, config: Strict, options: LaunchOptions | None = None, *flags: str
) -> None:
    """:func:`launch` a command that takes ``--config``, with ``config`` as its file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        write_config(config, path)
        run = str(getattr(config, "folder", None) or getattr(config, "run", ""))
        launch(command, ["--config", str(path), *flags], options, run=run)


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
