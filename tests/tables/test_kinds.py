"""Where the time of a missed target goes: shares by hand, and what it would take."""

import pytest

from stabn.tables.html import DASH
from stabn.tables.kinds import (
    COMMAND,
    HELD,
    LOADER_COMMAND,
    PRODUCTS,
    STAGES,
    WITHIN,
    alone,
    kind_of,
    kinds_table,
    within,
)
from stabn.tables.targets import TARGETS
from tests.records import rows, write

HARDWARE = {"cpu": "a processor", "gpus": []}
TARGET = {"measured_at": "small", "instructions": "AVX2", "low": None, "high": None}
TARGET |= {"arithmetic": None, "note": None, "turns": 5, "quiet": 5, "frames": 8, "size": 112}


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
    wanted = f"{PRODUCTS} alone to 0.50, all else alone cannot do it"
    assert row[3] == f"down to 0.62 of its time: {wanted}"


def test_a_share_is_to_rise_so_its_time_is_to_fall(tmp_path):
    measured(tmp_path, share=0.63)
    profiled(tmp_path, "forward", "st_abn", {PRODUCTS: 8.0, "BN": 2.0})
    _, row = rows(kinds_table(tmp_path))
    wanted = f"{PRODUCTS} alone to 0.88, all else alone to 0.50"
    assert row[3] == f"down to 0.90 of its time: {wanted}"


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
    # decoding is on both sides: of 1 s beside it, 1 / 0.85 − 1 = 0.18 s may be left
    assert row[3] == "all but the decoding down to 0.18 of its time"


@pytest.mark.parametrize(
    ("name", "value", "part", "rest"),
    [
        ("attention_cost", 1.75, 0.75, 1.0),  # the plain network takes 1 s, attention adds the part
        ("small_network", 1.5, 0.5, 1.0),
        ("finetune_cached", 0.6, 0.6, 0.4),  # of a step of 1 s, what comes before is the rest
        ("loader", 0.8, 0.25, 1.0),  # decoding takes 1 s
    ],
)
def test_where_the_part_comes_down_as_said_the_target_is_met(name, value, part, rest):
    limit = TARGETS[name].limit
    left = part * WITHIN[name][1](limit) / WITHIN[name][1](value)
    ratio = {
        "attention_cost": (rest + left) / rest,
        "small_network": (rest + left) / rest,
        "finetune_cached": left / (left + rest),
        "loader": rest / (rest + left),
    }[name]
    assert ratio == pytest.approx(limit)
    assert within(name, limit, value).endswith(f" down to {left / part:.2f} of its time")


def test_words_where_one_part_alone_would_do():
    wanted = "down to 0.50 of its time: a alone to 0.38, all else alone cannot do it"
    assert alone(0.5, "a", 0.8) == wanted


def test_every_target_that_computes_is_held_by_something():
    counted = {"act_memory", "loader", "fwd_bf16"}  # fwd_bf16 needs other units
    assert HELD.keys() == TARGETS.keys() - counted
