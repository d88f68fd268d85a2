"""A network and its checkpoint; stand-ins for what a machine does to a run."""

import resource
from contextlib import contextmanager

import pytest
import torch

from stabn.training.build import build_model
from stabn.training.checkpoint import save
from tests.training.networks import CLASSES


@pytest.fixture
def small_disk():
    """A context in which no file grows beyond so many bytes: as near as can be to a full disk."""

    @contextmanager
    def limit(size: int):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit


@pytest.fixture
def config(tiny):
    return tiny()


@pytest.fixture
def model(config):
    torch.manual_seed(0)
    return build_model(config, len(CLASSES)).eval()


@pytest.fixture
def saved(model, config, tmp_path):
    path = tmp_path / "best.pt"
    save(path, model, config, CLASSES, progress={"epoch": 3})
    return path
