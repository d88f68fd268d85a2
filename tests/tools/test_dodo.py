"""The build as a graph: what a reader's `make book` runs, and what it must not."""

import importlib.util
from pathlib import Path

import pytest
from doit.control import TaskControl
from doit.loader import load_tasks

from stabn.training.checkpoint import REPOSITORY


@pytest.fixture
def tasks(monkeypatch):
    """Every task by name, dependencies through files included."""
    monkeypatch.chdir(REPOSITORY)
    spec = importlib.util.spec_from_file_location("dodo", REPOSITORY / "dodo.py")
    dodo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(dodo)
    return TaskControl(load_tasks(vars(dodo))).tasks


def needed(tasks, name: str) -> set[str]:
    """A task and all that doit would look at before it."""
    found, waiting = set(), [name]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [*tasks[name].task_dep, *tasks[name].setup_tasks]
    return found


def test_the_book_trains_its_own_networks(tasks):
    assert {"data", "prepare", "train:mini_st_abn", "finetune", "chapter"} <= needed(tasks, "book")


def test_the_book_reads_the_studies_and_makes_none(tasks):
    """Records are files it depends on, and targets of a study: what is there must end the chain."""
    names = needed(tasks, "book")
    assert not names & {"biased", "prepare_biased", "study"}
    for name in (name for name in names if name.startswith("study:")):
        assert all(Path(target).exists() for target in tasks[name].targets), name
        assert not tasks[name].task_dep, name
