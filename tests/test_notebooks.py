"""Chapters, executed once, by `make book`: what came out of them, and how they are made."""

import re
from pathlib import Path

import nbformat
import papermill
import pytest

ROOT = Path(__file__).resolve().parent.parent
EXECUTED = ROOT / "_build" / "executed"
PAGES = sorted(path.stem for path in ROOT.glob("notebooks/*.py"))
CHAPTERS = [name for name in PAGES if re.match(r"\d\d_", name)]
LAUNCH = sorted(path.stem for path in ROOT.glob("notebooks/launch/*.py"))

needs_the_book = pytest.mark.slow(10)


def source(name: str) -> nbformat.NotebookNode:
    """A notebook as it is kept, without outputs."""
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def executed(name: str) -> nbformat.NotebookNode:
    """A notebook as the build ran it."""
    path = EXECUTED / f"{name}.ipynb"
    assert path.exists(), f"{path}: not executed yet, run `make book`"
    return nbformat.read(path, as_version=4)


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Its code cells that hold something."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def prose(notebook: nbformat.NotebookNode) -> str:
    """All its Markdown."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


@needs_the_book
@pytest.mark.parametrize("name", PAGES)
def test_the_executed_notebook_is_the_one_that_is_here(name):
    then = [(cell.cell_type, cell.source) for cell in executed(name).cells]
    now = [(cell.cell_type, cell.source) for cell in source(name).cells]
    assert then == now, "executed from another version: run `make book`"


@needs_the_book
@pytest.mark.parametrize("name", PAGES)
def test_every_cell_ran_in_order_without_error_or_warning(name):
    cells = code(executed(name))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    noise = [output.text for output in outputs if output.get("name") == "stderr"]
    assert not noise, "".join(noise)


@needs_the_book
@pytest.mark.parametrize("name", PAGES)
def test_pages_show_something_and_stay_small(name):
    outputs = [output for cell in code(executed(name)) for output in cell.outputs]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert kinds & {"image/png", "text/html"}
    assert "application/vnd.jupyter.widget-view+json" not in kinds  # a static page cannot answer
    assert len(nbformat.writes(executed(name))) < 6e6


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_has_its_parts(name):
    """Number and title, hardware, question, check against a known truth, findings, exercises."""
    notebook = source(name)
    first = notebook.cells[0].source
    assert re.match(rf"# {int(name[:2])}\. \S", first)
    assert re.search(r"^\*.*(laptop|GPU).*\*$", first, re.MULTILINE), "what hardware, how long"
    assert "?" in first.partition("\n")[2], "the question"
    assert any(re.search(r"\bassert\b", cell.source) for cell in code(notebook))
    assert "## What we learned" in prose(notebook)
    assert "## Exercises" in prose(notebook)
    solutions = [cell for cell in code(notebook) if "hide-cell" in cell.metadata.get("tags", [])]
    assert 2 <= len(solutions) <= 4


@pytest.mark.parametrize("name", CHAPTERS)
def test_solutions_stand_behind_the_exercises_and_nothing_else_is_hidden(name):
    cells = source(name).cells
    begin = next(i for i, cell in enumerate(cells) if "## Exercises" in cell.source)
    hidden = [i for i, cell in enumerate(cells) if "hide-cell" in cell.metadata.get("tags", [])]
    assert all(i > begin for i in hidden)


@pytest.mark.parametrize("name", PAGES)
def test_cells_are_short_and_prose_is_plain_markdown(name):
    """JupyterLab must show what the book shows: no directive, no role."""
    notebook = source(name)
    for cell in code(notebook):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= 25, cell.source
    assert not re.search(r"```\{|^:::|\{[a-z:]+\}`", prose(notebook), re.MULTILINE)
    assert "MEASURED" not in prose(notebook)


@pytest.mark.parametrize("name", PAGES)
def test_imports_are_folded_and_code_fits_its_column(name):
    """A page begins with its question, and book.css sets 100 characters into the column."""
    imports, *others = code(source(name))
    assert {"hide-input", "remove-input"} & set(imports.metadata.get("tags", []))
    for cell in (imports, *others):
        lines = [line for line in cell.source.splitlines() if not line.startswith("#| fig-alt:")]
        assert [line for line in lines if len(line) > 100] == []


@pytest.mark.parametrize("name", LAUNCH)
def test_launch_notebooks_document_their_parameters(name):
    notebook = source(f"launch/{name}")
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    parameters = papermill.inspect_notebook(ROOT / "notebooks" / "launch" / f"{name}.ipynb")
    assert parameters
    assert not [name for name, about in parameters.items() if not about["help"]]
