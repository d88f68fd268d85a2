"""What a process says of the machine it runs on."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from stabn.training.config import ConfigError
from stabn.training.ending import LAUNCHER_PID
from stabn.training.process import agreeing, joined, usable_precision
from stabn.training.resume import Progress, check_same_step
from tests.side_by_side import side_by_side


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


CPU = torch.device("cpu")


@pytest.mark.parametrize("unit", ["avx512_bf16", "amx_bf16", "bf16"])
@pytest.mark.parametrize("allowed", [True, False])
def test_bf16_is_used_where_there_are_units_that_onednn_may_use(unit, allowed, monkeypatch):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {unit: True, "avx2": True})
    monkeypatch.setattr("torch.backends.mkldnn.is_available", lambda: True)
    monkeypatch.setattr("stabn.training.process._onednn_has_bf16", lambda: allowed)
    assert usable_precision("bf16", CPU) == ("bf16" if allowed else "fp32")
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx2": True})
    assert usable_precision("bf16", CPU) == "fp32"  # without units oneDNN emulates


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or not torch.backends.mkldnn.is_available(),
    reason="another kind of processor, or PyTorch without oneDNN",
)
def test_a_limit_on_instructions_is_heeded():
    code = (
        "import torch\n"
        "torch.cpu.get_capabilities = lambda: {'avx512_bf16': True}\n"
        "from stabn.training.process import usable_precision\n"
        "print(usable_precision('bf16', torch.device('cpu')))"
    )
    limited = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, env=limited)
    assert found.stdout.decode().strip() == "fp32", found.stderr.decode()


def agree(what: str) -> None:
    with joined() as me:
        with agreeing(me):
            if what == "fail" and me.rank == 1:
                raise ConfigError("weights: not on this machine")
        check_same_step(Progress(step=me.rank if what == "part" else 7), me)
        print("goes on")


@pytest.mark.slow(5)
@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("fail", ["OtherProcessError: another process cannot go on", "weights: not on this"]),
        ("part", ["out_dir: the processes found the run after [0, 1] steps"] * 2),
        ("go", ["goes on"] * 2),
    ],
)
def test_all_go_on_or_none(what, told):
    ended = side_by_side(2, agree, what)
    assert all(words in end.said for words, end in zip(told, ended, strict=True)), ended
    assert [end.status for end in ended] == [what != "go"] * 2
    assert ("goes on" in ended[0].said + ended[1].said) == (what == "go")


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
