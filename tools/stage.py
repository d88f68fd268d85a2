"""Gather what Sphinx reads in one folder: pages, executed chapters, launch notebooks, assets.

A file is written only when its content changed, so that Sphinx reads again only what is new.
"""

import importlib.util
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import nbformat

from tools import api, status
from tools.built import EXECUTED_QUICK
from tools.steps import ROOT, STEPS, duration

QUICK_LINE = (
    '<p class="measured">A quick look (<code>make book QUICK=1</code>): nothing was trained for '
    "this page; its networks are those that come with the book.</p>"
)
FIG_ALT = re.compile(r"^#\| fig-alt: *(.+)\n?", re.MULTILINE)
# a cell of imports, tagged hide-input, as it stands folded
FOLDED = {"code_prompt_show": "Show the imports", "code_prompt_hide": "Hide the imports"}
CORNER = "<th></th>", "<td></td>"
MINUS = re.compile(r"(?<=<td>)-(?=\d)")  # as pandas writes it
ANSWERING = re.compile(r'(<div class="live" data-live="(\w+)">)(</div>)')  # a figure's place
# each stands on those before
SCRIPTS = (
    *("load", "parts", "frames", "heat", "play", "brush"),
    *("answers", "compared", "found", "engine", "pixels", "video", "camera", "yours", "figure"),
)


def stage(site: Path, chapters: Sequence[Path], live: Sequence[Path], *, quick: bool) -> None:
    """Bring the folder up to date; a page that went away takes the old output with it.

    Args:
        site: the folder.
        chapters: executed notebooks.
        live: what figures that answer are made of, and what runs them: a folder, a file.
        quick: without the records of this machine's runs, and every page that differs says so.
    """
    status_page = status.page()
    wanted = {
        **_pages(),
        **_notebooks(chapters, live[0]),
        **_live(*live),
        **_records(runs=not quick),
        "_toc.yml": (ROOT / "book" / "_toc.yml").read_bytes(),
        "book/status.md": (under_title(status_page, QUICK_LINE) if quick else status_page).encode(),
        **{name: page.encode() for name, page in api.pages().items()},
        "book/assets/mathjax/tex-svg.js": _mathjax().read_bytes(),
    }
    output = site / "_build"
    for path in [path for path in site.rglob("*") if path.is_file()]:
        name = path.relative_to(site)
        if name.parts[0] != "_build" and name.as_posix() not in wanted:
            path.unlink()
            shutil.rmtree(output, ignore_errors=True)
    for name, content in wanted.items():
        path = site / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _pages() -> dict[str, bytes]:
    book = ROOT / "book"
    files = [p for p in sorted(book.rglob("*")) if p.is_file() and p.suffix != ".pt"]
    files = [path for path in files if path.parent != book / "live"]
    return {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in files}


def _records(*, runs: bool) -> dict[str, bytes]:
    """Records that pages link to, at the same relative address in the sources and in the site."""
    files = [path for path in ROOT.glob("book/results/**/*.*") if path.suffix in (".json", ".csv")]
    files += ROOT.glob("runs/mini_*/record.json") if runs else []
    names = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in sorted(files)}
    return names | {f"extra/{name}": content for name, content in names.items()}


def _live(folder: Path, runtime: Path) -> dict[str, bytes]:
    """What lies beside the pages for figures that answer: data, pictures, one script, one style."""
    written = ROOT / "book" / "live"
    parts = [(written / f"{name}.js").read_text() for name in SCRIPTS]
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".html"}
    files |= {
        runtime.name: runtime.read_bytes(),
        "live.js": "\n".join(["(() => {", *parts, "})();\n"]).encode(),
        "live.css": (written / "live.css").read_bytes(),
    }
    return {f"book/assets/live/{name}": content for name, content in files.items()}


def _notebooks(chapters: Sequence[Path], live: Path) -> dict[str, bytes]:
    pages = {f"notebooks/{path.name}": _chapter(path, live) for path in chapters}
    for path in sorted(ROOT.glob("notebooks/[a-z]*/*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        # a notebook that was never run does not say how to colour its code
        notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
        pages[path.relative_to(ROOT).as_posix()] = nbformat.writes(notebook).encode()
    return pages


def _chapter(path: Path, live: Path) -> bytes:
    """An executed chapter as the book shows it: its cost under its title, figures described.

    A figure that answers stands there as its recorded answer, until its script takes over.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    title = notebook.cells[0]
    quick = path.parent == EXECUTED_QUICK
    step = f"{'quick_' if quick else ''}chapter/{path.stem}"
    title.source = under_title(title.source, measured(step))
    if quick:
        title.source = under_title(title.source, QUICK_LINE)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        if cell.cell_type == "markdown":
            cell.source = ANSWERING.sub(
                lambda found: found[1] + (live / f"{found[2]}.html").read_text() + found[3],
                cell.source,
            )
            continue
        cell.metadata["mystnb"] = {"image": {"alt": _described(cell)}}
        if cell.source.startswith(("import ", "from ")):
            cell.metadata["mystnb"] |= FOLDED
        for output in cell.outputs:
            if "text/html" in output.get("data", {}):  # the corner of a data frame heads nothing
                framed = output.data["text/html"].replace(*CORNER)
                output.data["text/html"] = MINUS.sub("−", framed)
        cell.source = FIG_ALT.sub("", cell.source)
    return nbformat.writes(notebook).encode()


def _described(cell: nbformat.NotebookNode) -> str:
    """What a figure shows, for those who cannot see it.

    The cell's ``#| fig-alt:`` line, else what the cell prints beside its figure.
    """
    if found := FIG_ALT.search(cell.source):
        return found[1].strip()
    printed = " ".join(output.text for output in cell.outputs if output.get("name") == "stdout")
    return " ".join(printed.split())[:400]


def under_title(text: str, line: str) -> str:
    """``text`` with a paragraph more, right under its title."""
    heading, _, rest = text.partition("\n")
    return f"{heading}\n\n{line}\n{rest}"


def measured(step: str) -> str:
    """One line of Markdown: what this chapter cost on the machine that built the book."""
    record = json.loads((STEPS / f"{step}.json").read_text())
    return (
        f'<p class="measured">ran in {duration(record["seconds"])}, '
        f"at most {record['peak_mib'] / 1024:.1f} GiB of memory, "
        'on <a href="../book/status.html">the machine that built this book</a></p>\n'
    )


def _mathjax() -> Path:
    """MathJax as one file, from a package: the book asks no other host for anything."""
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    return Path(package.submodule_search_locations[0]) / "static" / "mathjax" / "tex-svg.js"
