"""A step runs a command, measures it, and records it only if it went well."""

import json
import subprocess
import sys

import pytest

from tools import steps
from tools.steps import ROOT, StepFailed, duration, run


@pytest.fixture
def records(tmp_path, monkeypatch):
    """Where this test's step records go."""
    monkeypatch.setattr(steps, "STEPS", tmp_path)
    return tmp_path


def test_time_and_memory_of_the_whole_tree_are_recorded(records):
    """A child that holds 64 MiB in a grandchild: the tree's peak has at least that."""
    grandchild = "x = b'1' * 2**26; import time; time.sleep(1.5)"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    run("group/held", [sys.executable, "-c", child])
    record = json.loads((records / "group" / "held.json").read_text())
    assert record["step"] == "group/held"
    assert record["seconds"] >= 1.5
    assert record["peak_mib"] >= 64


def test_a_failure_says_which_step_and_leaves_no_record(records):
    with pytest.raises(StepFailed, match="broken failed after"):
        run("broken", [sys.executable, "-c", "raise SystemExit(3)"])
    assert not list(records.iterdir())


def test_an_earlier_record_survives_a_later_failure(records):
    run("again", [sys.executable, "-c", ""])
    before = (records / "again.json").read_text()
    with pytest.raises(StepFailed):
        run("again", [sys.executable, "-c", "raise SystemExit(1)"])
    assert (records / "again.json").read_text() == before


def test_the_commands_own_last_line_stays_the_last(tmp_path):
    """So that the checks on a fresh clone end with pytest's closing line."""
    program = (
        "from tools import steps; from pathlib import Path; "
        f"steps.STEPS = Path({str(tmp_path)!r}); import sys; "
        "steps.main(['tests', '--', sys.executable, '-c', 'print(\"12 passed\")'])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "12 passed"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (48.2, "48 s"), (59.7, "60 s"), (185.2, "3 min 05 s")],
)
def test_duration(seconds, words):
    assert duration(seconds) == words
