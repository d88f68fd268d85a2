"""The table of targets: what records have, on which side of a target it is, what is missing."""

import pytest

from stabn.tables import targets
from stabn.tables.html import DASH
from stabn.tables.runs import TableError
from stabn.tables.targets import TARGETS, Target, targets_in_words, targets_table
from tests.records import rows, write

ROW = {"measured_at": "small", "instructions": "AVX2", "value": 0.5, "low": 0.4, "high": 0.625}
ROW |= {"arithmetic": None, "note": None, "turns": 5, "quiet": 5, "frames": 8, "size": 112}
FULL = {"measured_at": "full", "frames": 32, "size": 224}
PLACES = {"small": 3, "full": 4}


def record(root, name: str, *found: dict, cpu: str = "a processor") -> None:
    hardware = {"cpu": cpu, "gpus": []}
    content = {"hardware": hardware, "rows": [ROW | one for one in found]}
    write(root, f"book/results/cost/targets_{name}.json", content)


def cells(root, name: str) -> list[str]:
    """The row of one target."""
    (found,) = [row for row in rows(targets_table(root)) if row[0] == name]
    return found


def test_without_records_there_are_dashes_and_the_commands(tmp_path):
    page = targets_table(tmp_path)
    head, *body = rows(page)
    assert head[3:] == ["8×112²", "32×224²"]
    assert [row[0] for row in body] == list(TARGETS)
    assert {tuple(row[3:]) for row in body} == {(f"{DASH} 1", f"{DASH} 2")}
    for size in PLACES:
        command = f"python -m benchmarks all --{size} --out book/results/cost/targets_{size}_NAME"
        assert f"<li><code>{command}.json</code></li>" in page


@pytest.mark.parametrize("size", PLACES)
def test_a_record_of_one_size_fills_its_column_alone(tmp_path, size):
    of = FULL if size == "full" else {}
    record(tmp_path, f"{size}_here", {"name": "attention_cost"} | of)
    (other,) = PLACES.keys() - {size}
    found = cells(tmp_path, "attention_cost")
    assert found[PLACES[size]] == "0.50 (0.40 to 0.62), met"
    assert found[PLACES[other]] == f"{DASH} 1"
    assert cells(tmp_path, "share")[PLACES[size]] == DASH  # not in the record
    page = targets_table(tmp_path)
    assert f'href="../book/results/cost/targets_{size}_here.json"' in page
    assert f"all --{size}" not in page
    assert f"all --{other}" in page
    assert "a processor (AVX2)" in rows(page)[0][PLACES[size]]


def test_a_target_is_met_on_the_right_side_of_it_and_on_it(tmp_path):
    low, high = {"name": "attention_cost"}, {"name": "share"}
    for value, as_low, as_high in ((0.5, "met", "missed"), (2.0, "missed", "met")):
        record(tmp_path, "small", low | {"value": value}, high | {"value": value})
        assert cells(tmp_path, "attention_cost")[3].endswith(f", {as_low}")
        assert cells(tmp_path, "share")[3].endswith(f", {as_high}")
    assert Target("x", "x", 0.75).met(0.75, "AVX2")
    assert Target("x", "x", 0.75, at_least=True).met(0.75, "AVX2")


def test_a_machine_with_wider_units_is_held_to_its_own_target(tmp_path):
    found = {"name": "fwd_backbone", "value": 0.7}
    record(tmp_path, "small_plain", found, cpu="narrow")
    record(tmp_path, "small_wide", found | {"instructions": "AVX512"}, cpu="wide")
    assert [cell.split(", ")[-1] for cell in cells(tmp_path, "fwd_backbone")[3:5]] == [
        "met",
        "missed",
    ]
    assert rows(targets_table(tmp_path))[0][3:5] == [
        "8×112², narrow (AVX2)",
        "8×112², wide (AVX512)",
    ]


def test_what_has_no_target_here_is_said(tmp_path):
    record(tmp_path, "small", {"name": "fwd_bf16"})
    assert cells(tmp_path, "fwd_bf16")[3] == "0.50 (0.40 to 0.62), no target here"
    with pytest.raises(ValueError, match="fwd_bf16 has no target on a machine with AVX2"):
        TARGETS["fwd_bf16"].met(0.1, "AVX2")


def test_what_could_not_be_measured_is_a_dash_that_says_why(tmp_path):
    none = {"name": "fwd_bf16", "value": None, "low": None, "high": None, "note": "no bf16 units"}
    record(tmp_path, "small", none)
    assert cells(tmp_path, "fwd_bf16")[3] == f"{DASH} no bf16 units"


def test_what_is_counted_has_no_range_and_load_is_told(tmp_path):
    counted = {"name": "act_memory", "low": None, "high": None, "value": 1.25, "turns": None}
    record(tmp_path, "small", counted, {"name": "share", "note": "3 of 8 turns under other load"})
    assert cells(tmp_path, "act_memory")[3] == "1.25, met"
    assert 'title="3 of 8 turns under other load"' in targets_table(tmp_path)


def test_where_other_work_fell_on_the_turns_nothing_is_decided(tmp_path):
    record(tmp_path, "small", {"name": "share", "turns": 10, "quiet": 4})
    said = "0.50 (0.40 to 0.62), not decided: 4 of 10 turns quiet"
    assert cells(tmp_path, "share")[3] == said


def test_what_is_met_is_counted_machine_by_machine(tmp_path):
    met, missed = {"name": "attention_cost"}, {"name": "share"}
    open_ = {"name": "loader", "turns": 10, "quiet": 4}
    none = {"name": "small_network", "value": None, "note": "no peer"}
    without = {"name": "fwd_bf16"}  # which has no target on AVX2
    record(tmp_path, "small", met, missed, open_, none, without)
    record(tmp_path, "full", met | FULL)
    assert targets_in_words(tmp_path) == (
        "**8×112², a processor (AVX2):** of 3 measured, 1 met (`attention_cost`), 1 missed, "
        "1 not decided. **32×224², a processor (AVX2):** of 1 measured, 1 met "
        "(`attention_cost`), 0 missed, 0 not decided."
    )


def test_a_clip_of_another_size_than_the_columns_is_named(tmp_path):
    record(tmp_path, "small", {"name": "small_network", "frames": 16, "size": 56})
    assert cells(tmp_path, "small_network")[3] == "0.50 (0.40 to 0.62), met, clip 16×56²"


def test_arithmetic_stands_beside_the_time(tmp_path):
    record(tmp_path, "small", {"name": "attention_cost", "arithmetic": 1.814})
    assert cells(tmp_path, "attention_cost")[3] == "0.50 (0.40 to 0.62), met, arithmetic 1.81"


def test_a_record_that_lacks_a_value_is_refused_by_name(tmp_path):
    path = "book/results/cost/targets_odd.json"
    write(tmp_path, path, {"hardware": {"cpu": "x", "gpus": []}, "rows": [{"name": "share"}]})
    with pytest.raises(TableError, match=r"targets_odd\.json: is no benchmark's record"):
        targets_table(tmp_path)


def test_the_committed_records_can_be_read():
    assert len(rows(targets_table())) == 1 + len(targets.TARGETS)
