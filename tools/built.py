"""The built book, for whoever reads it: its pages in order, and where they lie."""

from pathlib import Path

import yaml

from tools.steps import BUILD, ROOT

SITE = BUILD / "site"
EXECUTED = BUILD / "executed"  # the chapters
# of `make book QUICK=1`: its pages, and those of its chapters that differ
QUICK = BUILD / "quick" / "site"
EXECUTED_QUICK = BUILD / "quick" / "executed"
# what figures that answer are made of
LIVE, LIVE_QUICK = BUILD / "live", BUILD / "quick" / "live"
HTML = SITE / "_build" / "html"


def _files(entries: list[dict]) -> list[str]:
    found = []
    for entry in entries:
        found += [entry["file"], *_files(entry.get("sections", []))]
    return found


def pages_in_order() -> list[str]:
    """Every page that `book/_toc.yml` names, without suffix, in reading order."""
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    return [toc["root"], *(page for part in toc["parts"] for page in _files(part["chapters"]))]


def built() -> Path:
    """Folder of the built pages."""
    assert (HTML / "index.html").exists(), "there is no built book: run `make book` first"
    return HTML
