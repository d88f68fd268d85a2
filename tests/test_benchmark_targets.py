"""`python -m benchmarks`: ratios and spreads by hand, other load, a missing peer, its record.

No figure of speed is looked at: a busy machine has any.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from stabn.tables.kinds import HELD, KIND_KEYS, NAMED, PRODUCTS, REST
from stabn.tables.targets import COMMAND, KEYS, TARGETS

pytestmark = pytest.mark.slow(40)


@pytest.fixture
def turns(benchmark):
    """The module that times; a product of its matrices is as quick as the machine can do it."""
    return benchmark("turns")


@pytest.fixture
def run(benchmark, turns, monkeypatch, capsys) -> Callable[..., str]:
    """Runs the command line in this process, on toy clips; what it prints."""
    ratios, front = benchmark("ratios"), benchmark("benchmarks.__main__")
    toy = ratios.Clips(2, 4, 32, videos=6)
    monkeypatch.setattr(turns, "multiplying", lambda: lambda: turns.Product(100.0, 100.0))
    monkeypatch.setattr(ratios, "SMALL_NETWORK", toy)
    monkeypatch.setattr(ratios, "BACKBONE", "small")
    for size in ratios.SIZES:
        monkeypatch.setitem(ratios.SIZES, size, toy)
    for name in front.SETTINGS:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str | Path) -> str:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", [front.__file__, *map(str, arguments)])
            front.main()
        return capsys.readouterr().out

    return run


def taken(turns, seconds: list[dict[str, float]], clock: list[list[float]]):
    """Turns with these seconds, and products with these rates by the clock, of a machine's 100."""
    pairs = zip(seconds, clock, strict=True)
    return turns.Turns([turns.Turn(s, [turns.Product(c, 100.0) for c in cs]) for s, cs in pairs])


def test_a_ratio_and_its_spread_by_hand(turns):
    ours, peer = [2.0, 3.0, 8.0, 5.0, 9.0], [4.0, 4.0, 8.0, 2.0, 3.0]
    seconds = [{"ours": a, "peer": b} for a, b in zip(ours, peer, strict=True)]
    found = taken(turns, seconds, [[100.0, 90.0, 95.0]] * 5)
    assert found.ratio("ours", "peer") == (1.0, 0.5, 3.0)  # of 0.5, 0.75, 1, 2.5, 3
    assert found.ratio("peer", "ours") == (1.0, 1 / 3, 2.0)  # not 1 over the ratio of the medians
    assert (found.seconds("ours"), found.seconds("peer")) == (5.0, 4.0)
    assert (found.rate, found.told()) == (100.0, None)


def test_turns_under_load_are_left_out_and_told(turns):
    """Other work slows a product to a half, before, between or after the samples."""
    slow = [[50.0, 100.0, 100.0], [100.0, 50.0, 100.0], [100.0, 100.0, 50.0]]
    seconds = [{"ours": 9.0, "peer": 1.0}] * 3 + [{"ours": 1.0, "peer": 2.0}] * 5
    found = taken(turns, seconds, slow + [[100.0] * 3] * 5)
    assert found.ratio("ours", "peer") == (0.5, 0.5, 0.5)
    assert found.told() == "3 of 8 turns under other load, left out"


def test_where_too_few_turns_are_quiet_all_are_kept_and_it_is_told(turns):
    """Load that never ends is seen too: the products took less CPU time than they lasted."""
    found = taken(turns, [{"ours": 1.0, "peer": 2.0}] * 6, [[60.0] * 3] * 6)
    assert found.ratio("ours", "peer") == (0.5, 0.5, 0.5)
    told = "6 of 6 turns under other load, kept, as fewer than 5 were quiet"
    assert found.told() == told


def test_peers_are_called_in_turns_with_a_product_around_each(turns):
    called, clock = [], iter([100.0] * 3 + [10.0] * 3 + [100.0] * 12)

    def product():
        called.append("product")
        return turns.Product(next(clock), 100.0)

    ways = {"ours": lambda: called.append("ours"), "peer": lambda: called.append("peer")}
    found = turns.in_turns(ways, product=product)
    a_turn = ["product", "ours", "product", "peer", "product"]
    assert called == ["ours", "peer", *a_turn * 6]  # once before, then five quiet ones and a slow
    assert found.told() == "1 of 6 turns under other load, left out"


def test_a_machine_that_is_never_quiet_is_not_waited_for(turns):
    found = turns.in_turns({"ours": int}, product=lambda: turns.Product(10.0, 100.0), most=7)
    assert len(found.used) == 7


def test_two_matrices_are_multiplied_at_some_rate(turns):
    clock, core = turns.multiplying(64)()
    assert clock > 0
    assert core > 0


def test_without_a_name_every_target_is_one_line(run):
    lines = run().splitlines()
    assert [line.split()[0] for line in lines] == list(TARGETS)
    for line, target in zip(lines, TARGETS.values(), strict=True):
        assert target.in_words() in line
        assert target.compared in line


def test_an_unknown_name_is_answered_with_those_there_are(run, capsys):
    with pytest.raises(SystemExit) as left:
        run("forward")
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "no target is named 'forward': choose all or one of fwd_backbone, fwd_stabn," in said
    assert all(name in said for name in TARGETS)


def test_limits_on_instructions_are_set_together_or_not_at_all(run, monkeypatch, capsys, tmp_path):
    """Else a share of the matrix rate would compare two kinds of instructions."""
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    with pytest.raises(SystemExit):
        run("share")
    said = capsys.readouterr().err
    assert "ONEDNN_MAX_CPU_ISA is set alone" in said
    assert "MKL_ENABLE_INSTRUCTIONS, or none" in said
    for name in ("ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS"):
        monkeypatch.setenv(name, "AVX2")
    run("share", "--out", tmp_path / "record.json")
    assert len(json.loads((tmp_path / "record.json").read_text())["settings"]) == 3


def test_every_target_is_measured(benchmark):
    assert benchmark("ratios").MEASUREMENTS.keys() == TARGETS.keys()


def test_a_row_has_value_arithmetic_and_shares(run, tmp_path):
    out = tmp_path / "targets_small_here.json"
    printed = run("attention_cost", "--small", "--out", out, "--note", "a test")
    record = json.loads(out.read_text())
    assert record["command"] == f"python -m benchmarks attention_cost --small --out {out} " + (
        "--note 'a test'"
    )
    assert (record["measured_at"], record["note"]) == ("small", "a test")
    (row,) = record["rows"]
    assert row.keys() >= KEYS
    assert row["low"] <= row["value"] <= row["high"]
    assert row["turns"] == 5
    assert 1 < row["arithmetic"] < 4
    for name, share in row["share_of_matrix_rate"].items():
        assert share * row["seconds"][name] * 100 < 2  # the toy network's GFLOP
    verdict = "missed" if row["value"] > 1.6 else "met"
    assert f"target ≤ 1.60: {verdict}" in printed
    assert f"{row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})" in printed


@pytest.mark.parametrize("name", ["small_network", "share", "finetune_cached"])
def test_our_own_networks_are_compared(run, tmp_path, name):
    run(name, "--out", tmp_path / "record.json")
    (row,) = json.loads((tmp_path / "record.json").read_text())["rows"]
    assert row["low"] <= row["value"] <= row["high"]
    if name == "share":
        assert row["value"] == pytest.approx(row["share_of_matrix_rate"]["st_abn"])


def test_what_a_step_keeps_is_what_the_cost_table_counts(run, benchmark, monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark("ratios"), "kept_bytes", lambda config: 3 * 2**29)
    assert "1.50, target ≤ 1.60: met; counted" in run("act_memory")


def test_the_loader_is_compared_with_decoding(run):
    assert ", target ≥ 0.85: " in run("loader")


def test_bf16_is_not_measured_where_there_are_no_units(run, benchmark, monkeypatch):
    monkeypatch.setattr(benchmark("ratios"), "multiplies_bf16", lambda: False)
    assert "– this processor has no bf16 units" in run("fwd_bf16")


def test_bf16_is_measured_where_there_are(run, benchmark, monkeypatch, tmp_path):
    ratios = benchmark("ratios")
    monkeypatch.setattr(ratios, "multiplies_bf16", lambda: True)
    monkeypatch.setattr(ratios, "slow_r50", lambda classes, frames, size: peer(classes))
    run("fwd_bf16", "--out", tmp_path / "record.json")
    (row,) = json.loads((tmp_path / "record.json").read_text())["rows"]
    assert row["seconds"].keys() == {"bf16", "slow_r50"}


def peer(classes: int) -> nn.Module:
    """A network of somebody else."""
    return nn.Sequential(
        nn.Conv3d(3, 8, 3, bias=False), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(8, classes)
    )


@pytest.mark.parametrize("name", ["fwd_backbone", "train_stabn"])
def test_without_the_peer_its_row_says_how_to_get_it_and_is_measured_later(
    run, benchmark, monkeypatch, tmp_path, name
):
    out, ratios = tmp_path / "record.json", benchmark("ratios")
    monkeypatch.setattr(benchmark("peers"), "find_spec", lambda name: None)
    printed = run(name, "--out", out)
    assert "– pytorchvideo is not here; python -m pip install --no-deps --target" in printed
    (row,) = json.loads(out.read_text())["rows"]
    assert row["value"] is None
    monkeypatch.setattr(ratios, "slow_r50", lambda classes, frames, size: peer(classes))
    run(name, "--out", out)
    (row,) = json.loads(out.read_text())["rows"]
    assert row["value"] is not None
    assert [*row["seconds"]][1] == "slow_r50"


def test_the_peer_is_made_for_the_clips_and_leaves_no_stand_in_behind(
    benchmark, monkeypatch, tmp_path
):
    """A package that asks for torchvision as pytorchvideo does."""
    peers = benchmark("peers")
    folder = tmp_path / "pytorchvideo" / "models"
    folder.mkdir(parents=True)
    (folder / "resnet.py").write_text(
        "from torchvision.ops import RoIAlign\ndef create_resnet(**given): return given\n"
    )
    monkeypatch.setattr(peers, "PLACE", tmp_path)
    kept = {name for name in sys.modules if name.startswith("pytorchvideo")}
    assert not kept
    try:
        given = peers.slow_r50(174, 8, 112)
    finally:
        for name in [name for name in sys.modules if name.startswith("pytorchvideo")]:
            del sys.modules[name]
    assert given["head_pool_kernel_size"] == (8, 4, 4)  # 112 pixels, halved five times, rounded up
    assert (given["model_depth"], given["model_num_class"]) == (50, 174)
    assert "torchvision.ops" not in sys.modules


def test_all_goes_on_where_it_stopped(run, benchmark, monkeypatch, tmp_path):
    out, ratios, made = tmp_path / "record.json", benchmark("ratios"), []

    def measuring(name):
        def measure(clips):
            made.append(name)
            if name == "share" and made.count("share") == 1:
                raise KeyboardInterrupt
            return ratios.absent(clips, None) | {"value": 0.5}

        return measure

    monkeypatch.setattr(benchmark("measured"), "code_version", lambda: {"commit": "a"})
    for name in TARGETS:
        monkeypatch.setitem(ratios.MEASUREMENTS, name, measuring(name))
    with pytest.raises(KeyboardInterrupt):
        run("all", "--out", out)
    before = list(TARGETS)[: list(TARGETS).index("share")]
    assert [row["name"] for row in json.loads(out.read_text())["rows"]] == before
    run("all", "--out", out)
    assert [row["name"] for row in json.loads(out.read_text())["rows"]] == list(TARGETS)
    assert made == [*TARGETS][: made.index("share") + 1] + [*TARGETS][made.index("share") :]

    monkeypatch.setattr(benchmark("measured"), "code_version", lambda: {"commit": "b"})
    run("all", "--out", out)  # other code: another record
    assert made.count("share") == 3
    run("all", "--full", "--out", out)  # other clips: another record
    assert json.loads(out.read_text())["measured_at"] == "full"
    assert json.loads((tmp_path / "record.json.before").read_text())["measured_at"] == "small"


def test_the_command_in_the_book_is_one_that_is_understood(run, monkeypatch, benchmark):
    ratios = benchmark("ratios")
    for name in TARGETS:
        monkeypatch.setitem(ratios.MEASUREMENTS, name, lambda clips: ratios.absent(clips, "no"))
    for size in ratios.SIZES:
        words = COMMAND.format(size=size).split()
        assert words[:3] == ["python", "-m", "benchmarks"]
        assert "– no" in run(*words[3:5])
    assert torch.get_num_threads() == 1  # as the tests have it


@pytest.fixture
def kinds(run, benchmark, monkeypatch):
    """The module that says where time goes, on toy clips; on as many threads as before."""
    monkeypatch.setattr(benchmark("peers"), "find_spec", lambda name: None)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    return benchmark("kinds")


def test_where_time_goes_is_said_of_all_that_a_target_holds(kinds, monkeypatch, tmp_path, capsys):
    out = tmp_path / "kinds_small_here.json"
    monkeypatch.setattr(sys, "argv", ["kinds.py", "--out", str(out)])
    kinds.main()
    found = json.loads(out.read_text())["rows"]
    assert {(row["doing"], row["network"]) for row in found} == {
        *HELD.values(),
        ("small step", "baseline"),
    }
    for row in found:
        assert row.keys() >= KIND_KEYS
        assert row["seconds"].keys() <= {*NAMED, REST}
        assert min(row["seconds"].values()) >= 0
        assert row["seconds"][PRODUCTS] > 0
        assert ("BN" in row["seconds"]) == (row["doing"] != "forward")  # there it is folded
        assert ("optimizer" in row["seconds"]) == ("step" in row["doing"])
    assert "forward, st_abn: " in capsys.readouterr().out


def test_of_each_call_the_least_of_the_turns_counts(kinds, monkeypatch):
    """Two operations in three turns: 5, 2, 3 s and 1, 7, 4 s; the call before them is not timed."""
    a, b = torch.ones(2, 2), torch.ones(2, 2)
    clock = iter([0, 5, 5, 6, 10, 12, 12, 19, 20, 23, 23, 27])
    monkeypatch.setattr(kinds.time, "thread_time", lambda: next(clock))
    found = kinds.least({"x": lambda: torch.mm(a, b).relu()}, turns=3)
    assert found == {"x": [("mm", 2), ("relu", 1)]}
    assert kinds.by_kind(found["x"]) == {PRODUCTS: 2, "ReLU, sums, pooling": 1}


def test_a_way_that_does_another_thing_each_time_is_not_measured(kinds):
    often = iter([1, 1, 2])
    with pytest.raises(ValueError, match="zip"):
        kinds.least({"x": lambda: [torch.ones(2).relu() for _ in range(next(often))]}, turns=2)
