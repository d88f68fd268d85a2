"""Tables hold what the records hold, link to them, and say no more than the tests allow."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from scipy import stats

from stabn import tables
from stabn.tables.comparison import POINTS, Unit, compare, in_words
from stabn.tables.html import DASH, SEEDS, differences_table, fixed
from stabn.tables.power import power
from stabn.tables.promote import promote, real_runs
from stabn.tables.runs import Run
from stabn.training.checkpoint import FORMAT, REPOSITORY
from stabn.training.config import RunConfig, read_config
from tests.records import write

PAPER = REPOSITORY / "book" / "results" / "paper"


class Cells(HTMLParser):
    """Rows of every table: text and links of each cell."""

    def __init__(self, page: str):
        super().__init__()
        self.rows, self.links, self.inside = [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True
        elif tag == "a":
            self.links.append(dict(attrs)["href"])

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data


def record(arm: str, seed: int, top1: float, **changes) -> dict:
    """A finished run's record, as training writes it."""
    settings = {"model": "baseline" if arm == "baseline" else "st_abn", "seed": seed}
    if arm == "control":
        settings |= {"constant_spatial": 0.5, "constant_temporal": 0.25}
    settings |= changes.pop("config", {})
    config = RunConfig(name=changes.pop("name", f"mini_{arm}"), data_root="data/mini", **settings)
    results = {"top1": top1, "top5": 0.9, "videos": 100}
    if arm == "st_abn":
        found = {"value": 0.6 + seed / 100, "exchanged": 0.1 * seed}
        results["rank_correlation"] = found | {"chance": 0.0, "n": 100}
        results["pointing"] = {"value": 0.4, "chance": 0.1, "n": 90}
    return {
        "name": config.name,
        "config": config.model_dump(mode="json"),
        "classes": 14,
        "seed": seed,
        "code": {"commit": "0123456789abcdef", "dirty": False},
        "data": {"root": "data/mini", "videos": 10, "sha256": "feed" * 16},
        "hardware": {"cpu": "A processor", "gpus": [], "cores": 2},
        "wall_seconds": 360.0,
        "results": {"validation": results},
    } | changes


@pytest.fixture
def root(tmp_path) -> Path:
    """A repository with the paper's tables and no record."""
    for path in PAPER.glob("*.csv"):
        copy = tmp_path / "book/results/paper" / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return tmp_path


BASELINE = [0.60, 0.62, 0.58, 0.61, 0.59]
ST_ABN = [0.65, 0.66, 0.64, 0.65, 0.64]
CONTROL = [0.61, 0.60, 0.60, 0.60, 0.60]


@pytest.fixture
def studied(root) -> Path:
    """The same with a study of five seeds and this build's own run."""
    for arm, values in [("baseline", BASELINE), ("st_abn", ST_ABN), ("control", CONTROL)]:
        for seed, top1 in enumerate(values):
            write(root, f"book/results/table1/mini_{arm}_seed{seed}.json", record(arm, seed, top1))
    write(root, "runs/mini_st_abn/record.json", record("st_abn", 0, 0.701))
    return root


def test_the_papers_rows_are_all_there_as_printed(root):
    rows = tables.paper_rows(root)
    assert len(rows) == 23
    by_key = {(r["system"], r["backbone"], r["frames"]): (r["top1"], r["top5"]) for r in rows}
    assert by_key["ST-ABN", "3D ResNet-50", "32"] == ("58.6", "85.5")
    assert by_key["Baseline of the paper", "3D ResNet-101", "32×2"] == ("65.3", "90.1")
    assert by_key["ABM", "ResNet-50", "16×3"] == ("61.3", "")
    assert by_key["TSN", "BN-Inception", "8"] == ("27.8", "57.6")
    shown = Cells(tables.real_table(root)).rows[1:]
    for row, cells in zip(rows, shown, strict=True):
        assert cells[0] == row["system"] + row["reference"]
        assert cells[1:3] == [row["backbone"], row["frames"]]
        assert cells[3:5] == [row["top1"] or DASH, row["top5"] or DASH]


def test_tables_2_and_3_agree_with_each_other_and_with_table_1():
    two, three = ((PAPER / f"table{i}.csv").read_text().splitlines() for i in (2, 3))
    assert two[1:] == ["before,20.5,59.8,58.6", "after,26.3,61.7,60.7"]
    assert three[1].endswith("58.6,85.5")
    assert three[3].startswith("after,no,60.7")


def test_without_a_record_every_cell_of_ours_is_a_dash_with_its_command(root):
    page = tables.real_table(root)
    rows = Cells(page).rows[1:]
    ours = [cells[5:] for cells in rows if "this paper" in cells[0]]
    assert [re.sub(r"\d", "", a).strip() for a, _ in ours] == [DASH] * 8
    assert page.count("NAME=ssv2_") == 8
    others = [cells[5:] for cells in rows if "this paper" not in cells[0]]
    assert {tuple(c) for c in others} == {("", "")}
    mini = tables.mini_table(root)
    assert "synthetic" in mini
    assert "make study" in mini
    assert "NAME=mini_control" in mini
    assert not re.search(r"\d\.\d", mini)
    assert Cells(mini).links == []
    assert "make study" in tables.paired_table(root)
    assert "make study" in tables.attention_table(root)


def test_the_commands_train_what_the_cell_stands_for(root):
    page = tables.real_table(root)
    assert "-f notebooks/launch/$NAME.yaml" in page
    named = re.findall(r"NAME=(\w+)", page)
    described = [read_config(REPOSITORY / f"notebooks/launch/{name}.yaml") for name in named]
    assert [config.name for config in described] == named
    rows = [row for row in tables.paper_rows(root) if row["reference"] == "this paper"]
    for row, config in zip(rows, described, strict=True):
        assert config.model == ("st_abn" if row["system"] == "ST-ABN" else "baseline")
        assert row["backbone"] == config.backbone.replace("resnet", "3D ResNet-")
        assert config.sampling == {"32": "segments", "32×2": "two_clip"}[row["frames"]]
        assert config.constant_attention is None
    for arm in ("baseline", "control", "st_abn"):
        read_config(REPOSITORY / f"notebooks/launch/mini_{arm}.yaml")


def test_mini_table_shows_mean_and_sd_and_links_every_record(studied):
    page = Cells(tables.mini_table(studied))
    cells = {row[0].split(" (")[0]: row[1:] for row in page.rows[1:]}
    values = 100 * np.array(ST_ABN)
    assert cells["ST-ABN"][0].startswith(f"{values.mean():.1f} ± {values.std(ddof=1):.1f}")
    assert cells["ST-ABN"][0].endswith("0 1 2 3 4")
    assert SEEDS in tables.mini_table(studied)
    assert SEEDS not in tables.real_table(studied)  # nothing there is over seeds
    assert cells["ST-ABN"][2] == "70.1"
    assert cells["3-D ResNet"][2].startswith(DASH)
    assert any("≡ 0.5" in row[0] and "≡ 0.25" in row[0] for row in page.rows)
    assert len(page.links) == 2 * (3 * 5 + 1)
    for link in page.links:
        assert (studied / "notebooks" / link).resolve().is_file()


def test_paired_test_equals_scipys_and_the_formula(studied):
    a, b = dict(enumerate(ST_ABN)), dict(enumerate(BASELINE))
    ours = tables.paired_test(a, b)
    d = np.array(ST_ABN) - np.array(BASELINE)
    t = d.mean() / (d.std(ddof=1) / np.sqrt(5))
    assert ours.t == pytest.approx(t)
    assert ours.p == pytest.approx(2 * stats.t.sf(abs(t), df=4))
    assert (ours.difference, ours.sd) == pytest.approx((d.mean(), d.std(ddof=1)))
    told = f"{100 * d.mean():+.1f} ± {100 * d.std(ddof=1):.1f}"
    assert told.replace("-", "−") in tables.paired_table(studied)


def test_a_number_has_a_minus_sign_that_is_one_and_0_has_none():
    assert [fixed(value, 1) for value in (-1.25, -0.04, 2)] == ["−1.2", "0.0", "2.0"]
    assert [fixed(value, 1, signed=True) for value in (-1.25, -0.04, 2)] == ["−1.2", "+0.0", "+2.0"]


def test_only_seeds_on_the_same_data_are_paired(studied):
    odd = record("st_abn", 4, 0.99, data={"sha256": "other", "videos": 1, "root": "data/mini"})
    write(studied, "book/results/table1/mini_st_abn_seed4.json", odd)
    tests = {(a, b): t.n for a, b, t, _ in tables.comparisons(tables.study(studied))}
    assert tests == {
        ("st_abn", "baseline"): 4,
        ("st_abn", "control"): 4,
        ("control", "baseline"): 5,
    }


def test_paired_test_of_too_few_or_equal_differences():
    assert tables.paired_test({0: 1.0}, {0: 2.0, 1: 3.0}) is None
    assert tables.paired_test({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0}).p == 1.0
    assert tables.paired_test({0: 2.0, 1: 3.0}, {0: 1.0, 1: 2.0}).p == 0.0


def test_mean_sd_by_hand():
    assert tables.mean_sd([1, 2, 3]) == tables.comparison.Summary(2.0, 1.0, 3)
    assert np.isnan(tables.mean_sd([4.0]).sd)


def test_holm_by_hand():
    # sorted .01, .03, .04 → ×3, ×2, ×1 = .03, .06, .04 → never falling: .03, .06, .06
    assert tables.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert tables.holm([0.6, 0.7]) == [1.0, 1.0]
    assert tables.holm([]) == []


def test_words_follow_the_p_values(studied):
    words = tables.findings(tables.study(studied)).splitlines()
    for line, (a, b, test, p) in zip(words, tables.comparisons(tables.study(studied)), strict=True):
        assert f"{abs(test.difference):.1f} points" in line
        assert ("**not** significant" in line) == (p >= 0.05)
        assert ("above" in line) == (test.difference >= 0)
        assert (a, b) != ("control", "baseline") or "**not** significant" in line
    assert words[0].startswith("- ST-ABN is 4.8 points above the plain 3-D ResNet")
    for seed, top1 in enumerate([0.58, 0.66, 0.59, 0.63, 0.57]):  # now it is noise
        path = f"book/results/table1/mini_st_abn_seed{seed}.json"
        write(studied, path, record("st_abn", seed, top1))
    assert "**not** significant" in tables.findings(tables.study(studied)).splitlines()[0]


def test_a_difference_is_written_in_its_unit():
    tested = compare({"a": {0: 0.5, 1: 0.7}, "b": {0: 0.25, 1: 0.302}}, [("a", "b")])
    names = {"a": "one", "b": "other"}
    for unit, number, head in (
        (POINTS, "0.3 points", "difference ± sd, points"),
        (Unit(2), "0.32", "difference ± sd"),
        (Unit(3, "seconds"), "0.324 seconds", "difference ± sd, seconds"),
    ):
        assert f"One is {number} above other in x (" in in_words(tested, [], names, "in x", unit)
        page = Cells(differences_table("", "x", tested, names, unit)).rows
        assert page[0][1] == head
        assert page[1][0] == "one − other"
        assert page[1][1].startswith(f"+{number.split()[0]} ± ")
    assert in_words(tested, [], names, "in x") == in_words(tested, [], names, "in x", POINTS)


def test_words_without_records_claim_nothing(root):
    words = tables.findings(tables.study(root))
    assert words.count("nothing can be said") == 3
    assert "significant" not in words
    assert "No records" in tables.provenance([])


def test_attention_table_beside_chance(studied):
    rows = {row[0]: row[1:] for row in Cells(tables.attention_table(studied)).rows[1:]}
    correlation = next(v for k, v in rows.items() if "rank correlation" in k)
    assert correlation[0].startswith("0.62 ± 0.02")
    assert correlation[1:] == ["0.60", "0.00"]
    habit = next(v for k, v in rows.items() if "other clips" in k)
    assert habit[0].startswith("0.20 ± 0.16")  # 0, 0.1, 0.2, 0.3, 0.4
    mass = next(v for k, v in rows.items() if "sum on actor" in k)
    assert mass[0].startswith(DASH)


def test_a_real_run_fills_its_own_cells_only(studied):
    config = {"backbone": "resnet50", "sampling": "two_clip", "data_root": "data/ssv2"}
    config |= {"num_frames": 32}
    real = record("st_abn", 0, 0.6123, name="ssv2_st_abn", config={"backbone": "resnet50"})
    real["config"] |= config
    real["classes"] = 174
    write(studied, "book/results/table1/ssv2_seed0.json", real)
    assert len(tables.study(studied)) == 15
    rows = Cells(tables.real_table(studied)).rows[1:]
    filled = [row[:3] for row in rows if row[5] == "61.2"]
    assert filled == [["ST-ABNthis paper", "3D ResNet-50", "32×2"]]
    assert tables.real_table(studied).count("NAME=ssv2_") == 7


def test_provenance_names_data_code_machine_and_time(studied):
    words = tables.provenance(tables.study(studied))
    for part in ("15 records", "feedfeedfeed", "012345678", "A processor", "1.5 hours"):
        assert part in words
    write(studied, "runs/mini_st_abn/record.json", record("st_abn", 0, 0.7, code={"commit": None}))
    assert "outside a repository" in tables.provenance(tables.own(studied))


def test_runs_that_still_train_are_left_out_and_broken_records_refused(studied):
    write(studied, "runs/mini_st_abn/record.json", record("st_abn", 0, 0.7, results={}))
    assert tables.own(studied) == []
    broken = studied / "runs/mini_baseline/record.json"
    broken.parent.mkdir()
    for text in ("{ half", '{"name": "x"}', "[1, 2]"):
        broken.write_text(text)
        with pytest.raises(tables.TableError, match=r"mini_baseline.record\.json"):
            tables.own(studied)


def test_runs_of_other_networks_do_not_count_as_st_abn(studied):
    before = tables.study(studied)
    other = record("st_abn", 0, 0.9, config={"model": "bilstm"}, name="mini_bilstm")
    write(studied, "runs/mini_bilstm/record.json", other)
    write(studied, "book/results/table1/mini_bilstm_seed0.json", other)
    assert Run(other, "").arm == "bilstm"
    assert tables.study(studied) == before


def test_promote_keeps_the_record_whole_under_arm_and_seed(tmp_path, capsys):
    for name in ("mini_control", "mini_control_seed3"):
        content = record("control", 3, 0.5, name=name)
        write(tmp_path, "runs/study/one/record.json", content)
        kept = promote(tmp_path / "runs/study/one", "table1", tmp_path)
        assert kept == tmp_path / "book/results/table1/mini_control_seed3.json"
        assert json.loads(kept.read_text()) == content
    assert [run.arm for run in tables.study(tmp_path)] == ["control"]


@pytest.mark.parametrize("changes", [{"wall_seconds": None}, {"results": {}}])
def test_promote_refuses_a_run_that_has_not_finished(tmp_path, changes):
    write(tmp_path, "run/record.json", record("baseline", 0, 0.5, **changes))
    with pytest.raises(tables.TableError, match="not finished"):
        promote(tmp_path / "run", "table1", tmp_path)
    assert not (tmp_path / "book").exists()


def test_promote_of_something_else_is_refused(tmp_path):
    write(tmp_path, "run/record.json", {"wall_seconds": 1, "results": {"validation": {}}})
    with pytest.raises(tables.TableError, match=r"record\.json: is no record of a run"):
        promote(tmp_path / "run", "table1", tmp_path)


@pytest.mark.parametrize("study", ["../elsewhere", "/elsewhere", "..", ""])
def test_promote_stays_in_the_book(tmp_path, study):
    write(tmp_path, "run/record.json", record("baseline", 0, 0.5))
    with pytest.raises(tables.TableError, match=r"no name of a folder of book/results"):
        promote(tmp_path / "run", study, tmp_path)


def test_promote_refuses_a_run_that_went_on_since_its_report(tmp_path, capsys):
    """An earlier version kept the old record of a run that was extended."""
    real = {"classes": 174, "data": {"root": "x", "videos": 220_847, "sha256": "ab"}}
    folder = tmp_path / "runs" / "extended"
    write(tmp_path, "runs/extended/record.json", record("st_abn", 0, 0.1, steps=9, **real))
    last = {"format": FORMAT, "config": {}, "classes": [], "model": {}}
    torch.save(last | {"progress": {"step": 21}}, folder / "last.pt")
    with pytest.raises(
        tables.TableError, match=r"gone on since its report of 9 steps: 21 are done"
    ):
        promote(folder, "table1", tmp_path)
    assert real_runs(tmp_path) == []
    assert "extended has gone on" in capsys.readouterr().out
    torch.save(last | {"progress": {"step": 9}}, folder / "last.pt")
    assert real_runs(tmp_path) == [(folder, "table1")]
    assert promote(folder, "table1", tmp_path).is_file()


def test_promote_of_no_run_says_so(tmp_path, stabn):
    with pytest.raises(SystemExit, match="no such record"):
        stabn("promote", tmp_path / "nowhere", "table1")


def test_what_fills_the_tables_is_the_real_set_and_finished(tmp_path, capsys):
    def ran(name: str, videos: int, **changes) -> None:
        changes = {
            "classes": 174,
            "data": {"root": "x", "videos": videos, "sha256": "ab"},
        } | changes
        write(tmp_path, f"runs/{name}/record.json", record("st_abn", 0, 0.5, **changes))

    ran("ssv2_st_abn_r50_32", 220_847)
    ran("ssv2_finetune", 190_000, finetuning={})
    ran("lookalike", 400)
    ran("running", 220_847, wall_seconds=None)
    ran("mini_st_abn", 2_520, classes=14)
    found = {path.name: study for path, study in real_runs(tmp_path)}
    assert found == {"ssv2_st_abn_r50_32": "table1", "ssv2_finetune": "table2"}
    said = capsys.readouterr().out
    assert "lookalike saw a set of 400 videos only" in said
    assert "running has not finished" in said


@pytest.mark.parametrize("given", [[], ["runs/x"], ["runs/x", "table1", "--finished"]])
def test_promote_is_told_which(given, stabn):
    with pytest.raises(click.UsageError, match="give a run and a study, or --finished"):
        stabn("promote", *given)


def test_committed_records_can_be_read():
    """Whatever the repository holds makes whole tables."""
    for table in (
        tables.real_table,
        tables.mini_table,
        tables.paired_table,
        tables.attention_table,
    ):
        assert table().startswith("<")
    assert tables.findings(tables.study())


def test_the_power_to_see_the_papers_largest_gain(studied):
    """The gains, by hand from the printed rows; the power, from that of the differences' sd."""
    assert tables.paper_gains(studied) == pytest.approx(
        {
            ("3D ResNet-50", "32"): 7.2,
            ("3D ResNet-50", "32×2"): 0.3,
            ("3D ResNet-101", "32"): 0.3,
            ("3D ResNet-101", "32×2"): 0.5,
        }
    )
    head, first, *_ = Cells(tables.power1(studied)).rows
    assert head[3] == "studies that would show +7.2"
    sd = np.std([100 * (a - b) for a, b in zip(ST_ABN, BASELINE, strict=True)], ddof=1)
    assert first[1] == f"{sd:.1f}"
    assert first[3] == f"{power(7.2, sd, 5):.0%}"
