"""What the tasks of the build are made of: keys, commands, folders, sets, runs."""

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from doit.exceptions import BaseFail, TaskError, TaskFailed
from doit.tools import PythonInteractiveAction, config_changed

from tools import closure, steps

PY = sys.executable
# a launch notebook's pictures and tables are no reason to train again
SHOWING = ("stabn.figures", "stabn.tables")
LAUNCH = Path("notebooks/launch")
KEYS = Path("_build/keys")  # digests of folders: equal data keep what stands on them
STREAMED = ["--stdout-file", "-"]  # a launch notebook's lines appear as they are printed


class Call(PythonInteractiveAction):
    """A function as doit's action. Its output is not caught: other steps print at the same time."""

    def execute(self, out=None, err=None) -> BaseFail | None:
        """Call it; a command that fails says by itself what is to be told."""
        try:
            self.py_callable(*self.args, **self.kwargs)
        except steps.StepFailed as failure:
            return TaskFailed(str(failure))
        except Exception as error:
            return TaskError(f"{type(error).__name__} in {self.py_callable.__name__}", error)
        return None


def call(function: Callable, *arguments: Any) -> Call:
    """The action that calls a function."""
    return Call(function, arguments)


def run(*command: str | Path, **variables: str) -> Call:
    """The action that runs a command, with ``variables`` in its environment."""
    return Call(steps.run, [command], variables)


def keyed(
    names: Iterable[str], *, files: Iterable = (), without: tuple[str, ...] = (), **parameters: Any
) -> dict[str, Any]:
    """doit's fields for a task that stands on modules ``names``, on files and on parameters."""
    sources, versions = closure.key(set(names), without)
    return {
        "file_dep": [*map(str, files), *sources],
        "uptodate": [config_changed({"versions": versions, "parameters": str(parameters)})],
    }


def papermill(notebook: Path, output: Path, *options: str | Path) -> list[str | Path]:
    """The command that executes a notebook."""
    quiet = ["--no-progress-bar", "--log-level", "WARNING"]
    return [PY, "-m", "papermill", notebook, output, "-k", "python3", *quiet, *options]


def launched(notebook: str) -> set[str]:
    """The modules that a launch notebook stands on."""
    return closure.references(LAUNCH / f"{notebook}.py")


def given_to(run: str) -> dict[str, Any]:
    """The parameters that a launch notebook is given for a run."""
    return yaml.safe_load((LAUNCH / f"{run}.yaml").read_text())


def remove(folder: Path) -> None:
    """Remove a folder that a task is about to make."""
    shutil.rmtree(folder, ignore_errors=True)


def make(folder: Path) -> None:
    """Make a folder for a task's output."""
    folder.mkdir(parents=True, exist_ok=True)


def write_digest(folder: Path, key: Path) -> None:
    """Write down what a folder holds."""
    make(key.parent)
    key.write_text(closure.digest(folder) + "\n")


def key_of(folder: Path) -> Path:
    """Where it is written down what a folder holds, or what a run stands on."""
    return KEYS / f"{folder.name}.sha256"


def made(root: Path, variant: str, seed: int = 0) -> dict[str, Any]:
    """Fields of the task that makes a variant of mini-SSv2."""
    options = ["--variant", variant, "--size", "mini", "--seed", str(seed)]
    command = [PY, "-m", "stabn", "mini", "--out", root, *options]
    return keyed({"stabn.data.mini.make"}, options=options) | {
        "targets": [root / "labels.json", key_of(root)],
        "actions": [call(remove, root), run(*command), call(write_digest, root, key_of(root))],
    }


def prepared(root: Path, out: Path) -> dict[str, Any]:
    """Fields of the task that decodes a set once, small."""
    short_side = str(given_to("mini_baseline")["short_side"])
    options = ["--root", root, "--out", out, "--short-side", short_side]
    command = [PY, "-m", "stabn", "prepare", *options]
    return keyed({"stabn.data.prepared"}, files=[key_of(root)], options=options) | {
        "targets": [key_of(out)],
        "actions": [call(remove, out), run(*command), call(write_digest, out, key_of(out))],
    }


def resumable(folder: Path, fields: Mapping[str, Any], command: list) -> list[Call]:
    """The actions of a run that goes on where it stopped, unless what it stands on has changed."""
    return [call(continue_or_restart, folder, fields), run(*command)]


def continue_or_restart(folder: Path, fields: Mapping[str, Any]) -> None:
    """Leave in ``folder`` what an interrupted run has stored, if it stood on the same."""
    now = closure.fingerprint(fields["file_dep"], fields["uptodate"][0].config)
    key = key_of(folder)
    if not key.exists() or key.read_text() != now:
        remove(folder)
        make(key.parent)
        key.write_text(now)
    make(folder)
