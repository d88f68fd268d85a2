"""One step of the build: a command, announced, timed, its memory watched, its cost kept.

The status page is made from these files, so no run time in the book is typed by hand.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
STEPS = ROOT / "_build" / "steps"
SAMPLE_EVERY = 0.25  # seconds


class StepFailed(Exception):
    """A step's command ended with an error; the message names the step and the command."""


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


def run(step: str, command: list[str], *, quiet: bool = False) -> None:
    """Run ``command`` at the repository's root and record ``_build/steps/<step>.json``.

    Args:
        step: name of the step; a slash puts its record in a folder (``chapter/03_resnet3d``).
        command: the program and its arguments.
        quiet: print nothing after the command's own last line.

    Raises:
        StepFailed: the command ended with a non-zero status. Nothing is recorded.
    """
    print(f"▶ {step}", flush=True)
    start = time.perf_counter()
    child = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    peak = _watch(child)
    status = child.wait()
    seconds = time.perf_counter() - start
    if status != 0:
        raise StepFailed(f"{step} failed after {duration(seconds)}: {' '.join(map(str, command))}")
    record = {
        "step": step,
        "seconds": round(seconds, 2),
        "peak_mib": round(peak() / 2**20),
        "finished": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    path = STEPS / f"{step}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record) + "\n")
    if not quiet:
        print(f"  {step}: {duration(seconds)}, peak {record['peak_mib']} MiB", flush=True)


def _watch(child: subprocess.Popen) -> Callable[[], int]:
    """Sample the child's memory in the background; the result gives the peak in bytes."""
    peak = 0

    def sample() -> None:
        nonlocal peak
        process = psutil.Process(child.pid)
        while child.poll() is None:
            try:
                peak = max(peak, memory_of_tree(process))
            except psutil.Error:
                return
            time.sleep(SAMPLE_EVERY)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()

    def result() -> int:
        thread.join(timeout=2 * SAMPLE_EVERY)
        return peak

    return result


def main(arguments: list[str]) -> int:
    """``python -m tools.steps NAME -- COMMAND …``; the command's own last line stays the last."""
    name, dashes, *command = arguments
    if dashes != "--" or not command:
        raise SystemExit("usage: python -m tools.steps NAME -- COMMAND [ARGUMENT …]")
    try:
        run(name, command, quiet=True)
    except StepFailed:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
