"""A tiny mini-SSv2 and a tiny run, made once a session for whoever needs them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stabn.__main__ import door
from stabn.data.mini import make as mini
from stabn.training.config import RunConfig, parse
from stabn.training.train import train

torch.set_num_threads(1)


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
