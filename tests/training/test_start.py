"""``weights``: tensors whose name and shape agree are copied, the rest stays and is named."""

import logging
from collections.abc import Callable

import pytest
import torch

from stabn.models.encoders import LITE0
from stabn.models.resnet3d import BACKBONES, Backbone, ResNet3d, Stage
from stabn.models.weights import WeightsError
from stabn.training.build import build_model
from stabn.training.checkpoint import CheckpointError, save
from stabn.training.config import RunConfig
from stabn.training.start import start_from
from tests.training.networks import CLASSES


def test_st_abn_from_a_baseline_of_other_classes(tiny, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    source = tiny(model="baseline")
    baseline = build_model(source, 7)
    save(tmp_path / "pretext.pt", baseline, source, tuple("abcdefg"))
    config = tiny(weights=str(tmp_path / "pretext.pt"))
    model = build_model(config, len(CLASSES))
    fresh = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    start_from(model, config)
    for name, tensor in model.state_dict().items():
        inside = name.removeprefix("backbone.")
        if name.startswith("backbone.") and not inside.startswith("fc."):
            assert torch.equal(tensor, baseline.state_dict()[inside])
        else:
            assert torch.equal(tensor, fresh[name])
    assert "left as initialised" in caplog.text
    assert "backbone.fc" in caplog.text


def test_a_baseline_from_st_abn(tiny, model, config, saved):
    baseline = build_model(tiny(model="baseline", weights=str(saved)), len(CLASSES))
    start_from(baseline, tiny(model="baseline", weights=str(saved)))
    for name, tensor in baseline.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[f"backbone.{name}"])


def test_two_dimensional_weights_are_inflated(tiny, tmp_path):
    source = build_model(tiny(model="baseline"), len(CLASSES)).state_dict()
    flat = {name: t.sum(2) if t.dim() == 5 else t for name, t in source.items()}
    torch.save(flat, tmp_path / "imagenet.pth")
    config = tiny(weights=str(tmp_path / "imagenet.pth"))
    model = build_model(config, len(CLASSES))
    start_from(model, config)
    stem = model.backbone.conv1.weight
    torch.testing.assert_close(stem.sum(2), flat["conv1.weight"])


def test_a_slow_networks_weights_from_kinetics(tiny, tmp_path, monkeypatch, caplog):
    """By PySlowFast's names and in its wrapping; what stays as initialised is named."""
    caplog.set_level(logging.INFO)
    stages = (Stage(1, 16, 1, 1), Stage(1, 32, 3, 2))
    monkeypatch.setitem(BACKBONES, "slow", Backbone(8, (1, 7, 7), stages))
    source = ResNet3d("slow", 400).state_dict()
    parts = [("conv1", "a"), ("conv2", "b"), ("conv3", "c")]
    parts += [("bn1", "a_bn"), ("bn2", "b_bn"), ("bn3", "c_bn")]
    names = {
        f"layer{s}.0.{ours}": f"s{s + 1}.pathway0_res0.branch2.{theirs}"
        for s in (1, 2)
        for ours, theirs in parts
    }
    for s in (1, 2):
        names |= {f"layer{s}.0.downsample.0": f"s{s + 1}.pathway0_res0.branch1"}
        names |= {f"layer{s}.0.downsample.1": f"s{s + 1}.pathway0_res0.branch1_bn"}
    names |= {"conv1": "s1.pathway0_stem.conv", "bn1": "s1.pathway0_stem.bn"}
    names |= {"fc": "head.projection"}
    theirs = {}
    for name, tensor in source.items():
        layer, _, kind = name.rpartition(".")
        theirs[f"{names[layer]}.{kind}"] = tensor
    torch.save({"model_state": theirs, "epoch": 196, "cfg": "…"}, tmp_path / "slow.pyth")
    config = tiny(backbone="slow", weights=str(tmp_path / "slow.pyth"))
    model = build_model(config, len(CLASSES))
    start_from(model, config)
    state = model.backbone.state_dict()
    turned = {"conv1.weight", "bn1.running_mean", "fc.weight", "fc.bias"}
    assert all(torch.equal(state[name], source[name]) for name in source.keys() - turned)
    assert not any(torch.equal(state[n], source[n]) for n in turned if n.startswith("conv1"))
    (told,) = [line for line in caplog.messages if "a slow network's weights" in line]
    assert told.endswith("left as initialised: backbone.fc, attention_branch, fusion")


def test_a_file_with_more_than_tensors_says_what_to_do(tiny, tmp_path):
    torch.save({"state_dict": {}, "options": Callable}, tmp_path / "x.ckpt")
    config = tiny(weights=str(tmp_path / "x.ckpt"))
    with pytest.raises(WeightsError, match=r"x\.ckpt: .*weights_only=False.*saved by itself"):
        start_from(build_model(config, len(CLASSES)), config)


def test_of_another_backbone(tiny, tmp_path):
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "imagenet.pth")
    config = tiny(weights=str(tmp_path / "imagenet.pth"))
    with pytest.raises(WeightsError, match=r"imagenet\.pth"):
        start_from(build_model(config, len(CLASSES)), config)


def test_nothing_fits(tiny, config, tmp_path):
    alien = torch.nn.Linear(3, 3)
    save(tmp_path / "alien.pt", alien, config, CLASSES)
    config = tiny(weights=str(tmp_path / "alien.pt"))
    with pytest.raises(CheckpointError, match=r"alien\.pt: no weight of it fits"):
        start_from(build_model(config, len(CLASSES)), config)


def test_nothing_of_a_network_behind_another_encoder_fits(tmp_path):
    network = {"encoder": "vgg16", "pooled": True, "units": 2, "dense": 3}
    beside = {"name": "b", "model": "bilstm", "num_frames": 3, "prepared": "features"}
    behind_vgg = RunConfig(**beside, network=network)
    save(tmp_path / "vgg.pt", torch.nn.Linear(3, 3), behind_vgg, CLASSES)
    config = RunConfig(
        **beside, network=network | {"encoder": LITE0}, weights=str(tmp_path / "vgg.pt")
    )
    said = (
        rf"no weight .* fits this bilstm \(network\.encoder: {LITE0}\); give .* same network\.enc"
    )
    with pytest.raises(CheckpointError, match=said):
        start_from(build_model(config, len(CLASSES)), config)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_names_that_a_wrapper_left_are_no_other_network(tiny, model, saved, prefix):
    """In a checkpoint of ours, and in a state dict of its network alone."""
    content = torch.load(saved, weights_only=True)
    content["model"] = {prefix + name: tensor for name, tensor in content["model"].items()}
    torch.save(content, saved)
    torch.save(content["model"], bare := saved.with_name("bare.pt"))
    for source in (saved, bare):
        config = tiny(weights=str(source))
        other = build_model(config, len(CLASSES))
        start_from(other, config)
        for name, tensor in model.state_dict().items():
            assert torch.equal(other.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("folder", r"folder: is a folder; give a file in it, as in .*best\.pt"),
        (
            "text.yaml",
            r"text\.yaml: is no file of PyTorch weights; give one",
        ),
        ("small.pt", "is of a network on small, this one is on resnet50; give weights of the same"),
    ],
)
def test_what_is_no_start_for_a_network(tiny, tmp_path, name, said):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.yaml").write_text("name: x\n")
    small = tiny()
    model = build_model(small, len(CLASSES))
    save(tmp_path / "small.pt", model, small, CLASSES)
    with pytest.raises((CheckpointError, WeightsError), match=said):
        start_from(model, tiny(backbone="resnet50", weights=str(tmp_path / name)))
