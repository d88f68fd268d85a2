"""The cost tables: counts worked out by hand, rates from records, projections called so."""

import shutil
from pathlib import Path

import pytest
import torch
from bs4 import BeautifulSoup
from torch import nn

from stabn.tables import cost, paper_rows
from stabn.tables.html import DASH
from stabn.tables.runs import TableError
from stabn.tables.work import STEP_KEYS, STEPS, kept_bytes, read_rows, step_bytes, work, works
from stabn.training.build import build_model
from stabn.training.checkpoint import REPOSITORY
from stabn.training.config import RunConfig
from stabn.training.preflight.memory import counting_saved
from stabn.training.process import autocast
from tests.records import rows, write

STEP = {"model": "st_abn", "backbone": "resnet50", "frames": 32, "size": 224, "batch": 8}
STEP |= {"precision": "fp32", "options": [], "clips_per_second": 1.0, "ratio": 1.0}
STEP |= {"peak_gib": 2.5, "gflop_per_clip": 1.0, "matrix_tflops": 1.0, "note": None}
STEP |= {"share_of_matrix_rate": 0.25}
LOADER = {"source": "ssv2-like", "frames": 32, "size": 224, "stage": "DataLoader"}
LOADER |= {"clips_per_second_per_core": 20.0, "ratio_to_raw": 0.8}


@pytest.fixture
def root(tmp_path) -> Path:
    """A repository with the files of parameters and no record."""
    shutil.copytree(REPOSITORY / "notebooks/launch", tmp_path / "notebooks/launch")
    return tmp_path


def record(root: Path, name: str, *found: dict, gpu: str | None = None) -> None:
    hardware = {"cpu": "a processor", "gpus": [gpu] * (gpu is not None)}
    write(root, f"book/results/cost/{name}.json", {"hardware": hardware, "rows": list(found)})


def column(page: str, heading: str) -> list[str]:
    """The cells under the one heading that begins so."""
    head, *body = rows(page)
    (place,) = [i for i, text in enumerate(head) if text.startswith(heading)]
    return [row[place] for row in body]


def links(page: str) -> list[tuple[str, str]]:
    return [(a.get_text(), a["href"]) for a in BeautifulSoup(page, "html.parser").select("a")]


@pytest.mark.parametrize("model", ["baseline", "st_abn"])
def test_arithmetic_is_counted_as_it_would_be_by_hand(model):
    """Every output of a convolution or linear layer costs its kernel's size."""
    config = RunConfig(name="x", model=model, backbone="small", num_frames=4, image_size=32)
    network, counted = build_model(config, 174).eval(), 0

    def count(module, inputs, output):
        nonlocal counted
        counted += output.numel() * module.weight[0].numel()

    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(torch.zeros(1, 3, 4, 32, 32))
    one = work(config)
    assert one.multiply_adds == pytest.approx(counted, rel=1e-3)
    assert one.gflop == 3 * 2 * one.multiply_adds / 1e9
    assert one.parameters == sum(p.numel() for p in network.parameters())


def test_clips_by_hand():
    """168,913 = 2,639 · 64 + 17, and 337,826 = 5,278 · 64 + 34: what fills no batch is left out."""
    once = work(RunConfig(name="x"))
    assert (once.trained, once.scored) == (150 * 2_639 * 64, 151 * 24_777)
    twice = work(RunConfig(name="x", sampling="two_clip", epochs=3, eval_every=2))
    assert (twice.trained, twice.scored) == (3 * 5_278 * 64, (2 + 1) * 24_777 * 2)
    assert once.clips == once.trained + once.scored / 3


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_memory_is_reckoned_as_a_real_step_would_take_it(precision):
    """Fake tensors keep what real ones keep; beside it lie weights, gradients and momentum."""
    config = RunConfig(
        name="x", backbone="resnet50", num_frames=2, image_size=32, precision=precision
    )
    network = build_model(config, 174).train()
    real = []
    for clips in (1, 2):
        with counting_saved(network) as saved, autocast(precision, torch.device("cpu")):
            network(torch.zeros(clips, 3, 2, 32, 32))
        real.append(saved[0])
    near = {"fp32": 0, "bf16": 2e-3}[precision]  # in bf16 a few small tensors are kept otherwise
    assert kept_bytes(config) == pytest.approx(real[1] - real[0], rel=near)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    copies = [t for s in optimizer.state.values() for t in (s["momentum_buffer"],)]
    copies += [t for p in network.parameters() for t in (p, p.grad)]
    held = sum(t.numel() * t.element_size() for t in copies)
    assert step_bytes(work(config), 3) == held + 3 * kept_bytes(config)


def test_the_memory_of_clips_grows_by_what_each_keeps(root):
    page = cost.memory_table((1, 8), root)
    kept, one, eight = (
        [float(cell) for cell in column(page, heading)]
        for heading in ("Kept of a clip", "Step on 1 clip,", "Step on 8 clips")
    )
    assert "Estimated" in page
    for each, little, much in zip(kept, one, eight, strict=True):
        assert much - little == pytest.approx(7 * each, abs=0.2)  # all three are rounded


def test_the_rows_are_the_papers_own_in_its_order():
    own = [row for row in paper_rows() if row["reference"] == "this paper"]
    printed = [
        (row["system"].startswith("ST-ABN"), row["backbone"].removeprefix("3D "), row["frames"])
        for row in own
    ]
    assert [(n[0] == "ST-ABN", *n[1:]) for n in (one.names for one in works())] == printed


def test_without_records_nothing_is_called_measured(root):
    assert "No record yet: <code>python benchmarks/training_step.py" in cost.steps_table(root)
    page = cost.hours_table(root)
    assert column(page, "Measured: no GPU on record") == [f"{DASH} 1"] * 8
    assert "<li><code>python benchmarks/training_step.py" in page
    decode = cost.decode_table(root)
    assert all(cell == f"{DASH} 1" for row in rows(decode)[1:] for cell in row[3::2])
    assert "<li><code>python benchmarks/loader.py" in decode
    headings = [text for text in [*rows(page)[0], *rows(decode)[0]] if "00" in text]
    assert headings
    assert all("rojected" in text for text in headings)
    assert not links(page + decode)


def test_a_projection_is_the_count_over_a_share_of_the_peak(root):
    st_abn = works(root)[1]
    page = cost.hours_table(root, share=0.5)
    seconds = st_abn.clips * st_abn.gflop * 1e9 / (0.5 * 989e12)
    assert column(page, "Projected: H100, 50% of 989 TFLOP/s")[1] == f"{seconds / 3600:.0f}"
    a100, h100 = (column(page, f"Projected: {card}") for card in ("A100", "H100"))
    for a, b in zip(a100, h100, strict=True):
        assert int(a) / int(b) == pytest.approx(989 / 312, rel=0.05)  # of rounded hours


def test_measured_hours_are_the_fastest_step_of_each_gpu_and_link_to_their_record(root):
    half = STEP | {"precision": "bf16", "options": ["channels_last"], "clips_per_second": 100.0}
    record(
        root,
        "step_card",
        *(STEP | {"clips_per_second": 10.0}, half),
        STEP | {"batch": 64, "clips_per_second": None, "note": "out of memory"},
        STEP | {"frames": 8, "size": 112, "clips_per_second": 900.0},
        gpu="A card",
    )
    record(root, "step_cpu", STEP | {"clips_per_second": 0.25})
    page = cost.hours_table(root)
    st_abn = works(root)[1]
    hours = f"{st_abn.clips / 100 / 3600:.0f}"
    assert column(page, "Measured: A card")[:2] == [f"{DASH} 1", hours]  # no baseline on record
    assert links(page)[0] == (hours, "../book/results/cost/step_card.json")
    assert 'title="100.0 clips/s, bf16, channels_last, batch 8"' in page
    assert "a processor" not in page


def test_measured_steps_stand_with_their_machine_plain_and_fastest(root):
    quick = STEP | {"precision": "bf16", "clips_per_second": 3.0, "share_of_matrix_rate": 0.125}
    middling = STEP | {"options": ["fused"], "clips_per_second": 2.0}
    record(root, "step_cpu", STEP, middling, quick | {"peak_gib": None})
    found = rows(cost.steps_table(root))[1:]
    assert [row[2:] for row in found] == [
        ["a processor", "fp32, batch 8", "1", "2.5", "25%"],
        ["a processor", "bf16, batch 8", "3", DASH, "12%"],
    ]
    assert {href for _, href in links(cost.steps_table(root))} == {
        "../book/results/cost/step_cpu.json"
    }


def test_a_gpus_rows_stand_with_how_they_were_run(root):
    assert "No record yet: <code>make gpu ARGS=" in cost.gpu_table(root)
    fed = STEP | {"precision": "bf16", "decoded": True, "idle_share": 0.25, "batch": 8}
    none = STEP | {"decoded": False, "idle_share": None, "clips_per_second": None}
    record(root, "gpu_card", fed | {"clips_per_second": 99.6}, none, gpu="A card")
    assert rows(cost.gpu_table(root))[1:] == [
        ["A card", "ST-ABN", "ResNet-50", "bf16, batch 8, decoded", "100", "2.5", "25%", "25%"],
        ["A card", "ST-ABN", "ResNet-50", "fp32, batch 8", DASH, "2.5", DASH, "25%"],
    ]
    assert ("100", "../book/results/cost/gpu_card.json") in links(cost.gpu_table(root))


def test_cores_are_the_gpus_rate_over_a_cores_through_the_whole_loader(root):
    record(root, "step_card", STEP | {"clips_per_second": 100.0}, gpu="A card")
    raw = LOADER | {"stage": "raw decoding", "clips_per_second_per_core": 400.0}
    small = LOADER | {"size": 112, "clips_per_second_per_core": 90.0}
    record(root, "loader_cpu", raw, LOADER, small)
    page = cost.decode_table(root)
    assert column(page, "A card, measured: clips/s") == [DASH, "100", DASH, DASH]
    assert [row[3] for row in rows(page)[1:]] == [DASH, "5.0", DASH, DASH]
    assert ("5.0", "../book/results/cost/loader_cpu.json") in links(page)
    assert "What would fill" not in page


@pytest.mark.parametrize(
    "content", ['{"rows": []}', "not JSON", '{"hardware": {"gpus": []}}', "[]"]
)
def test_what_is_no_record_is_refused_by_name(root, content):
    write(root, "book/results/cost/step_odd.json", {})
    (root / "book/results/cost/step_odd.json").write_text(content)
    with pytest.raises(TableError, match=r"step_odd\.json: is no benchmark's record"):
        cost.steps_table(root)


def test_a_row_that_lacks_a_value_is_refused(root):
    record(root, "step_old", {k: v for k, v in STEP.items() if k != "peak_gib"})
    with pytest.raises(TableError, match=r"step_old\.json.*peak_gib"):
        cost.hours_table(root)


def test_committed_records_can_be_read_and_count_as_we_do():
    counted = {(w.config.model, w.config.backbone): w.gflop for w in works()}
    for step in read_rows(REPOSITORY, STEPS, STEP_KEYS):
        if (step.row["frames"], step.row["size"]) == (32, 224):
            mine = counted[step.row["model"], step.row["backbone"]]
            assert step.row["gflop_per_clip"] == pytest.approx(mine)
    for show in (cost.work_table, cost.steps_table, cost.hours_table, cost.decode_table):
        assert rows(show()) or show is cost.steps_table
