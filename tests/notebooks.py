"""What an executed notebook shows."""

from pathlib import Path

import nbformat


def outputs(path: Path) -> list[nbformat.NotebookNode]:
    """The outputs of all cells, in order."""
    return [o for cell in nbformat.read(path, 4).cells for o in cell.get("outputs", [])]


def text(path: Path) -> str:
    """What was printed, or displayed as text alone."""
    shown = [o.get("data", {"text/plain": o.get("text", "")}) for o in outputs(path)]
    return "".join(data["text/plain"] for data in shown if [*data] == ["text/plain"])
