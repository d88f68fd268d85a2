"""Features that are kept teach as those that are computed anew: the same networks, bit for bit."""

import logging
import shutil
from itertools import count

import pytest
import torch

from stabn.data.dataset import ClipDataset
from stabn.knowledge.finetuning import features as module
from stabn.knowledge.finetuning.config import FinetuneConfig
from stabn.knowledge.finetuning.features import CLIPS, KeptFeatures, compute, keeping
from stabn.knowledge.finetuning.finetune import finetune
from stabn.knowledge.finetuning.preflight import preflight
from stabn.knowledge.finetuning.step import opened, read_lessons, set_up
from stabn.training.build import split_videos
from stabn.training.checkpoint import read
from stabn.training.config import ConfigError
from stabn.training.journal import Journal, read_journal
from stabn.training.process import Process
from tests.journals import untimed
from tests.preflights import found
from tests.side_by_side import stabn_on

pytestmark = pytest.mark.slow(15)

ALONE = Process(0, 1, torch.device("cpu"))
HOW = {"arms": ["knowledge"], "invert_spatial": False, "optimizer": "adamw", "lr": 1e-3}
CLIPS_OF_IT = 2 * (12 + 6)  # two draws of each video, and one more of the edited ones


@pytest.fixture(scope="module")
def data_root(tiny_set, tiny_run, tmp_path_factory) -> str:
    """The tiny set with a training video that nobody edited and nobody can decode."""
    root = tmp_path_factory.mktemp("broken") / "set"
    shutil.copytree(tiny_set, root)
    video_id = split_videos(tiny_run, "train")[0][7].video_id
    (root / "videos" / f"{video_id}.webm").write_bytes(b"")
    return str(root)


@pytest.fixture(scope="module")
def drawn_twice(settings, data_root):
    """Four epochs in which two draws of the clips come twice; dropout is on."""

    def configure(**values) -> FinetuneConfig:
        how = {"draws": 2, "epochs": 4, "edited_repeats": 2, "data_root": data_root}
        return settings(**HOW | how | values)

    return configure


@pytest.fixture
def counted(monkeypatch) -> list[int]:
    """How many clips are read from videos of the training split."""
    read = [0]

    def reading(dataset, key, then=ClipDataset.__getitem__):
        read[0] += dataset.seed is not None
        return then(dataset, key)

    monkeypatch.setattr(ClipDataset, "__getitem__", reading)
    return read


def everything(config: FinetuneConfig) -> tuple:
    """The network, each step's losses, and what could not be decoded."""
    folder = config.folder
    failures = read_journal(folder / "decode_failures.jsonl")
    return (
        read(folder / "knowledge.pt")["model"],
        untimed(folder / "metrics-knowledge.jsonl"),
        failures,
    )


def assert_same(one: FinetuneConfig, other: FinetuneConfig) -> None:
    (weights, *told), (others, *also) = everything(one), everything(other)
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert told == also


class Killed(BaseException):
    """No error, and nothing that anybody catches."""


def kill(monkeypatch, target: object, name: str, at: int) -> None:
    """Raise Killed in the ``at``-th call of a function; the calls after it go through."""
    calls, then = count(1), getattr(target, name)

    def killing(*arguments):
        if next(calls) == at:
            raise Killed
        return then(*arguments)

    monkeypatch.setattr(target, name, killing)


def test_with_kept_features_the_networks_are_the_same(
    drawn_twice, counted, monkeypatch, caplog, data_root
):
    """On a full disk f(x) is computed anew; a kill before and amid the epochs costs nothing."""
    caplog.set_level(logging.INFO)
    anew, kept = drawn_twice(), drawn_twice()
    with monkeypatch.context() as full:
        full.setattr(module, "free_bytes", lambda folder: 1000)
        finetune(anew)
    assert f"f(x) of {CLIPS_OF_IT} clips would take 0.00 GiB of disk" in caplog.text
    assert "computed anew in each epoch" in caplog.text
    assert counted[0] == 4 * 16 + 4  # an epoch drops the rest of 18; the broken one is tried, too
    counted[0] = 0

    kill(monkeypatch, module, "write", at=3)
    with pytest.raises(Killed):
        finetune(kept)
    (folder,) = kept.folder.glob("features-*")
    assert sorted(path.name for path in folder.iterdir()) == [
        "000000.safetensors",
        "000001.safetensors",
    ]
    kill(monkeypatch, Journal, "trained", at=10)
    with pytest.raises(Killed):
        finetune(kept)
    finetune(kept)
    assert f"f(x) of {CLIPS_OF_IT} clips is computed once and kept" in caplog.text
    assert counted[0] == CLIPS_OF_IT + CLIPS + 2  # a file twice; the broken one is tried, too
    assert_same(anew, kept)
    assert len(everything(kept)[2]) == 4  # told in each epoch, as where videos are read
    assert not list(kept.folder.glob("features-*"))


def test_where_no_clip_comes_again_nothing_is_kept(settings, edits):
    for draws in (None, 2, 3):
        tuning = tuning_of(settings(epochs=2, draws=draws), edits)
        assert not keeping(tuning).keys


def tuning_of(config: FinetuneConfig, edits):
    before, run = opened(config)
    return set_up(config, before, run, read_lessons(run, edits), ALONE)


def test_what_is_needed_is_what_is_written_and_read(settings, edits):
    config = settings(**HOW, draws=1)
    tuning = tuning_of(config, edits)
    plan = keeping(tuning)
    assert [len(plan.of(number)) for number in plan.missing] == [8, 4]
    compute(tuning, plan)
    written = sum(path.stat().st_size for path in plan.folder.iterdir())
    assert plan.needed == pytest.approx(written, rel=0.1)
    assert keeping(tuning).needed == 0
    kept = KeptFeatures(tuning.loader.dataset, plan)
    clips = tuning.loader.dataset
    for key in plan.keys[::5]:
        (ours,), theirs = kept.__getitems__([key]), clips[key]
        wanted = module.extracted(tuning, module.collate([theirs]))[0]
        torch.testing.assert_close(ours.video, wanted, rtol=1e-5, atol=1e-6)
        assert (ours.label, ours.video_id) == (theirs.label, theirs.video_id)
        assert torch.equal(ours.frame_indices, theirs.frame_indices)
    path = plan.folder / "000001.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ConfigError, match=r"000001\.safetensors: is damaged .*; delete it and"):
        kept.__getitems__([plan.keys[9]])


def test_another_network_or_other_clips_use_none_of_them(settings, edits):
    folders = {
        keeping(tuning_of(settings(draws=1, **how), edits)).folder.name
        for how in ({}, {"checkpoint": "last"}, {"seed": 1}, {"edited_repeats": 2}, {"workers": 1})
    }
    assert len(folders) == 4  # how many workers read them changes nothing


def test_the_preflight_says_what_is_kept(settings, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    config = settings(**HOW, draws=1)
    preflight(config)
    (line,) = found(caplog.messages, "ok", "features")
    assert "f(x) of 12 clips is computed once and kept: 0.00 GiB of disk" in line
    assert not config.folder.exists()
    monkeypatch.setattr(module, "free_bytes", lambda folder: 1000)
    preflight(config)
    (line,) = found(caplog.messages, "warning", "features")
    assert "it is computed anew in each epoch" in line


def test_two_processes_share_the_work(settings):
    config = settings(**HOW, draws=1)
    assert "f(x) of 12 clips is computed once" in stabn_on(2, "finetune", config)
    steps = [line["step"] for line in read_journal(config.folder / "metrics-knowledge.jsonl")]
    assert steps == list(range(1, 7))
    assert not list(config.folder.glob("features-*"))
