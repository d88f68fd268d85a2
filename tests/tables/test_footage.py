"""Tables of real footage hold what the records hold; a seed without all its folds has no figure."""

import numpy as np
import pytest

from stabn.tables import footage
from stabn.tables.html import DASH, NOTHING
from stabn.tables.runs import TableError
from stabn.training.checkpoint import REPOSITORY
from stabn.training.records import read_record
from tests.records import rows, write

CLIPS = (43, 37, 37, 29, 31)
SEEDS = range(3)
METHODS = ("own", "grad_cam", "motion", "centre")


def value(fold: int, seed: int, shift: float = 0.0) -> float:
    """A made-up share that differs by fold and by seed."""
    return 0.4 + 0.05 * fold + 0.01 * seed**2 + shift


def pooled(digits: int, factor: float, shift: float = 0.0) -> str:
    """The same over folds and seeds, the slow way: every clip counted."""
    clips = [np.repeat([value(k, s, shift) for k in range(5)], CLIPS) for s in SEEDS]
    seeds = [factor * one.mean() for one in clips]
    return f"{np.mean(seeds):.{digits}f} ± {np.std(seeds, ddof=1):.{digits}f}"


def trained(fold: int, seed: int, *, attends: bool) -> dict:
    split = f"validation_{fold}"
    methods = METHODS if attends else METHODS[1:]
    fields = ("iou", "iou_exchanged", "rank", "rank_exchanged")
    shifts = {name: 0.01 * k for k, name in enumerate(METHODS)}
    return {
        "config": {"report_split": split},
        "results": {split: {"top1": value(fold, seed), "videos": CLIPS[fold]}},
        "real": {
            "when": {
                m: {f: value(fold, seed, shifts[m] + 0.1 * k) for k, f in enumerate(fields)}
                for m in methods
            },
            "where": {
                m: {"mass": value(fold, seed), "exchanged": 0.2, "chance": 0.1}
                for m in methods[:-2]
            },
            "faithful": {m: {"insertion": 0.75, "deletion": 0.25} for m in methods},
            "flips": {"first": value(fold, seed), "last": 0.5, "both": 0.25}
            | {"mirrored": 0.125, "unmoved": 0.75},
            "levels": {"first": 0.25, "nothing": value(fold, seed), "last": 0.75},
        },
    }


@pytest.fixture
def root(tmp_path):
    """Idle in full, there-and-back of one network; a seed that misses a fold."""
    for fold in range(5):
        for seed in SEEDS:
            for arm in footage.ARMS:
                name = f"real_idle_{arm}_fold{fold}_seed{seed}"
                content = trained(fold, seed, attends=arm in ("st_abn", "gated"))
                write(tmp_path, f"{footage.FOLDER}/{name}.json", content)
            path = f"{footage.FOLDER}/real_there_and_back_gated_fold{fold}_seed{seed}.json"
            write(tmp_path, path, trained(fold, seed, attends=True))
        if fold:
            name = f"real_idle_gated_fold{fold}_seed7"
            write(tmp_path, f"{footage.FOLDER}/{name}.json", trained(fold, 7, attends=True))
    line = {"top1": {"all": {kind: [0.5, 0.6, 0.7, 0.8, 0.9] for kind in footage.LINES}}}
    line["clips"] = {"all": CLIPS}
    write(tmp_path, f"{footage.FOLDER}/linear_idle.json", line)
    return tmp_path


def test_accuracy_counts_every_clip_once_and_no_seed_without_all_folds(root):
    found = {row[0]: row[1:] for row in rows(footage.accuracy_table(root))[1:]}
    for arm, words in footage.ARMS.items():
        both = pooled(1, 100) if arm == "gated" else DASH
        assert found[words] == [DASH, pooled(1, 100), both, DASH]
    for words in footage.LINES.values():
        share = np.repeat([50, 60, 70, 80, 90], CLIPS).mean()
        assert found[words] == [DASH, f"{share:.1f}", DASH, DASH]


def test_attentions_stand_beside_each_other_and_a_baseline_has_none_of_its_own(root):
    found = {row[0]: row[1:] for row in rows(footage.when_table("idle", root))[1:]}
    names = [*footage.METHODS.values()]
    own = {name for name in found if name.endswith(": M_t")}
    assert own == {f"{footage.ARMS[arm]}: M_t" for arm in ("st_abn", "gated")}
    for k, method in enumerate(names[1:], 1):
        cells = found[f"3-D ResNet: {method}"]
        assert cells[:4] == [pooled(2, 1, 0.01 * k + 0.1 * f) for f in range(4)]
        assert cells[4:] == ["0.75 ± 0.00", "0.25 ± 0.00"]


def test_where_has_rows_for_maps_and_none_for_what_was_not_measured(root):
    found = {row[0]: row[1:] for row in rows(footage.where_table("idle", root))[1:]}
    assert {name.split(": ")[1] for name in found} == {"M_s", "Grad-CAM"}
    assert "3-D ResNet: M_s" not in found
    assert found["3-D ResNet: Grad-CAM"] == [pooled(2, 1), "0.20 ± 0.00", "0.10 ± 0.00"]
    assert footage.where_table("pause", root) == NOTHING


def test_what_is_tested_is_counted(root):
    said = footage.counted_in_words(root)
    assert said == "Between stillness: 177 clips, 3 seeds; There and back: 177 clips, 3 seeds."


def test_flips_are_there_for_networks_that_were_measured(root):
    found = {tuple(row[:2]): row[2:] for row in rows(footage.flips_table(root))[1:]}
    gated = footage.ARMS["gated"]
    rest = [f"{share} ± 0.0" for share in ("50.0", "25.0", "12.5", "75.0")]
    assert found[gated, "there and back, the first"] == [pooled(1, 100), *rest]
    assert found[gated, "there and back, the last"] == found[gated, "two swipes, the first"]
    assert found[gated, "two swipes, the first"] == [DASH] * 5
    found = {tuple(row[:2]): row[2:] for row in rows(footage.levels_table(root))[1:]}
    there = found[gated, "there and back, the first"]
    assert there == ["0.25 ± 0.00", pooled(2, 1), "0.75 ± 0.00"]


def test_flips_are_told_in_a_sentence(root):
    assert "make study" in footage.flips_in_words(root)
    for fold in range(5):
        path = f"{footage.FOLDER}/real_two_gated_fold{fold}_seed0.json"
        write(root, path, trained(fold, 0, attends=True))
    said = footage.flips_in_words(root)
    share = f"{100 * np.average([value(k, 0) for k in range(5)], weights=CLIPS):.0f}"
    assert f"gated fusion (ours): {share} % right" in said
    assert "both times in 25 % (1 seed). By chance" in said
    assert "Without attention" not in said
    for fold in range(5):
        path = f"{footage.FOLDER}/real_two_control_fold{fold}_seed0.json"
        write(root, path, trained(fold, 0, attends=False))
    assert f"Without attention, matched control: {share} % right. With" in (
        footage.flips_in_words(root)
    )


def test_without_records_there_are_dashes_and_another_file_is_named(tmp_path):
    assert DASH in footage.accuracy_table(tmp_path)
    assert footage.counted_in_words(tmp_path) == NOTHING
    write(tmp_path, f"{footage.FOLDER}/real_walk_seed0.json", {})
    with pytest.raises(TableError, match="named unlike real_idle_gated_fold0_seed0"):
        footage.accuracy_table(tmp_path)


def test_each_committed_network_of_the_first_seed_lies_beside_its_record():
    """So that it can be scored on clips that were not used here."""
    records = (REPOSITORY / footage.FOLDER).glob("real_*_fold?_seed0.json")
    trained = [path for path in records if "finetune" not in path.name]
    assert trained
    for path in trained:
        assert path.with_name(f"{path.stem}-best.pt").stat().st_size < 2**20


def test_what_chapter_21_says_of_two_swipes_is_in_the_committed_records():
    """Its prose tells who is right more often, where M_t lies, and what a hand can do."""
    runs = footage.read_footage()

    def of(arm: str, part: str, field: str) -> float:
        return np.mean(footage.by_seed(runs["two", arm], lambda one: one["real"][part][field]))

    right = {arm: np.mean(footage.by_seed(runs["two", arm], footage.top1)) for arm in footage.ARMS}
    assert max(right["baseline"], right["control"]) + 15 < min(right["st_abn"], right["gated"])
    assert of("gated", "levels", "first") > 2 * of("gated", "levels", "last")
    assert of("st_abn", "levels", "last") > 2 * of("st_abn", "levels", "first")
    assert 100 * of("gated", "flips", "first") < right["gated"] - 10
    assert of("gated", "flips", "both") > 4 / 16 > of("gated", "flips", "mirrored")
    assert of("st_abn", "flips", "mirrored") > 4 / 16 > of("st_abn", "flips", "both")
    own = [one["real"]["faithful"]["own"] for one in runs["two", "st_abn"][0]]
    assert np.mean([one["insertion"] for one in own]) < np.mean([one["deletion"] for one in own])


def test_what_chapter_21_says_of_there_and_back_is_in_the_committed_records():
    """M_t lies on the half that moves against the class: in all 20 networks, in one hardly."""
    runs = footage.read_footage()

    def levels(variant: str) -> list[dict]:
        return [
            one["real"]["levels"] for arm in ("st_abn", "gated") for one in runs[variant, arm][0]
        ]

    beyond = [one["last"] - one["first"] for one in levels("there_and_back")]
    beyond += [one["first"] - one["last"] for one in levels("last")]
    assert len(beyond) == 20
    assert 0 < min(beyond) < 0.05 < 0.2 < sorted(beyond)[1]
    for arm in ("st_abn", "gated"):
        for variant in ("there_and_back", "last"):
            assert np.mean(footage.by_seed(runs[variant, arm], footage.top1)) > 84
    asked = runs["last", "st_abn"]
    (mirrored,) = footage.by_seed(asked, lambda one: one["real"]["flips"]["mirrored"])
    assert mirrored > 0.5


@pytest.mark.parametrize(
    ("variant", "gained", "beyond"),
    [("plain", 10, 0), ("idle", 7.5, 0), ("there_and_back", 10, 2), ("two", 20, 9)],
)
def test_attention_pays_in_every_column_and_a_line_between_pictures_is_near(
    variant, gained, beyond
):
    runs = footage.read_footage()
    without, attending = (
        [np.mean(footage.by_seed(runs[variant, arm], footage.top1)) for arm in arms]
        for arms in (("baseline", "control"), ("st_abn", "gated"))
    )
    assert np.isfinite([*without, *attending]).all()
    assert min(attending) > max(without) + gained
    record = read_record(REPOSITORY / footage.FOLDER / f"linear_{variant}.json")
    line = 100 * np.average(record["top1"]["all"]["ordered"], weights=record["clips"]["all"])
    assert max(attending) < line + beyond


def test_between_stillness_motion_is_beyond_other_clips_truth_most_and_the_middle_not_at_all():
    runs, beyond = footage.read_footage(), {}
    for arm in ("st_abn", "gated"):
        for method in footage.METHODS:
            whens = [one["real"]["when"][method] for one in runs["idle", arm][0]]
            beyond[arm, method] = np.mean([one["rank"] - one["rank_exchanged"] for one in whens])
            beyond[arm, method, "rank"] = np.mean([one["rank"] for one in whens])
        assert beyond[arm, "motion"] > beyond[arm, "own"]
        assert abs(beyond[arm, "centre"]) < 0.005
        assert beyond[arm, "centre", "rank"] == max(
            beyond[arm, method, "rank"] for method in footage.METHODS
        )
    assert beyond["gated", "own"] > 0.05 > beyond["st_abn", "own"]
