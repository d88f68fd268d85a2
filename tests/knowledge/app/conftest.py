"""A queue of the tiny set, and both pages served for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stabn.knowledge.selection.config import SelectConfig
from stabn.knowledge.selection.select import select
from stabn.training.config import parse
from tests.knowledge.app.served import Served, serving


@pytest.fixture(scope="module")
def queue(tiny_run, tmp_path_factory) -> Path:
    """Every training video of the tiny set, wrong or not."""
    config = {
        "run": str(tiny_run.folder),
        "out": str(tmp_path_factory.mktemp("asked") / "queue"),
        "classes": [0, 1, 2],
        "include_correct": True,
    }
    return select(parse(SelectConfig, config, "test"))


@pytest.fixture(scope="module")
def served(queue, tmp_path_factory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home"), queue) as running:
        yield running
