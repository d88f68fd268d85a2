"""The order of the tests; a tiny mini-SSv2 and a tiny run, made once for whoever needs them."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

# Tests run side by side, a worker a core: a thread each, and for what they start as well.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from stabn.__main__ import door
from stabn.data.mini import make as mini
from stabn.training.config import RunConfig, parse
from stabn.training.train import train
from tools.machine import cores, memory_free

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
WORKER = 3 << 30  # bytes: a worker, its browser or the runs that it launches

torch.set_num_threads(1)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """For ``-n auto``: as many workers as there is work for the cores, and memory.

    A slow test waits for what it has started, half of its time: two of them keep a core busy.
    """
    a_core = 1 if config.option.markexpr == "not slow" else 2
    return max(1, min(a_core * cores(), memory_free() // WORKER))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The fast and telling files first, then the slow ones, the longest of them before the others.

    The longest of all begins at once: it waits for Slurm, and everything else fits beside it.
    """
    seconds: dict[Path, float] = {}
    for item in items:
        if slow := item.get_closest_marker("slow"):
            seconds[item.path] = max(seconds.get(item.path, 0), sum(slow.args))
    longest = max(seconds, key=seconds.get, default=None)
    items.sort(
        key=lambda item: (
            item.path != longest and item.path in seconds,
            -seconds.get(item.path, 0),
        )
    )


@pytest.fixture
def benchmark(monkeypatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a benchmark as a module, which is gone after the test."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module
    for name, module in [*sys.modules.items()]:
        if Path(getattr(module, "__file__", None) or "/").parent == BENCHMARKS:
            del sys.modules[name]


@pytest.fixture(scope="session")
def stabn() -> Callable[..., None]:
    """The command line: ``stabn("train", "--config", path)``; a refusal is a SystemExit."""

    def call(*arguments: object) -> None:
        door.main([str(argument) for argument in arguments], standalone_mode=False)

    return call


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory) -> Path:
    """Three classes, 32 pixels high: 12 training, 9 validation and 3 tuning videos."""
    size = mini.Size(32, mini.SIZES["mini"].templates[:3], train=4, validation=3, tuning=1)
    return mini.generate(tmp_path_factory.mktemp("data") / "tiny", size, seed=0, jobs=1)


@pytest.fixture(scope="session")
def tiny(tiny_set, tmp_path_factory) -> Callable[..., RunConfig]:
    """Configurations of runs on the tiny set that take a second; keywords override."""

    def configure(**values) -> RunConfig:
        base = {
            "name": "tiny",
            "out_dir": str(tmp_path_factory.mktemp("runs")),
            "data_root": str(tiny_set),
            "eval_split": "tuning",
            "backbone": "small",
            "num_frames": 4,
            "image_size": 24,
            "short_side": 28,
            "train_short_side": [26, 32],
            "optimizer": "adamw",
            "lr": 1e-3,
            "schedule": "one_cycle",
            "epochs": 2,
            "batch_size": 4,
            "workers": 0,
            "log_every": 1,
        }
        return parse(RunConfig, base | values, "test")

    return configure


@pytest.fixture(scope="session")
def tiny_run(tiny) -> RunConfig:
    """A finished ST-ABN run on the tiny set; read it, do not change it."""
    config = tiny()
    train(config)
    return config
