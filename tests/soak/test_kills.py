"""One kill; and the script that deals them sees what it is to see."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from stabn.training.checkpoint import read
from stabn.training.files import replacing
from tests.soak.attempt import PARAMETERS, TOKEN, cause, descendants
from tests.soak.compare import differences, same, state
from tests.soak.kills import GONE, faults, soak
from tests.soak.plan import ENDS, PHASES, STEPS, Plan, plans

pytestmark = pytest.mark.slow(40)

SEED = 18  # papermill, by SIGKILL, while the run stores; `make soak` deals with all the others
EPOCHS = 5


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("soak")


@pytest.fixture(scope="module")
def record(work) -> dict:
    """One process: that two of them go on as if nothing had been is test_preemption's."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(PARAMETERS, "nproc_per_node", 1)
        return soak(1, SEED, work, EPOCHS)


def test_papermill_is_killed_and_it_is_as_if_nothing_had_been(record):
    ((plan,),) = plans(1, SEED, EPOCHS)
    (kill,) = record["struck"]
    assert (plan.victim, plan.signal) == ("papermill", "SIGKILL")
    assert (kill["victim"], kill["signal"]) == (plan.victim, plan.signal)
    assert faults(record) == []
    assert record["equal"] == record["kills"] == 1
    assert kill["seconds_until_none_was_left"] < GONE


@pytest.fixture
def finished(record, work, tmp_path) -> tuple[Path, Path]:
    """A copy of the run that was killed, which a test may spoil, and the undisturbed one."""
    shutil.copytree(work / "runs" / "run-0", tmp_path / "run")
    return tmp_path / "run", work / "runs" / "whole"


def change(path: Path, part: str, name: str | None = None) -> None:
    """Move one number of a checkpoint by the least that can be."""
    content = read(path)
    if part == "progress":
        content[part]["best_epoch"] += 1
    else:
        tensors = content[part] if part == "model" else content[part]["optimizer"]["state"][0]
        name = name or next(iter(tensors))
        flat = tensors[name].view(-1)
        flat[0] = torch.nextafter(flat[0], torch.tensor(torch.inf))
    with replacing(path) as file:
        torch.save(content, file)


@pytest.mark.parametrize("part", ["model", "training", "progress"])
def test_the_least_difference_in_a_checkpoint_is_seen(finished, part):
    folder, whole = finished
    assert differences(folder, whole) == []
    change(folder / "last.pt", part)
    assert differences(folder, whole) == [f"last.pt: {part}"]
    assert state(folder, whole) == {"goes_on_at": EPOCHS * STEPS, "equal": False}


def test_a_difference_in_a_table_or_a_line_is_seen_and_so_is_what_is_left_behind(finished):
    folder, whole = finished
    table = pd.read_parquet(folder / "predictions.parquet")
    table.loc[0, "label"] += 1
    table.to_parquet(folder / "predictions.parquet")
    journal = folder / "metrics.jsonl"
    journal.write_text(journal.read_text().replace('"step": 7', '"step": 8', 1))
    (folder / ".last.pt.1234.part").touch()
    assert differences(folder, whole) == [
        "predictions.parquet",
        "metrics.jsonl",
        "left behind: .last.pt.1234.part",
    ]


def test_where_nothing_was_stored_yet_there_is_nothing_to_compare(tmp_path):
    assert state(tmp_path, tmp_path / "whole") == {"goes_on_at": 0, "equal": True}


def test_a_record_of_code_that_changed_or_of_a_silent_end_is_at_fault():
    silent = {"signal": "SIGKILL", "victim": "kernel", "phase": "step", "said": None}
    record = {
        "runs": [{"name": "run-0", "differences": ["best.pt: model"]}],
        "struck": [silent | {"exit_status": 1, "equal": False}],
        "code": {"changed_meanwhile": True},
    }
    assert faults(record) == [
        "the code was changed meanwhile: run it again",
        "run-0: best.pt: model",
        "kill 1 (SIGKILL to kernel in step): another state",
        "kill 1 (SIGKILL to kernel in step): no word of the cause",
    ]


@pytest.mark.parametrize("seed", range(5))
def test_every_run_is_struck_in_every_phase_and_every_victim_in_its_turn(seed):
    runs = plans(20, seed, EPOCHS)
    assert [len(run) for run in runs] == [5] * 4
    for run in runs:
        assert sorted(plan.phase for plan in run) == sorted(PHASES)
        assert run[-1].phase == "report"
        assert [plan.after for plan in run] == sorted(plan.after for plan in run)
    ends = [(plan.victim, plan.signal) for run in runs for plan in run]
    assert set(ends[: len(ENDS)]) == set(ENDS)
    assert runs == plans(20, seed, EPOCHS) != plans(20, seed + 1, EPOCHS)
    assert [len(run) for run in plans(7, seed, EPOCHS)] == [5, 2]


def test_a_process_is_found_when_the_one_that_started_it_has_gone():
    code = "import subprocess as s; print(s.Popen(['sleep', '60'], stdout=s.DEVNULL).pid)"
    environment = {**os.environ, TOKEN: "orphan"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
    (orphan,) = descendants("orphan")
    orphan.kill()
    assert orphan.pid == int(done.stdout)
    assert descendants("another") == []


@pytest.mark.parametrize(
    ("victim", "how", "words", "told"),
    [
        ("rank 1", "SIGKILL", "process 1 was killed by SIGKILL (for", "process 1 was killed"),
        ("rank 1", "SIGKILL", "process 0 was killed by SIGKILL (for", None),
        ("rank 0", "SIGTERM", "x was pre-empted (SIGTERM): everything", "was pre-empted (SIGTERM)"),
        (
            "torchrun",
            "SIGKILL",
            "failed: process 0 was lost\nexit status -9; the last lines:",
            None,
        ),
        ("loader", "SIGKILL", "workers: a process that reads videos was lost (end", "was lost"),
        ("kernel", "SIGTERM", "DeadKernelError: Kernel died", "Kernel died"),
        ("kernel", "SIGTERM", "x was pre-empted (SIGTERM): everything", "was pre-empted (SIGTERM)"),
    ],
)
def test_the_cause_is_what_the_notebook_says(victim, how, words, told):
    found = cause(Plan("step", 0, 0.0, victim, how), words)
    assert (found is None) == (told is None)
    assert told is None or told in found


def test_equal_means_to_the_bit():
    zero, tensors = torch.zeros(2), {"a": [torch.zeros(2), 1.0]}
    assert same(tensors, {"a": [zero, 1.0]})
    assert same(float("nan"), float("nan"))
    for other in ([zero, 1], [zero.double(), 1.0], [zero + 1e-45, 1.0], [zero]):
        assert not same(tensors, {"a": other})
