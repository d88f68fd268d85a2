"""Kill training at random moments; it must end as if nothing had been.

``python -m tests.soak.kills --kills 20 --seed 0 --record book/results/soak/kills_0.json``

A small run on two processes is started as a researcher starts it, through papermill: once left in
peace, then killed and started again, killed and started again, and left to end. A run bears a kill
in each of the five ``PHASES``, in random order; after so many another run begins, so that every
five kills are followed by a comparison of all that a run leaves behind. What each single kill
leaves is compared too, with what the undisturbed run had stored after the same step: should the
two ever part, it is known which kill did it.
"""

import argparse
import hashlib
import platform
import signal
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from stabn.data.mini import make as mini
from stabn.training.checkpoint import REPOSITORY
from stabn.training.records import PACKAGES, code_version, hardware, write_record
from tests.soak.attempt import LASTS, NOTEBOOK, PARAMETERS, Attempt, cause
from tests.soak.compare import differences, state
from tests.soak.plan import PHASES, Plan, plans

GONE = 120  # seconds within which a killed run must have vanished; 35 where torchrun has to insist


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
    paths = [*(REPOSITORY / "stabn").rglob("*.py"), *(REPOSITORY / "tests/soak").glob("*.py")]
    paths += [REPOSITORY / NOTEBOOK]
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
