"""What Sphinx gets to read: executed chapters with their cost, figures with words."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import stage


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """An executed chapter of three figures, staged."""
    monkeypatch.setattr(stage, "STEPS", tmp_path)
    (tmp_path / "chapter").mkdir()
    record = {"step": "chapter/00_x", "seconds": 42.3, "peak_mib": 512, "finished": ""}
    (tmp_path / "chapter" / "00_x.json").write_text(json.dumps(record))
    picture = new_output("display_data", {"image/png": "AA=="})
    printed = new_output("stream", name="stdout", text="The curve\nrises.\n")
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# 0. Title\n\nThe question?"),
            new_code_cell("#| fig-alt: A rising curve\nplot()", outputs=[printed, picture]),
            new_code_cell("plot()", outputs=[printed, picture]),
            new_markdown_cell("Text.\n\n## A section"),
            new_code_cell("plot()", outputs=[picture]),
        ]
    )
    path = tmp_path / "00_x.ipynb"
    nbformat.write(notebook, path)
    return nbformat.reads(stage._chapter(path).decode(), as_version=4)


def test_the_cost_stands_under_the_title(chapter):
    lines = chapter.cells[0].source.splitlines()
    assert lines[0] == "# 0. Title"
    assert "ran in 42 s, at most 0.5 GiB" in lines[2]
    assert lines[-1] == "The question?"


def test_a_figure_is_described_by_its_line_else_by_what_is_printed_else_by_its_section(chapter):
    alts = [c.metadata["mystnb"]["image"]["alt"] for c in chapter.cells if c.cell_type == "code"]
    assert alts == ["A rising curve", "The curve rises.", "Figure in the section “A section”"]


def test_the_describing_line_is_not_shown(chapter):
    assert chapter.cells[1].source == "plot()"
