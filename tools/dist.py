"""The built book in one zip, for people who only read: unpack, open index.html."""

import shutil
import sys
import tempfile
from pathlib import Path

from tools.built import HTML
from tools.steps import ROOT

NAME = "attention-you-can-see"


def main() -> int:
    """``make dist``."""
    if not (HTML / "index.html").exists():
        print("there is no built book: run `make book` first", file=sys.stderr)
        return 1
    target = ROOT / "dist" / f"{NAME}.zip"
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        ignore = shutil.ignore_patterns(".buildinfo", "objects.inv")
        shutil.copytree(HTML, Path(folder) / NAME, ignore=ignore)
        shutil.copyfile(ROOT / "LICENSE", Path(folder) / NAME / "LICENSE.txt")
        made = shutil.make_archive(str(Path(folder) / "book"), "zip", folder, NAME)
        Path(made).replace(target)
    print(f"{target} ({target.stat().st_size / 2**20:.0f} MB): unpack it, open {NAME}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
