"""Tables of mended faults in real footage hold what the records hold, seed by seed."""

import numpy as np
import pytest

from stabn.tables import footage
from stabn.tables import footage_mended as mended
from stabn.tables.fault import WAYS
from stabn.tables.finetunings import ARMS, SHORT
from stabn.tables.html import DASH, NOTHING
from tests.records import rows, write
from tests.tables.test_footage import CLIPS, SEEDS, pooled, value


def tuned(fold: int, seed: int) -> dict:
    results = {
        f"{arm}-validation_{form}_{fold}": {
            "top1": value(fold, seed, 0.1 * a + 0.01 * k),
            "videos": CLIPS[fold],
            "rank_correlation": {"value": 0.5},
        }
        for a, arm in enumerate(ARMS)
        for k, form in enumerate(mended.LISTS)
    }
    config = {"report_split": f"validation_swapped_{fold}"}
    return {"config": config, "results": results, "turned": dict.fromkeys(results, 0.25)}


@pytest.fixture
def root(tmp_path):
    """One way to mend one fault."""
    for fold in range(5):
        for seed in SEEDS:
            path = f"{footage.FOLDER}/real_pause_closing_finetune_fold{fold}_seed{seed}.json"
            write(tmp_path, path, tuned(fold, seed))
    return tmp_path


def test_what_was_mended_has_a_row_an_arm(root):
    found = {row[0]: row[1:] for row in rows(mended.mended_table("pause", root))[1:]}
    for a, (arm, short) in enumerate(SHORT.items()):
        *row, relied = found[f"{WAYS['closing']}: {short.removeprefix('network ')}"]
        assert row == [pooled(1, 100, 0.1 * a + 0.01 * k) for k in range(3)], arm
        assert relied == "−1.0 ± 0.0"  # aligned is 0.01 below swapped in all of them
    assert found[f"{WAYS['paper']}: knowledge"] == [DASH] * 4


def test_what_became_of_the_answers_stands_beside_the_attention(root):
    found = {row[0]: row[1:] for row in rows(mended.turned_table("pause", root))[1:]}
    way, a = WAYS["closing"], list(ARMS).index("knowledge")
    right, opposite, rank = found[f"{way}: knowledge"]
    assert right == pooled(1, 100, 0.1 * a + 0.01 * list(mended.LISTS).index("swapped"))
    assert (opposite, rank) == ("25.0 ± 0.0", "0.50 ± 0.00")
    assert found[f"{WAYS['paper']}: control"] == [DASH] * 3


def test_what_edits_did_is_told_in_a_sentence(root, tmp_path_factory):
    said = mended.mended_in_words("pause", root)
    assert f"{WAYS['closing']}: " in said
    assert "% without edits, " in said
    assert said.endswith("(3 seeds).")
    assert WAYS["paper_closing"] not in said
    assert mended.mended_in_words("pause", tmp_path_factory.mktemp("none")) == NOTHING


def test_what_chapter_21_says_of_the_shortcut_is_in_the_committed_records():
    """Networks fall for it; edits, own or others', mend gated ones and harm the paper's."""
    runs = footage.read_footage()

    def of(way: str, made: footage.Of) -> float:
        return np.mean(footage.by_seed(runs["shortcut", f"{way}_finetune"], made))

    worst = {}
    for way in WAYS:
        right = {
            form: {arm: of(way, mended.on_list(arm, form)) for arm in ARMS} for form in mended.LISTS
        }
        gained = {form: arms["knowledge"] - arms["control"] for form, arms in right.items()}
        relied = {arm: of(way, mended.reliance(arm)) for arm in ARMS}
        worst[way] = {arm: min(arms[arm] for arms in right.values()) for arm in ARMS}
        assert relied["before"] > (10 if way.startswith("paper") else 40)
        assert abs(right["swapped"]["knowledge"] - right["swapped"]["placebo"]) < 5
        assert of(way, mended.rank("knowledge", "swapped")) > 0.5
        if way == "closing":
            assert gained["swapped"] > 20
            assert gained["absent"] > 0
            assert gained["aligned"] < -10
            assert relied["knowledge"] < 5
        elif way == "gated":
            assert 5 < gained["swapped"] < 12
        elif way == "paper":
            assert max(gained.values()) < -20
            assert right["absent"]["before"] < right["swapped"]["before"]
        else:
            assert right["swapped"]["control"] < right["swapped"]["before"] - 20
            assert max(gained.values()) < 5
    assert worst["closing"]["knowledge"] < worst["paper"]["before"]


def test_what_chapter_21_says_of_edits_is_in_the_committed_records():
    """No fault to mend; with edits, own or others', great harm; M_t turned, answers opposite."""
    runs = footage.read_footage()

    def of(way: str, made: footage.Of) -> float:
        return np.mean(footage.by_seed(runs["pause", f"{way}_finetune"], made))

    for way in WAYS:
        right = {arm: [of(way, mended.on_list(arm, form)) for form in mended.LISTS] for arm in ARMS}
        assert np.ptp(right["before"]) < 4
        for arm in ("knowledge", "placebo"):
            assert (np.array(right["control"]) - right[arm] > 28).all()
        assert np.abs(np.subtract(right["knowledge"], right["placebo"])).max() < 4
        wrong = 100 - of(way, mended.on_list("knowledge", "swapped"))
        opposite = {arm: of(way, mended.turned(arm, "swapped")) for arm in ARMS}
        assert opposite["control"] < 5 < 20 < opposite["knowledge"]
        if way.startswith("paper"):
            assert opposite["knowledge"] > wrong / 2
