"""What a process says of the machine it runs on."""

import os
import subprocess
import sys

import pytest
import torch

from stabn.training.config import ConfigError
from stabn.training.process import LAUNCHER_PID, joined


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
