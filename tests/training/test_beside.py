"""Work beside the steps: in order, one at a time, told when it fails, waited for at the end."""

import io
import threading
import time
from collections import OrderedDict

import pytest
import torch
from torch import nn

from stabn.errors import UserError
from stabn.training import resume
from stabn.training.beside import MOST, Beside, copied
from stabn.training.checkpoint import CheckpointError, read
from stabn.training.process import TERMINATED, Process
from stabn.training.train import train

MINUTE = 60


@pytest.fixture
def me() -> Process:
    return Process(0, 1, torch.device("cpu"))


def refuse() -> None:
    raise UserError("last.pt: the disk is full")


def look_again_and_again(beside: Beside) -> None:
    ends = time.monotonic() + MINUTE
    while time.monotonic() < ends:
        beside.look()


def test_one_after_the_other_in_the_order_given(me):
    at_once, most, done, lock = 0, 0, [], threading.Lock()

    def work(number: int) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        threading.Event().wait(0.01)
        with lock:
            at_once -= 1
            done.append(number)

    with Beside(me) as beside:
        for number in range(6):
            beside(lambda number=number: work(number))
    assert done == [0, 1, 2, 3, 4, 5]
    assert most == 1


def test_it_goes_on_beside_and_is_waited_for_on_leaving(me):
    go, done = threading.Event(), []

    def work() -> None:
        assert go.wait(MINUTE)
        done.append(1)

    with Beside(me) as beside:
        beside(work)
        beside.look()  # waits for nothing: the work waits for what comes after
        assert not done
        go.set()
    assert done


def test_so_many_are_unfinished_and_no_more(me):
    go, given = threading.Event(), []
    with Beside(me) as beside:

        def give() -> None:
            for number in range(MOST + 1):
                beside(lambda: go.wait(MINUTE))
                given.append(number)

        giving = threading.Thread(target=give)
        giving.start()
        giving.join(1)
        assert given == list(range(MOST))
        go.set()
        giving.join(MINUTE)
        assert len(given) == MOST + 1


def test_a_failure_is_told_at_the_next_look_and_nothing_after_it_is_done(me):
    begun, go, done = threading.Event(), threading.Event(), []

    def fail() -> None:
        begun.set()
        assert go.wait(MINUTE)
        refuse()

    with Beside(me) as beside:
        beside(fail)
        beside(lambda: done.append("last.pt"))
        beside.look()  # not yet
        go.set()
        with pytest.raises(UserError, match="disk is full"):
            look_again_and_again(beside)
    assert done == []


def test_a_failure_is_told_on_leaving(me):
    beside = Beside(me)
    beside(refuse)
    with pytest.raises(UserError, match="disk is full"):
        beside.__exit__(None, None, None)


def test_another_error_is_not_hidden_by_it(me, caplog):
    def step() -> None:
        with Beside(me) as beside:
            beside(refuse)
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        step()
    assert "last.pt: the disk is full" in caplog.text


def test_a_process_that_leaves_waits_for_it_first(me):
    done = []
    with Beside(me) as beside:
        beside(lambda: (threading.Event().wait(0.05), done.append(1)))
        with pytest.raises(SystemExit) as left:
            me.leave()
        assert done
    assert left.value.code == TERMINATED


def test_it_does_not_leave_as_if_all_were_stored(me):
    with Beside(me) as beside:
        beside(refuse)
        with pytest.raises(UserError, match="disk is full"):
            me.leave()


def test_a_copy_stays_what_it_was():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.randn(3, 2)).sum().backward()
    optimizer.step()
    live = {"model": network.state_dict(), "training": optimizer.state_dict(), "step": 1}
    stored = io.BytesIO()
    torch.save(live, stored)
    copy = copied(live)
    assert isinstance(copy["model"], OrderedDict)
    assert copy["model"]._metadata == network.state_dict()._metadata
    network(torch.randn(3, 2)).sum().backward()  # BN's statistics change in place
    optimizer.step()
    again = io.BytesIO()
    torch.save(copy, again)
    assert again.getvalue() == stored.getvalue()


def test_what_stands_twice_is_stored_once():
    shared = nn.Linear(100, 100)
    arms = nn.ModuleDict({"one": shared, "other": shared})
    copy = copied(arms.state_dict())
    one, other = copy["one.weight"], copy["other.weight"]
    assert one is other
    assert one.data_ptr() != shared.weight.data_ptr()


def test_training_tells_which_file_could_not_be_written(tiny, monkeypatch):
    config, own, written = tiny(save_every=1), resume.write, []

    def second_fails(path, content):
        if len(written) == 1:
            raise CheckpointError(f"{path}: the checkpoint could not be written (disk full)")
        own(path, content)
        written.append(content["progress"]["step"])

    monkeypatch.setattr(resume, "write", second_fails)
    with pytest.raises(CheckpointError, match=r"last\.pt: the checkpoint could not be written"):
        train(config)
    assert written == [1]
    assert read(config.folder / "last.pt")["progress"]["step"] == 1
    monkeypatch.undo()
    train(config)
    assert read(config.folder / "last.pt")["progress"]["epoch"] == config.epochs
