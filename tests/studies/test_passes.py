"""Passes by hand beside the truth and each other, against hand-worked numbers."""

from datetime import UTC, datetime

import numpy as np
import pytest

from stabn.knowledge.edits.edit import Edit
from studies import passes
from studies.passes import like, measure

MODEL = "a" * 64


def edit(name: str, levels, annotator: str, seconds: float = 10.0) -> Edit:
    said = "edited" if levels else "cannot_tell"
    attention = (0.3,) * (len(levels) or 4)
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return Edit(name, said, tuple(levels), annotator, MODEL, attention, when, seconds)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "truth").mkdir()
    for name, levels in {"a": [1, 1, 0, 0], "b": [0, 1, 1, 1]}.items():
        np.savez(
            tmp_path / f"truth/{name}.npz",
            levels=np.array(levels, np.float32),
            moving=np.array(levels, np.uint8),
            shape=np.array([]),
        )
    return tmp_path


def test_two_are_alike_video_by_video():
    """a: 3 of 4 levels, all actions but one; b: half of them. IoU 1/2 and 1/3."""
    first = {"a": np.array([1, 0, 0.5, 0]), "b": np.array([1, 1, 0, 0]), "c": np.ones(9)}
    other = {"a": np.array([1, 1, 0.5, 0]), "b": np.array([0, 1, 1, 0])}
    assert like(first, other) == {
        "videos": 2,
        "equal": pytest.approx((3 / 4 + 2 / 4) / 2),
        "action": pytest.approx((3 / 4 + 2 / 4) / 2),
        "iou": pytest.approx((1 / 2 + 1 / 3) / 2),
    }


def test_each_pass_stands_beside_the_truth_and_the_other(root):
    one = [edit("a", [1, 1, 0, 0], "x", 20), edit("b", [0, 1, 1, 0.5], "x", 30)]
    two = [edit("a", [1, 1, 0, 0], "y", 5), edit("b", [], "y", 7)]
    found = measure({"pass1": one, "pass2": two}, root)
    first, second = found["passes"].values()
    assert first["seconds"] == [20, 30]
    assert first["left"] == 0
    assert first["truth"]["equal"] == pytest.approx((1 + 3 / 4) / 2)
    assert first["truth"]["iou"] == pytest.approx((1 + 2 / 3) / 2)
    assert second["left"] == 1
    assert second["truth"]["videos"] == 1
    assert found["between"]["pass2"]["equal"] == 1
    assert found["between"]["pass2"]["alpha"] == 1  # a alone was edited by both, alike


def test_an_edit_of_a_video_of_another_set_is_refused(root):
    with pytest.raises(FileNotFoundError, match="elsewhere"):
        measure({"pass1": [edit("elsewhere", [1, 0, 0, 0], "x")]}, root)


def test_the_command_says_what_is_missing(root, monkeypatch):
    monkeypatch.setattr("sys.argv", ["passes", str(root), "out.json", str(root / "none.json")])
    with pytest.raises(SystemExit, match=r"none\.json"):
        passes.main()
    assert not (root / "out.json").exists()
