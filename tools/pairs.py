"""Write the .ipynb beside each percent script; the script is the source, cell ids are kept."""

import sys
from pathlib import Path

from jupytext.cli import jupytext

from tools.steps import ROOT


def scripts() -> list[Path]:
    """The percent scripts that are notebooks, chapters first."""
    return sorted(ROOT.glob("notebooks/*.py")) + sorted(ROOT.glob("notebooks/[a-z]*/*.py"))


def main() -> int:
    """``make sync``."""
    for script in scripts():
        update = ["--update"] if script.with_suffix(".ipynb").exists() else []
        if code := jupytext([*update, "--to", "ipynb", str(script)]):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
