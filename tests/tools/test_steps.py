"""A step runs commands, measures them, and is recorded only if it went well."""

import json
import subprocess
import sys

import pytest

from tools import steps
from tools.steps import ROOT, Step, StepFailed, duration, last_lines


@pytest.fixture
def records(tmp_path, monkeypatch):
    """Where this test's step records go."""
    monkeypatch.setattr(steps, "STEPS", tmp_path / "steps")
    return tmp_path / "steps"


@pytest.mark.slow(10)
def test_time_and_memory_of_the_whole_tree_are_recorded(records):
    """A child that holds 64 MiB in a grandchild: the tree's peak has at least that."""
    grandchild = "x = b'1' * 2**26; import time; time.sleep(3)"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    sampled = []
    step = Step("group/held", sampled=sampled.append)
    step.run([sys.executable, "-c", child])
    step.record()
    record = json.loads((records / "group" / "held.json").read_text())
    assert record["step"] == "group/held"
    assert record["seconds"] >= 3
    assert record["peak_mib"] >= 64
    assert max(sampled) == step.peak


def test_a_failure_says_which_command_and_how_its_log_ends(tmp_path):
    step = Step("broken", log=tmp_path / "logs" / "broken.log")
    program = (
        "import sys; print(*range(100), sep='\\n'); print('why', file=sys.stderr); sys.exit(3)"
    )
    with pytest.raises(StepFailed) as failure:
        step.run([sys.executable, "-c", program])
    lines = str(failure.value).splitlines()
    assert lines[0].startswith("broken failed after")
    assert lines[0].endswith("exit status 3")
    assert lines[-22:-1] == [
        "  the end of its log:",
        *(f"    {i}" for i in range(81, 100)),
        "    why",
    ]
    assert lines[-1] == f"  the whole log: {step.log}"


def test_a_command_that_was_killed_says_by_what(tmp_path):
    with pytest.raises(StepFailed, match="ended by signal 9"):
        Step("killed", log=tmp_path / "log").run(["sh", "-c", "kill -9 $$"])


def test_a_step_of_several_commands_has_one_log_and_begins_it_anew(tmp_path):
    for _ in range(2):
        step = Step("two", log=tmp_path / "log", variables={"A": "1"})
        step.run(["sh", "-c", "echo $A"])
        step.run(["sh", "-c", "echo $A$B"], B="2")
    assert [line for line in step.log.read_text().splitlines() if line[0] != "$"] == ["1", "12"]


@pytest.mark.slow(10)
def test_a_long_step_says_how_far_it_is_only_when_there_is_news(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(steps, "TOLD_EVERY", 0.3)
    monkeypatch.setattr(steps, "SAMPLE_EVERY", 0.05)
    Step("long", log=tmp_path / "log").run(["sh", "-c", "echo one; sleep 3; echo two; sleep 3"])
    told = [line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines()]
    assert told == ["one", "two"]


def test_of_a_progress_bar_only_its_last_state_is_shown(tmp_path):
    (tmp_path / "log").write_text("a\n\n\x1b[31mred\x1b[0m\n 10%\r 50%\r\n")
    assert last_lines(tmp_path / "log", 2) == "red\n 50%"


def test_the_commands_own_last_line_stays_the_last(tmp_path):
    """So that the checks on a fresh clone end with pytest's closing line."""
    program = (
        "from tools import steps; from pathlib import Path; "
        f"steps.STEPS = Path({str(tmp_path)!r}); import sys; "
        "steps.main(['tests', '--', sys.executable, '-c', 'print(\"12 passed\")'])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "12 passed"


def test_a_command_that_fails_by_itself_leaves_no_record(records):
    assert steps.main(["x", "--", sys.executable, "-c", "raise SystemExit(3)"]) == 1
    assert not records.exists()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (48.2, "48 s"), (59.7, "60 s"), (185.2, "3 min 05 s")],
)
def test_duration(seconds, words):
    assert duration(seconds) == words
