"""A checkpoint gives back the network that was saved, or says why it cannot."""

import logging
import os
import shutil
from collections.abc import Callable

import pytest
import torch

from stabn.models.resnet3d import BACKBONES, Backbone, ResNet3d, Stage
from stabn.models.weights import WeightsError
from stabn.training.build import build_model
from stabn.training.checkpoint import (
    CheckpointError,
    load,
    load_state,
    load_trained,
    read,
    save,
)
from stabn.training.start import start_from

CLASSES = ("Covering", "Dropping", "Lifting")


@pytest.fixture
def config(tiny):
    return tiny()


@pytest.fixture
def model(config):
    torch.manual_seed(0)
    return build_model(config, len(CLASSES)).eval()


@pytest.fixture
def saved(model, config, tmp_path):
    path = tmp_path / "best.pt"
    save(path, model, config, CLASSES, progress={"epoch": 3})
    return path


def test_the_same_network_comes_back(model, config, saved):
    clip = torch.randn(2, 3, config.num_frames, 24, 24, generator=torch.Generator().manual_seed(1))
    trained = load(saved)
    assert trained.config == config
    assert trained.classes == CLASSES
    assert "3 epochs" in trained.origin
    assert not trained.model.training
    with torch.no_grad():
        assert torch.equal(trained.model(clip).logits, model(clip).logits)


def test_a_small_networks_checkpoint_can_be_committed(saved):
    assert saved.stat().st_size < 1_000_000


def test_weights_that_are_no_numbers(model, config, tmp_path):
    with torch.no_grad():
        next(model.parameters()).view(-1)[3] = float("nan")
    save(tmp_path / "best.pt", model, config, CLASSES)
    said = r"best\.pt: holds NaN or infinity \(1 of .*use an earlier checkpoint"
    with pytest.raises(CheckpointError, match=said):
        load(tmp_path / "best.pt")
    started = config.model_copy(update={"weights": str(tmp_path / "best.pt")})
    with pytest.raises(CheckpointError, match=said):
        start_from(build_model(config, len(CLASSES)), started)


@pytest.mark.parametrize("part", ["config", "classes", "model"])
def test_a_part_is_missing(saved, part):
    torch.save(torch.load(saved, weights_only=True) | {part: None}, saved)
    with pytest.raises(CheckpointError, match=rf"best\.pt: is damaged, it holds no {part}"):
        read(saved)


def test_missing(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.pt: no such checkpoint"):
        read(tmp_path / "none.pt")


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.999])
def test_truncated(saved, kept):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(CheckpointError, match=r"best\.pt: is truncated; copy it again"):
        read(saved)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", bytes(range(256))])
def test_not_a_checkpoint(tmp_path, content):
    path = tmp_path / "best.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"best\.pt: is not a checkpoint"):
        read(path)


def test_another_projects_weights_are_no_checkpoint(tmp_path, model):
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=r"weights\.pt: .*not a checkpoint of stabn"):
        read(tmp_path / "weights.pt")


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Command:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "broken_into"),)

    torch.save({"format": Command()}, tmp_path / "best.pt")
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        read(tmp_path / "best.pt")
    assert not (tmp_path / "broken_into").exists()


def test_another_data_set(saved):
    with pytest.raises(CheckpointError, match=r"best\.pt: has 3 classes, the data set 2"):
        load(saved, CLASSES[:2])
    with pytest.raises(CheckpointError, match="other class texts"):
        load(saved, ("Covering", "Dropping", "Throwing"))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_names_that_a_wrapper_left_are_no_other_architecture(tiny, model, saved, prefix):
    content = torch.load(saved)
    content["model"] = {prefix + name: tensor for name, tensor in content["model"].items()}
    torch.save(content, saved)
    state = model.state_dict()
    assert same(load(saved).model.state_dict(), state)
    for source in (saved, saved.with_name("bare.pt")):
        torch.save(content["model"], saved.with_name("bare.pt"))
        config = tiny(weights=str(source))
        other = build_model(config, len(CLASSES))
        start_from(other, config)
        assert same(other.state_dict(), state)


def same(a, b) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_another_class_count(config, saved):
    other = build_model(config, 5)
    with pytest.raises(CheckpointError, match=r"best\.pt: has 3 classes, the network 5"):
        load_state(other, read(saved)["model"], saved)


@pytest.mark.parametrize("change", [{"model": "baseline"}, {"num_frames": 8}])
def test_another_architecture(tiny, saved, change):
    other = build_model(tiny(**change), len(CLASSES))
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"best\.pt: is of another architecture"):
        load_state(other, read(saved)["model"], saved)
    assert all(torch.equal(before[n], t) for n, t in other.state_dict().items())


def test_a_full_disk_leaves_the_old_one_whole(model, config, saved, small_disk):
    before = saved.read_bytes()
    said = r"best\.pt: the checkpoint could not be written"
    with small_disk(20_000), pytest.raises(CheckpointError, match=said):
        save(saved, model, config, CLASSES)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == ["best.pt"]


def test_no_permission(model, config, saved, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    before = saved.read_bytes()
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(CheckpointError, match=r"best\.pt: .*Permission denied.*writable"):
        save(saved, model, config, CLASSES)
    assert saved.read_bytes() == before


class TestStartFrom:
    """``weights``: tensors whose name and shape agree are copied, the rest stays and is named."""

    def test_st_abn_from_a_baseline_of_other_classes(self, tiny, tmp_path, caplog):
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

    def test_a_baseline_from_st_abn(self, tiny, model, config, saved):
        baseline = build_model(tiny(model="baseline", weights=str(saved)), len(CLASSES))
        start_from(baseline, tiny(model="baseline", weights=str(saved)))
        for name, tensor in baseline.state_dict().items():
            assert torch.equal(tensor, model.state_dict()[f"backbone.{name}"])

    def test_two_dimensional_weights_are_inflated(self, tiny, tmp_path):
        source = build_model(tiny(model="baseline"), len(CLASSES)).state_dict()
        flat = {name: t.sum(2) if t.dim() == 5 else t for name, t in source.items()}
        torch.save(flat, tmp_path / "imagenet.pth")
        config = tiny(weights=str(tmp_path / "imagenet.pth"))
        model = build_model(config, len(CLASSES))
        start_from(model, config)
        stem = model.backbone.conv1.weight
        torch.testing.assert_close(stem.sum(2), flat["conv1.weight"])

    def test_a_slow_networks_weights_from_kinetics(self, tiny, tmp_path, monkeypatch, caplog):
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

    def test_a_file_with_more_than_tensors_says_what_to_do(self, tiny, tmp_path):
        torch.save({"state_dict": {}, "options": Callable}, tmp_path / "x.ckpt")
        config = tiny(weights=str(tmp_path / "x.ckpt"))
        with pytest.raises(WeightsError, match=r"x\.ckpt: .*weights_only=False.*saved by itself"):
            start_from(build_model(config, len(CLASSES)), config)

    def test_of_another_backbone(self, tiny, tmp_path):
        torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "imagenet.pth")
        config = tiny(weights=str(tmp_path / "imagenet.pth"))
        with pytest.raises(WeightsError, match=r"imagenet\.pth"):
            start_from(build_model(config, len(CLASSES)), config)

    def test_nothing_fits(self, tiny, config, tmp_path):
        alien = torch.nn.Linear(3, 3)
        save(tmp_path / "alien.pt", alien, config, CLASSES)
        config = tiny(weights=str(tmp_path / "alien.pt"))
        with pytest.raises(CheckpointError, match=r"alien\.pt: no weight of it fits"):
            start_from(build_model(config, len(CLASSES)), config)


class TestLoadTrained:
    """This machine's run, else the small one beside the book, else the command that makes it."""

    def test_in_that_order(self, saved, tmp_path):
        with pytest.raises(CheckpointError, match=r"papermill notebooks/launch/train\.ipynb.*tiny"):
            load_trained("tiny", tmp_path)
        for place, words in [
            ("book/assets/tiny.pt", "comes with the book"),
            ("runs/tiny/best.pt", "trained on this machine"),
        ]:
            (tmp_path / place).parent.mkdir(parents=True)
            shutil.copy(saved, tmp_path / place)
            assert words in load_trained("tiny", tmp_path).origin


def test_an_arm_of_a_fine_tuning_is_found_by_its_name(saved, tmp_path):
    with pytest.raises(CheckpointError, match=r"finetune\.ipynb.*-f notebooks/launch/tiny\.yaml"):
        load_trained("tiny", tmp_path, checkpoint="control")
    for place in ("book/assets/tiny-control.pt", "runs/tiny/control.pt"):
        (tmp_path / place).parent.mkdir(parents=True)
        shutil.copy(saved, tmp_path / place)
        assert (
            place.rpartition("/")[0] in load_trained("tiny", tmp_path, checkpoint="control").origin
        )
