"""Opposite answers are counted, by hand and in what a fine-tuning leaves."""

import shutil

import numpy as np
import pandas as pd
import pytest

from stabn.training.checkpoint import CheckpointError
from stabn.training.records import read_record, write_record
from studies import turned as module
from studies.turned import measure_run, turned

SWIPES = [f"Swiping a finger {way}" for way in ("to the left", "to the right", "up", "down")]


def test_by_hand():
    """Left taken for right, up for down; left for up is wrong and not the opposite."""
    answers, labels = np.array([1, 3, 2, 0]), np.array([0, 2, 0, 0])
    assert turned(answers, labels, SWIPES) == 0.5


def test_other_classes_have_no_opposite():
    with pytest.raises(CheckpointError, match="other classes than four swipes"):
        turned(np.array([0]), np.array([0]), ["Clapping", "Waving"])


@pytest.fixture
def tuned(tmp_path, monkeypatch):
    """A folder with predictions of one arm, and of the network before."""
    monkeypatch.setattr(module, "read", lambda path: {"classes": tuple(SWIPES)})
    logits = {"knowledge": [[0, 1, 0, 0], [0, 0, 0, 1]], "before": [[1, 0, 0, 0], [0, 0, 1, 0]]}
    for arm, values in logits.items():
        told = pd.DataFrame({"video_id": ["a", "b"], "label": [0, 2], "logits": values})
        told.to_parquet(tmp_path / f"predictions-{arm}-validation_swapped_0.parquet")
    write_record(tmp_path / "record.json", {"wall_seconds": 1.0, "results": {}})
    return tmp_path


def test_each_arms_share_is_kept_in_the_record(tuned):
    found = {"before-validation_swapped_0": 0.0, "knowledge-validation_swapped_0": 1.0}
    assert measure_run(tuned) == found
    assert read_record(tuned / "record.json")["turned"] == found


def test_a_run_that_left_no_predictions_is_refused(tuned):
    shutil.copy(tuned / "record.json", tuned / "kept.json")
    for path in tuned.glob("*.parquet"):
        path.unlink()
    with pytest.raises(CheckpointError, match="holds no predictions; run its notebook again"):
        measure_run(tuned)
    assert read_record(tuned / "record.json") == read_record(tuned / "kept.json")
