"""Tables 2 and 3 hold what the records of fine-tunings hold, and say no more than tests allow."""

import re
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from scipy import stats

from stabn.tables import table2, table3
from stabn.tables.comparison import holm
from stabn.tables.finetunings import (
    ARMS,
    NAMES,
    PAIRS,
    Finetuning,
    by_seed,
    parts,
    settings_in_words,
)
from stabn.tables.html import DASH
from stabn.tables.runs import TableError
from stabn.training.checkpoint import REPOSITORY
from tests.records import rows, write

GAINS = {"before": 0.0, "control": 0.05, "placebo": 0.04, "knowledge": 0.06}


def record(seed: int, gains=GAINS, **changes) -> dict:
    """A finished fine-tuning of four classes, two of them edited; 10 videos each."""
    rng = np.random.default_rng(seed)
    results = {}
    for arm, gain in gains.items():
        base = [0.1, 0.2, 0.7, 0.8]
        per_class = {
            str(k): {"videos": 10, "top1": round(b + gain + rng.integers(3) / 10, 1)}
            for k, b in enumerate(base)
        }
        top1 = float(np.mean([figures["top1"] for figures in per_class.values()]))
        results[f"{arm}-validation"] = {
            "videos": 40,
            "top1": top1,
            "top5": 0.95,
            "per_class": per_class,
            "rank_correlation": {"value": 0.5, "exchanged": 0.2, "chance": 0.0, "n": 40},
            "pointing": {"value": 0.4, "chance": 0.1, "n": 40},
        }
        results[f"{arm}-validation-inverted"] = {"videos": 40, "top1": top1 / 2, "top5": 0.6}
    return {
        "name": "mini_finetune",
        "config": {"report_split": "validation"},
        "finetuning": {"gamma": 10.0},
        "modified": [0, 1],
        "classes": 14,
        "seed": seed,
        "code": {"commit": "0123456789abcdef", "dirty": False},
        "data": {"sha256": "feed" * 16},
        "hardware": {"cpu": "A processor", "gpus": [], "cores": 2},
        "wall_seconds": 100.0,
        "results": results,
    } | changes


@pytest.fixture
def root(tmp_path) -> Path:
    """A repository with the paper's tables and no record."""
    for path in (REPOSITORY / "book/results/paper").glob("*.csv"):
        write(tmp_path, f"book/results/paper/{path.name}", {})
        (tmp_path / "book/results/paper" / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.fixture
def studied(root) -> Path:
    """The same with five seeds and this build's own."""
    for seed in range(5):
        write(root, f"book/results/table2/mini_finetune_seed{seed}.json", record(seed))
    write(root, "runs/mini_finetune/record.json", record(7))
    return root


def test_settings_are_said_once_for_all_that_were_trained_alike():
    given = {"gamma": 10.0, "divisor": "edited", "optimizer": "adamw", "lr": 0.001, "epochs": 3}
    given |= {"batch_size": 16, "edited_repeats": 1}
    done = [
        Finetuning(record(0, finetuning=given, edits={"share_of_training": share}), "")
        for share in (0.1, 0.182)
    ]
    changed = {"divisor": "batch", "draws": 2}
    other = record(0, finetuning=given | changed, edits={"share_of_training": 0.2})
    assert settings_in_words([*done, Finetuning(other, "")]) == (
        "γ_t = 10, divided by the edited clips of a batch; adamw, learning rate 0.001, 3 epochs in "
        "batches of 16; edited videos 1 × an epoch; 10% to 18% of the training videos edited\n"
        "γ_t = 10, divided by all clips of a batch; adamw, learning rate 0.001, 3 epochs in "
        "batches of 16; edited videos 1 × an epoch; the clips of 2 epochs again and again; 20% of "
        "the training videos edited"
    )
    assert "No record" in settings_in_words([])


def links(page: str) -> list[str]:
    return [a["href"] for a in BeautifulSoup(page, "html.parser").select("table a")]


def test_parts_by_hand():
    per_class = {"0": {"videos": 10, "top1": 0.1}, "1": {"videos": 30, "top1": 0.5}}
    per_class |= {"2": {"videos": 10, "top1": 0.9}}
    assert parts(per_class, [0, 1]) == pytest.approx(
        {"modified": 100 * 16 / 40, "other": 90.0, "all": 100 * 25 / 50}
    )
    assert np.isnan(parts(per_class, [0, 1, 2])["other"])


def test_the_papers_numbers_stand_in_columns_of_their_own(studied):
    shown = rows(table2.real_table2(studied))
    assert shown[0][1:4] == ["Paper: modified", "Paper: other", "Paper: all"]
    printed = {row[0]: row[1:4] for row in shown[1:]}
    assert printed[ARMS["before"]] == ["20.5", "59.8", "58.6"]
    assert printed[ARMS["knowledge"]] == ["26.3", "61.7", "60.7"]
    assert printed[ARMS["control"]] == [DASH] * 3
    three = {(row[0], row[1]): row[2:4] for row in rows(table3.real_table3(studied))[1:]}
    assert three[ARMS["before"], "1 − Ms"] == ["27.1", "52.7"]
    assert three[ARMS["knowledge"], "1 − Ms"] == ["20.1", "43.4"]
    assert three[ARMS["placebo"], "Ms"] == [DASH] * 2


def test_ours_are_means_over_the_records_they_link_to(studied):
    shown = {row[0]: row[1:] for row in rows(table2.mini_table2(studied))[1:]}
    for arm, name in ARMS.items():
        values = [
            parts(record(s)["results"][f"{arm}-validation"]["per_class"], [0, 1])["modified"]
            for s in range(5)
        ]
        assert shown[name][0].startswith(f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}")
        assert shown[name][0].endswith("0 1 2 3 4")  # the seeds
    assert "synthetic" in table2.mini_table2(studied)
    assert "stand-in" in table2.mini_table2(studied)
    for page in (table2.mini_table2(studied), table3.mini_table3(studied)):
        assert links(page)
        for link in links(page):
            assert (studied / "notebooks" / link).resolve().is_file()


def test_without_a_record_every_cell_is_a_dash_with_its_command(root):
    for page in (table2.mini_table2(root), table3.mini_table3(root)):
        assert "make study" in page
        assert "NAME=mini_finetune" in page
        assert not re.search(r"\d\.\d", page)
    for page in (table2.real_table2(root), table3.real_table3(root)):
        assert "NAME=ssv2_finetune" in page
        assert links(page) == []
    for words in (table2.findings2("modified", root), table3.findings3(root)):
        assert words.count("nothing can be said") == len(PAIRS)
    assert "make study" in table2.paired_table2("all", root)


def test_a_named_command_has_its_file_of_parameters():
    for name in ("mini_finetune", table2.REAL):
        assert (REPOSITORY / f"notebooks/launch/{name}.yaml").is_file()


def test_drops_by_hand(studied):
    done = table2.study(studied)
    for (seed, _), drop in table3.drops(done, "control").items():
        assert drop == pytest.approx(50 * record(seed)["results"]["control-validation"]["top1"])


def test_only_seeds_on_the_same_data_are_paired(studied):
    write(
        studied,
        "book/results/table2/mini_finetune_seed4.json",
        record(4, data={"sha256": "other"}),
    )
    keys = by_seed(table2.study(studied), "control", "all")
    assert len({sha for _, sha in keys}) == 2
    _, control, *_ = rows(table2.mini_table2(studied))[1:]
    assert control[0] == ARMS["control"]
    assert control[3].endswith("0 1 2 3 4")


def test_words_say_not_significant_where_it_is_not(studied):
    words = table2.findings2("modified", studied).splitlines()
    assert len(words) == len(PAIRS)
    assert words[0].startswith("- Knowledge is ")
    assert "the control in top-1 over the edited classes" in words[0]
    for seed in range(5):
        far = {"before": 0.0, "control": 0.0, "placebo": 0.0, "knowledge": 0.3 + seed / 100}
        content = record(seed, far)
        for arm in far:
            for k, figures in content["results"][f"{arm}-validation"]["per_class"].items():
                figures["top1"] = 0.1 + far[arm] + int(k) / 100
        write(studied, f"book/results/table2/mini_finetune_seed{seed}.json", content)
    assert "this is significant" in table2.findings2("modified", studied).splitlines()[0]


def test_a_fine_tuning_that_still_runs_is_left_out_and_a_broken_record_refused(studied):
    write(studied, "runs/mini_finetune/record.json", record(7, wall_seconds=None))
    assert table2.own(studied) == []
    (studied / "runs/mini_finetune/record.json").write_text('{"name": "x"}')
    with pytest.raises(TableError, match="is no record of a fine-tuning"):
        table2.own(studied)


def test_agreement_stands_beside_chance_and_habit(studied):
    shown = rows(table2.agreement_table2(studied))
    assert shown[0][-1] == "Chance"
    correlation = next(row for row in shown if "rank correlation" in row[0])
    habit = next(row for row in shown if "habit" in row[0])
    assert correlation[1].startswith("0.50 ± 0.00")
    assert habit[1].startswith("0.20 ± 0.00")


def attended(root: Path, own: dict, habit: dict, pointing: dict) -> None:
    """A study whose arms agree with the truth as given, seed by seed; the rest as it was."""
    for seed in range(5):
        content = record(seed)
        for arm in own:
            figures = content["results"][f"{arm}-validation"]
            figures["rank_correlation"] |= {"value": own[arm][seed], "exchanged": habit[arm][seed]}
            figures["pointing"] |= {"value": pointing[arm][seed]}
        write(root, f"book/results/table2/mini_finetune_seed{seed}.json", content)


OWN = {
    "before": [0.51, 0.57, 0.11, 0.39, 0.37],
    "control": [0.52, 0.57, 0.15, 0.40, 0.38],
    "placebo": [0.54, 0.40, 0.26, 0.34, 0.22],
    "knowledge": [0.77, 0.79, 0.78, 0.66, 0.79],
}
HABIT = {arm: [0.1, 0.2, 0.0, 0.1, 0.2] for arm in ARMS}
POINTING = {
    "before": [0.40, 0.40, 0.40, 0.40, 0.40],
    "control": [0.40, 0.44, 0.42, 0.41, 0.43],
    "placebo": [0.43, 0.40, 0.41, 0.44, 0.42],
    "knowledge": [0.42, 0.43, 0.40, 0.44, 0.42],
}


def test_attention_is_tested_seed_by_seed(studied):
    attended(studied, OWN, HABIT, POINTING)
    shown = rows(table2.paired_attention2("own", studied))
    assert shown[0][1] == "difference ± sd"  # a correlation has no points
    raw = [stats.ttest_rel(OWN["knowledge"], OWN[arm]).pvalue for arm in compared_with(shown)]
    assert raw[0] == pytest.approx(0.010, abs=5e-4)
    assert raw[1] == pytest.approx(0.003, abs=5e-4)
    for row, p, corrected in zip(shown[1:], raw, holm(raw), strict=True):
        difference = np.subtract(OWN["knowledge"], OWN[compared_with([[], row])[0]])
        told = f"{difference.mean():+.2f} ± {difference.std(ddof=1):.2f}"
        assert row[1] == told.replace("-", "−")
        assert row[4:] == [f"{p:.3f}", f"{corrected:.3f}"]
    assert compared_with(shown) == ["control", "placebo", "before"]
    words = table2.findings_attention2("own", studied)
    assert "points" not in words
    assert "Knowledge is 0.35 above the control in M_t’s rank correlation" in words
    assert words.count("this is significant") == 3


def compared_with(shown: list[list[str]]) -> list[str]:
    """The arms that knowledge is compared with, from the first column."""
    others = [row[0].removeprefix("knowledge − ") for row in shown[1:]]
    return [arm for other in others for arm in ARMS if NAMES[arm].removeprefix("the ") == other]


def test_what_habit_earns_is_no_finding(studied):
    """The same gain in M_t, once by habit and once not: only the second test tells them apart."""
    attended(studied, OWN, HABIT, POINTING)
    own, beyond = (
        [test.difference for *_, test, _ in table2.attended(name, studied)]
        for name in ("own", "beyond_habit")
    )
    assert beyond == pytest.approx(own)
    gained = np.subtract(OWN["knowledge"], OWN["control"])
    gained += np.array([0.02, -0.01, 0.01, -0.02, 0.01])  # spread to judge by
    habit = HABIT | {"knowledge": list(np.add(HABIT["knowledge"], gained))}
    attended(studied, OWN, habit, POINTING)
    words = table2.findings_attention2("beyond_habit", studied).splitlines()
    assert "**not** significant" in words[0]
    assert "this is significant" in table2.findings_attention2("own", studied).splitlines()[0]
    shown = rows(table2.agreement_table2(studied))
    third = next(row for row in shown if "not habit" in row[0])
    expected = np.subtract(OWN["knowledge"], habit["knowledge"])
    assert third[4].startswith(f"{expected.mean():.2f} ± {expected.std(ddof=1):.2f}")


def test_pointing_is_set_against_the_control_and_the_placebo(studied):
    attended(studied, OWN, HABIT, POINTING)
    shown = rows(table2.paired_attention2("pointing", studied))
    assert compared_with(shown) == ["control", "placebo"]
    assert shown[1][1].startswith("+0.002 ± ")
    words = table2.findings_attention2("pointing", studied)
    assert words.count("**not** significant") == 2
    assert "Knowledge is 0.002 above the placebo in the share of frames" in words


def test_records_without_truth_are_compared_in_nothing(studied):
    for seed in range(5):
        content = record(seed)
        for figures in content["results"].values():
            figures.pop("rank_correlation", None)
        write(studied, f"book/results/table2/mini_finetune_seed{seed}.json", content)
    assert "make study" in table2.paired_attention2("own", studied)
    words = table2.findings_attention2("own", studied)
    assert words.count("nothing can be said") == 3
    row = next(row for row in rows(table2.agreement_table2(studied)) if "not habit" in row[0])
    assert row[1:] == [DASH] * 5


def test_committed_records_make_whole_tables():
    for page in (
        table2.real_table2(),
        table2.mini_table2(),
        table2.agreement_table2(),
        *(table2.paired_attention2(name) for name in table2.ASKED),
        table3.real_table3(),
        table3.mini_table3(),
    ):
        assert page.startswith("<")


def test_most_of_the_papers_gain_lies_where_nobody_edited():
    """By hand: 20.5 x + 59.8 (1 − x) = 58.6 gives x = 1.2 / 39.3, so 0.18 of the 2.1 points."""
    words = table2.paper_gain_in_words()
    assert "it is about 3% of them" in words
    assert "about 0.2 of the 2.1 points" in words
    assert "about 9 tenths of the gain lie on classes that nobody edited" in words
    assert table2.paper_gains() == pytest.approx({"modified": 5.8, "other": 1.9, "all": 2.1})
    assert table3.paper_falls() == pytest.approx({"before": 31.5, "knowledge": 40.6})


def test_a_build_says_how_few_videos_it_edited(root, studied):
    """Two classes of four, 10 videos each: one of 20 is worth 5 points."""
    words = table2.few_in_words(studied)
    assert "2 of 4 classes, 20 validation videos" in words
    assert "by 5.0 points" in words
    (root / "runs/mini_finetune/record.json").unlink()
    assert "No run of this build" in table2.few_in_words(root)
