"""papermill's command line, and what an executed notebook shows."""

from dataclasses import dataclass
from pathlib import Path

import nbformat
from click.testing import CliRunner
from papermill.cli import papermill as command

LAUNCH = Path(__file__).parents[1] / "notebooks" / "launch"


@dataclass(frozen=True)
class Executed:
    """How a command ended: its exit status, and what it said, its error included."""

    status: int
    said: str


def papermill(notebook: str, output: Path, *arguments: object) -> Executed:
    """``papermill NOTEBOOK OUTPUT …`` in this process, which has imported it already."""
    given = [LAUNCH / f"{notebook}.ipynb", output, "--no-progress-bar", *arguments]
    done = CliRunner().invoke(command, [str(argument) for argument in given])
    return Executed(done.exit_code, f"{done.output}{done.exception or ''}")


def outputs(path: Path) -> list[nbformat.NotebookNode]:
    """The outputs of all cells, in order."""
    return [o for cell in nbformat.read(path, 4).cells for o in cell.get("outputs", [])]


def text(path: Path) -> str:
    """What was printed, or displayed as text alone."""
    shown = [o.get("data", {"text/plain": o.get("text", "")}) for o in outputs(path)]
    return "".join(data["text/plain"] for data in shown if [*data] == ["text/plain"])
