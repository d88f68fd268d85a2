"""Before a run: everything in its way is told at once, and what it will take is measured."""

import json
import re
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from torch import nn

from stabn.data.ssv2 import VideoFolder
from stabn.training.config import RunConfig
from stabn.training.preflight.findings import Findings, PreflightError
from stabn.training.preflight.memory import counting_saved
from stabn.training.preflight.ready import check_data, check_folder, checkpoint_bytes
from stabn.training.preflight.training import preflight, stored_bytes
from stabn.training.preflight.trial import read_ahead, together
from stabn.training.process import Process
from stabn.training.step import set_up, take_step
from stabn.training.train import train
from tests.preflights import found, with_videos_of_its_own
from tests.side_by_side import stabn_on

ALONE = Process(0, 1, torch.device("cpu"))


@pytest.fixture
def said(caplog):
    caplog.set_level("INFO")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture
def copy(tiny_set, tmp_path):
    """The tiny set with videos of its own to remove."""
    return with_videos_of_its_own(tiny_set, tmp_path / "set")


def train_ids(root) -> list[str]:
    return [entry["id"] for entry in json.loads((root / "train.json").read_text())]


def test_a_run_that_will_go_through(tiny, said):
    config = tiny()
    preflight(config)
    lines = said()
    assert found(lines, "ok", "data")[0].endswith(
        "3 classes · train 12 · tuning 3 · validation 9 videos"
    )
    assert "all 24 videos are in" in found(lines, "ok", "videos")[0]
    assert "verify.py" in found(lines, "warning", "manifest")[0]
    assert "begins" in found(lines, "ok", "run")[0]
    assert "4 at a time" in found(lines, "ok", "memory")[0]
    assert "6 steps" in found(lines, "ok", "time")[0]
    assert not any("FAULT" in line for line in lines)
    assert not config.folder.exists()  # what it trained is thrown away


def test_everything_in_the_way_is_told_at_once(tiny, copy, said):
    ids = train_ids(copy)
    for video_id in ids[:6]:
        (copy / "videos" / f"{video_id}.webm").unlink()
    config = tiny(data_root=str(copy), batch_size=5, accumulate=2, sync_bn=True, weights="no.pt")
    config.folder.write_text("a file where the folder should be")
    with pytest.raises(PreflightError) as error:
        preflight(config)
    message = str(error.value)
    assert message.startswith("5 things are in the run's way")
    assert "run: batch_size: 5 cannot be shared by 1 processes, each in 2 parts" in message
    assert "run: sync_bn: PyTorch has none for the CPU" in message
    assert "run: weights: no.pt: no such file" in message
    assert f"videos: 6 of 24 videos are not in {copy}/videos, {ids[0]}" in message
    assert f"folder: {config.folder} cannot be written" in message


def test_classes_and_clips_are_counted(tiny, copy, said):
    """2 of 12 videos of the first class and 2 clips for BN at a time."""
    entries = json.loads((copy / "train.json").read_text())
    first = entries[0]["template"]
    others = [entry for entry in entries if entry["template"] != first]
    (copy / "train.json").unlink()
    few = [entry for entry in entries if entry["template"] == first][:2]
    (copy / "train.json").write_text(json.dumps(few + others))
    preflight(tiny(data_root=str(copy), batch_size=4, accumulate=2))
    (line,) = found(said(), "ok", "classes")
    plain = first.replace("[", "").replace("]", "")
    assert f"3.3 videos each in train, from 2 ({plain!r}) to 4 (" in line
    (line,) = found(said(), "warning", "batch norm")
    assert "over 2 clips of each process, 2 values or more of a channel (backbone.norm)" in line
    assert "a larger batch_size (and lr with it), a lower accumulate would give more" in line


def test_classes_alike_and_enough_clips_for_batch_norm(tiny, said):
    preflight(tiny(batch_size=8))
    assert found(said(), "ok", "classes")[0].endswith("  4.0 videos each in train")
    assert "over 8 clips of each process, 8 values" in found(said(), "ok", "batch norm")[0]


def test_a_few_missing_videos_are_borne(tiny, copy, said):
    (copy / "videos" / f"{train_ids(copy)[0]}.webm").unlink()
    preflight(tiny(data_root=str(copy), max_decode_failures=0.05))
    assert "1 of 24 videos are not in" in found(said(), "warning", "videos")[0]


def test_the_folder_is_listed_once_for_all_processes(tiny, copy, monkeypatch):
    """Rank 0 lists and tells; what it finds stops the others too, when all settle."""
    (copy / "videos" / f"{train_ids(copy)[0]}.webm").unlink()
    lists, listed = VideoFolder.video_ids, []
    monkeypatch.setattr(VideoFolder, "video_ids", lambda self: listed.append(self) or lists(self))
    found = [Findings(Process(rank, 2, torch.device("cpu"))) for rank in (0, 1)]
    config = tiny(data_root=str(copy))
    assert [check_data(f, config, ["train"], bears=0) for f in found] == 2 * [{"train": 12}]
    assert len(listed) == 1
    assert [len(f.faults) for f in found] == [1, 0]


def test_the_manifest_tells_of_broken_videos(tiny, copy, said):
    broken, unknown = train_ids(copy)[:2]
    ids = [path.stem for path in (copy / "videos").iterdir() if path.stem != unknown]
    status = ["cut off after frame 3" if video_id == broken else "ok" for video_id in ids]
    pd.DataFrame({"id": ids, "status": status}).to_parquet(copy / "manifest.parquet")
    with pytest.raises(PreflightError, match=r"manifest: 1 of 24 videos are not ok in .*manifest"):
        preflight(tiny(data_root=str(copy)))
    assert "1 videos came after" in found(said(), "warning", "manifest")[0]

    status = ["worker lost: no answer within 60 s" if i == broken else "ok" for i in ids]
    pd.DataFrame({"id": ids, "status": status}).to_parquet(copy / "manifest.parquet")
    bearing = tiny(data_root=str(copy), max_decode_failures=0.5)
    with pytest.raises(PreflightError, match=rf"crashed at 1 videos, {broken}: move them out of"):
        preflight(bearing)
    (copy / "videos" / f"{broken}.webm").unlink()
    preflight(bearing)

    (copy / "manifest.parquet").write_bytes(b"no parquet")
    with pytest.raises(PreflightError, match=r"manifest: .* cannot be read"):
        preflight(tiny(data_root=str(copy)))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"weights": "no/such.pt"}, "run: weights: no/such.pt: no such file"),
        ({"report_split": "exam"}, "data: .*exam"),
        ({"sync_bn": True}, "run: sync_bn"),
        ({"batch_size": 5, "accumulate": 2}, "run: batch_size: 5"),
        ({"batch_size": 1}, "run: batch_size: 1 leaves .* a single clip .* use a multiple of 2,"),
        ({"batch_size": 2, "accumulate": 2}, "run: batch_size: 2 .* use a multiple of 4,"),
    ],
)
def test_what_would_only_show_later(tiny, values, fault):
    with pytest.raises(PreflightError, match=fault):
        preflight(tiny(**values))


def test_the_disk_must_hold_what_will_stand_there(tiny, monkeypatch):
    free = SimpleNamespace(free=1000)
    monkeypatch.setattr("stabn.training.preflight.ready.shutil.disk_usage", lambda path: free)
    with pytest.raises(PreflightError, match=r"disk: .* GiB of checkpoints"):
        preflight(tiny())


def test_what_checkpoints_take_already_is_not_asked_for_again(tiny, monkeypatch):
    config = tiny(keep_last=2, save_every=1)

    def kill(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("stabn.training.train.predict", kill)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    names = [path.name for path in config.folder.glob("*.pt")]
    assert sorted(names) == ["last-2.pt", "last-3.pt", "last.pt"]  # the last two are one file
    lying = checkpoint_bytes(config.folder)
    assert lying == sum((config.folder / f"last-{step}.pt").stat().st_size for step in (2, 3))
    free = SimpleNamespace(free=stored_bytes(set_up(config, ALONE)))  # nothing to spare
    monkeypatch.setattr("stabn.training.preflight.ready.shutil.disk_usage", lambda path: free)
    preflight(config)
    with pytest.raises(PreflightError, match="disk: "):
        preflight(config.model_copy(update={"name": "another"}))


def test_the_memory_must_hold_a_whole_share(tiny, monkeypatch):
    memory = SimpleNamespace(available=1000)
    monkeypatch.setattr("stabn.training.preflight.memory.psutil.virtual_memory", lambda: memory)
    with pytest.raises(PreflightError, match=r"memory: .* lower batch_size, raise accumulate"):
        preflight(tiny())


def test_a_step_too_long_to_be_waited_for_is_reckoned(tiny, monkeypatch, said):
    monkeypatch.setattr("stabn.training.preflight.trial.STEPPING", 0.0)
    preflight(tiny())
    assert "reckoned from 2 clips" in found(said(), "warning", "step")[0]


def test_a_run_taken_up_and_a_finished_one(tiny, monkeypatch, said):
    config = tiny(save_every=1)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("stabn.training.train.predict", stop)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    before = {path.name: path.stat().st_mtime_ns for path in config.folder.glob("*.pt")}
    preflight(config)
    assert "goes on after step 3" in found(said(), "ok", "run")[0]
    assert "3 steps" in found(said(), "ok", "time")[0]
    assert before == {path.name: path.stat().st_mtime_ns for path in config.folder.glob("*.pt")}

    with pytest.raises(PreflightError) as error:
        preflight(config.model_copy(update={"seed": 1, "report_split": "exam"}))
    assert "exam.json" in str(error.value)
    assert "run: " in str(error.value)
    assert "another configuration: report_split ('validation' there, 'exam' here), seed" in str(
        error.value
    )

    train(config)
    preflight(config)
    assert "is trained already" in found(said(), "ok", "run")[-1]


@pytest.mark.slow(5)
def test_two_processes_and_parts(tiny):
    out = stabn_on(2, "preflight train", tiny(batch_size=8, accumulate=2, workers=1))
    assert re.search(r"\[0\]   ok       run .* 2 processes", out)
    assert "2 at a time in 2 processes" in out


@pytest.mark.slow(5)
def test_two_processes_stop_with_the_fault(tiny):
    said = stabn_on(2, "preflight train", tiny(weights="no/such.pt"), ends=1)
    assert "error: this is in the run's way:\n  run: weights: no/such.pt" in said


def test_what_is_kept_for_the_way_back_is_counted():
    """Two linear layers keep their inputs, tanh its output, which is the second one's input."""
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
    with counting_saved(model) as saved:
        model(torch.randn(2, 5))
    assert saved[0] == 4 * (2 * 5 + 2 * 7)


def test_what_will_be_stored_is_what_is_stored(tiny):
    config: RunConfig = tiny(keep_last=2, save_every=1)
    run = set_up(config, ALONE)
    take_step(run, next(iter(run.loader)))
    reckoned = stored_bytes(run)
    train(config)
    names = ("last.pt", "best.pt", "last-5.pt")
    last, best, older = ((config.folder / name).stat().st_size for name in names)
    # two to go on from and one being written; the best and its successor
    assert reckoned == pytest.approx(last + older + last + 2 * best, rel=0.2)


class Counting:
    """A loader of many batches, which counts those that were asked for."""

    def __init__(self, count: int, num_workers: int = 0):
        self.count, self.num_workers, self.given = count, num_workers, 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self):
        for _ in range(self.count):
            self.given += 1
            yield ["clip"] * 4


def test_a_tenth_of_what_there_is_to_read_is_enough():
    loader = Counting(70)
    batches, rate = read_ahead(loader, ALONE)
    assert loader.given == 7
    assert len(batches) == 4
    assert rate > 0
    assert read_ahead(Counting(0), ALONE) == ([], 0)  # an empty share


def test_workers_are_seen_to_make_a_second_round():
    loader = Counting(70, num_workers=5)
    read_ahead(loader, ALONE)
    assert loader.given == 11


def test_a_folder_that_was_not_there_is_not_there_afterwards(tiny, tmp_path):
    found = Findings(ALONE)
    check_folder(found, tmp_path / "new" / "deep" / "run")
    assert not found.faults
    assert list(tmp_path.iterdir()) == []


def test_a_split_of_which_nothing_is_left_is_no_few_videos(tiny, copy):
    for entry in json.loads((copy / "tuning.json").read_text()):
        (copy / "videos" / f"{entry['id']}.webm").unlink()
    config = tiny(data_root=str(copy), max_decode_failures=0.5)
    with pytest.raises(PreflightError, match=r"videos: 3 of 24 .*: nothing is left of tuning"):
        preflight(config)


def test_two_missing_lists_are_both_told(tiny):
    with pytest.raises(PreflightError) as error:
        preflight(tiny(eval_split="exam", report_split="trial"))
    assert "exam.json" in str(error.value)
    assert "trial.json" in str(error.value)


def test_workers_read_while_the_network_computes():
    assert together(2.0, 3.0, workers=4) == 3.0
    assert together(2.0, 3.0, workers=0) == 5.0


def test_the_command_line_answers_in_words(tmp_path, monkeypatch, stabn):
    path = tmp_path / "run.yaml"
    path.write_text("name: x\nweights: no/such.pt\ndata_root: no/set\n")
    monkeypatch.chdir(tmp_path)
    told = (
        r"error: 2 things are in the run's way:\n  data: no/set: .*\n  run: weights: no/such\.pt: "
    )
    with pytest.raises(SystemExit, match=told):
        stabn("preflight", "train", "--config", path)
