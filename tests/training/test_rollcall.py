"""Asked after many steps or after each: the same run, the same words, and nothing broken stored."""

import os
import signal

import pytest
import torch

from stabn.data.dataset import Failure
from stabn.training.checkpoint import read
from stabn.training.journal import Journal, read_journal
from stabn.training.ledger import Ledger
from stabn.training.nonfinite import LossWatch, NonFiniteLossError
from stabn.training.process import TERMINATED, Process
from stabn.training.rollcall import MOST, RollCall
from stabn.training.train import train
from tests.journals import untimed


class Clock:
    """Time that passes as a test has it."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr("stabn.training.rollcall.time.monotonic", lambda: self.now)


def called_after(roll: RollCall, clock: Clock, each: float, steps: int) -> list[int]:
    """After which of so many steps, of so many seconds each, all were asked."""
    called = []
    for step in range(1, steps + 1):
        clock.now += each
        if roll.due(False):
            roll.stop()
            called.append(step)
    return called


@pytest.mark.parametrize(
    ("device", "each", "expected"),
    [
        ("cuda", 0.3, [1, 4, 7, 10]),
        ("cuda", 2.0, list(range(1, 11))),
        ("cuda", 1e-9, [1]),  # and after MOST more
        ("cpu", 0.3, list(range(1, 11))),
    ],
)
def test_a_gpu_is_asked_about_once_a_second_and_a_cpu_after_each_step(
    tmp_path, monkeypatch, device, each, expected
):
    clock, me = Clock(monkeypatch), Process(0, 1, torch.device(device))
    ledger = Ledger(tmp_path / "decode_failures.jsonl", 0, 4, 1, me)
    roll = RollCall(ledger, LossWatch(late=True), me)
    assert called_after(roll, clock, each, 10) == expected
    assert roll.every <= MOST
    assert roll.due(True)


def test_failures_of_several_steps_are_entered_under_their_own(tmp_path):
    path = tmp_path / "decode_failures.jsonl"
    ledger = Ledger(path, 0, 4, 1, Process(0, 1, torch.device("cpu")))
    ledger.note(0, 1, [Failure("7", "7.webm: is damaged")])
    ledger.note(0, 2, [])
    ledger.note(1, 3, [Failure("9", "9.webm: no such file"), Failure("7", "7.webm: is damaged")])
    assert not path.exists()
    ledger.enter()
    found = [(x["epoch"], x["step"], x["video_id"]) for x in read_journal(path)]
    assert found == [(1, 1, "7"), (2, 3, "9"), (2, 3, "7")]
    ledger.enter()
    assert len(read_journal(path)) == ledger.count == 3


def test_the_first_loss_that_is_not_finite_is_told_with_its_step_and_videos():
    late, at_once = LossWatch(late=True), LossWatch(late=False)
    for step, loss in enumerate([0.5, float("inf"), float("nan")], start=1):
        late.note(torch.tensor(loss), step, [f"{step}a", f"{step}b"])
    assert str(late.wrong()).startswith("the loss is inf at step 2: lower lr")
    assert late.wrong() is None  # each is looked at once
    at_once.note(torch.tensor(0.5), 1, ["1a"])
    with pytest.raises(NonFiniteLossError, match=r"is nan at step 2.*these videos: 2a, 2b$"):
        at_once.note(torch.tensor(float("nan")), 2, ["2a", "2b"])


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """A CPU's run asks after every fifth step, and looks at no loss before."""
    monkeypatch.setattr("stabn.training.step.LossWatch", lambda late: LossWatch(late=True))
    monkeypatch.setattr(RollCall, "_affordable", lambda roll: 5)


def weights(config) -> dict[str, torch.Tensor]:
    return read(config.folder / "last.pt")["model"]


@pytest.mark.slow(5)
def test_a_run_that_asks_seldom_and_is_cut_off_is_the_same_run(tiny, request, monkeypatch):
    whole, torn = (tiny(epochs=4, eval_every=4, batch_size=2, dropout=0.5) for _ in range(2))
    train(whole)
    request.getfixturevalue("as_on_a_gpu")

    def terminate(journal, epoch, step, *rest, write=Journal.trained):
        write(journal, epoch, step, *rest)
        if step == 8:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "trained", terminate)
        with pytest.raises(SystemExit) as left:
            train(torn)
    assert left.value.code == TERMINATED
    stored = read(torn.folder / "last.pt")["progress"]["step"]
    assert 8 <= stored <= 12  # the fifth step at most, or the epoch's end
    assert untimed(torn.folder / "metrics.jsonl")[-1]["step"] == stored
    train(torn)
    assert untimed(whole.folder / "metrics.jsonl") == untimed(torn.folder / "metrics.jsonl")
    assert all(torch.equal(t, weights(torn)[name]) for name, t in weights(whole).items())


@pytest.mark.usefixtures("as_on_a_gpu")
def test_what_is_stored_is_whole_though_a_loss_was_looked_at_late(tiny, monkeypatch):
    config = tiny(epochs=1, batch_size=2, save_every=2)
    note = LossWatch.note

    def spoilt(watch, loss, step, videos):
        note(watch, loss * (torch.nan if step == 3 else 1), step, videos)

    monkeypatch.setattr(LossWatch, "note", spoilt)
    with pytest.raises(NonFiniteLossError, match="the loss is nan at step 3"):
        train(config)
    assert read(config.folder / "last.pt")["progress"]["step"] == 2
    assert "nan at step 3" in (config.folder / "non_finite_loss-0.txt").read_text()
