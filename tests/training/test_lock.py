"""A folder belongs to one run: a live one is named, one that has gone is no obstacle."""

import logging
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stabn.training import lock
from stabn.training.config import ConfigError
from stabn.training.eval_config import EvalConfig
from stabn.training.evaluate import evaluate
from stabn.training.journal import Journal, read_journal
from stabn.training.lock import held
from stabn.training.train import train
from tests.training.cluster.launched import until

KILLED = """
import filelock, os, signal, sys
lock = filelock.SoftFileLease(sys.argv[1], lease_duration=float(sys.argv[2]))
lock.acquire()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def lease(monkeypatch) -> float:
    """A short one."""
    monkeypatch.setattr(lock, "LEASE", 0.6)
    return lock.LEASE


@pytest.fixture
def left(tmp_path, lease) -> Path:
    """The mark of a process that was killed outright."""
    mark = tmp_path / ".lock"
    command = [sys.executable, "-c", KILLED, str(mark), str(lease)]
    assert subprocess.run(command).returncode < 0
    assert mark.is_file()
    return mark


def elsewhere(mark: Path) -> None:
    """Make it the mark of a process on another machine."""
    mark.write_text(re.sub("(?m)^host=.*", "host=node7", mark.read_text()))


def test_a_live_one_is_named_and_nothing_is_left_behind(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    folder = tmp_path / "new" / "run"
    who = rf"{folder}: process {os.getpid()} on \S+ has been at work in it since \d{{4}}-"
    with held(folder):
        with pytest.raises(ConfigError, match=who), held(folder):
            pass
        assert "waiting for its end" in caplog.text
        assert [path.name for path in folder.iterdir()] == [".lock"]
    assert not folder.parent.exists()


def test_one_that_is_about_to_end_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "LEASE", 60.0)
    first = held(tmp_path)
    first.__enter__()
    threading.Timer(0.5, lambda: first.__exit__(None, None, None)).start()
    with held(tmp_path):
        pass


def test_one_that_was_killed_is_taken_over_at_once(left, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    with held(left.parent):
        assert f"pid={os.getpid()}\n" in left.read_text()
    assert not caplog.messages
    assert not left.exists()


def test_another_machines_is_taken_over_when_it_has_been_silent_for_a_lease(left, caplog):
    caplog.set_level(logging.INFO)
    elsewhere(left)
    with held(left.parent):
        assert f"pid={os.getpid()}\n" in left.read_text()
    assert "on node7 has been at work in it" in caplog.text


def test_another_machines_that_gives_a_sign_of_life_is_not(left, lease):
    elsewhere(left)
    over = threading.Event()

    def live() -> None:
        while not over.wait(lease / 6):
            os.utime(left)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        with pytest.raises(ConfigError, match="on node7 has been at work in it"), held(left.parent):
            pass
    finally:
        over.set()
        thread.join()


def test_a_folder_that_cannot_be_locked_is_said(tmp_path, monkeypatch, caplog):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(lock.SoftFileLease, "acquire", refuse)
    with held(tmp_path):
        assert f"{tmp_path} cannot be locked (Read-only file system): see to it" in caplog.text
    (tmp_path / ".lock").write_text("filelock/2\npid=7\nhost=node7\nmode=lease\n")  # another user's
    theirs = r"process 7 on node7 .*if not, delete .*\.lock"
    with pytest.raises(ConfigError, match=theirs), held(tmp_path):
        pass


def test_one_that_lost_its_folder_while_it_was_suspended_ends(tmp_path, monkeypatch, caplog):
    ended: list[int] = []
    monkeypatch.setattr(lock.os, "_exit", ended.append)
    with held(tmp_path):
        other = tmp_path / "other"
        other.write_text("filelock/2\npid=7\nhost=node7\nmode=lease\n")
        os.replace(other, tmp_path / ".lock")
        until(lambda: ended, "the end", 60)
    assert ended == [1]
    assert "another process may be at work there" in caplog.text
    assert (tmp_path / ".lock").is_file()  # the other's


@pytest.mark.slow(5)
def test_a_second_training_in_a_folder_is_refused_and_the_first_goes_on(tiny, monkeypatch):
    config = tiny()
    refused = []

    def trained(journal, epoch, step, *rest, write=Journal.trained):
        write(journal, epoch, step, *rest)
        if step == 2:
            with pytest.raises(ConfigError, match="has been at work in it since") as error:
                train(config)
            refused.append(error)

    monkeypatch.setattr(Journal, "trained", trained)
    train(config)
    assert len(refused) == 1
    lines = read_journal(config.folder / "metrics.jsonl")
    assert [line["step"] for line in lines if "lr" in line] == [1, 2, 3, 4, 5, 6]
    assert not list(config.folder.glob(".*"))


@pytest.mark.slow(5)
def test_an_evaluation_waits_for_the_end_of_a_training(tiny_run):
    with held(tiny_run.folder), pytest.raises(ConfigError, match="has been at work in it since"):
        evaluate(EvalConfig(run=str(tiny_run.folder)))
    assert not (tiny_run.folder / ".lock").exists()
