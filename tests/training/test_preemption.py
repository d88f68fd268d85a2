"""A pre-empted run stores its state and says so; started again, it ends as if nothing had been."""

import os
import re
import signal
import subprocess
import sys

import psutil
import pytest
import torch

from stabn.training.checkpoint import read
from stabn.training.config import RunConfig, write_config
from stabn.training.journal import Journal
from stabn.training.process import PREEMPTED, TERMINATED
from stabn.training.train import train
from tests.journals import untimed
from tests.side_by_side import stabn_on
from tests.training.cluster.launched import PATIENCE

pytestmark = pytest.mark.slow(50)


def weights(config: RunConfig, which: str = "last") -> dict[str, torch.Tensor]:
    return read(config.folder / f"{which}.pt")["model"]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def told(config: RunConfig) -> list[dict]:
    return untimed(config.folder / "metrics.jsonl")


def launched(config: RunConfig, path, count: int = 2) -> subprocess.Popen:
    """A process that launches the run on so many, as a notebook does; errors on stdout."""
    write_config(config, path)
    code = (
        "import sys; from stabn.training.config import read_config;"
        "from stabn.training.cluster.launch import LaunchOptions, launch_config;"
        "launch_config('stabn train', read_config(sys.argv[1]),"
        f" LaunchOptions(nproc_per_node={count}))"
    )
    return subprocess.Popen(
        [sys.executable, "-u", "-c", code, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until(process: subprocess.Popen, words: str) -> None:
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"it ended without saying {words!r}")


def torchrun_of(process: subprocess.Popen) -> psutil.Process:
    return psutil.Process(process.pid).children()[0]


def test_torchrun_is_terminated_and_started_again(tiny, tmp_path):
    config = tiny(epochs=12, dropout=0.5, workers=1, eval_every=6)
    whole = config.model_copy(update={"out_dir": str(tmp_path / "whole")})
    stabn_on(2, "train", whole)

    process = launched(config, tmp_path / "run.yaml")
    until(process, "step 2/36")
    torchrun = torchrun_of(process)
    family = torchrun.children(recursive=True)
    torchrun.send_signal(signal.SIGTERM)
    said = process.stdout.read()
    assert process.wait() == 1
    assert f"LaunchError: stabn train was {PREEMPTED}" in said
    assert not psutil.wait_procs(family, timeout=PATIENCE)[1]
    stored = read(config.folder / "last.pt")["progress"]["step"]
    assert 2 <= stored < 36
    assert told(config)[-1]["step"] == stored  # the step it was in was the last one

    stabn_on(2, "train", config)
    assert same(weights(whole), weights(config))
    assert same(weights(whole, "best"), weights(config, "best"))
    assert told(whole) == told(config)


@pytest.mark.parametrize(
    ("count", "how"), [(1, signal.SIGKILL), (2, signal.SIGKILL), (1, signal.SIGTERM)]
)
def test_when_the_launcher_goes_the_step_is_stored_and_all_leave(tiny, tmp_path, count, how):
    """As a batch system or a plain ``kill`` has it."""
    config = tiny(epochs=4000, eval_every=4000, workers=1)
    process = launched(config, tmp_path / "run.yaml", count)
    until(process, "step 2/")
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(how)
    said = process.stdout.read()
    process.wait()
    assert not psutil.wait_procs(family, timeout=PATIENCE)[1]
    stored = read(config.folder / "last.pt")["progress"]["step"]
    assert told(config)[-1]["step"] == stored  # the step it was in was the last one
    assert not (config.folder / ".lock").exists()  # nobody was killed
    assert (f"LaunchError: stabn train was {PREEMPTED}" in said) == (how == signal.SIGTERM)


@pytest.mark.parametrize("where", ["step", "evaluation"])
def test_one_process_leaves_with_status_143_and_goes_on(tiny, monkeypatch, where):
    whole, config = tiny(), tiny()
    train(whole)
    name = "trained" if where == "step" else "evaluated"
    write = getattr(Journal, name)

    def terminate(journal, epoch, step, *rest):
        write(journal, epoch, step, *rest)
        if step == {"step": 2, "evaluation": 3}[where]:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Journal, name, terminate)
    with pytest.raises(SystemExit) as left:
        train(config)
    assert left.value.code == TERMINATED == 143
    monkeypatch.undo()
    train(config)
    assert same(weights(whole), weights(config))
    assert told(whole) == told(config)


def test_sigterm_is_what_it_was_afterwards(tiny):
    before = signal.getsignal(signal.SIGTERM)
    train(tiny(epochs=1))
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_lost_rank_ends_the_run_with_its_cause(tiny, tmp_path):
    process = launched(tiny(epochs=4000), tmp_path / "run.yaml")
    until(process, "step 2/")
    family = torchrun_of(process).children(recursive=True)
    family[0].kill()  # without a word of its own
    said = process.stdout.read()
    assert process.wait() == 1
    assert "LaunchError: stabn train failed" in said
    assert re.search(r"LaunchError: .*process \d was killed by SIGKILL", said)
    assert not psutil.wait_procs(family, timeout=PATIENCE)[1]


def test_a_run_cut_off_in_its_evaluation_does_not_train_that_epoch_again(tiny, monkeypatch):
    config = tiny()

    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    monkeypatch.setattr("stabn.training.train.predict", kill)
    with pytest.raises(Killed):
        train(config)
    monkeypatch.undo()
    progress = read(config.folder / "last.pt")["progress"]
    assert (progress["epoch"], progress["batch"], progress["step"]) == (0, 3, 3)
    whole = tiny()
    train(config)
    train(whole)
    assert same(weights(whole), weights(config))
