"""The pages of the set with a known fault hold what the records hold, fusion by fusion."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup

from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.edits.exchange import write_json
from stabn.knowledge.edits.standin import ANNOTATOR, WRONG
from stabn.tables import choice, effort, fault, fault_tables, plain, sweeps
from stabn.tables.finetunings import ARMS
from stabn.tables.html import DASH, linked
from tests.records import rows, write

SEEDS = range(3)
LISTS = tuple(fault.LISTS)
FUSED = {  # how each is described in a run's configuration
    "paper": {"fusion": "paper"},
    "gated": {"fusion": "gated", "closed": 0.0},
    "closing": {"fusion": "gated", "closed": 0.3},
    "paper_closing": {"fusion": "gated", "closed": 0.3},
}


def top1(fusion: str, seed: int, arm: str, name: str) -> float:
    """A made-up accuracy that differs wherever something differs."""
    numbers = (list(fault.WAYS).index(fusion), seed, list(ARMS).index(arm), LISTS.index(name))
    fusion_id, _, arm_id, list_id = numbers
    own = 0.002 * arm_id * seed  # so that differences between arms have a spread
    return 0.3002 + 0.1 * fusion_id + 0.013 * seed + 0.05 * arm_id + 0.001 * list_id + own


def record(fusion: str, seed: int, arms=tuple(ARMS), **changes) -> dict:
    results = {}
    for arm in arms:
        for name in LISTS:
            results[f"{arm}-{name}"] = {
                "top1": top1(fusion, seed, arm, name),
                "per_class": {},
                "rank_correlation": {"value": 0.1 * seed, "exchanged": 0.05},
                "pointing": {"value": 0.4},
            }
        results[f"{arm}-{fault.SWAPPED}-inverted"] = {"top1": 0.25}
    measured = {
        "effect": {"both": 1.5, "spatial": 1.25, "temporal": 0.25},
        "effect_truth": {"both": 0.0, "spatial": 0.0, "temporal": 0.0},
        "oracle": dict.fromkeys(LISTS, 0.75),
        "m_t": {"sign": 0.1, "action": 0.9, "idle": 0.2},
    }
    return {
        "config": {"report_split": fault.SWAPPED, **FUSED[fusion]},
        "finetuning": {
            "gamma": 100.0,
            "divisor": "edited",
            "fusion": "gated" if fusion == "paper_closing" else None,
        },
        "edits": {"videos": 192, "share_of_training": 0.2, "annotators": [ANNOTATOR]},
        "modified": [0, 1, 2, 3],
        "classes": 4,
        "seed": seed,
        "data": {"sha256": "feed" * 16},
        "wall_seconds": 100.0,
        "results": results,
        "fault": dict.fromkeys(arms, measured),
    } | changes


@pytest.fixture
def root(tmp_path) -> Path:
    for seed in SEEDS:
        for fusion in fault.WAYS:
            name = f"book/results/fault/mini_biased_{fusion}_finetune_seed{seed}.json"
            write(tmp_path, name, record(fusion, seed))
        clean = {
            "config": {"report_split": fault.SWAPPED, "model": "st_abn", "fusion": "paper"},
            "seed": seed,
            "classes": 4,
            "results": {name: {"top1": 0.7 + 0.01 * seed} for name in LISTS},
            "fault": {"trained": {"effect": {"both": 0.02}}},
        }
        write(tmp_path, f"book/results/fault/mini_biased_clean_seed{seed}.json", clean)
    for seed in SEEDS:
        varied = {
            "share_20": {},
            "share_5": {
                "edits": {"videos": 48, "share_of_training": 0.05, "annotators": [ANNOTATOR]}
            },
            "gamma_1": {"finetuning": {"gamma": 1.0, "divisor": "edited", "fusion": "gated"}},
            "noise_30": {
                "edits": {"share_of_training": 0.2, "annotators": [ANNOTATOR + WRONG.format(0.3)]}
            },
        }
        for name, changes in varied.items():
            arms = ("before", "knowledge", *(["control"] if name.startswith("share") else []))
            changed = record("paper_closing", seed, arms, **changes)
            write(tmp_path, f"book/results/sweeps/{name}_seed{seed}.json", changed)
    return tmp_path


def test_every_cell_is_the_mean_of_its_records(root):
    for way in fault.WAYS:
        page = fault_tables.lists_table(way, root)
        shown = {row[0]: row[1:] for row in rows(page)[1:]}
        for arm, words in ARMS.items():
            means = [
                100 * np.mean([top1(way, seed, arm, name) for seed in SEEDS]) for name in LISTS
            ]
            for cell, mean in zip(shown[words], means, strict=True):
                assert cell.startswith(f"{mean:.1f} ± ")
                assert cell.endswith("0 1 2")  # the seeds
        assert [cell[:4] for cell in shown[fault.NEVER_SAW]] == ["71.0"] * 3
        assert "synthetic" in page
        assert "stand-in" in page
        for link in BeautifulSoup(page, "html.parser").select("table a"):
            assert (root / "notebooks" / link["href"]).resolve().is_file()


def test_what_should_change_stands_beside_a_network_without_the_fault(root):
    page = fault_tables.measures_table(["gated", "closing"], root)
    shown = {row[0]: row[1:] for row in rows(page)[1:]}
    assert len(shown) == 4 + 3 + 1  # one “before” of the same networks
    assert "What would fill" not in page
    # swapped, absent, aligned lie 0.1 points apart in that order: the first is the worst list
    least = 100 * np.mean([top1("closing", seed, "knowledge", LISTS[0]) for seed in SEEDS])
    ours = shown["gated, then a gate that closes (ours): knowledge"]
    assert [cell.split("±")[0].strip() for cell in ours] == [
        f"{least:.1f}",
        f"{least + 0.1:.1f}",
        "0.2",
        "1.50",
    ]
    assert [cell.split("±")[0].strip() for cell in shown[fault.NEVER_SAW]] == [
        *("71.0", "71.0", "0.0", "0.02")
    ]


def test_the_seed_that_gains_least_is_told_with_its_start(root):
    words = fault_tables.range_in_words("closing", root)
    least, most = (100 * top1("closing", seed, "knowledge", LISTS[0]) for seed in (0, 2))
    assert f"between {least:.1f}% (seed 0) and {most:.1f}% (seed 2)" in words
    start = 100 * top1("closing", 0, "before", fault.ABSENT)
    assert f"seed 0 was right in {start:.1f}%" in words
    assert words.endswith("chance is 25%.")


def test_the_gate_is_compared_with_what_the_same_networks_do_without_it(root):
    head, *body = rows(fault_tables.gate_table(root))
    arms = ("knowledge", "control")
    assert head[1:] == [f"{trained}: {arm}" for trained in ("paper’s", "gated") for arm in arms]
    shown = {row[0]: row[1:] for row in body}
    # in these records the ways lie ten points apart, and paper_closing three ways from the paper's
    for cell, points in zip(shown["Swapped, %"], ("+30.0", "+30.0", "+10.0", "+10.0"), strict=True):
        assert cell.startswith(f"{points} ± 0.0")
    assert all(cell.startswith("+0.0 ± 0.0") for cell in shown["Reliance, points"])
    for path in (root / "book/results/fault").glob("*_gated_*"):
        path.unlink()
    shown = {row[0]: row[1:] for row in rows(fault_tables.gate_table(root))[1:]}
    assert shown["Swapped, %"][2:] == [DASH, DASH]


def test_who_earns_the_fall_and_what_a_mean_would_have_said(root):
    words = fault_tables.credit_in_words("closing", root)
    assert words.startswith("The sign decides 0 points before.")
    assert words.endswith("and the videos' own to 0.")
    words = fault_tables.mean_in_words("closing", root)
    means = [
        100 * np.mean([top1("closing", seed, arm, fault.SWAPPED) for seed in SEEDS]) + 0.1
        for arm in ("control", "knowledge")
    ]
    assert f"is {means[0]:.1f}% without edits and {means[1]:.1f}% with them" in words


def test_the_worst_list_is_each_networks_own(root):
    one = fault.study("closing", root)[0]
    for name, value in zip(LISTS, (0.9, 0.4, 0.5), strict=True):
        one.record["results"][f"control-{name}"]["top1"] = value
    assert fault.worst(one, "control") == pytest.approx(40)
    assert fault.reliance(one, "control") == pytest.approx(50 - 90)


def test_without_records_there_are_dashes_and_the_remedy(tmp_path):
    page = fault_tables.measures_table(fault.WAYS, tmp_path)
    assert all(set(row[1:]) == {DASH} for row in rows(page)[1:])
    assert "make study" in page
    for of_way in (fault_tables.lists_table, fault_tables.halves_table):
        assert DASH in of_way("gated", tmp_path)
    assert DASH in fault_tables.attention_table("gated", tmp_path)
    assert "make study" in fault_tables.verdicts_table("gated", tmp_path)
    assert "No record" in fault_tables.credit_in_words("closing", tmp_path)
    assert "No record" in fault_tables.mean_in_words("closing", tmp_path)
    assert "make study" in sweeps.sweep_table("share", tmp_path)
    assert "No record" in sweeps.in_a_sentence("share", tmp_path)
    assert "make study" in choice.looks_table(tmp_path)
    assert DASH in plain.plain_table(tmp_path)
    assert "nothing can be said" in plain.findings_plain("closing", tmp_path)
    assert "No record" in plain.price_in_words(tmp_path)


def test_the_first_look_is_called_that(root):
    page = choice.looks_table()
    assert "one seed" in page
    assert "thrown away" in page
    chosen = next(row for row in rows(page) if row[0].startswith("shuts at 0.3, squared"))
    assert chosen[2:7] == ["72.8", "73.1", "75.6", "72.8", "2.8"]
    assert f'href="../{choice.LOOKS}"' in page


def test_the_plain_set_has_one_before_and_both_ways(root):
    for way, point in (("paper", 0.5), ("closing", 0.6)):
        for seed in SEEDS:
            results = {
                f"{arm}-validation": {
                    "top1": point,
                    "per_class": {str(k): {"videos": 10, "top1": point} for k in range(4)},
                    "rank_correlation": {"value": point / 2},
                }
                for arm in ARMS
            }
            changed = record("closing", seed, results=results, modified=[0])
            changed["config"]["report_split"] = "validation"
            write(root, f"book/results/plain/plain_{way}_finetune_seed{seed}.json", changed)
    shown = rows(plain.plain_table(root))[1:]
    assert len(shown) == 1 + 2 * 3
    assert [cell.split("±")[0].strip() for cell in shown[0]] == [
        *("network before fine-tuning", "50.0", "50.0", "50.0", "0.25")
    ]
    assert shown[-1][1].startswith("60.0")
    assert "0.0 points above the control" in plain.findings_plain("closing", root)
    words = plain.price_in_words(root)
    assert words.count("+10.0 ± 0.0 points (p < 0.001)") == 3
    assert "γ_t = 100 with the gate and 100 without it; 3 paired seeds" in words


def test_one_point_is_neither_the_smallest_nor_the_largest(root):
    assert "smallest" in sweeps.in_a_sentence("gamma", root)
    for path in (root / "book/results/sweeps").glob("gamma_*"):
        path.unlink()
    found = sweeps.in_a_sentence("gamma", root)
    assert "one point, 100: a mean gain of +" in found


def test_arms_are_compared_within_one_fusion(root):
    found = fault.by_arm("gated", fault.top1(fault.SWAPPED), root)
    assert {arm: len(values) for arm, values in found.items()} == dict.fromkeys(ARMS, 3)
    assert found["control"][0, "feed" * 16] == pytest.approx(
        100 * top1("gated", 0, "control", fault.SWAPPED)
    )
    page = fault_tables.verdicts_table("gated", root)
    assert "gated fusion (ours)" in page
    shown = {row[0]: row[1:] for row in rows(page)[1:]}
    # knowledge is two arms above the control: 10 + 0.4 · (0, 1, 2)
    assert shown["Swapped, %"][0].startswith("+10.4 ± 0.4")
    assert shown["Swapped, %"][0].endswith("n = 3")
    assert shown["Leak, logits"][0].startswith("+0.00 ± 0.00")
    swapped = next(row for row in page.split("<tr>") if ">Swapped, %<" in row)
    leak = next(row for row in page.split("<tr>") if ">Leak, logits<" in row)
    assert swapped.count("<strong>") == 4
    assert "<strong>" not in leak


def test_the_fall_is_what_inversion_costs(root):
    one = fault.study("paper", root)[1]
    assert fault.fall(one, "before") == pytest.approx(
        100 * (top1("paper", 1, "before", fault.SWAPPED) - 0.25)
    )


def test_a_sweep_holds_its_own_points_and_the_studys(root):
    assert {sweep: list(sweeps.points(sweep, root)) for sweep in sweeps.SWEEPS} == {
        "share": [5, 20],
        "gamma": [1, 100],
        "noise": [0, 30],
    }
    of = fault.top1(fault.SWAPPED)
    gained = sweeps.gains(of, "share", root)
    for x in (5, 20):
        assert gained[x] == pytest.approx(
            {
                seed: 100
                * (
                    top1("paper_closing", seed, "knowledge", fault.SWAPPED)
                    - top1("paper_closing", seed, "control", fault.SWAPPED)
                )
                for seed in SEEDS
            }
        )
    other = record("gated", 7, edits={"share_of_training": 0.02, "annotators": [ANNOTATOR]})
    write(root, "book/results/sweeps/share_2_seed7.json", other)
    assert list(sweeps.points("share", root)) == [5, 20]  # a point of another way is none of these
    shown = rows(sweeps.sweep_table("noise", root))
    assert [row[0] for row in shown[1:]] == ["0", "30"]
    assert shown[1][1].startswith("0.10 ± 0.10")
    assert shown[1][2].startswith("0.2 ± 0.0")  # aligned − swapped
    assert shown[1][3] == "0.2 ± 0.0"  # of the control
    assert shown[1][4].startswith("10.4 ± 0.4")
    assert shown[1][6].startswith("10.4 ± 0.4")
    assert sweeps.sweep_table("noise", root).count(fault.WAYS["paper_closing"]) == 1


def test_what_the_sign_still_decides_is_told_point_by_point(root):
    """Aligned − swapped is 0.2 points with every arm of the way that mends; 0.2 is within 10."""
    said = sweeps.reliance_in_words("share", root)
    assert "%: 5, 20. Points that the sign decides, with edits: 0.2, 0.2; in the " in said
    assert said.endswith(
        "control: 0.2, 0.2. 10 points or less, the goal that was set before, at: 5, 20."
    )
    assert "make study" in sweeps.reliance_in_words("share", root / "elsewhere")


def test_a_point_without_its_own_control_takes_the_studys(root):
    """Noise of 30 %: no control in its record; gone with the study's control, it has no gain."""
    (root / "book/results/sweeps/share_20_seed1.json").unlink()
    gained = sweeps.gains(fault.top1(fault.SWAPPED), "noise", root)
    assert sorted(gained[30]) == [0, 2]
    assert sorted(sweeps.gains(fault.top1(fault.SWAPPED), "share", root)[5]) == [0, 1, 2]


def test_a_hand_stands_beside_the_truth_of_the_same_videos(root):
    assert "make study" in effort.hand_table(root)
    assert "make study" in effort.hand_in_words(root)
    for of, (_, arms) in effort.LEVELS.items():
        for seed in SEEDS:
            done = record("closing", seed, ("before", *arms))
            if of == "truth":
                done["results"][f"knowledge-{fault.SWAPPED}"]["top1"] = 0.9
            write(root, f"book/results/hand/{of}_seed{seed}.json", done)
    head, *body = rows(effort.hand_table(root))
    assert head[2:] == ["Swapped, %", "Absent, %", "Reliance, points"]
    shown = {row[0]: row[1:] for row in body}
    assert list(shown) == [
        *(
            "network before fine-tuning",
            "control",
            "knowledge: by an annotator",
            "knowledge: the truth",
        )
    ]
    by_hand = 100 * np.mean([top1("closing", seed, "knowledge", fault.SWAPPED) for seed in SEEDS])
    assert shown["knowledge: by an annotator"][1].startswith(f"{by_hand:.1f} ± ")
    assert shown["knowledge: the truth"][1].startswith("90.0 ± 0.0")
    behind = f"{by_hand - 90:.1f}".replace("-", "−")
    assert f"give {behind} points" in effort.hand_in_words(root)


def test_thresholds_stand_in_their_order_on_tuning_lists(root):
    assert "make study" in choice.closed_table(root)
    for closed in (0.3, 0.0):
        done = record("closing", 0, ("before", "knowledge", "control"))
        done["finetuning"]["closed"] = closed
        for arm in ("knowledge", "control"):
            for name, value in zip(choice.TUNING, (0.5, 0.6, 0.7 + closed), strict=True):
                done["results"][f"{arm}-{name}"] = {"top1": value}
        write(root, f"book/results/choice/closed_{closed}.json", done)
    shown = rows(choice.closed_table(root))[1:]
    assert [row[:2] for row in shown] == [
        ["0", "control"],
        ["0", "knowledge"],
        ["0.3", "control"],
        ["0.3", "knowledge"],
    ]
    assert shown[3][2:] == ["50.0", "60.0", "100.0", "50.0"]


def test_minutes_are_the_mean_seconds_times_the_videos(root, monkeypatch):
    """A mean of 40 s: 48 videos take 32 minutes, and 10.4 points of them 3.1 minutes each."""
    assert "No record" in effort.minutes_per_point(root)
    edits = [
        Edit(
            video_id=str(number),
            verdict="edited",
            levels=(0.0, 1.0),
            annotator="Ada",
            model="0123456789abcdef" * 4,
            attention=(0.5, 0.5),
            made=datetime(2026, 1, 1, tzinfo=UTC),
            seconds=seconds,
        )
        for number, seconds in enumerate((10.0, 20.0, 90.0))
    ]
    (root / effort.TIMED).parent.mkdir(parents=True)
    write_json(edits, root / effort.TIMED)
    assert effort.seconds_in_words(effort.timed_edits(root)).startswith(
        "3 videos of 2 to 2 frames: median 20 s a video, mean 40 s, from 10 to 90 s"
    )
    shown = rows(effort.minutes_per_point(root))
    assert shown[1] == ["5", "48", "32", "+10.4", "3.1"]  # 32 / 10.4
    assert shown[2][:3] == ["20", "192", "128"]
    unsure = {0: 30.0, 1: -20.0, 2: 5.0}  # above 0 in the mean, and not told from it
    monkeypatch.setattr(effort, "gains", lambda *_: dict.fromkeys((5, 20), unsure))
    assert [row[3:] for row in rows(effort.minutes_per_point(root))[1:]] == [["+5.0", DASH]] * 2


def test_ways_and_attention_are_what_was_measured(root):
    ways = rows(fault_tables.halves_table("gated", root))
    assert len(ways) == 1 + 2 * len(ARMS)
    assert [cell.split(" ")[0] for cell in ways[1][2:]] == ["1.50", "1.25", "0.25"]
    assert [cell.split(" ")[0] for cell in ways[2][2:]] == ["0.00"] * 3
    shown = {row[0]: row[1:] for row in rows(fault_tables.attention_table("gated", root))}
    assert all(
        cell.startswith("75.0 ± 0.0") for cell in shown["Top-1 with the truth as M_t (oracle), %"]
    )
    assert all(cell.startswith("0.10 ± 0.00") for cell in shown["M_t on the sign"])


def test_nothing_is_minus_nothing(root):
    one = fault.study("gated", root)[:1]
    assert ">0.00<" in linked(one, [-0.001], 2)
    assert ">−0.01<" in linked(one, [-0.0101], 2)


def test_inverting_may_help_and_its_sign_says_so(root):
    """M_s turned round gives 25 % everywhere in these records: far less than each arm has."""
    changes = [
        25 - 100 * np.mean([top1(fusion, seed, arm, fault.SWAPPED) for seed in SEEDS])
        for fusion in fault.WAYS
        for arm in ARMS
    ]
    low, high = (f"−{-change:.1f}" for change in (min(changes), max(changes)))
    assert f"by {low} to {high} points" in fault_tables.inverted_in_words(root)
    helped = record("paper", 0)
    for arm in ARMS:
        helped["results"][f"{arm}-{fault.SWAPPED}-inverted"]["top1"] = 1.0
    for seed in SEEDS:
        for fusion in fault.WAYS:
            name = f"book/results/fault/mini_biased_{fusion}_finetune_seed{seed}.json"
            write(root, name, helped | {"seed": seed})
    words = fault_tables.inverted_in_words(root)
    assert "by +" in words
    assert "−" not in words


def test_a_seed_that_settings_were_chosen_with_is_told(root):
    assert "seed 0, which is one of the seeds counted here" in fault_tables.counted_in_words(root)
    assert fault_tables.counted_in_words(root).endswith("without the fault: 3 runs.")
    for path in (root / "book/results/fault").glob("*_seed0.json"):
        path.unlink()
    (root / "book/results/fault/mini_biased_clean_seed1.json").unlink()
    assert "seed 0, which is none of the seeds counted here" in fault_tables.counted_in_words(root)
    assert fault_tables.counted_in_words(root).endswith("without the fault: one run, seed 2.")
