"""The benchmarks with records: they run at toy size, and a record says what its readers look for.

No figure of speed is looked at: a busy machine has any.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stabn.data.video import probe
from tests.conftest import BENCHMARKS

pytestmark = pytest.mark.slow(25)

PROVENANCE = {"question", "code", "hardware", "versions", "started", "command", "note", "rows"}
STEP = {
    *("model", "backbone", "frames", "size", "batch", "precision", "options", "clips_per_second"),
    *("ratio", "peak_gib", "gflop_per_clip", "matrix_tflops", "share_of_matrix_rate", "note"),
}
LOADER = {"source", "frames", "size", "stage", "clips_per_second_per_core", "ratio_to_raw"}
ENCODER = {
    *("encoder", "size", "frames_per_second", "decoded_frames_per_second", "ratio_to_decoding"),
    *("bytes_pooled", "bytes_cube"),
}
STAGES = ["raw decoding", "read_frames", "+ transform", "+ collate", "DataLoader"]

# Multiply–adds of the small baseline on 4 frames of 32×32, by hand: weights × places.
BY_HAND = (
    24 * 3 * 3 * 5 * 5 * 4 * 16 * 16  # stem, stride 2; pooling then halves 16 to 8
    + 32 * 24 * 3 * 3 * 4 * 8 * 8
    + 32 * 32 * 3 * 3 * 3 * 4 * 8 * 8
    + 16 * 32 * 3 * 4 * 8 * 8  # bottleneck: 3×1×1
    + 16 * 16 * 3 * 3 * 4 * 4 * 4  # 1×3×3, stride 2
    + 64 * 16 * 4 * 4 * 4  # 1×1×1
    + 64 * 32 * 4 * 4 * 4  # shortcut
    + 174 * 64
)


@pytest.fixture
def run(benchmark, monkeypatch) -> Callable[..., None]:
    """Runs a benchmark with its command line, in this process."""

    def run(script: str, *arguments: str | Path) -> None:
        main = benchmark(script.removesuffix(".py")).main
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", [script, "--quick", *map(str, arguments)])
            # what it makes is PyTorch's to test, and takes half a minute
            patched.setattr(torch, "compile", lambda model: model)
            main()

    return run


@pytest.fixture
def record_of(run, tmp_path) -> Callable[..., dict]:
    """Runs a benchmark; the record that it writes."""

    def record_of(script: str, *arguments: str | Path) -> dict:
        run(script, "--out", tmp_path / "record.json", *arguments)
        record = json.loads((tmp_path / "record.json").read_text())
        assert record.keys() >= PROVENANCE
        assert record["command"].startswith(f"python benchmarks/{script} --quick")
        return record

    return record_of


def test_a_step_record_has_a_row_for_every_way(record_of, benchmark, monkeypatch):
    monkeypatch.setattr(benchmark("training_step"), "TURNS", 2)
    enough = ("--minutes", "10", "--note", "a test")
    record = record_of("training_step.py", "--device", "cpu", *enough)
    assert record["note"] == "a test"
    for model in ("baseline", "st_abn"):
        rows = [row for row in record["rows"] if row["model"] == model]
        assert all(row.keys() >= STEP for row in rows)
        ways = [(row["precision"], *row["options"]) for row in rows]
        assert len(set(ways)) == len(ways)
        assert ways[:2] == [("fp32",), ("fp32", "channels_last")]
        assert ("fp32", "channels_last", "fused") in ways
        plain = rows[0]["clips_per_second"]
        for row in rows:
            assert row["note"] is None
            assert row["ratio"] == pytest.approx(row["clips_per_second"] / plain)
            used = row["clips_per_second"] * row["gflop_per_clip"] / 1000  # TFLOP/s
            assert row["share_of_matrix_rate"] == pytest.approx(used / row["matrix_tflops"])
    baseline, st_abn = (
        {row["gflop_per_clip"] for row in record["rows"] if row["model"] == model}
        for model in ("baseline", "st_abn")
    )
    assert [*baseline] == [pytest.approx(3 * 2 * BY_HAND / 1e9)]
    assert min(st_abn) > max(baseline)


def test_what_does_not_fit_is_a_row_without_figures(record_of):
    """A batch beyond any address space; the run goes on to its end."""
    huge = ("--batch", str(10**11), "--minutes", "10")
    record = record_of("training_step.py", "--device", "cpu", *huge)
    assert {row["note"] for row in record["rows"]} == {"out of memory"}
    assert {row["model"] for row in record["rows"]} == {"baseline", "st_abn"}
    for name in ("clips_per_second", "ratio", "peak_gib", "share_of_matrix_rate"):
        assert {row[name] for row in record["rows"]} == {None}


def test_without_time_the_plain_row_alone_is_measured(record_of):
    record = record_of("training_step.py", "--device", "cpu", "--minutes", "0")
    for row in record["rows"]:
        plain = (row["precision"], row["options"]) == ("fp32", [])
        assert (row["note"] is None) == plain == (row["clips_per_second"] is not None)
        assert plain or row["note"] == "not measured: no time left"


def test_an_unknown_backbone_is_named(run, capsys):
    with pytest.raises(SystemExit) as left:
        run("training_step.py", "--device", "cpu", "--backbones", "resnet18")
    assert left.value.code == 2
    assert "backbone: must be one of resnet50" in capsys.readouterr().err


def test_a_loader_record_has_every_way_to_read(record_of, tiny_set):
    record = record_of("loader.py", "--root", tiny_set)
    assert all(row.keys() >= LOADER for row in record["rows"])
    cells = {}
    for row in record["rows"]:
        cells.setdefault((row["source"], row["frames"]), []).append(row)
    assert [frames for _, frames in cells] == [32, 32, 32, 8, 8, 8]
    for (source, _), rows in cells.items():
        stages = [row["stage"] for row in rows]
        more = [] if "decoded" in source else ["read_frames, length unknown"]
        assert stages == STAGES + more
        for row in rows:
            raw = rows[0]["clips_per_second_per_core"]
            ratio = row["clips_per_second_per_core"] / raw
            assert row["ratio_to_raw"] == pytest.approx(ratio)
            assert ratio < 5  # each decodes: a much better one has missed whose time it was
    clip = record["bytes_per_clip"]
    assert clip["uint8"] == 3 * 32 * 224 * 224 == 4_816_896
    assert clip["float32"] == 4 * clip["uint8"]


def test_an_encoder_record_says_what_is_waited_for_and_what_is_kept(record_of):
    record = record_of("encoders.py")
    (row,) = record["rows"]
    assert row.keys() >= ENCODER
    assert (record["device"], record["threads"], record["frames"]) == ("cpu", 1, 2)
    assert (row["encoder"], row["size"]) == ("efficientnet_lite0", 224)
    ratio = row["frames_per_second"] / row["decoded_frames_per_second"]
    assert row["ratio_to_decoding"] == pytest.approx(ratio)
    assert (row["bytes_pooled"], row["bytes_cube"]) == (4 * 1280, 2 * 1280 * 7 * 7)


def test_the_videos_have_the_set_s_form(benchmark, tmp_path):
    benchmark("loader").make_source(tmp_path / "set", 1, None)
    info = probe(tmp_path / "set" / "videos" / "1.webm")
    assert (info.frames, info.width, info.height) == (45, 427, 240)
    assert info.fps == pytest.approx(12)


def test_a_missing_data_set_is_named(tmp_path):
    """As a program, too."""
    command = [sys.executable, BENCHMARKS / "loader.py", "--root", tmp_path / "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "nowhere/videos: no such folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_gpu_table_has_every_row_and_goes_on_where_it_stopped(
    record_of, benchmark, monkeypatch, tmp_path
):
    """On a CPU, at toy size: fed from memory, and by the product's loader and steps."""
    monkeypatch.setattr(benchmark("loader"), "PASSAGES", [("bikes", 0)])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu = benchmark("gpu")
    expected = [case.names() for case in gpu.cases(["small"], torch.device("cpu"))]
    record = record_of("gpu.py")
    rows = [{name: row[name] for name in expected[0]} for row in record["rows"]]
    assert rows == expected
    assert {row["decoded"] for row in rows} == {True, False}
    assert any("compile" in row["options"] for row in rows)
    for row in record["rows"]:
        assert row["note"] is None
        assert row["idle_share"] is None  # a CPU has no profile of a GPU
        used = row["clips_per_second"] * row["gflop_per_clip"] / 1000  # TFLOP/s
        assert row["share_of_matrix_rate"] == pytest.approx(used / row["matrix_tflops"])

    stopped = record | {"rows": record["rows"][:-1]}
    (tmp_path / "record.json").write_text(json.dumps(stopped))
    again = record_of("gpu.py")
    assert again["rows"][:-1] == stopped["rows"]  # not measured anew
    assert again["rows"][-1].keys() == record["rows"][-1].keys()
    assert again["started"] == record["started"]

    other = record | {"versions": record["versions"] | {"torch": "1.0"}}
    (tmp_path / "record.json").write_text(json.dumps(other))
    one = gpu.Case("small", "baseline", gpu.Way("fp32"))
    monkeypatch.setattr(gpu, "cases", lambda *_: [one])
    assert len(record_of("gpu.py")["rows"]) == 1
    assert json.loads((tmp_path / "record.json.before").read_text()) == other


def test_a_figure_in_the_page_is_timed_from_the_touch_to_its_answer(record_of, capsys):
    """In the built book, offline."""
    (row,) = record_of("live_pages.py")["rows"]
    assert row.keys() == {"figure", "page", "ready_ms", "drag_ms"}
    assert (row["figure"], row["page"]) == ("picture", "02_abn_recap")  # the first in the book
    assert min(row["ready_ms"], row["drag_ms"]) > 0
    assert "picture" in capsys.readouterr().out


def test_the_gpu_is_busy_while_one_kernel_or_several_run(benchmark):
    gpu = benchmark("gpu")
    assert gpu.busy_seconds([(5, 6), (0, 2), (1, 3), (5.5, 5.75)]) == 4
    assert gpu.busy_seconds([]) == 0
    assert gpu.told(4.0, 8, None, 0.5)["idle_share"] == 0.75  # of steps of 2 s


def test_without_a_gpu_its_table_is_not_begun(benchmark, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--out", str(tmp_path / "gpu.json")])
    with pytest.raises(SystemExit):
        benchmark("gpu").main()
    assert "finds no GPU here; --quick" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
