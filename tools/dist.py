"""The built book in one zip, for people who only read: unpack, open index.html."""

import re
import shutil
import sys
import tempfile
from pathlib import Path

from tools.built import HTML
from tools.steps import ROOT

NAME = "attention-you-can-see"
# what a page in a file may not fetch, so that a browser complains: fonts in advance, and, for the
# lines around what a search has found, the pages
FONTS_IN_ADVANCE = re.compile(r'<link rel="preload" as="font"[^>]*>\n?')
SUMMARIES = "SHOW_SEARCH_SUMMARY: true", "SHOW_SEARCH_SUMMARY: false"


def archive(target: Path) -> None:
    """Zip the built book, with its licence, in the folder `NAME`."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        book = Path(folder) / NAME
        ignore = shutil.ignore_patterns(".buildinfo", "objects.inv")
        shutil.copytree(HTML, book, ignore=ignore)
        for page in book.rglob("*.html"):
            text = page.read_text(encoding="utf-8")
            page.write_text(FONTS_IN_ADVANCE.sub("", text), encoding="utf-8")
        options = book / "_static" / "documentation_options.js"
        options.write_text(options.read_text().replace(*SUMMARIES))
        shutil.copyfile(ROOT / "LICENSE", book / "LICENSE.txt")
        made = shutil.make_archive(str(Path(folder) / "book"), "zip", folder, NAME)
        Path(made).replace(target)


def main() -> int:
    """``make dist``."""
    if not (HTML / "index.html").exists():
        print("there is no built book: run `make book` first", file=sys.stderr)
        return 1
    target = ROOT / "dist" / f"{NAME}.zip"
    target.parent.mkdir(exist_ok=True)
    archive(target)
    print(f"{target} ({target.stat().st_size / 2**20:.0f} MB): unpack it, open {NAME}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
