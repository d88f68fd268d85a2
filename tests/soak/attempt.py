"""One papermill command: what it is doing, the processes that come of it, and what it says."""

import os
import re
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil
import yaml

from stabn.training.checkpoint import REPOSITORY
from stabn.training.journal import read_journal
from stabn.training.records import read_record
from tests.soak.plan import RANKS, STEPS, Plan

LASTS = 300  # seconds that no attempt may take: most take 20
TOKEN = "STABN_SOAK_TOKEN"  # an environment variable: every process of a run inherits it
NOTEBOOK = "notebooks/launch/train.ipynb"

# When papermill is killed, its run goes on for up to two seconds: its steps must not be too quick.
PARAMETERS = {
    **{"eval_split": "tuning", "backbone": "small", "num_frames": 16, "image_size": 64},
    **{"short_side": 68, "train_short_side": [66, 72], "jitter": 0.2, "dropout": 0.5},
    **{"lr": 0.01, "schedule": "plateau", "patience": 1, "batch_size": 4, "workers": 1},
    **{"save_every": 4, "keep_last": 2, "log_every": 1, "nproc_per_node": 2},
}


class Watch:
    """Tells from a run's folder what the run, started again, is doing."""

    def __init__(self, folder: Path, epochs: int):
        self.folder, self.journal = folder, folder / "metrics.jsonl"
        self.steps = epochs * STEPS
        self.before, self.litter = self._inode(), set(_parts(folder))
        self.opened: int | None = None  # lines in the journal when this attempt took it up
        self.lines: list[dict[str, Any]] = []
        self.seen: tuple[int, ...] = ()

    def _inode(self) -> int:
        return self.journal.stat().st_ino if self.journal.is_file() else 0

    def look(self) -> tuple[str, int]:
        """The phase, or ``"finished"``, and the last step in the journal (0 before there is one).

        A run taken up writes its journal anew, as another file; up to the first line after that it
        is starting up. Saving shows in a temporary file.
        """
        if self._inode() == self.before:  # not taken up yet
            return "start-up", 0
        at = self.journal.stat()
        if self.seen != (at.st_ino, at.st_size):
            self.lines, self.seen = read_journal(self.journal), (at.st_ino, at.st_size)
        if self.opened is None:
            self.opened = len(self.lines)
        last = self.lines[-1] if self.lines else {"step": 0}
        step = last["step"]
        if step == self.steps and "eval_split" in last:
            done = read_record(self.folder / "record.json").get("wall_seconds") is not None
            return "finished" if done else "report", step
        if len(self.lines) == self.opened:
            return "start-up", step
        if set(_parts(self.folder)) - self.litter:
            return "save", step
        if step % STEPS == 0 and "eval_split" not in last:
            return "evaluation", step
        return "step", step


def _parts(folder: Path) -> list[str]:
    return [path.name for path in folder.glob(".*.pt.*.part")]


def descendants(token: str) -> list[psutil.Process]:
    """Every process with that ``TOKEN`` in its environment, whoever its parent is now."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(TOKEN) == token:
                found.append(process)
    return found


@dataclass
class Attempt:
    """One papermill command, and every process that comes of it.

    Args:
        work: folder with ``set/``; runs and the command's output go there.
        name: the run's.
        epochs: how long it is.
        more: parameters beside those and ``PARAMETERS``.
    """

    work: Path
    name: str
    epochs: int
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder = self.work / "runs" / self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.notebook = self.folder / "notebook.ipynb"
        self.notebook.unlink(missing_ok=True)
        self.watch = Watch(self.folder, self.epochs)
        own = {"out_dir": str(self.work / "runs"), "data_root": str(self.work / "set")}
        own |= {"name": self.name, "epochs": self.epochs}
        parameters = self.work / "parameters.yaml"
        parameters.write_text(yaml.safe_dump(PARAMETERS | own | self.more))
        self.token, self.said = uuid.uuid4().hex, self.work / "said.txt"
        command = [sys.executable, "-m", "papermill", NOTEBOOK]
        command += [str(self.notebook), "-f", str(parameters)]
        command += ["--no-progress-bar", "--kernel", "python3"]
        self.started = time.monotonic()
        with open(self.said, "wb") as said:
            self.process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env={**os.environ, TOKEN: self.token, "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def family(self) -> dict[str, psutil.Process]:
        """Those of ``VICTIMS`` that are there now."""
        found = {"papermill": psutil.Process(self.process.pid)}
        names = {self.process.pid: "papermill"}
        for member in found["papermill"].children(recursive=True):
            with suppress(psutil.Error):
                parent, command = names.get(member.ppid()), member.cmdline()
                name, training = None, "stabn train" in " ".join(command)  # not its preflight
                if parent == "papermill" and "ipykernel_launcher" in command:
                    name = "kernel"
                elif parent == "kernel" and training and "torch.distributed.run" in command:
                    name = "torchrun"
                elif parent == "torchrun" and "torch.distributed.run" not in command:
                    name = f"rank {member.environ()['RANK']}"
                elif parent in RANKS and "multiprocessing.forkserver" in "".join(command):
                    name = "fork server"
                elif parent == "fork server":
                    name = "loader"
                if name:
                    found[name], names[member.pid] = member, name
        return found

    def moment(self, plan: Plan, lengths: dict[str, float]) -> psutil.Process | None:
        """Wait until it is time; the victim, or None if the run has ended before.

        Args:
            plan: what is waited for.
            lengths: seconds that each phase took in the undisturbed run.

        Raises:
            AssertionError: it neither ends nor gets so far.
        """
        victims: dict[str, psutil.Process] = {}
        while self.process.poll() is None and time.monotonic() - self.started < LASTS:
            phase, step = self.watch.look()
            if phase == "finished":
                return None
            time.sleep(0.002 if phase != "start-up" else 0.05)
            if plan.victim not in victims:
                victims = self.family()
            due = phase in (plan.phase, "report") and step >= plan.after
            if plan.phase == "start-up":
                due = True
            if due and plan.victim in victims:
                length = lengths[phase]
                if phase == "start-up":  # of what is left of it
                    length = max(0.0, length - (time.monotonic() - self.started))
                time.sleep(plan.share * length)
                return victims[plan.victim] if self.process.poll() is None else None
        if self.process.poll() is None:
            raise AssertionError(f"hangs, and nothing has been done to it yet: {self.watch.look()}")
        return None

    def vanish(self, patience: float) -> float:
        """Wait until no process of the attempt is left; how many seconds that took.

        Raises:
            AssertionError: some are left after ``patience`` seconds; they are killed.
        """
        since = time.monotonic()
        while self.process.poll() is None or descendants(self.token):
            if time.monotonic() - since > patience:
                orphans = descendants(self.token)
                named = [" ".join(process.cmdline()) for process in orphans]
                self.end()
                raise AssertionError(f"{len(orphans)} processes are left: {named}; {self.words()}")
            time.sleep(0.1)
        return time.monotonic() - since

    def end(self) -> None:
        """Kill whatever is left."""
        for process in descendants(self.token):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def words(self) -> str:
        """What the notebook's error says, and papermill."""
        text = ""
        with suppress(Exception):  # cut off in the midst of writing: there is no notebook
            cells = nbformat.read(self.notebook, 4).cells
            outputs = [output for cell in cells for output in cell.get("outputs", [])]
            errors = [output for output in outputs if output.output_type == "error"]
            text = "".join(f"{error.ename}: {error.evalue}\n" for error in errors)
        return text + self.said.read_text(errors="replace")


def cause(plan: Plan, words: str) -> str | None:
    """The words that tell a reader why the run ended; None if they are missing."""
    who = plan.victim.replace("rank", "process")
    says = {
        "kernel": r"Kernel died|was pre-empted \(SIGTERM\)",  # it passes SIGTERM on
        "papermill": "Kernel died",  # it ends its kernel, and says of itself no more
        "loader": "a process that reads videos was lost",
        "SIGKILL": f"{who} was killed by SIGKILL",
        "SIGTERM": rf"was pre-empted \(SIGTERM\)|{who} was killed by SIGTERM",
    }
    found = re.search(says.get(plan.victim, says[plan.signal]), words)
    return found and re.sub(r"pid\(?s?\)? \d+", "pid …", found[0])
