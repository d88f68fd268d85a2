"""Gather what Sphinx reads under `_build/site`: pages, executed chapters, launch notebooks, assets.

A file is written only when its content changed, so that Sphinx reads again only what is new.
"""

import importlib.util
import json
import re
import shutil
from pathlib import Path

import nbformat

from tools import api, status
from tools.built import SITE
from tools.steps import ROOT, STEPS, duration

EXECUTED = ROOT / "_build" / "executed"
FIG_ALT = re.compile(r"^#\| fig-alt: *(.+)\n?", re.MULTILINE)


def stage() -> None:
    """Bring ``_build/site`` up to date; a page that went away takes the old output with it."""
    wanted = {
        **_pages(),
        **_notebooks(),
        **_records(),
        "_toc.yml": (ROOT / "book" / "_toc.yml").read_bytes(),
        "book/status.md": status.page().encode(),
        **{name: page.encode() for name, page in api.pages().items()},
        "book/assets/mathjax/tex-svg.js": _mathjax().read_bytes(),
    }
    output = SITE / "_build"
    for path in [path for path in SITE.rglob("*") if path.is_file()]:
        name = path.relative_to(SITE)
        if name.parts[0] != "_build" and name.as_posix() not in wanted:
            path.unlink()
            shutil.rmtree(output, ignore_errors=True)
    for name, content in wanted.items():
        path = SITE / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _pages() -> dict[str, bytes]:
    book = ROOT / "book"
    files = [p for p in sorted(book.rglob("*")) if p.is_file() and p.suffix != ".pt"]
    return {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in files}


def _records() -> dict[str, bytes]:
    """Records that pages link to, at the same relative address in the sources and in the site."""
    files = [path for path in ROOT.glob("book/results/**/*.*") if path.suffix in (".json", ".csv")]
    files += ROOT.glob("runs/mini_*/record.json")
    names = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in sorted(files)}
    return names | {f"extra/{name}": content for name, content in names.items()}


def _notebooks() -> dict[str, bytes]:
    pages = {}
    for path in sorted(EXECUTED.glob("*.ipynb")):
        if (ROOT / "notebooks" / path.name).exists():
            pages[f"notebooks/{path.name}"] = _chapter(path)
    for path in sorted(ROOT.glob("notebooks/[a-z]*/*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        # a notebook that was never run does not say how to colour its code
        notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
        pages[path.relative_to(ROOT).as_posix()] = nbformat.writes(notebook).encode()
    return pages


def _chapter(path: Path) -> bytes:
    """An executed chapter as the book shows it: what it cost under its title, figures described."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    title = notebook.cells[0]
    heading, _, rest = title.source.partition("\n")
    title.source = f"{heading}\n\n{measured(path.stem)}\n{rest}"
    section = heading.lstrip("# ")
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        if cell.cell_type == "markdown":
            for found in re.findall(r"^#+ +(.+)$", cell.source, re.MULTILINE):
                section = found
            continue
        cell.metadata["mystnb"] = {"image": {"alt": _described(cell, section)}}
        cell.source = FIG_ALT.sub("", cell.source)
    return nbformat.writes(notebook).encode()


def _described(cell: nbformat.NotebookNode, section: str) -> str:
    """What a figure shows, for those who cannot see it.

    The cell's ``#| fig-alt:`` line, else what the cell prints beside its figure, else where it is.
    """
    if found := FIG_ALT.search(cell.source):
        return found[1].strip()
    printed = " ".join(output.text for output in cell.outputs if output.get("name") == "stdout")
    return " ".join(printed.split())[:400] or f"Figure in the section “{section}”"


def measured(chapter: str) -> str:
    """One line of Markdown: what this chapter cost on the machine that built the book."""
    path = STEPS / "chapter" / f"{chapter}.json"
    record = json.loads(path.read_text())
    return (
        f'<p class="measured">ran in {duration(record["seconds"])}, '
        f"at most {record['peak_mib'] / 1024:.1f} GiB of memory, "
        'on <a href="../book/status.html">the machine that built this book</a></p>\n'
    )


def _mathjax() -> Path:
    """MathJax as one file, from a package: the book asks no other host for anything."""
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    return Path(package.submodule_search_locations[0]) / "static" / "mathjax" / "tex-svg.js"
