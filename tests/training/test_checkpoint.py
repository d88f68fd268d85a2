"""A checkpoint gives back the network that was saved, or says why it cannot."""

import os
import shutil

import pytest
import torch

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
from tests.training.networks import CLASSES


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
    content = torch.load(saved, weights_only=True)
    content["model"] = {prefix + name: tensor for name, tensor in content["model"].items()}
    torch.save(content, saved)
    assert same(load(saved).model.state_dict(), model.state_dict())


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


def test_a_checkpoint_that_is_elsewhere(tmp_path, tiny_run):
    for path, said in {
        tmp_path: r"is a folder; give a file in it, as in .*best\.pt",
        tiny_run.folder / "best.pt" / "best.pt": "is a file where a run's folder is meant",
        tiny_run.folder / "bset.pt": "no such checkpoint; there are best, last",
        tmp_path / "best.pt": "no such checkpoint; train one, or correct the path",
    }.items():
        with pytest.raises(CheckpointError, match=said):
            read(path)
