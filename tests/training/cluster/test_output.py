"""What is shown of a launched command, and what is kept."""

import re
import sys
from types import ModuleType

import pytest

from stabn.training.cluster.output import KEPT, PASSING_KEPT, Window, shown


def steps(numbers: range, prefix: str = "") -> list[str]:
    return [f"{prefix}epoch 1  step {i}/9000  loss 2.0  1 hours left\n" for i in numbers]


def window(lines: list[str]) -> list[str]:
    made = Window("runs/x/train.log")
    for line in lines:
        made.add(line)
    return str(made).splitlines(keepends=True)


def test_few_lines_are_all_shown():
    lines = ["taking up runs/x after 3 steps\n", *steps(range(PASSING_KEPT)), "done in 5 s\n"]
    assert window(lines) == lines


def test_of_a_long_training_the_last_steps_are_shown_and_all_that_matters():
    warning, scored = "changed from here on: lr\n", "epoch 1, validation: 9 videos, top-1 0.5\n"
    passing = [
        *("[0] epoch 1  step 1/9000  loss 3\n", "placebo  epoch 1  step 1/9000  loss 3\n"),
        *("videos scored: 37 of 100, about 2.1 minutes left\n",),
    ]
    lines = [warning, *passing, *steps(range(8000)), scored, *steps(range(8000, 9000))]
    last = steps(range(9000 - PASSING_KEPT, 9000))
    assert window(lines) == [
        warning,
        "… 8003 more, in runs/x/train.log …\n",
        scored,
        f"… {1000 - PASSING_KEPT} more, in runs/x/train.log …\n",
        *last,
    ]


def test_what_matters_has_an_end_too():
    lines = [f"not decoded: {i}\n" for i in range(1000)]
    assert window(lines) == [f"… {1000 - KEPT} more, in runs/x/train.log …\n", *lines[-KEPT:]]


def test_the_log_has_every_line_of_every_start(tmp_path, capsys):
    log = tmp_path / "train.log"
    for start in (1, 2):
        with shown(log, f"start {start}") as show:
            show("step 1\n", True)
            show("torchrun's stack\n", False)
    assert capsys.readouterr().out == "step 1\n" * 2
    said = re.sub(r"(?m)^===== \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S*: ", "== ", log.read_text())
    assert said == "".join(f"== start {i}\nstep 1\ntorchrun's stack\n" for i in (1, 2))


def test_a_log_that_cannot_be_written_is_told_and_stops_nothing(tmp_path, capsys):
    with shown(tmp_path / "no" / "train.log", "x") as show:
        show("step 1\n", True)
    told, line = capsys.readouterr().out.splitlines()
    assert told == f"no more is kept in {tmp_path}/no/train.log: No such file or directory"
    assert line == "step 1"


class Notebook:
    """A kernel's standard output and display: what the cell shows, and what papermill prints."""

    def __init__(self) -> None:
        self.outputs: list[str] = []
        self.printed: list[str] = []
        self.clearing = False

    def _put(self, text: str) -> None:
        if self.clearing:
            self.outputs, self.clearing = [], False
        self.outputs.append(text)

    def write(self, text: str) -> None:
        if text:  # print's empty end
            self.printed.append(text)
            self._put(text)

    def flush(self) -> None:
        pass

    def display(self, data, raw) -> None:
        self._put(data["text/plain"])

    def clear_output(self, wait) -> None:
        self.clearing = True


def in_a_notebook(monkeypatch) -> Notebook:
    """From here on the test is a cell; called by the test itself, as pytest resets the output."""
    made = type("OutStream", (Notebook,), {"__module__": "ipykernel.iostream"})()
    display = ModuleType("IPython.display")
    display.display, display.clear_output = made.display, made.clear_output
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(sys, "stdout", made)
    return made


def test_a_notebook_has_one_output_and_passes_each_line_on_once(monkeypatch):
    notebook = in_a_notebook(monkeypatch)
    lines = steps(range(500))
    with shown(None, "x") as show:
        for line in lines:
            show(line, True)
            assert len(notebook.outputs) <= 2
            assert "".join(notebook.outputs).endswith(line)
    assert notebook.outputs == ["".join(window(lines)).replace(", in runs/x/train.log", "")]
    assert "".join(notebook.printed) == "".join(lines)


def test_a_failure_leaves_what_was_shown(monkeypatch):
    notebook = in_a_notebook(monkeypatch)

    def interrupted() -> None:
        with shown(None, "x") as show:
            show("step 1\n", True)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert notebook.outputs == ["step 1\n"]
