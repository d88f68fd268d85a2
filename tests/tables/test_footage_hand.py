"""Tables of edits by hand hold what the records hold."""

import pytest

from stabn.tables import footage_hand
from stabn.tables.footage_mended import LISTS
from stabn.tables.html import DASH
from tests.records import rows, write


def learned(of: str, seed: int) -> dict:
    """Before 10, control 20, knowledge 30, 32 or 40 on the swapped list, +5 a list; ± the seed."""
    of_arm = {
        "before": 0.1,
        "control": 0.2,
        "knowledge": {"pass1": 0.3, "pass2": 0.32}.get(of, 0.4),
    }
    arms = ["before", *footage_hand.LEVELS[of][1]]
    results = {
        f"{arm}-validation_{form}_0": {
            "top1": of_arm[arm] + 0.05 * k + 0.01 * seed,
            "videos": 40,
        }
        for arm in arms
        for k, form in enumerate(("swapped", "absent", "aligned"))
    }
    config = {"report_split": "validation_swapped_0"}
    finetuning = {"gamma": 100.0}
    return {
        **{"name": f"{of}_seed{seed}", "seed": seed, "wall_seconds": 9.0, "results": results},
        **{"config": config, "finetuning": finetuning},
    }


@pytest.fixture
def root(tmp_path):
    for of in footage_hand.LEVELS:
        for seed in (0, 2):
            write(tmp_path, f"book/results/real_hand/{of}_seed{seed}.json", learned(of, seed))
    agrees = {"videos": 60, "equal": 0.8, "action": 0.9, "iou": 0.75}
    one = {"seconds": [10.0, 20.0, 60.0], "left": 0, "truth": agrees}
    between = {"pass2": agrees | {"equal": 0.7, "alpha": 0.66}}
    record = {"passes": {"pass1": one, "pass2": one}, "between": between}
    write(tmp_path, footage_hand.AGREEMENT, record)
    return tmp_path


def test_hands_and_the_truth_teach_arm_by_arm(root):
    shown = {row[0]: row[1:] for row in rows(footage_hand.hands_table(root))[1:]}
    assert list(shown) == [
        *("network before fine-tuning", "control", "knowledge: pass 1"),
        *("knowledge: pass 2", "knowledge: the truth"),
    ]
    assert list(LISTS) == ["aligned", "swapped", "absent"]
    firsts = [cell.split("0 2")[0] for cell in shown["knowledge: pass 1"]]
    assert firsts == ["41.0 ± 1.4", "31.0 ± 1.4", "36.0 ± 1.4", "10.0 ± 0.0"]
    said = footage_hand.gain_in_words(root)
    assert "pass 1 +10.0 ± 0.0 (n = 2); pass 2 +12.0" in said
    assert "the truth +20.0" in said


def test_passes_stand_with_their_minutes(root):
    shown = {row[0]: row[1:] for row in rows(footage_hand.passes_table(root))[1:]}
    assert shown["pass 1 and the truth"] == ["60", "80.0", "90.0", "0.75", DASH, "20", "2"]
    assert shown["pass 1 and pass 2"] == ["60", "70.0", "90.0", "0.75", "0.66", DASH, DASH]


def test_without_records_the_tables_name_the_command(tmp_path):
    for said in (
        footage_hand.hands_table(tmp_path),
        footage_hand.passes_table(tmp_path),
        footage_hand.gain_in_words(tmp_path),
    ):
        assert "make study" in said
