"""What a step is expected to take: what is on record, else what its kind takes."""

import json

import pytest

from tools import costs


@pytest.fixture
def records(tmp_path, monkeypatch):
    """A folder of records, empty at first."""
    monkeypatch.setattr(costs, "STEPS", tmp_path)
    return tmp_path


def test_a_step_that_never_ran_takes_what_its_kind_does(records):
    seconds, mib, threads = costs.KINDS["train"]
    found = costs.expected("train/mini_st_abn")
    assert (found.seconds, found.memory, found.threads) == (seconds, mib * 2**20, threads)
    assert costs.expected("chapter/12_reading_attention").seconds > (
        costs.expected("chapter/01_video_as_data").seconds
    )


def test_a_step_on_record_takes_what_it_took(records):
    (records / "train").mkdir()
    record = {"step": "train/x", "seconds": 12.5, "peak_mib": 3000, "finished": ""}
    (records / "train/x.json").write_text(json.dumps(record))
    found = costs.expected("train/x")
    assert (found.seconds, found.memory) == (12.5, 3000 * 2**20)
    assert found.threads == costs.KINDS["train"][2]
