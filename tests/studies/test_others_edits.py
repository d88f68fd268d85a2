"""The study of edits for a bi-LSTM: its edits are made where they are needed, and nowhere else."""

from pathlib import Path

import pytest

from studies.graph import studied_others_edits
from studies.runs import as_tasks
from tests.records import write


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tasks() -> dict[str, dict]:
    return {task["name"]: task for task in as_tasks(studied_others_edits("5"))}


def waits_for(name: str) -> set[str]:
    """All tasks of the study that one waits for."""
    of, waiting, found = tasks(), [name], set()
    while waiting:
        needed = {need.removeprefix("study:") for need in of[waiting.pop()]["task_dep"]} & set(of)
        waiting += needed - found
        found |= needed
    return found


def test_with_no_record_a_fine_tuning_waits_for_its_network_and_for_edits_of_another(elsewhere):
    for place in ("before", "after"):
        assert waits_for(f"others_bilstm_{place}_finetune_seed5") == {
            f"others_bilstm_{place}_seed5",
            "others_gated_seed5",
            "others_gated_seed5_edits",
        }


def test_edits_are_made_until_both_fine_tunings_have_a_record(elsewhere):
    for place in ("before", "after"):
        assert tasks()["others_gated_seed5_edits"]["uptodate"] == [False]
        write(elsewhere, f"book/results/others_edits/others_bilstm_{place}_finetune_seed5.json", {})
    assert tasks()["others_gated_seed5_edits"]["uptodate"] == [True]
    assert waits_for("others_bilstm_after_finetune_seed5") == set()
