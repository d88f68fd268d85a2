"""One trainer, several networks: each resumes exactly, is reported, looked at and refused alike."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from stabn.losses import answer, loss_of
from stabn.models.bilstm import BiLSTM
from stabn.models.cnn3d import CNN3d
from stabn.models.convlstm import AttentiveConvLSTM, mean_probability
from stabn.training.batch_statistics import check_statistics
from stabn.training.build import build_model
from stabn.training.checkpoint import CheckpointError, load, read, save
from stabn.training.config import ConfigError, RunConfig, parse, read_config, write_config
from stabn.training.journal import Journal
from stabn.training.preflight.precision import worst_layer
from stabn.training.preflight.training import preflight
from stabn.training.process import Process
from stabn.training.records import read_record
from stabn.training.resume import changes
from stabn.training.start import start_from
from stabn.training.train import train
from tests.training.networks import CLASSES

pytestmark = pytest.mark.slow(15)

NETWORKS = {
    "convlstm": {"network": {"hidden": 4, "dense": 8}},
    "bilstm": {"network": {"units": 4, "dense": 8}},
    "cnn3d": {"network": {"features": 8}, "num_frames": 6},
}
ALONE = Process(0, 1, torch.device("cpu"))
KINDS = {"convlstm": AttentiveConvLSTM, "bilstm": BiLSTM, "cnn3d": CNN3d}


@pytest.fixture(scope="module")
def trained(tiny):
    """{model: a finished run}, two epochs of three steps."""
    runs = {name: tiny(model=name, save_every=1, **values) for name, values in NETWORKS.items()}
    for config in runs.values():
        train(config)
    return runs


@pytest.fixture(params=NETWORKS)
def model(request):
    return request.param


def test_a_run_holds_the_settings_of_its_network(tiny, trained, model, tmp_path):
    config = trained[model]
    assert NETWORKS[model]["network"].items() <= config.network.model_dump(mode="json").items()
    assert read_config(config.folder / "config.yaml") == config
    record = read_record(config.folder / "record.json")
    assert parse(RunConfig, record["config"], "record") == config
    assert load(config.folder / "best.pt").config == config
    write_config(tiny(), tmp_path / "run.yaml")
    assert read_config(tmp_path / "run.yaml").network is None


def test_its_network_is_built(trained, model):
    network = load(trained[model].folder / "best.pt").model
    inner = network if model == "cnn3d" else network.network
    assert isinstance(inner, KINDS[model])


def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(
    tiny, trained, model, monkeypatch
):
    whole = trained[model]
    torn = whole.model_copy(update={"out_dir": tiny().out_dir})

    class Killed(BaseException):
        pass

    def kill(journal, epoch, step, *rest, write=Journal.trained):
        write(journal, epoch, step, *rest)
        if step == 4:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "trained", kill)
        with pytest.raises(Killed):
            train(torn)
    train(torn)
    assert read_record(torn.folder / "record.json")["resumed"][0]["step"] == 3
    for which in ("last", "best"):
        ours, theirs = (read(c.folder / f"{which}.pt")["model"] for c in (torn, whole))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_what_a_network_has_is_reported(trained, model):
    config = trained[model]
    figures = read_record(config.folder / "record.json")["results"]["validation"]
    rows = pd.read_parquet(config.folder / "predictions.parquet")
    assert figures["videos"] == len(rows) == 9
    assert ("temporal_attention" in rows) == ("rank_correlation" in figures) == (model == "bilstm")
    assert ("pointing" in rows) == ("pointing" in figures) == (model == "convlstm")
    if model == "bilstm":
        np.testing.assert_allclose(np.stack(rows["temporal_attention"]).sum(axis=1), 1, rtol=1e-5)
    if model == "convlstm":
        right = [row.label == step for row in rows.itertuples() for step in row.step_classes]
        assert len(right) == 9 * config.num_frames
        assert figures["step_top1"] == pytest.approx(sum(right) / len(right))


def test_a_bilstm_without_attention_has_none_to_report(tiny):
    network = {**NETWORKS["bilstm"]["network"], "attention": "none"}
    config = tiny(model="bilstm", network=network, epochs=1)
    train(config)
    assert "temporal_attention" not in pd.read_parquet(config.folder / "predictions.parquet")


def test_preflight_looks_at_it(tiny, model, caplog):
    config = tiny(model=model, **NETWORKS[model])
    caplog.set_level(logging.INFO)
    preflight(config)
    assert "1 process, fp32" in caplog.text
    assert ("batch norm   this network has none" in caplog.text) == (model == "cnn3d")
    assert not (config.folder / "last.pt").exists()


def test_a_batch_of_one_clip_is_enough_for_it(tiny, model):
    check_statistics(tiny(model=model, batch_size=1, **NETWORKS[model]), 3, ALONE)


def test_its_layers_are_those_of_bf16_too(tiny, model):
    network = build_model(tiny(model=model, **NETWORKS[model]), 3)
    clip = torch.randn(2, 3, 6 if model == "cnn3d" else 4, 24, 24)
    _, off = worst_layer(network, clip, "bf16")
    assert 0 < off < 0.05


def test_the_loss_of_a_class_at_every_step_is_the_mean_over_the_steps(tiny):
    torch.manual_seed(0)
    network = build_model(tiny(model="convlstm", **NETWORKS["convlstm"]), 3).eval()
    output, labels = network(torch.randn(2, 3, 4, 24, 24)), torch.tensor([2, 0])
    by_hand = [
        cross_entropy(output.step_logits[n, t][None], labels[n : n + 1])
        for n in range(2)
        for t in range(4)
    ]
    torch.testing.assert_close(loss_of(output, labels).total, sum(by_hand) / 8)
    torch.testing.assert_close(answer(output), mean_probability(output.step_logits))


def test_settings_that_came_later_were_at_their_defaults_before(trained):
    config = trained["bilstm"]
    stored = config.model_dump(mode="json")
    for name in ("official", "pooled"):
        del stored["network"][name]
    assert changes(config, stored, forced=False) == {}
    with pytest.raises(ConfigError, match="another network, resume_changed or not"):
        changes(config, stored | {"network": {"units": 5}}, forced=True)


@pytest.mark.parametrize("other", ["st_abn", "bilstm"])
def test_a_folder_of_another_system_is_not_gone_on_with(trained, other):
    config = trained["convlstm"]
    values = {"model": other, "network": None} | NETWORKS.get(other, {})
    given = config.model_dump() | values
    with pytest.raises(ConfigError, match=rf"model \('convlstm' there, '{other}' here\)"):
        train(parse(RunConfig, given, "test"))


@pytest.mark.parametrize(
    ("theirs", "ours"), [("convlstm", "bilstm"), ("st_abn", "cnn3d"), ("cnn3d", "st_abn")]
)
def test_nor_are_its_weights_a_start(tiny, tiny_run, trained, theirs, ours):
    source = (trained | {"st_abn": tiny_run})[theirs].folder / "best.pt"
    config = tiny(model=ours, weights=str(source), **NETWORKS.get(ours, {}))
    with pytest.raises(CheckpointError, match=f"is of a {theirs}, this network is a {ours}; give"):
        start_from(build_model(config, len(CLASSES)), config)


def test_weights_of_its_own_kind_are(tiny, trained, model):
    source = trained[model].folder / "best.pt"
    config = tiny(model=model, weights=str(source), **NETWORKS[model])
    network = build_model(config, 5)  # of another set: the last layer stays as drawn
    start_from(network, config)
    theirs = read(source)["model"]
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, theirs[name]) == ("fc." not in name or "attention" in name)


@pytest.mark.parametrize("theirs", ["st_abn", "baseline"])
@pytest.mark.parametrize("ours", ["convlstm", "bilstm"])
def test_the_convolutions_of_a_resnet_are_a_start_of_the_same_encoder(tiny, tmp_path, theirs, ours):
    torch.manual_seed(1)
    whole = build_model(tiny(model=theirs), 3)
    save(tmp_path / "whole.pt", whole, tiny(model=theirs), CLASSES)
    config = tiny(model=ours, weights=str(tmp_path / "whole.pt"), **NETWORKS[ours])
    torch.manual_seed(2)
    network = build_model(config, 3)
    behind = {name: tensor.clone() for name, tensor in network.network.state_dict().items()}
    start_from(network, config)
    theirs = (whole.backbone if theirs == "st_abn" else whole).state_dict()
    for name, tensor in network.encoder.state_dict().items():
        assert torch.equal(tensor, theirs[name])
    for name, tensor in network.network.state_dict().items():
        assert torch.equal(tensor, behind[name])


def test_convolutions_of_another_size_are_no_start(tiny, tmp_path):
    large = tiny(model="baseline", backbone="resnet50")
    save(tmp_path / "large.pt", build_model(tiny(model="baseline"), 3), large, CLASSES)
    config = tiny(model="bilstm", weights=str(tmp_path / "large.pt"), **NETWORKS["bilstm"])
    with pytest.raises(CheckpointError, match=r"on resnet50, and the convolutions .* of small"):
        start_from(build_model(config, 3), config)


def test_what_it_cannot_start_from_is_said(tiny, trained, tmp_path):
    torch.save({"conv1.weight": torch.zeros(3, 3, 3, 3)}, tmp_path / "other.pth")
    for weights in ("imagenet", str(tmp_path / "other.pth")):
        config = tiny(model="bilstm", weights=weights, **NETWORKS["bilstm"])
        with pytest.raises(CheckpointError, match="a bilstm starts from a checkpoint of its own"):
            start_from(build_model(config, 3), config)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"network": {"units": 3}}, "network: is for convlstm, bilstm, cnn3d; leave it out"),
        ({"model": "bilstm", "network": {"unit": 3}}, r"bilstm: unknown name 'unit' \(did you me"),
        ({"model": "bilstm", "network": {"units": 0}}, "network: bilstm: units: .*, not 0"),
        ({"model": "bilstm", "network": "3"}, "network: must be lines of 'name: value' of bilstm"),
        ({"model": "cnn3d", "fusion": "gated"}, "fusion: is ST-ABN's; leave it out for cnn3d"),
    ],
)
def test_impossible_settings_are_refused_by_name(tiny, values, said):
    with pytest.raises(ConfigError, match=said):
        tiny(**values)


def test_a_clip_too_small_for_a_network_is_refused(tiny):
    with pytest.raises(ConfigError, match="num_frames, image_size: this network needs 6 frames"):
        build_model(tiny(model="cnn3d", num_frames=4), 3)


def test_settings_from_the_command_line(tiny):
    config = tiny(model="bilstm", network="{attention: before, units: 8}")
    assert (config.network.attention, config.network.units) == ("before", 8)
    assert tiny(model="bilstm").network.units == 256
