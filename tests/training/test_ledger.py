"""What cannot be decoded is replaced by a rule, written down once, and may not become too much."""

import shutil

import pytest

from stabn.data.ssv2 import read_split
from stabn.training.build import class_texts
from stabn.training.checkpoint import read
from stabn.training.config import RunConfig
from stabn.training.journal import Journal, read_journal
from stabn.training.ledger import DecodeFailuresError
from stabn.training.records import read_record
from stabn.training.train import train
from tests.side_by_side import stabn_on


@pytest.fixture
def broken_set(tiny_set, tmp_path):
    """A copy of the tiny set: training's third video is empty, validation's first one is text."""
    root = tmp_path / "broken"
    shutil.copytree(tiny_set, root)
    ids = [broken(tiny_set, "train", 2), broken(tiny_set, "validation", 0)]
    (root / "videos" / f"{ids[0]}.webm").write_bytes(b"")
    (root / "videos" / f"{ids[1]}.webm").write_text("no video")
    return root


def broken(root, split: str, index: int) -> str:
    config = RunConfig(name="x", data_root=str(root))
    return read_split(root, split, class_texts(config))[index].video_id


def ledger(config: RunConfig) -> list[dict]:
    return read_journal(config.folder / "decode_failures.jsonl")


@pytest.mark.parametrize("workers", [0, 1])
def test_one_line_a_failure(tiny, broken_set, workers):
    config = tiny(data_root=str(broken_set), workers=workers)
    train(config)
    video_id = broken(broken_set, "train", 2)
    lines = ledger(config)
    assert [line["epoch"] for line in lines] == [1, 2]  # each video is taken once an epoch
    for line in lines:
        assert line["video_id"] == video_id
        assert f"{video_id}.webm: is an empty file" in line["cause"]
        assert 3 * (line["epoch"] - 1) < line["step"] <= 3 * line["epoch"]
    figures = read_record(config.folder / "record.json")["results"]["validation"]
    assert (figures["videos"], figures["failed"]) == (8, 1)
    assert list(figures["failed_videos"]) == [broken(broken_set, "validation", 0)]


@pytest.mark.slow(5)
def test_an_interrupted_run_and_two_processes_write_the_same_ledger(tiny, broken_set, monkeypatch):
    whole, torn, shared = (tiny(data_root=str(broken_set), save_every=2) for _ in range(3))
    train(whole)

    class Killed(BaseException):
        pass

    def kill(journal, epoch, step, *rest):
        if step == 5:
            raise Killed

    monkeypatch.setattr(Journal, "trained", kill)
    with pytest.raises(Killed):
        train(torn)
    monkeypatch.undo()
    train(torn)
    stabn_on(2, "train", shared)
    assert ledger(whole) == ledger(torn) == ledger(shared)
    state = [read(config.folder / "last.pt")["model"] for config in (whole, torn)]
    assert all((state[0][name] == state[1][name]).all() for name in state[0])


def test_too_many_stop_the_run_and_more_may_be_allowed(tiny, broken_set):
    config = tiny(data_root=str(broken_set), max_decode_failures=0)
    said = r"1 of the \d+ clips read so far.*max_decode_failures.*decode_failures\.jsonl: repair"
    with pytest.raises(DecodeFailuresError, match=said):
        train(config)
    assert len(ledger(config)) == 1
    train(config.model_copy(update={"max_decode_failures": 0.01}))
    assert len(ledger(config)) == 2


def test_a_set_that_decodes_has_no_ledger(tiny_run):
    assert not (tiny_run.folder / "decode_failures.jsonl").exists()
    assert read_record(tiny_run.folder / "record.json")["results"]["validation"]["failed"] == 0
