"""A command from a notebook, under torchrun where it needs several processes.

Its output is streamed, its failure is loud, and no orphan is left.
"""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil
from pydantic import Field

from stabn.training.cluster.failure import LastWords
from stabn.training.cluster.machines import Machines
from stabn.training.cluster.meeting import meeting
from stabn.training.cluster.notice import notice
from stabn.training.cluster.output import shown
from stabn.training.config import Config, ConfigError, Strict, parse, write_config
from stabn.training.ending import LAUNCHER_PID, PATIENCE_NAMED, on_sigterm
from stabn.training.process import PREEMPTED, usable_cores

PLAIN = str | int | float | list | dict | None  # what papermill passes


class LaunchError(RuntimeError):
    """A launched command failed, or was pre-empted; the message begins with the cause."""


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
    log: Path | None = None,
) -> None:
    """Run ``python -m command`` and show what it prints.

    In a notebook that is one output, which is updated; elsewhere, line by line. One process is
    started as it is, several by torchrun. Returns when every process has ended well. A SIGTERM is
    passed on. On an interrupt, or any other exception, the whole tree of processes is ended first;
    if this process is killed outright, the workers notice it within a second, and end as if they
    had been sent SIGTERM. Where another machine's part fails, or the connection to it is lost, this
    one's ends too.

    Args:
        command: a module and, if it has any, its command: ``stabn train``.
        arguments: the rest of its command line.
        options: processes and machines; None for a single process.
        run: what the run is called; several machines must agree on it.
        log: a file to which all that is printed is added; machines other than the host add to one
            of their own beside it.

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
        _launch(command, arguments, options, machines, log)


def _launch(
    name: str,
    arguments: Sequence[str],
    options: LaunchOptions,
    machines: Machines | None,
    log: Path | None,
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
        PATIENCE_NAMED: str(notice()),
        "PYTHONUNBUFFERED": "1",
        LAUNCHER_PID: str(os.getpid()),
    }
    if log is not None and machines is not None and not machines.hosts:
        log = log.with_stem(f"{log.stem}-{socket.gethostname()}")  # one writer a file
    said = LastWords()
    begins = f"{name} begins on {socket.gethostname()}, process {os.getpid()}"
    with shown(log, begins) as show, _running(command, environment) as process:
        if machines:
            machines.on_failure(lambda: _kill_tree(process))
        for line in process.stdout:
            show(line, said.hear(line))
        status = process.wait()
    # where there are several machines it may be the launcher itself that has ended torchrun
    started = "process 0" if alone else "torchrun"
    killed = said.killed(started, status if machines is None else 0)
    elsewhere: list[str] = []
    preempted = said.preempted
    if machines:
        word = (killed or said.error()) if status != 0 and not preempted else ""
        elsewhere = machines.leave(word, preempted=preempted)
        preempted = preempted or machines.preempted
    if status != 0 and preempted and not elsewhere:
        raise LaunchError(f"{name} was {PREEMPTED}")
    if status != 0:
        causes = [killed, *elsewhere] if killed else [*elsewhere, said.error()]
        raise LaunchError(f"{name} failed: {'; '.join(causes)}\n{said.told(status)}")


@contextmanager
def _running(command: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen]:
    """A process in a session of its own; on leaving, it and all its descendants are gone.

    A SIGTERM to this process, in the meantime, asks that one to end, and it ends when that has. But
    ``slurm.sh`` has the notebook deaf to it: there Slurm asks every process itself.
    """
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
    patience = int(environment[PATIENCE_NAMED]) + 5  # torchrun's, and the time to kill its workers
    ending = threading.Thread(target=_end_tree, args=(process, patience), daemon=True)
    deaf = signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    try:
        with nullcontext() if deaf else on_sigterm(lambda: ending.ident or ending.start()):
            yield process
    finally:
        _end_tree(process, patience)
        process.stdout.close()


def _end_tree(process: subprocess.Popen, patience: float) -> None:
    """Ask what was started to stop, wait, then kill whatever is left of the tree.

    torchrun asks its workers, who may first store their state, and then kills them itself.
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
    """:func:`launch` a command that takes ``--config``, with ``config`` as its file.

    The run's folder gets a log named for the command's last word: ``train.log`` has what training
    printed, and its preflight, at every start. A preflight makes no folder.
    """
    makes = hasattr(config, "out_dir")  # its run; other commands look at one
    folder, doing = config.folder if makes else Path(config.run), command.split()
    if makes and "preflight" not in doing:
        with suppress(OSError):  # the command itself says what is wrong with it
            folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{doing[-1]}.log" if folder.is_dir() else None
    run = str(getattr(config, "folder", None) or getattr(config, "run", ""))
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "config.yaml"
        write_config(config, path)
        launch(command, ["--config", str(path), *flags], options, run=run, log=log)


def _no_interrupt(record: logging.LogRecord) -> bool:
    """papermill ends its kernel by an interrupt: after a success, that is no error to be told."""
    return "KeyboardInterrupt" not in record.getMessage()


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
    logging.getLogger("IPKernelApp").addFilter(_no_interrupt)
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
