"""Write the .ipynb beside each percent script; the script is the source, cell ids are kept."""

import subprocess
import sys
from pathlib import Path

from tools.steps import ROOT


def scripts() -> list[Path]:
    """The percent scripts that are notebooks, chapters first."""
    return sorted(ROOT.glob("notebooks/*.py")) + sorted(ROOT.glob("notebooks/[a-z]*/*.py"))


def main() -> int:
    """``make sync``."""
    for script in scripts():
        update = ["--update"] if script.with_suffix(".ipynb").exists() else []
        command = [sys.executable, "-m", "jupytext", *update, "--to", "ipynb", str(script)]
        if subprocess.run(command, cwd=ROOT).returncode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
