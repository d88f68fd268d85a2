"""One step of the build: its commands timed, their memory watched, its cost kept.

The status page is made from these records, so no run time in the book is typed by hand.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
STEPS = BUILD / "steps"
LOGS = BUILD / "logs"
THIS_BUILD = BUILD / "build.json"  # since when the build runs that runs, or the last one
SAMPLE_EVERY = 0.5  # seconds
TOLD_EVERY = 30  # seconds between two lines on how far a step is
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class StepFailed(Exception):
    """A step's command ended with an error; the message says which, and how its log ends."""


def duration(seconds: float) -> str:
    """Seconds in words: ``48 s``, ``3 min 05 s``."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def memory_of_tree(root: psutil.Process) -> int:
    """Resident bytes of a process and all its descendants (shared pages count once for each)."""
    total = 0
    for process in [root, *root.children(recursive=True)]:
        try:
            total += process.memory_info().rss
        except psutil.Error:  # it ended while we looked
            continue
    return total


def say(line: str) -> None:
    """Print one whole line, whoever else prints."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Step:
    """A step in progress.

    Args:
        name: a slash puts its record in a folder (``chapter/03_resnet3d``).
        log: file for all that its commands say; None for the terminal.
        start: starts a command, as `subprocess.Popen` does.
        variables: of the environment, beside what there is.
        sampled: told the step's bytes now, twice a second while a command runs.
    """

    def __init__(
        self,
        name: str,
        *,
        log: Path | None = None,
        start: Callable[..., subprocess.Popen] = subprocess.Popen,
        variables: dict[str, str] | None = None,
        sampled: Callable[[int], None] = lambda memory: None,
    ):
        self.name, self.log = name, log
        self.began, self.peak = time.perf_counter(), 0
        self._start, self._sampled = start, sampled
        self._variables = {"PYTHONUNBUFFERED": "1"} | (variables or {})
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text("")

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.perf_counter() - self.began

    def run(self, command: Sequence[str | Path], **variables: str) -> None:
        """Run a command at the repository's root, with ``variables`` in its environment.

        Raises:
            StepFailed: it ended with a non-zero status.
        """
        command = [str(part) for part in command]
        given = {"cwd": ROOT, "env": os.environ | self._variables | variables}
        if self.log is None:
            status = self._watch(self._start(command, **given))
        else:
            with self.log.open("a") as log:
                print("$", *command, file=log, flush=True)
                given |= {"stdout": log, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
                status = self._watch(self._start(command, **given))
        if status != 0:
            raise StepFailed(self._account(command, status))

    def record(self) -> None:
        """Write ``_build/steps/<name>.json``: the step has succeeded."""
        record = {
            "step": self.name,
            "seconds": round(self.seconds, 2),
            "peak_mib": round(self.peak / 2**20),
            "finished": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        path = STEPS / f"{self.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record) + "\n")

    def _watch(self, child: subprocess.Popen) -> int:
        """Sample a command's memory and say how far it is, until it ends; its status."""
        process, over = psutil.Process(child.pid), threading.Event()

        def sample() -> None:
            told, due = "", TOLD_EVERY
            while not over.is_set():
                try:
                    memory = memory_of_tree(process)
                except psutil.Error:
                    return
                self.peak = max(self.peak, memory)
                self._sampled(memory)
                if self.log and self.seconds > due:
                    line, due = last_lines(self.log, 1), due + TOLD_EVERY
                    if line != told and not line.startswith("$ "):  # the command said nothing yet
                        say(f"  {self.name}, {duration(self.seconds)}: {line[:100]}")
                    told = line
                over.wait(SAMPLE_EVERY)

        thread = threading.Thread(target=sample, daemon=True)
        thread.start()
        status = child.wait()
        over.set()
        thread.join()
        return status

    def _account(self, command: list[str], status: int) -> str:
        why = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
        lines = [f"{self.name} failed after {duration(self.seconds)}: {why}"]
        lines += [f"  the command: {' '.join(command)}"]
        if self.log:
            lines += ["  the end of its log:"]
            lines += [f"    {line}" for line in last_lines(self.log, 20).splitlines()]
            lines += [f"  the whole log: {self.log}"]
        return "\n".join(lines)


def last_lines(log: Path, count: int) -> str:
    """The last lines of a log that say something, of a progress bar its last state."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 20_000))
        text = COLOURS.sub("", file.read().decode(errors="replace"))
    lines = [line.rstrip().rpartition("\r")[2].rstrip() for line in text.split("\n")]
    return "\n".join([line for line in lines if line][-count:])


# the step on whose behalf this thread works
CURRENT: ContextVar[Step] = ContextVar("step")


def run(command: Sequence[str | Path], **variables: str) -> None:
    """Run a command of the current step, with ``variables`` in its environment."""
    CURRENT.get().run(command, **variables)


def main(arguments: list[str]) -> int:
    """``python -m tools.steps NAME -- COMMAND …``; the command's own last line stays the last."""
    name, dashes, *command = arguments
    if dashes != "--" or not command:
        raise SystemExit("usage: python -m tools.steps NAME -- COMMAND [ARGUMENT …]")
    step = Step(name)
    say(f"▶ {name}")
    try:
        step.run(command)
    except StepFailed:
        return 1
    step.record()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
