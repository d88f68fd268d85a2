"""A build of tiny steps: `python -m tests.tools.small_build FOLDER TARGET`."""

import sys
from pathlib import Path
from types import ModuleType

from tools import build, costs, steps
from tools.graph import PY, call, run

FOLDER = Path(sys.argv[1])
SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]
TREE = f"import subprocess, time; subprocess.Popen({SLEEP}); time.sleep(300)"


def task_first():
    """What the others stand on."""
    return {"targets": [FOLDER / "first"], "uptodate": [True], "actions": [shell("touch first")]}


def task_pair():
    """Two steps that can only end if they run side by side."""
    for mine, other in (("one", "two"), ("two", "one")):
        wait = f"touch {mine}; until [ -e {other} ]; do sleep 0.05; done"
        yield {
            "name": mine,
            "file_dep": [FOLDER / "first"],
            "targets": [FOLDER / mine],
            "actions": [shell(wait)],
        }


def task_threads():
    """It says how many it was given."""
    return {"targets": [FOLDER / "threads"], "actions": [shell("echo $OMP_NUM_THREADS > threads")]}


def task_tree():
    """A process with a child, which would outlive it by far."""
    return {"actions": [run(PY, "-c", TREE)]}


def task_after():
    """The same, when the pair has been made."""
    return {"file_dep": [FOLDER / "one", FOLDER / "two"], "actions": [run(PY, "-c", TREE)]}


def task_bad():
    """It fails once the tree stands."""
    bars = r"printf '10%%\r100%%\n'; echo the cause; exit 3"
    return {"actions": [shell(f"sleep 1.5; {bars}")]}


def task_error():
    """A function that raises."""
    return {"actions": [call(Path.read_text, FOLDER / "none")]}


def task_failing():
    """A failure beside a step that goes on."""
    return {"actions": None, "task_dep": ["tree", "bad"]}


def shell(line: str):
    """The action of a line of shell, in the folder."""
    return run("sh", "-c", f"cd {FOLDER}; {line}")


if __name__ == "__main__":
    build.BUILD, build.LOGS = FOLDER, FOLDER / "logs"
    build.THIS_BUILD, steps.STEPS, costs.STEPS = FOLDER / "build.json", *[FOLDER / "steps"] * 2
    sys.modules["dodo"] = ModuleType("dodo")
    vars(sys.modules["dodo"]).update(
        {name: task for name, task in globals().items() if name.startswith("task_")}
    )
    sys.exit(build.main(sys.argv[2:]))
