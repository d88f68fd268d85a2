"""Before a selection: everything in its way is told at once, and how long it will take."""

import json
import re
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from stabn.data.video import VideoError
from stabn.knowledge.selection import preflight as module
from stabn.knowledge.selection.config import SelectConfig
from stabn.knowledge.selection.preflight import longest, preflight
from stabn.knowledge.selection.select import select
from stabn.training.build import build_model, class_texts, dataset
from stabn.training.checkpoint import save
from stabn.training.config import parse
from stabn.training.preflight.findings import PreflightError
from tests.preflights import everything_in, found, with_videos_of_its_own
from tests.side_by_side import stabn_on


@pytest.fixture
def said(caplog):
    caplog.set_level("INFO")
    return lambda: caplog.messages


@pytest.fixture
def copy(tiny_set, tmp_path):
    """The tiny set with videos of its own to remove."""
    return with_videos_of_its_own(tiny_set, tmp_path / "set")


@pytest.fixture
def asked(tiny_run, tmp_path):
    """Selections from the finished run; keywords override."""

    def configure(**values) -> SelectConfig:
        base = {"run": str(tiny_run.folder), "out": str(tmp_path / "out" / "queue")}
        base |= {"classes": [0, 1, 2], "include_correct": True}
        return parse(SelectConfig, base | values, "test")

    return configure


def test_a_selection_that_will_go_through(asked, tiny_run, said, tmp_path):
    before = everything_in(tiny_run.folder)
    preflight(asked())
    lines = said()
    assert "3 classes · train 12 · tuning 3 videos" in found(lines, "ok", "data")[0]
    lengths = longest(dataset(tiny_run, "train", training=False), [], tiny_run)
    assert f"{lengths[0][0]}, {lengths[0][1]} frames" in found(lines, "ok", "whole video")[0]
    assert "for each of at most 12 videos" in found(lines, "ok", "disk")[0]
    assert "scoring train and tuning: until" in found(lines, "ok", "time")[0]
    assert "for each video selected" in found(lines, "ok", "time")[1]
    assert not any("FAULT" in line for line in lines)
    assert list(tmp_path.iterdir()) == []
    assert everything_in(tiny_run.folder) == before


def test_everything_in_the_way_is_told_at_once(asked, copy, tmp_path):
    (tmp_path / "file").write_text("where the queue's folder should be")
    config = asked(
        data_root=str(copy), classes=["Droping"], check_split="exam", out=str(tmp_path / "file/q")
    )
    with pytest.raises(PreflightError) as error:
        preflight(config)
    message = str(error.value)
    assert message.startswith("3 things are in the run's way")
    assert f"folder: {tmp_path}/file cannot be written (File exists); give another `out`" in message
    assert "classes: classes: there is no class 'Droping' (did you mean" in message
    assert "exam.json" in message


def test_missing_videos_are_borne_unless_a_split_has_none(asked, copy, said):
    ids = [entry["id"] for entry in json.loads((copy / "tuning.json").read_text())]
    (copy / "videos" / f"{ids[0]}.webm").unlink()
    preflight(asked(data_root=str(copy)))
    assert "1 of 15 videos are not in" in found(said(), "warning", "videos")[0]
    for video_id in ids[1:]:
        (copy / "videos" / f"{video_id}.webm").unlink()
    with pytest.raises(PreflightError, match=r"videos: 3 of 15 .*: nothing is left of tuning"):
        preflight(asked(data_root=str(copy)))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"run": "no/run"}, "checkpoint: no/run/best.pt: no such checkpoint"),
        ({"check_split": "train"}, "splits: check_split: must be another split"),
        ({"train_split": "exam"}, r"data: .*exam\.json"),
        ({"classes": [7]}, "classes: classes: there is no class 7; ids are 0 to 2"),
    ],
)
def test_what_would_only_show_later(asked, values, fault):
    with pytest.raises(PreflightError, match=fault):
        preflight(asked(**values))


@pytest.mark.parametrize(
    "change", [{"model": "baseline"}, {"constant_spatial": 1.0, "constant_temporal": 1.0}]
)
def test_a_network_without_attention_of_its_own(asked, tiny, change):
    config = tiny(**change)
    texts = class_texts(config)
    torch.manual_seed(0)
    save(config.folder / "best.pt", build_model(config, len(texts)), config, texts)
    with pytest.raises(PreflightError, match=r"checkpoint: .*has no temporal attention of its own"):
        preflight(asked(run=str(config.folder)))


def test_a_queue_that_is_there_already_and_another_one(asked, said):
    select(asked())
    preflight(asked())
    assert "holds this very queue already: nothing is left" in found(said(), "ok", "queue")[0]
    with pytest.raises(PreflightError, match=r"queue: .*holds another queue"):
        preflight(asked(limit=3))


def test_the_disk_must_hold_as_many_as_are_allowed(asked, monkeypatch, said):
    free = SimpleNamespace(free=100_000)  # the features of a few videos
    monkeypatch.setattr("stabn.training.preflight.ready.shutil.disk_usage", lambda path: free)
    preflight(asked())  # how many are selected is not known yet
    assert re.search(r"there is room for \d+: set `limit`", found(said(), "warning", "disk")[0])
    free.free = 100
    with pytest.raises(PreflightError, match=r"disk: .* features, .* at most 3 videos"):
        preflight(asked(limit=3))


def test_the_manifest_says_which_is_the_longest(tiny_run, copy):
    clips = dataset(tiny_run, "train", training=False)
    ids = [record.video_id for record in clips.records]
    manifest = {"id": ids, "frames": range(len(ids)), "status": ["ok"] * (len(ids) - 1) + ["torn"]}
    pd.DataFrame(manifest).to_parquet(copy / "manifest.parquet")
    there = tiny_run.model_copy(update={"data_root": str(copy)})
    assert longest(clips, [], there)[:2] == [(ids[-2], len(ids) - 2), (ids[-3], len(ids) - 3)]


def test_a_long_video_that_is_broken_gives_way_to_the_next(asked, tiny_run, monkeypatch, said):
    lengths = longest(dataset(tiny_run, "train", training=False), [], tiny_run)

    def torn(model, videos, video_id, *rest, then=module.look):
        if video_id == lengths[0][0]:
            raise VideoError(f"{video_id}.webm", "is damaged at frame 7")
        return then(model, videos, video_id, *rest)

    monkeypatch.setattr(module, "look", torn)
    preflight(asked())
    assert "damaged at frame 7" in found(said(), "warning", "whole video")[0]
    assert f"{lengths[1][0]}, {lengths[1][1]} frames" in found(said(), "ok", "whole video")[0]


@pytest.mark.slow(5)
def test_two_processes(asked):
    out = stabn_on(2, "preflight select", asked(workers=1, limit=3))
    assert re.search(r"\[0\]   ok       run .* 2 processes", out)
    assert re.search(r"\[0\]   ok       time .* for 3", out)


def test_the_command_line_answers_in_words(tmp_path, monkeypatch, stabn):
    (tmp_path / "select.yaml").write_text("run: no/run\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"error: this is in the run's way:\n  checkpoint: no/run"):
        stabn("preflight", "select", "--config", tmp_path / "select.yaml")
    assert not (tmp_path / "no").exists()
