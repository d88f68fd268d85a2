"""What a process says of the machine it runs on."""

import os
import subprocess
import sys
from contextlib import nullcontext

import pytest
import torch

from stabn.training.cluster.launch import LaunchError, LaunchOptions, launch
from stabn.training.config import ConfigError
from stabn.training.ending import LAUNCHER_PID
from stabn.training.process import joined


def use_up() -> None:
    torch.empty(1 << 60, dtype=torch.uint8)  # an exbibyte


def overflow() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def interpreter() -> None:
    raise MemoryError


@pytest.mark.parametrize("starve", [use_up, overflow, interpreter])
def test_want_of_memory_is_told_with_its_remedies(starve):
    remedies = (
        "batch_size: the memory .* lower batch_size, .* accumulate or .*checkpoint_activations"
    )
    with pytest.raises(ConfigError, match=remedies), joined():
        starve()


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes differ"), joined():
        raise RuntimeError("shapes differ")


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    for name, value in {"LOCAL_RANK": "3", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="4 processes, but this machine has 2 GPUs"), joined():
        pass


TOGETHER = """
import sys
from stabn.training.config import ConfigError
from stabn.training.process import agreeing, joined
from stabn.training.resume import Progress, check_same_step

with joined() as me:
    try:
        with agreeing(me):
            if "fail" in sys.argv and me.rank == 1:
                raise ConfigError("weights: not on this machine")
        check_same_step(Progress(step=me.rank if "part" in sys.argv else 7), me)
    except ConfigError as error:
        raise SystemExit(f"process {me.rank}: {error}")
    print(f"process {me.rank} goes on")
"""


@pytest.mark.slow(15)
@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("fail", ["process 0: another process cannot go on", "process 1: weights: not on this"]),
        ("part", ["process 0: out_dir: the processes found the run after [0, 1] steps"]),
        ("go", []),
    ],
)
def test_all_go_on_or_none(tmp_path, monkeypatch, capfd, what, told):
    (tmp_path / "together.py").write_text(TOGETHER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(LaunchError) if told else nullcontext():
        launch("together", [what], LaunchOptions(nproc_per_node=2))
    said = capfd.readouterr().out
    assert all(words in said for words in told)
    assert said.count("goes on") == (0 if told else 2)


def test_a_worker_whose_torchrun_vanished_before_it_looked_ends():
    """Its parent is not torchrun then, nor a child of the notebook that called torchrun."""
    code = "from stabn.training.process import joined\nwith joined():\n    print('joined')"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as notebook:
        given = {"TORCHELASTIC_RUN_ID": "x", LAUNCHER_PID: str(notebook.pid)}
        worker = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | given, capture_output=True, text=True
        )
        notebook.kill()
    assert (worker.returncode, worker.stdout) == (1, "")
