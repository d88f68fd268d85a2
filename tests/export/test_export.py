"""ONNX files answer as PyTorch does, whole and in parts, edited or not; their card says how."""

import copy
import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from stabn.data.sampling import segment_indices
from stabn.data.transforms import MEAN, STD, eval_transform
from stabn.data.video import probe, read_frames
from stabn.export.check import ExportError, differences, run
from stabn.export.command import export
from stabn.export.graphs import ATTENTIONS, CUTS, OPSET, graphs
from stabn.training.build import build_model
from stabn.training.checkpoint import Trained, load, save
from stabn.training.config import RunConfig
from stabn.training.files import file_hash
from stabn.training.records import read_record, write_record
from tests.models.test_folded import unsettled
from tests.training.networks import CLASSES

pytestmark = pytest.mark.slow(25)

ROOT = Path(__file__).parents[2]
KINDS = {
    "paper": {"fusion": "paper", "class_head": "gap", "fusion_relu": False},
    "gated": {"fusion": "gated"},
    "closed": {"fusion": "gated", "closed": 0.3, "temporal_tail": "literal"},
    "control": {"constant_spatial": 0.5, "constant_temporal": 0.5},
    "baseline": {"model": "baseline"},
    "bilstm": {"model": "bilstm", "network": {"units": 4, "dense": 8}},
    "cnn3d": {"model": "cnn3d", "network": {"features": 8}, "num_frames": 6},
}


def untrained(**kind) -> Trained:
    """A small network of some kind, as if it had been trained."""
    sizes = {"backbone": "small", "num_frames": 4, "image_size": 24, "short_side": 28}
    config = RunConfig(name="tiny", **(sizes | kind))
    return Trained(unsettled(build_model(config, len(CLASSES))), config, CLASSES, "untrained")


@cache
def made(kind: str) -> tuple[Trained, dict[str, onnx.ModelProto]]:
    """A network of a kind, with its files' content."""
    trained = untrained(**KINDS[kind])
    return trained, graphs(trained)


@pytest.fixture(params=KINDS)
def exported(request) -> tuple[Trained, dict[str, onnx.ModelProto]]:
    """A network of each kind, with its files' content; read it, do not change it."""
    return made(request.param)


@torch.no_grad()
def test_every_file_answers_as_pytorch_does_whatever_the_batch(exported):
    trained, parts = exported
    network, attention = trained.model, "extractor.onnx" in parts
    for n in (1, 2, 5):
        clip = torch.randn(n, 3, trained.config.num_frames, 24, 24)
        output = network(clip)
        ours = run(parts["network.onnx"], {"clip": clip})
        if not attention:
            wanted = {"logits": getattr(output, "logits", output)}
            torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-4)
            assert parts.keys() == {"network.onnx"}
            continue
        torch.testing.assert_close(ours, output._asdict(), rtol=0, atol=1e-4)
        features = network.features(clip)
        wanted = {name: getattr(output, name) for name in ATTENTIONS} | {"features": features}
        found = run(parts["extractor.onnx"], {"clip": clip})
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)
        shape = wanted["spatial_attention"].shape
        for edits in [
            (output.spatial_attention, output.temporal_attention),
            (1 - output.spatial_attention, output.temporal_attention.flip(1)),
            (torch.rand(shape), torch.rand(n, 4).round()),
            (torch.ones(shape), torch.zeros(n, 4)),
        ]:
            edited = dict(zip(ATTENTIONS, edits, strict=True))
            wanted = network.from_features(features, **edited).logits
            found = run(parts["answer.onnx"], {"features": features, **edited})
            torch.testing.assert_close(found, {"logits": wanted}, rtol=0, atol=1e-4)


def test_no_normalisation_is_left_nor_a_word_of_the_machine_it_was_made_on(exported):
    _, parts = exported
    for part in parts.values():
        assert "BatchNormalization" not in {node.op_type for node in part.graph.node}
        assert [(o.domain, o.version) for o in part.opset_import] == [("", OPSET)]
        content = part.SerializeToString()
        assert not [
            word for word in (str(ROOT), "site-packages", ".py") if word.encode() in content
        ]


def test_what_a_closed_gate_shuts_out_the_file_does_not_see():
    answer = made("closed")[1]["answer.onnx"]
    features = torch.rand(1, 32, 4, 6, 6)
    given = {"spatial_attention": torch.rand(1, 1, 4, 6, 6)}
    given |= {"temporal_attention": torch.tensor([[0.9, 0.3, 0.1, 0.31]])}
    before = run(answer, {"features": features, **given})["logits"]
    shut, open_ = features.clone(), features.clone()
    shut[:, :, 1:3] += 1  # whose M_t is not above 0.3
    open_[:, :, 3] += 1
    torch.testing.assert_close(run(answer, {"features": shut, **given})["logits"], before)
    assert (run(answer, {"features": open_, **given})["logits"] - before).abs().max() > 1e-4


def test_a_file_of_another_network_is_told():
    """The check can fail: the parts of one network beside the numbers of another."""
    trained, parts = made("gated")
    assert max(differences(trained, parts).values()) < 1e-4
    other = trained._replace(model=copy.deepcopy(trained.model))
    with torch.no_grad():
        other.model.backbone.fc.bias[1] += 0.01
    told = r"PyTorch does: network\.onnx by 1\.0e-02, answer\.onnx by 1\.0e-02, more than 0\.0001"
    with pytest.raises(ExportError, match=told):
        differences(other, parts)


@pytest.fixture(scope="module")
def written(tiny_run, stabn, tmp_path_factory) -> Path:
    """The folder that the command makes of the tiny run."""
    out = tmp_path_factory.mktemp("export") / "new" / "tiny"
    stabn("export", tiny_run.folder, "--onnx", out)
    return out


def test_the_command_writes_whole_parts_and_card(written, tiny_run):
    assert {path.name for path in written.iterdir()} == {*CUTS, "model_card.json"}
    assert [path.name for path in written.parent.iterdir()] == ["tiny"]
    card = json.loads((written / "model_card.json").read_text())
    record = read_record(tiny_run.folder / "record.json")
    trained = load(tiny_run.folder / "best.pt")
    assert card["classes"] == list(trained.classes)
    assert card["network"]["fusion"] == "paper"
    assert card["origin"]["record"] == record
    assert card["origin"]["sha256"] == file_hash(tiny_run.folder / "best.pt")
    assert card["sampling"]["rule"] == "segments"
    assert card["sampling"]["example"]["clips"] == [segment_indices(50, 4).tolist()]
    for name, file in card["files"].items():
        assert file["bytes"] == (written / name).stat().st_size
        assert 0 <= file["largest_difference_from_pytorch"] < 1e-4
    reads = {name: how["shape"] for name, how in card["files"]["answer.onnx"]["reads"].items()}
    assert reads == {
        "features": ["batch", 32, 4, 6, 6],
        "spatial_attention": ["batch", 1, 4, 6, 6],
        "temporal_attention": ["batch", 4],
    }


@torch.no_grad()
def test_files_and_card_suffice_to_classify_a_video(written, tiny_run):
    """With numpy and onnxruntime: frames as the card names them, normalised as it says."""
    card = json.loads((written / "model_card.json").read_text())
    assert (card["clip"]["mean"], card["clip"]["std"]) == (list(MEAN), list(STD))
    video = next(Path(tiny_run.data_root, "videos").iterdir())
    frames = read_frames(video, segment_indices(probe(video).frames, card["clip"]["frames"]))
    seen = eval_transform(card["clip"]["height"], short_side=28)(frames)[0].numpy()
    mean, std = (np.array(card["clip"][name])[:, None, None, None] for name in ("mean", "std"))
    clip = torch.tensor((seen / 255 - mean) / std, dtype=torch.float32)[None]
    found = run(onnx.load(written / "network.onnx"), {"clip": clip})["logits"]
    wanted = load(tiny_run.folder / "best.pt").model(clip).logits
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)


def test_the_books_network_fits_into_a_page(tmp_path):
    trained = load(ROOT / "book/assets/mini_st_abn.pt")
    export(trained, tmp_path / "out", {})
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) < 1_000_000


def test_what_cannot_be_exported_is_said_and_leaves_nothing(
    tiny_run, tiny, written, tmp_path, stabn
):
    def refused(run: Path, out: Path) -> str:
        with pytest.raises(SystemExit) as stop:
            stabn("export", run, "--onnx", out)
        return str(stop.value.code)

    out = tmp_path / "out"
    card = (written / "model_card.json").read_bytes()
    assert f"{written}: exists already" in refused(tiny_run.folder, written)
    assert (written / "model_card.json").read_bytes() == card
    assert "best.pt: no such checkpoint" in refused(tmp_path / "nowhere", out)
    run = tmp_path / "run"
    shutil.copytree(tiny_run.folder, run)
    record = read_record(run / "record.json")
    write_record(run / "record.json", record | {"wall_seconds": None, "results": {}})
    assert "the run has not finished; start it again" in refused(run, out)
    write_record(run / "record.json", record | {"steps": 1})
    assert "has gone on since its report" in refused(run, out)
    network = {"encoder": "vgg16", "pooled": True, "units": 2, "dense": 4}
    other = tiny(model="bilstm", network=network, prepared="data/features")
    save(run / "best.pt", build_model(other, len(CLASSES)), other, CLASSES)
    assert "best.pt: reads features of vgg16; give a network that reads clips" in refused(run, out)
    shutil.copy(tiny_run.folder / "best.pt", run)
    (run / "record.json").unlink()
    assert "record.json: no such record" in refused(run, out)
    (tmp_path / "file").write_text("in the way")
    assert "cannot be written" in refused(tiny_run.folder, tmp_path / "file" / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"run", "file"}
