"""Kill training at random moments; it must end as if nothing had been.

``python -m tests.soak.kills --kills 20 --seed 0 --record book/results/soak/kills.json``

A small run on two processes is started as a researcher starts it, through papermill: once left in
peace, then killed and started again, killed and started again, and left to end. A run bears a kill
in each of the five ``PHASES``, in random order; after so many another run begins, so that every
five kills are followed by a comparison of all that a run leaves behind. What each single kill
leaves is compared too, with what the undisturbed run had stored after the same step: should the
two ever part, it is known which kill did it.
"""

import argparse
import hashlib
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import psutil
import torch
import yaml

from stabn.data import mini
from stabn.training.checkpoint import REPOSITORY, read
from stabn.training.journal import read_journal
from stabn.training.records import PACKAGES, code_version, hardware, read_record, write_record
from stabn.training.resume import newest

PHASES = ("start-up", "step", "save", "evaluation", "report")
RANKS = ("rank 0", "rank 1")
VICTIMS = (*RANKS, "loader", "torchrun", "kernel", "papermill")
# a loader's worker heeds SIGTERM from its own process only: that is no kill
ENDS = [(v, s) for v in VICTIMS for s in ("SIGKILL", "SIGTERM") if (v, s) != ("loader", "SIGTERM")]
GONE = 120  # seconds within which a killed run must have vanished; 35 where torchrun has to insist
LASTS = 300  # seconds that no attempt may take: most take 20
TOKEN = "STABN_SOAK_TOKEN"  # an environment variable: every process of a run inherits it

# When papermill is killed, its run goes on for up to two seconds: its steps must not be too quick.
PARAMETERS = {
    **{"eval_split": "tuning", "backbone": "small", "num_frames": 16, "image_size": 64},
    **{"short_side": 68, "train_short_side": [66, 72], "jitter": 0.2, "dropout": 0.5},
    **{"lr": 0.01, "schedule": "plateau", "patience": 1, "batch_size": 4, "workers": 1},
    **{"save_every": 4, "keep_last": 2, "log_every": 1, "nproc_per_node": 2},
}
STEPS = 6  # in an epoch
NOTEBOOK = "notebooks/launch/train.ipynb"


@dataclass(frozen=True)
class Plan:
    """When to strike, and whom.

    Attributes:
        phase: one of ``PHASES``.
        after: not before this step is in the journal.
        share: in [0, 1), how much of the phase is to pass first.
        victim: one of ``VICTIMS``.
        signal: ``"SIGKILL"`` or ``"SIGTERM"``.
    """

    phase: str
    after: int
    share: float
    victim: str
    signal: str


def plans(kills: int, seed: int, epochs: int) -> list[list[Plan]]:
    """``kills`` plans in runs of at most five: every phase once, every victim in its turn."""
    rng = np.random.default_rng(seed)
    ends: list[tuple[str, str]] = []
    while len(ends) < kills:
        ends += [ENDS[i] for i in rng.permutation(len(ENDS))]
    runs = []
    for first in range(0, kills, len(PHASES)):
        count = min(len(PHASES), kills - first)
        phases = [PHASES[i] for i in rng.permutation(len(PHASES))[:count]]
        phases.sort(key=lambda phase: phase == "report")  # nothing comes after it
        after = np.sort(rng.integers(0, (epochs - 1) * STEPS, count))
        runs.append(
            [
                Plan(phase, int(step), float(rng.random()), *end)
                for phase, step, end in zip(phases, after, ends[first:], strict=False)
            ]
        )
    return runs


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
                name, training = None, "stabn.training.train" in command  # not its preflight
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
        "kernel": "Kernel died",
        "papermill": "Kernel died",  # it ends its kernel, and says of itself no more
        "loader": "a process that reads videos was lost",
        "SIGKILL": f"{who} was killed by SIGKILL",
        "SIGTERM": rf"was pre-empted \(SIGTERM\)|{who} was killed by SIGTERM",
    }
    found = re.search(says.get(plan.victim, says[plan.signal]), words)
    return found and re.sub(r"pid\(?s?\)? \d+", "pid …", found[0])


def plain(progress: dict[str, Any]) -> dict[str, Any]:
    """How far a run has come, without the time it took."""
    return {name: value for name, value in progress.items() if name != "seconds"}


def same(a: Any, b: Any) -> bool:
    """Whether two nested values are equal to the bit."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))  # NaN is NaN


def state(folder: Path, whole: Path) -> dict[str, Any]:
    """What a kill left to go on from, against what the undisturbed run stored after that step.

    The undisturbed run keeps one checkpoint a step, at the end of an epoch the one after the
    evaluation. From before it only the weights and the momenta can be compared.
    """
    content = newest(folder)
    if content is None:
        return {"goes_on_at": 0, "equal": True}
    step = content["progress"]["step"]
    other = read(whole / f"last-{step}.pt")
    equal = same(content["model"], other["model"])
    a, b = content["training"], other["training"]
    equal &= same(a["optimizer"]["state"], b["optimizer"]["state"])
    if content["progress"]["epoch"] == other["progress"]["epoch"]:
        equal &= same(a, b) and same(plain(content["progress"]), plain(other["progress"]))
    return {"goes_on_at": step, "equal": equal}


def differences(folder: Path, whole: Path) -> list[str]:
    """What of a finished run differs from the undisturbed one, and what it left lying about."""
    found = []
    for name in ("last.pt", "best.pt"):
        a, b = read(folder / name), read(whole / name)
        found += [f"{name}: {part}" for part in ("model", "training", "classes")
                  if not same(a.get(part), b.get(part))]  # fmt: skip
        found += [f"{name}: progress"] * (not same(plain(a["progress"]), plain(b["progress"])))
    tables = [pd.read_parquet(f / "predictions.parquet").to_dict("list") for f in (folder, whole)]
    found += ["predictions.parquet"] * (not same(*tables))
    journals = [
        [{k: v for k, v in line.items() if k != "clips_per_second"} for line in read_journal(path)]
        for path in (folder / "metrics.jsonl", whole / "metrics.jsonl")
    ]
    found += ["metrics.jsonl"] * (not same(*journals))
    records = [read_record(f / "record.json") for f in (folder, whole)]
    for name in ("results", "best", "steps", "data"):
        found += [f"record.json: {name}"] * (not same(*(r.get(name) for r in records)))
    found += ["record.json: wall_seconds"] * (records[0]["wall_seconds"] is None)
    found += [f"left behind: {path.name}" for path in folder.glob(".*")]
    return found


def undisturbed(work: Path, epochs: int) -> tuple[Path, dict[str, float]]:
    """The run that nothing stops: its folder, and how long each phase of it lasts, in seconds.

    It stores after every step and keeps it all, which changes nothing of what is computed.
    """
    attempt = Attempt(work, "whole", epochs, {"save_every": 1, "keep_last": 1000})
    times: dict[str, list[float]] = {phase: [] for phase in PHASES}
    phase, since = "start-up", attempt.started
    try:
        while attempt.process.poll() is None:
            now, _ = attempt.watch.look()
            if now != phase:
                times.get(phase, []).append(time.monotonic() - since)
                phase, since = now, time.monotonic()
            time.sleep(0.002 if phase != "start-up" else 0.05)
        attempt.vanish(GONE)
    finally:
        attempt.end()
    assert attempt.process.returncode == 0, attempt.words()
    return attempt.folder, {phase: float(np.mean(t or [0.0])) for phase, t in times.items()}


def strike(victim: psutil.Process | None, plan: Plan) -> bool:
    """Send the signal; False where the victim has ended by itself."""
    try:
        if victim is not None:
            victim.send_signal(signal.Signals[plan.signal])
    except psutil.NoSuchProcess:
        return False
    return victim is not None


def disturbed(
    work: Path, name: str, epochs: int, todo: list[Plan], whole: Path, lengths: dict[str, float]
) -> tuple[dict[str, Any], list[Plan]]:
    """A run that is killed as planned, started again each time, and in the end left to end.

    Returns:
        What happened, and the plans that came to nothing because the run had finished before
        (``too_late`` names the first): to be dealt to another run, sooner.

    Raises:
        AssertionError: a process outlived its run, or the run could not be brought to its end.
    """
    kills: list[dict[str, Any]] = []
    too_late: str | None = None
    for plan in todo:
        attempt = Attempt(work, name, epochs)
        try:
            victim = attempt.moment(plan, lengths)
            phase, step = attempt.watch.look()
            at = time.monotonic() - attempt.started
            if phase == "finished" or not strike(victim, plan):
                too_late = f"{plan.signal} to {plan.victim} in {plan.phase}: not sent"
                attempt.vanish(LASTS)
                assert attempt.process.returncode == 0, attempt.words()  # nobody touched it
                break
            gone = attempt.vanish(GONE)
        finally:
            attempt.end()
        if attempt.process.returncode == 0:  # it ended well all the same
            too_late = f"{plan.signal} to {plan.victim} in {plan.phase}: sent, not noticed"
            break
        after = state(attempt.folder, whole)
        kills.append(
            {
                **{"run": name, "seconds": round(at, 2), "phase": phase, "step": step},
                **{"victim": plan.victim, "signal": plan.signal},
                **{"exit_status": attempt.process.returncode, "said": cause(plan, attempt.words())},
                **{"seconds_until_none_was_left": round(gone, 1), **after},
            }
        )
        print(*(f"{key} {value}," for key, value in kills[-1].items()), flush=True)
    last = Attempt(work, name, epochs)
    try:
        last.vanish(LASTS)
    finally:
        last.end()
    assert last.process.returncode == 0, last.words()
    found = differences(last.folder, whole)
    print(f"{name}: {len(kills)} kills; {'; '.join(found) or 'equal to the bit'}", flush=True)
    missed = [replace(plan, share=plan.share / 2) for plan in todo[len(kills) :]]
    run = {"name": name, "kills": kills, "too_late": too_late, "differences": found}
    return run, missed


def code_hash() -> str:
    """SHA-256 over the library and the notebook: a commit says little of a tree that differs."""
    paths = [*(REPOSITORY / "stabn").rglob("*.py"), REPOSITORY / NOTEBOOK, Path(__file__)]
    digest = hashlib.sha256()
    for path in sorted(paths):
        name = path.resolve().relative_to(REPOSITORY).as_posix()
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def soak(kills: int, seed: int, work: Path, epochs: int) -> dict[str, Any]:
    """All of it; the record.

    Args:
        kills: how many.
        seed: decides moments and victims.
        work: an empty folder for data and runs.
        epochs: how long each run is.
    """
    started, since, code = datetime.now(UTC), time.monotonic(), code_hash()
    size = mini.Size(64, mini.SIZES["mini"].templates[:3], train=8, validation=3, tuning=2)
    mini.generate(work / "set", size, seed=0, jobs=1)
    whole, lengths = undisturbed(work, epochs)
    runs: list[dict[str, Any]] = []
    queue = plans(kills, seed, epochs)
    while queue:
        name = f"run-{len(runs)}"
        run, rest = disturbed(work, name, epochs, queue.pop(0), whole, lengths)
        runs.append(run)
        queue += [rest] if rest else []
    struck = [kill for run in runs for kill in run.pop("kills")]
    equal = [k for k in struck if k["equal"] and not runs[int(k["run"][4:])]["differences"]]
    return {
        **{"kills": len(struck), "equal": len(equal), "seed": seed, "epochs": epochs},
        **{
            "parameters": PARAMETERS,
            "phase_seconds": lengths,
            "struck": struck,
            "runs": runs,
            "code": code_version() | {"sha256": code, "changed_meanwhile": code_hash() != code},
        },
        **{"hardware": hardware(), "started": started.isoformat(timespec="seconds")},
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "wall_seconds": round(time.monotonic() - since, 1),
    }


def faults(record: dict[str, Any]) -> list[str]:
    """What is not as it must be: another state, no word of the cause, not one code throughout."""
    found = ["the code was changed meanwhile: run it again"] * record["code"]["changed_meanwhile"]
    found += [f"{run['name']}: {what}" for run in record["runs"] for what in run["differences"]]
    for number, kill in enumerate(record["struck"], 1):
        which = f"kill {number} ({kill['signal']} to {kill['victim']} in {kill['phase']})"
        found += [f"{which}: another state"] * (not kill["equal"])
        silenced = kill["victim"] == "papermill" and kill["exit_status"] < 0
        found += [f"{which}: no word of the cause"] * (kill["said"] is None and not silenced)
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        record = soak(arguments.kills, arguments.seed, Path(work), epochs=20)
    write_record(arguments.record, record)
    wrong = faults(record)
    print(f"{record['equal']} of {record['kills']} equal", *wrong, sep="\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
