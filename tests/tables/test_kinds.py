"""Where the time of a missed target goes: shares by hand, and what it would take."""

import pytest

from stabn.tables.html import DASH
from stabn.tables.kinds import (
    COMMAND,
    HELD,
    LOADER_COMMAND,
    PRODUCTS,
    STAGES,
    kind_of,
    kinds_table,
    would_take,
)
from stabn.tables.targets import TARGETS
from tests.records import rows, write

HARDWARE = {"cpu": "a processor", "gpus": []}
TARGET = {"measured_at": "small", "instructions": "AVX2", "low": None, "high": None}
TARGET |= {"arithmetic": None, "note": None}


def measured(root, **values: float) -> None:
    found = [TARGET | {"name": name, "value": value} for name, value in values.items()]
    write(root, "book/results/cost/targets_small.json", {"hardware": HARDWARE, "rows": found})


def profiled(root, doing: str, network: str, seconds: dict, instructions: str = "AVX2") -> None:
    row = {"doing": doing, "network": network, "seconds": seconds, "measured_at": "small"}
    content = {"hardware": HARDWARE, "rows": [row | {"instructions": instructions}]}
    write(root, "book/results/cost/kinds_small.json", content)


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("convolution", PRODUCTS),
        ("convolution_backward", PRODUCTS),
        ("addmm", PRODUCTS),
        ("native_batch_norm_backward", "BN"),
        ("cat", "copies"),
        ("constant_pad_nd", "copies"),
        ("threshold_backward", "ReLU, sums, pooling"),
        ("add_", "ReLU, sums, pooling"),
        ("max_pool2d_with_indices", "ReLU, sums, pooling"),
        ("_fused_sgd_", "optimizer"),
        ("empty", None),
        ("view", None),
    ],
)
def test_operations_are_of_a_kind(operation, kind):
    assert kind_of(operation) == kind


def test_what_is_met_or_takes_no_time_has_no_row(tmp_path):
    measured(tmp_path, fwd_stabn=1.0, share=0.8, act_memory=9.0)
    assert len(rows(kinds_table(tmp_path))) == 1


def test_shares_and_what_is_missing_by_hand(tmp_path):
    """3 s of 4 are products; 1.84 is to be 1.15, 0.625 of it: a half of the products, less 1 s."""
    measured(tmp_path, fwd_stabn=1.84)
    profiled(tmp_path, "forward", "st_abn", {"BN": 1.0, PRODUCTS: 3.0})
    _, row = rows(kinds_table(tmp_path))
    assert row[:3] == ["fwd_stabn", "1.84", f"{PRODUCTS} 75%, BN 25%"]
    assert row[3] == f"0.62 of its time; {PRODUCTS} 0.50 of theirs; all else alone would not do"


def test_a_share_is_to_rise_so_its_time_is_to_fall(tmp_path):
    measured(tmp_path, share=0.63)
    profiled(tmp_path, "forward", "st_abn", {PRODUCTS: 8.0, "BN": 2.0})
    _, row = rows(kinds_table(tmp_path))
    assert row[3] == f"0.90 of its time; {PRODUCTS} 0.88 of theirs; all else 0.50 of theirs"


def test_a_profile_of_other_instructions_is_not_taken(tmp_path):
    measured(tmp_path, fwd_stabn=1.84)
    profiled(tmp_path, "forward", "st_abn", {PRODUCTS: 1.0}, instructions="AVX512")
    page = kinds_table(tmp_path)
    assert rows(page)[1][2:] == [f"{DASH} 1"] * 2
    assert f"<li><code>{COMMAND}</code></li>" in page


def test_a_loaders_stages_are_what_each_adds(tmp_path):
    measured(tmp_path, loader=0.5)
    page = kinds_table(tmp_path)
    assert f"<li><code>{LOADER_COMMAND}</code></li>" in page
    rates = dict(zip(STAGES, (1.0, 0.8, 0.625, 0.625, 0.5), strict=True))  # 1, 1.25, 1.6, 1.6, 2 s
    found = [
        {"source": "x", "frames": 32, "size": 224, "stage": stage, "ratio_to_raw": rate}
        | {"clips_per_second_per_core": rate}
        for stage, rate in rates.items()
    ]
    write(tmp_path, "book/results/cost/loader_x.json", {"hardware": HARDWARE, "rows": found})
    _, row = rows(kinds_table(tmp_path))
    assert row[2] == (
        "raw decoding 50%, DataLoader 20%, + transform 18%, read_frames 12%, + collate 0%"
    )
    assert row[3] == "0.59 of its time; raw decoding 0.18 of theirs; all else 0.18 of theirs"


def test_words_where_one_part_alone_would_do():
    assert (
        would_take(0.5, "a", 0.8)
        == "0.50 of its time; a 0.38 of theirs; all else alone would not do"
    )


def test_every_target_that_computes_is_held_by_something():
    counted = {"act_memory", "loader", "fwd_bf16"}  # fwd_bf16 needs other units
    assert HELD.keys() == TARGETS.keys() - counted
