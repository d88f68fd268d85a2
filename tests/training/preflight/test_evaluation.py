"""Before an evaluation: everything in its way is told at once, and how long it will take."""

import json
import os
import re
import shutil
import signal
from types import SimpleNamespace

import pytest

from stabn.training.config import parse
from stabn.training.eval_config import EvalConfig
from stabn.training.preflight import evaluation as module
from stabn.training.preflight.evaluation import preflight
from stabn.training.preflight.findings import PreflightError
from stabn.training.process import TERMINATED
from tests.preflights import everything_in, found, with_videos_of_its_own
from tests.side_by_side import stabn_on


@pytest.fixture
def said(caplog):
    caplog.set_level("INFO")
    return lambda: caplog.messages


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy of the finished run, to be spoilt."""
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def copy(tiny_set, tmp_path):
    """The tiny set with videos of its own to remove."""
    return with_videos_of_its_own(tiny_set, tmp_path / "set")


def asked(run, **values) -> EvalConfig:
    return parse(EvalConfig, {"run": str(run), **values}, "test")


def ids(root, split="validation") -> list[str]:
    return [entry["id"] for entry in json.loads((root / f"{split}.json").read_text())]


def test_an_evaluation_that_will_go_through(run, said):
    before = everything_in(run)
    preflight(asked(run))
    lines = said()
    assert "best.pt, after 2 epochs" in found(lines, "ok", "checkpoint")[0]
    assert found(lines, "ok", "data")[0].endswith("3 classes · validation 9 videos")
    assert "all 9 videos are in" in found(lines, "ok", "videos")[0]
    assert "4 at a time" in found(lines, "ok", "memory")[0]
    assert "of predictions" in found(lines, "ok", "disk")[0]
    assert "9 videos, scored twice: until" in found(lines, "ok", "time")[0]
    assert not any("FAULT" in line for line in lines)
    assert everything_in(run) == before


def test_what_is_asked_for_is_what_is_tried(run, said):
    preflight(asked(run, split="tuning", batch_size=2, invert_spatial=False))
    assert "tuning 3 videos" in found(said(), "ok", "data")[0]
    assert "2 at a time" in found(said(), "ok", "memory")[0]
    assert "3 videos: until" in found(said(), "ok", "time")[0]


def test_views_are_counted_in_and_a_list_without_labels_is_scored_once(run, copy, said):
    entries = [{"id": video_id} for video_id in ids(copy)]
    (copy / "test.json").write_text(json.dumps(entries))
    preflight(asked(run, data_root=str(copy), split="test", spatial_crops=3))
    assert "test 9 videos" in found(said(), "ok", "data")[0]
    assert "3 at a time" in found(said(), "ok", "memory")[0]
    assert "9 videos: until" in found(said(), "ok", "time")[0]


def test_missing_and_broken_videos_are_counted_and_borne(run, copy, said):
    missing, broken = ids(copy)[2:4]
    (copy / "videos" / f"{missing}.webm").unlink()
    (copy / "videos" / f"{broken}.webm").unlink()
    (copy / "videos" / f"{broken}.webm").write_bytes(b"")
    preflight(asked(run, data_root=str(copy)))
    assert (
        f"1 of 9 videos are not in {copy}/videos, {missing}"
        in found(said(), "warning", "videos")[0]
    )
    assert any("is an empty file" in line for line in found(said(), "warning", "reading"))


def test_everything_in_the_way_is_told_at_once(run, copy, monkeypatch):
    for video_id in ids(copy):
        (copy / "videos" / f"{video_id}.webm").unlink()

    def full(path):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("stabn.training.preflight.ready.try_out", full)
    with pytest.raises(PreflightError) as error:
        preflight(asked(run, data_root=str(copy)))
    message = str(error.value)
    assert message.startswith("2 things are in the run's way")
    assert f"folder: {run} cannot be written (Read-only file system); make it writable" in message
    assert "videos: 9 of 9 videos are not in" in message
    assert "nothing is left of validation" in message


def test_a_set_of_which_nothing_decodes(run, copy):
    for video_id in ids(copy):
        (copy / "videos" / f"{video_id}.webm").unlink()
        (copy / "videos" / f"{video_id}.webm").write_bytes(b"")
    with pytest.raises(
        PreflightError, match=r"reading: none of the first \d+ can be decoded: .*empty"
    ):
        preflight(asked(run, data_root=str(copy)))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"checkpoint": "last-7"}, r"checkpoint: .*last-7\.pt: no such checkpoint"),
        ({"split": "exam"}, r"data: .*exam\.json"),
        ({"data_root": "no/set"}, "data: no/set: no such folder"),
        ({"prepared": "no/set"}, "data: no/set/index.json: No such file"),
    ],
)
def test_what_would_only_show_later(run, values, fault):
    with pytest.raises(PreflightError, match=fault):
        preflight(asked(run, **values))


def test_a_torn_checkpoint(run):
    whole = (run / "best.pt").read_bytes()
    (run / "best.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PreflightError, match=r"checkpoint: .*best\.pt: is truncated"):
        preflight(asked(run))


def test_another_data_set(run, copy):
    labels = json.loads((copy / "labels.json").read_text())
    (copy / "labels.json").unlink()
    (copy / "labels.json").write_text(json.dumps(labels | {"Covering something": "3"}))
    with pytest.raises(PreflightError, match=r"checkpoint: .*has 3 classes, the data set 4"):
        preflight(asked(run, data_root=str(copy)))


def test_the_disk_must_hold_the_predictions(run, monkeypatch):
    free = SimpleNamespace(free=100)
    monkeypatch.setattr("stabn.training.preflight.ready.shutil.disk_usage", lambda path: free)
    with pytest.raises(PreflightError, match=r"disk: .* of predictions, 0\.0 GiB free"):
        preflight(asked(run))


def test_the_memory_must_hold_a_batch(run, monkeypatch):
    free = SimpleNamespace(available=-1)
    monkeypatch.setattr("stabn.training.preflight.memory.psutil.virtual_memory", lambda: free)
    with pytest.raises(PreflightError, match=r"memory: .* lower batch_size"):
        preflight(asked(run))


def test_sigterm_ends_it(run, monkeypatch):
    def terminate(*arguments, then=module.read_ahead):
        os.kill(os.getpid(), signal.SIGTERM)
        return then(*arguments)

    monkeypatch.setattr(module, "read_ahead", terminate)
    with pytest.raises(SystemExit) as left:
        preflight(asked(run))
    assert left.value.code == TERMINATED


@pytest.mark.slow(8)
def test_four_processes_of_which_one_has_nothing_to_score(run):
    out = stabn_on(4, "preflight evaluate", asked(run, split="tuning", workers=1))
    assert re.search(r"\[0\]   ok       run .* 4 processes", out)
    assert re.search(r"\[0\]   ok       time .* 3 videos", out)


@pytest.mark.slow(8)
def test_two_processes_stop_with_the_fault(run):
    said = stabn_on(2, "preflight evaluate", asked(run, split="exam"), ends=1)
    assert re.search(r"error: this is in the run's way:\n  data: .*exam", said)


def test_the_command_line_answers_in_words(tmp_path, monkeypatch, stabn):
    (tmp_path / "evaluate.yaml").write_text("run: no/run\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"error: this is in the run's way:\n  checkpoint: no/run"):
        stabn("preflight", "evaluate", "--config", tmp_path / "evaluate.yaml")
    assert not (tmp_path / "no").exists()
