"""The findings at a glance say what the committed records hold, read here without the library."""

import json
from pathlib import Path

import pytest
from scipy import stats

from stabn.tables import glance
from stabn.tables.comparison import Paired
from tests.records import rows

ROOT = Path(__file__).resolve().parents[2]
SEEDS, FRESH = range(5), range(5, 10)  # settings were chosen with seed 0
FINDINGS = (
    glance.attends,
    glance.edits_reach_attention,
    glance.answers_follow,
    glance.sign_relied_on,
    glance.fault_mended,
    glance.fault_left,
    glance.inverted,
)


def results(name: str, seeds: range = SEEDS) -> list[dict]:
    """What the records of all seeds hold, in order."""
    found = [ROOT / f"book/results/{name}_seed{seed}.json" for seed in seeds]
    return [json.loads(path.read_text())["results"] for path in found]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def test_attention_beside_the_control():
    ours, control = (
        mean([100 * one["validation"]["top1"] for one in results(f"table1/mini_{arm}")])
        for arm in ("st_abn", "control")
    )
    found = glance.attends()
    assert f" {ours:.1f}%" in found
    assert f" {control:.1f}%" in found
    assert f"{ours - control:+.1f} ± ".replace("-", "−") in found


def test_edits_and_the_attention():
    done = results("table2/mini_finetune")
    taught, control = (
        [one[f"{arm}-validation"]["rank_correlation"]["value"] for one in done]
        for arm in ("knowledge", "control")
    )
    found = glance.edits_reach_attention()
    assert f"truth is {mean(taught):.2f} after" in found
    assert f"and {mean(control):.2f} after" in found
    assert stats.ttest_rel(taught, control).pvalue < 0.05 / 3  # Holm's step for the smallest of 3
    assert ", significant" in found


def test_the_known_fault_and_how_far_it_is_mended():
    done = results("fault/mini_biased_paper_closing_finetune", FRESH)
    lists = {
        name: {
            arm: mean([100 * one[f"{arm}-validation_{name}"]["top1"] for one in done])
            for arm in ("knowledge", "control")
        }
        for name in ("swapped", "aligned", "absent")
    }
    clean = {
        name: mean(
            [
                100 * one[f"validation_{name}"]["top1"]
                for one in results("fault/mini_biased_clean", FRESH)
            ]
        )
        for name in lists
    }
    relied = {arm: lists["aligned"][arm] - lists["swapped"][arm] for arm in lists["swapped"]}
    found = glance.sign_relied_on()
    assert f"decides {relied['control']:.0f} points" in found
    assert f"and {relied['knowledge']:.0f} with them" in found
    decided = f"{clean['aligned'] - clean['swapped']:.0f}".replace("-", "−")
    assert f" it is {decided}, for a reason that we do not know" in found
    found = glance.fault_mended()
    for name, values in lists.items():
        gained = f"{values['knowledge'] - values['control']:+.1f} ± ".replace("-", "−")
        assert gained in found, name
    assert f"reaches {clean['swapped']:.1f}%" in found


def test_a_minus_is_written_and_no_effect_is_called_none():
    assert glance._shown(("a", "b", Paired(-0.5, 1.0, 5, 1.0, 0.5), 0.5))[0] == "−0.5"
    found = glance._told(("a", "b", Paired(-0.52, 1.0, 5, 1.0, 0.5), 0.5), "points")
    assert found == "−0.5 ± 1.0 points, **not** told apart from luck (5 seeds, p = 0.500)"


def test_the_papers_claims_beside_ours_by_hand():
    shown = rows(glance.claims())[1:]
    assert [row[1] for row in shown] == ["+7.2", "+2.1", "+9.1"]  # 58.6 − 51.4, 60.7 − 58.6, …
    assert "+0.3 to +0.5" in shown[0][0]
    ours, baseline = (
        mean([100 * one["validation"]["top1"] for one in results(f"table1/mini_{arm}")])
        for arm in ("st_abn", "baseline")
    )
    assert shown[0][2] == f"{ours - baseline:+.1f}".replace("-", "−")
    done = results("table2/mini_finetune")
    after, before = (
        mean([100 * one[f"{arm}-validation"]["top1"] for one in done])
        for arm in ("knowledge", "before")
    )
    assert shown[1][2] == f"{after - before:+.1f}".replace("-", "−")
    assert all(row[3].startswith("no (5 seeds, p = ") for row in shown)


def test_a_claim_is_seen_only_above_luck_and_in_its_own_direction():
    def shown(difference: float, p: float) -> str:
        return glance._shown(("a", "b", Paired(difference, 1.0, 5, 1.0, p), p))[1]

    assert shown(1.0, 0.01).startswith("yes")
    assert shown(-1.0, 0.01).startswith("the opposite")
    assert shown(1.0, 0.06).startswith("no")


def test_what_the_sign_decides_is_a_mean_and_a_range():
    done = results("fault/mini_biased_paper_closing_finetune", FRESH)
    relied = [
        100 * one["control-validation_aligned"]["top1"]
        - 100 * one["control-validation_swapped"]["top1"]  # rounded as it is shown
        for one in done
    ]
    words = f"control {mean(relied):.0f} ({min(relied):.0f} to {max(relied):.0f})"
    assert words in glance.reliances_in_words()


@pytest.mark.parametrize("of", FINDINGS)
def test_without_records_nothing_is_said(of, tmp_path):
    assert of(tmp_path) == glance.MISSING
