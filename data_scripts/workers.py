"""Work in processes that may hang or crash: it takes the worker, not the run."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

_SPAWN = multiprocessing.get_context("spawn")  # an open decoder survives no fork
OUTSIDE = (signal.SIGKILL, signal.SIGTERM)  # what no decoder does to itself


class Lost(str):
    """In words, how a worker ended without a result: a time limit, a crash, a kill.

    It may go otherwise another time, so a result of this kind is not for keeps.
    """

    PREFIX = "worker lost: "

    @classmethod
    def by(cls, number: int) -> "Lost":
        """One that a signal ended."""
        name = signal.Signals(number).name
        if number in OUTSIDE:
            return cls(f"{cls.PREFIX}killed from outside ({name}; out of memory?)")
        return cls(f"{cls.PREFIX}the decoder crashed ({name})")


def in_workers(
    work: Callable[[Any], Any], tasks: Iterable[Any], jobs: int, limit: float
) -> Iterator[tuple[Any, Any]]:
    """Do each task in one of ``jobs`` processes; yield it with its result, or :class:`Lost`.

    Args:
        work: A function of the top level of a module.
        tasks: What to call it with.
        jobs: How many processes.
        limit: Seconds a task may take. It is the worker's own alarm clock that ends it, so a limit
            holds also when this process is gone.

    Raises:
        Exception: whatever ``work`` raises.
    """
    tasks, idle, busy = iter(tasks), [], {}
    try:
        while True:
            while len(busy) < jobs and (task := next(tasks, None)) is not None:
                worker = idle.pop() if idle else _Worker(work, limit)
                worker.pipe.send(task)
                busy[worker.pipe] = worker, task
            if not busy:
                return
            for pipe in wait(list(busy)):
                worker, task = busy.pop(pipe)
                try:
                    result = pipe.recv()
                except (EOFError, OSError):
                    result = worker.ended(task, limit)
                else:
                    idle.append(worker)
                if isinstance(result, Exception):
                    raise result
                yield task, result
    finally:
        for worker in [*idle, *(worker for worker, _ in busy.values())]:
            worker.kill()


class _Worker:
    def __init__(self, work: Callable, limit: float):
        self.pipe, theirs = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=_serve, args=(theirs, work, limit), daemon=True)
        self.process.start()
        theirs.close()  # so that the worker's end closes with the worker

    def kill(self) -> None:
        """End the worker and whatever program it waits for."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()

    def ended(self, task: object, limit: float) -> Lost:
        self.process.join()
        self.kill()  # the program that it waited for
        code = self.process.exitcode
        if code >= 0:
            raise RuntimeError(f"a worker ended with status {code} at {task}")
        if -code == signal.SIGALRM:
            return Lost(f"{Lost.PREFIX}no answer within {limit:g} s")
        return Lost.by(-code)


def _serve(pipe: Connection, work: Callable, limit: float) -> None:
    os.setpgrp()  # one group with the programs it starts; Ctrl-C is the parent's affair
    with suppress(EOFError, OSError):  # the parent is gone
        while True:
            task = pipe.recv()
            signal.setitimer(signal.ITIMER_REAL, limit)  # nobody handles it: it ends the process
            try:
                result = work(task)
            except Exception as error:
                result = error
            signal.setitimer(signal.ITIMER_REAL, 0)
            pipe.send(result)
