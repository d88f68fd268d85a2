"""The build: what is out of date is made again, side by side, as far as cores and memory go.

doit knows what depends on what and what has changed, and hands out what is ready. Here stands what
it lacks: who goes first, each step's share of the machine, one line when it begins and one when it
ends, and an end that leaves no process and tells the cause last.
"""

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from doit.control import TaskControl
from doit.dependency import Dependency, JsonDB
from doit.exceptions import BaseFail, InvalidCommand, TaskFailed
from doit.loader import load_tasks
from doit.reporter import ZeroReporter
from doit.runner import JobTaskPickle, MThreadRunner
from doit.task import Stream, Task

from tools import costs, machine
from tools.built import QUICK, SITE
from tools.gate import Gate, Slot
from tools.processes import Processes
from tools.steps import BUILD, CURRENT, LOGS, ROOT, THIS_BUILD, Step, duration, say

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Busy(Exception):
    """Another build is at work in this folder; the message names its process."""


class Known(JsonDB):
    """doit's memory, written whole or not at all: a kill may come at any moment."""

    def dump(self) -> None:
        """Save it."""
        part = Path(f"{self.name}.part")
        part.write_text(self.codec.encode(self._db))
        os.replace(part, self.name)


class Reporter(ZeroReporter):
    """Saves each success at once; the first failure ends all that runs."""

    def __init__(self, known: Dependency, gate: Gate, processes: Processes):
        super().__init__(sys.stdout, {})
        self.cause, self.made = "", 0
        self._known, self._gate, self._processes = known, gate, processes
        self._began = time.time()
        self._note()

    def add_success(self, task: Task) -> None:
        """A killed build goes on from here."""
        if task.actions:
            self.made += 1
            self._note()
        self._known.backend.dump()

    def add_failure(self, task: Task, fail: BaseFail) -> None:
        """Failures after the first are its consequences: those steps were ended."""
        if not self.cause:
            failed = isinstance(fail, TaskFailed)
            self.cause = fail.message if failed else f"{task.name}: {fail.get_msg()}"
            self._gate.close()
            self._processes.close()

    def runtime_error(self, msg: str) -> None:
        """doit's own."""
        self.cause = self.cause or msg

    def _note(self) -> None:
        """For the status page: since when this build runs, and what it took so far."""
        known = {"began": self._began, "made": self.made, "peak_mib": self._gate.peak >> 20}
        THIS_BUILD.write_text(json.dumps(known) + "\n")


class Runner(MThreadRunner):
    """doit's threads, of which the gate lets as many work as the machine bears.

    There is a thread for each task: a task that is ready need not wait to be seen by the gate.
    """

    def __init__(self, known: Dependency, gate: Gate, processes: Processes, control: TaskControl):
        reporter = Reporter(known, gate, processes)
        super().__init__(known, reporter, stream=Stream(2), num_process=len(control.tasks))
        self._gate, self._processes = gate, processes
        self._urgent = urgencies(control.tasks)
        self._slots: dict[str, Slot] = {}

    def get_next_job(self, completed):
        """Whoever is ready queues at the gate; nobody else being ready, it opens."""
        job = super().get_next_job(completed)
        if isinstance(job, JobTaskPickle):
            if self.tasks[job.name].actions:
                cost = costs.expected(step_of(job.name))
                slot = self._slots[job.name] = Slot(job.name, self._urgent[job.name], cost)
                self._gate.join(slot)
        else:
            self._gate.admit()
        return job

    def execute_task(self, task: Task) -> BaseFail | None:
        """One step, in a thread of its own, when its turn has come."""
        if not task.actions:
            return super().execute_task(task)
        slot, name = self._slots[task.name], step_of(task.name)
        slot.answered.wait()
        if not slot.threads:
            return TaskFailed("the build was ending")
        step = Step(
            name,
            log=LOGS / f"{name}.log",
            start=self._processes.start,
            variables=dict.fromkeys(THREADS, str(slot.threads)),
            sampled=lambda memory: self._gate.measured(slot, memory),
        )
        CURRENT.set(step)
        say(f"▶ {name}")
        failed = super().execute_task(task)
        if not failed and self._processes.over:  # it may end well and have done half of its work
            failed = TaskFailed("the build was ending")
        if failed:
            say(f"  {name}: ended after {duration(step.seconds)}")
            return failed
        step.record()
        memory = f", at most {step.peak / 2**30:.1f} GiB" if step.peak else ""
        say(f"✓ {name}: {duration(step.seconds)}{memory}")
        return None

    def process_task_result(self, node, base_fail) -> None:
        """A step has ended; its successors are asked for next, and then the gate opens again."""
        if slot := self._slots.get(node.task.name):
            self._gate.leave(slot)
        super().process_task_result(node, base_fail)


def step_of(task: str) -> str:
    """A task's name as its record and its log are called."""
    return task.replace(":", "/")


def urgencies(tasks: dict[str, Task]) -> dict[str, float]:
    """Seconds from the beginning of each task to the end of the longest chain that waits for it."""
    followers: dict[str, list[str]] = {name: [] for name in tasks}
    for name, task in tasks.items():
        for earlier in {*task.task_dep, *task.setup_tasks}:
            followers[earlier].append(name)
    found: dict[str, float] = {}

    def urgency(name: str) -> float:
        if name not in found:
            own = costs.expected(step_of(name)).seconds if tasks[name].actions else 0
            found[name] = own + max(map(urgency, followers[name]), default=0)
        return found[name]

    for name in tasks:
        urgency(name)
    return found


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for one build; the kernel lets go of it when the build ends, however it ends.

    Raises:
        Busy: another build holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip()
            raise Busy(
                f"another build is at work in this folder, process {pid}: wait until it has "
                f"ended, or end it with: kill {pid}"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def ending(processes: Processes) -> Iterator[None]:
    """However the build ends, its processes end before it: Ctrl-C and SIGTERM too."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        say("■ stopping; the same command goes on from here")
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        processes.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def kernels_profile() -> None:
    """Kernels start from a profile of the build's own, not from the reader's."""
    profile = BUILD / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    quiet = "c.IPKernelApp.log_level = 50"
    apart = "c.HistoryManager.enabled = False"  # kernels side by side would share one data base
    settings = f"c = get_config()\n{quiet}\n{apart}\n"
    (profile / "ipython_kernel_config.py").write_text(settings)
    os.environ["IPYTHONDIR"] = str(profile.parent)


def build(tasks: list[Task], target: str, processes: Processes) -> str:
    """Make ``target`` and all that it stands on; the cause of a failure, or nothing."""
    began = time.perf_counter()
    known = Dependency(Known, str(BUILD / "doit.json"))
    control = TaskControl(tasks)
    control.process([target])
    gate = Gate(machine.cores(), machine.memory_free)
    runner = Runner(known, gate, processes, control)
    runner.run_all(control.task_dispatcher())
    made, took = runner.reporter.made, duration(time.perf_counter() - began)
    if not runner.reporter.cause:
        together = f", at most {gate.peak / 2**30:.1f} GiB together" if gate.peak else ""
        say(f"✓ {target}: up to date; steps made: {made}, in {took}{together}")
    return runner.reporter.cause


def main(arguments: list[str]) -> int:
    """``python -m tools.build TARGET``: 0 where it was made; the cause of a failure comes last."""
    (target,) = arguments
    os.chdir(ROOT)
    processes = Processes(BUILD)
    try:
        with alone(BUILD), ending(processes):
            if left := processes.end():
                say(f"  ended {left} processes that a killed build had left behind")
            import dodo  # not before the folder is known to be free

            kernels_profile()
            cause = build(load_tasks(vars(dodo)), target, processes)
    except Busy as busy:
        cause = str(busy)
    except InvalidCommand:
        cause = f"there is nothing to build named {target!r}; `make help` lists what there is"
    if cause:
        say(f"✗ {cause}")
        return 1
    if target in (sites := {"book": SITE, "quick_book": QUICK}):
        page = sites[target] / "_build/html/index.html"
        say(f"\nThe book is built. Open {page}\nor run: python -m http.server -d {page.parent}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
