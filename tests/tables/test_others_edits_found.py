"""What chapter 17 says of a bi-LSTM's edits is what the committed records hold."""

import json

import pytest

from stabn.training.checkpoint import REPOSITORY

FOLDER = REPOSITORY / "book/results/others_edits"
LISTS = ("swapped", "aligned", "absent")


def results(place: str) -> dict:
    path = FOLDER / f"others_bilstm_{place}_finetune_seed5.json"
    return json.loads(path.read_text(encoding="utf-8"))["results"]


def test_there_is_one_seed():
    assert len(list(FOLDER.glob("*_finetune_seed*.json"))) == 2


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_placebo_gained_as_much_as_knowledge_and_the_sign_decided_little(place):
    found = results(place)
    top1 = {name: 100 * figures["top1"] for name, figures in found.items()}
    for name in LISTS:
        assert abs(top1[f"knowledge-validation_{name}"] - top1[f"placebo-validation_{name}"]) <= 1
    assert abs(top1["before-validation_aligned"] - top1["before-validation_swapped"]) < 8


def test_edits_moved_the_attention_to_no_order_before_and_to_the_truths_side_after():
    for place, low, high in (("before", -0.3, 0.0), ("after", 0.5, 1.0)):
        moved = {
            arm: results(place)[f"{arm}-validation_swapped"]["rank_correlation"]["value"]
            for arm in ("before", "control", "knowledge")
        }
        assert max(moved["before"], moved["control"]) < -0.3
        assert low < moved["knowledge"] < high
