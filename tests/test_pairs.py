"""Each notebook is two files, a script and the .ipynb made from it: they say the same."""

import json
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted(ROOT.glob("notebooks/*.py")) + sorted(ROOT.glob("notebooks/[a-z]*/*.py"))
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb")) + sorted(ROOT.glob("notebooks/[a-z]*/*.ipynb"))
NAMES = [path.relative_to(ROOT / "notebooks").as_posix() for path in SCRIPTS]


def cells(notebook: nbformat.NotebookNode) -> list[tuple[str, str, tuple[str, ...]]]:
    """What a pair must agree on: each cell's type, source and tags."""
    return [
        (cell.cell_type, cell.source, tuple(cell.metadata.get("tags", ())))
        for cell in notebook.cells
    ]


def read_script(script: Path) -> nbformat.NotebookNode:
    """A percent script, read by the folder's own jupytext settings."""
    settings = jupytext.config.load_jupytext_config(str(script))
    return jupytext.read(script, config=settings)


def test_scripts_and_notebooks_come_in_pairs():
    assert SCRIPTS
    assert [path.with_suffix(".ipynb") for path in SCRIPTS] == NOTEBOOKS


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_pair_says_the_same(script):
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    assert cells(notebook) == cells(read_script(script)), "run `make sync`"


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_notebook_is_clean(script):
    """No outputs, no counts, valid, an id for every cell, metadata that differs on no machine."""
    path = script.with_suffix(".ipynb")
    raw = json.loads(path.read_text())
    nbformat.validate(raw)
    assert raw["metadata"].keys() <= {"jupytext", "kernelspec"}
    assert raw["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in raw["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in raw["cells"]:
        assert cell["metadata"].keys() <= {"tags", "lines_to_next_cell"}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_sync_keeps_the_ids_of_cells_and_a_difference_is_noticed(tmp_path):
    """What `make sync` runs: changed source arrives, cells keep their ids."""
    source = ROOT / "notebooks"
    script = tmp_path / "chapter.py"
    (tmp_path / "jupytext.toml").write_text((source / "jupytext.toml").read_text())
    script.write_text('# %% [markdown]\n# # Title\n\n# %% tags=["hide-cell"]\nx = 1\n')
    convert = [sys.executable, "-m", "jupytext", "--to", "ipynb", str(script)]
    subprocess.run(convert, check=True, capture_output=True)
    before = nbformat.read(tmp_path / "chapter.ipynb", as_version=4)

    script.write_text(script.read_text().replace("x = 1", "x = 2"))
    assert cells(before) != cells(read_script(script))
    subprocess.run([*convert, "--update"], check=True, capture_output=True)
    after = nbformat.read(tmp_path / "chapter.ipynb", as_version=4)
    assert cells(after) == cells(read_script(script))
    assert [cell.id for cell in after.cells] == [cell.id for cell in before.cells]
