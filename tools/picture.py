"""The README's picture: the first figure of the executed chapter on reading attention."""

import base64
import sys

import nbformat

from tools.built import EXECUTED
from tools.steps import ROOT

CHAPTER = "12_reading_attention"
TITLE = "## One clip"  # the section whose figure is taken


def main() -> int:
    """``make picture``."""
    path = EXECUTED / f"{CHAPTER}.ipynb"
    if not path.exists():
        print(f"{path}: not executed yet, run `make book` first", file=sys.stderr)
        return 1
    cells = nbformat.read(path, as_version=4).cells
    begin = next(i for i, cell in enumerate(cells) if TITLE in cell.source)
    figures = [
        output.data["image/png"]
        for cell in cells[begin:]
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    target = ROOT / "book" / "assets" / "attention.png"
    target.write_bytes(base64.b64decode(figures[0]))
    print(f"{target}: {target.stat().st_size / 1024:.0f} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
