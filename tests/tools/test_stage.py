"""What Sphinx gets to read: executed chapters with their cost, figures with words."""

import json
import re
from collections import Counter

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import stage


@pytest.fixture
def executed(tmp_path, monkeypatch):
    """An executed chapter of three figures, with a record of what it took, by both ways."""
    monkeypatch.setattr(stage, "STEPS", tmp_path)
    for way, seconds in (("chapter", 42.3), ("quick_chapter", 7.0)):
        (tmp_path / way).mkdir()
        record = {"step": f"{way}/00_x", "seconds": seconds, "peak_mib": 512, "finished": ""}
        (tmp_path / way / "00_x.json").write_text(json.dumps(record))
    picture = new_output("display_data", {"image/png": "AA=="})
    printed = new_output("stream", name="stdout", text="The curve\nrises.\n")
    html = "<table><tr><th></th><th>loss</th></tr><tr><th>0</th><td>-1.5</td></tr></table>"
    frame = new_output("display_data", {"text/html": html})
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# 0. Title\n\nThe question?"),
            new_code_cell("#| fig-alt: A rising curve\nplot()", outputs=[printed, picture]),
            new_code_cell("plot()", outputs=[printed, picture]),
            new_markdown_cell("Text.\n\n## A section"),
            new_code_cell("from a import plot\n\nplot()", outputs=[picture, frame]),
        ]
    )
    path = tmp_path / "00_x.ipynb"
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def chapter(executed):
    """It, staged."""
    return nbformat.reads(stage._chapter(executed, executed.parent).decode(), as_version=4)


def test_the_cost_stands_under_the_title(chapter):
    lines = chapter.cells[0].source.splitlines()
    assert lines[0] == "# 0. Title"
    assert "ran in 42 s, at most 0.5 GiB" in lines[2]
    assert lines[-1] == "The question?"


def test_a_figure_is_described_by_its_line_else_by_what_is_printed(chapter):
    alts = [c.metadata["mystnb"]["image"]["alt"] for c in chapter.cells if c.cell_type == "code"]
    assert alts == ["A rising curve", "The curve rises.", ""]


def test_the_describing_line_is_not_shown(chapter):
    assert chapter.cells[1].source == "plot()"


def test_imports_are_folded_under_their_own_name(chapter):
    *others, imports = [
        cell.metadata["mystnb"] for cell in chapter.cells if "mystnb" in cell.metadata
    ]
    assert imports["code_prompt_show"] == "Show the imports"
    assert not [other for other in others if "code_prompt_show" in other]


def test_the_corner_of_a_data_frame_is_no_heading(chapter):
    html = chapter.cells[-1].outputs[-1].data["text/html"]
    assert html.startswith("<table><tr><td></td><th>loss</th></tr><tr><th>0</th>")
    assert html.endswith("<td>−1.5</td></tr></table>")  # a minus sign that is one


def test_a_chapter_of_a_quick_look_says_so_under_its_title(executed, monkeypatch):
    monkeypatch.setattr(stage, "EXECUTED_QUICK", executed.parent)
    notebook = nbformat.reads(stage._chapter(executed, executed.parent).decode(), as_version=4)
    lines = notebook.cells[0].source.splitlines()
    assert lines[0] == "# 0. Title"
    assert "nothing was trained" in lines[2]
    assert "ran in 7.0 s" in notebook.cells[0].source


def test_a_quick_look_shows_no_record_of_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "ROOT", tmp_path)
    for name in ("book/results/table1/a.json", "runs/mini_x/record.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("{}")
    assert "runs/mini_x/record.json" in stage._records(runs=True)
    assert set(stage._records(runs=False)) == {
        "book/results/table1/a.json",
        "extra/book/results/table1/a.json",
    }


def test_a_figure_that_answers_holds_its_recorded_answer(executed, tmp_path):
    notebook = nbformat.read(executed, as_version=4)
    notebook.cells[3].source = 'Text.\n\n<div class="live" data-live="when"></div>'
    nbformat.write(notebook, executed)
    (tmp_path / "when.html").write_text("<p>97%</p>")
    staged = nbformat.reads(stage._chapter(executed, tmp_path).decode(), as_version=4)
    expected = '<div class="live" data-live="when"><p>97%</p></div>'
    assert staged.cells[3].source.endswith(expected)


def test_what_answers_lies_beside_the_pages_as_scripts(tmp_path):
    live, runtime = tmp_path / "live", tmp_path / "runtime.js"
    live.mkdir()
    for name in ("when.html", "when.network.js", "when-0.jpg"):
        (live / name).write_text(name)
    runtime.write_text("live.runtime = {};")
    files = stage._live(live, runtime)
    names = ("live.css", "live.js", "runtime.js", "when-0.jpg", "when.network.js")
    assert sorted(files) == [f"book/assets/live/{name}" for name in names]
    whole = files["book/assets/live/live.js"].decode()
    places = [
        whole.index(f"function {name}(")
        for name in ("load", "make", "framesRow", "clipOf", "liveFigure")
    ]
    assert places == sorted(places)  # each script stands on those before it


def test_the_scripts_of_a_live_figure_share_one_scope_and_no_name():
    """A function's name given twice would win without a word."""
    names = []
    for script in stage.SCRIPTS:
        text = (stage.ROOT / "book" / "live" / f"{script}.js").read_text()
        names += re.findall(r"^(?:async )?(?:function|const|let) (\w+)", text, re.MULTILINE)
    assert len(names) > len(stage.SCRIPTS)
    assert [name for name, count in Counter(names).items() if count > 1] == []
