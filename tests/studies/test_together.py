"""The study of all networks as a graph: every run can be launched, from a start of its own kind."""

from pathlib import Path

import pytest
import torch

from stabn.tables import together as shown
from stabn.training.build import build_model
from stabn.training.checkpoint import REPOSITORY, save
from stabn.training.config import RunConfig, parse, read_yaml
from stabn.training.start import start_from
from studies import together
from studies.runs import as_tasks
from tests.records import write
from tools.graph import LAUNCH

SEEDS = ("0", "3")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    """A folder with the launch notebooks and no record, where the graph is read."""
    (tmp_path / "notebooks").symlink_to(REPOSITORY / "notebooks")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tasks() -> dict[str, dict]:
    """The study's tasks by name."""
    found = [*together.started()]
    for seed in SEEDS:
        found += together.studied_others(seed)
    return {task["name"]: task for task in as_tasks(found)}


@pytest.fixture
def graph(elsewhere) -> dict[str, dict]:
    """The tasks where there is no record."""
    return tasks()


def commands(task: dict) -> list[list[str]]:
    """What a task runs, word by word."""
    given = [action.args[0] for action in task["actions"] if action.args]
    return [list(map(str, one)) for one in given if isinstance(one, tuple)]


def described(task: dict) -> RunConfig:
    """The run that a task's launch notebook is told to make."""
    (command,) = (one for one in commands(task) if "papermill" in one)
    at = [k for k, word in enumerate(command) if word == "-p"]
    given = {command[k + 1]: command[k + 2] for k in at}
    return parse(RunConfig, read_yaml(command[command.index("-f") + 1]) | given, task["name"])


def test_every_network_is_trained_alike_with_every_seed(graph):
    trained = {name: described(task) for name, task in graph.items() if name[:5] != "start"}
    assert {run.seed for run in trained.values()} == {0, 3}
    assert len(trained) == len(SEEDS) * len(together.NETWORKS)
    own = {"name", "seed", "weights", "model", "network", "backbone"}
    own |= {"fusion", "attention_start", "dropout"}  # of ST-ABN; a 3-D CNN has no dropout
    alike = [{k: v for k, v in run if k not in own} for run in trained.values()]
    assert all(one == alike[0] for one in alike)
    kinds = {(r.model, r.fusion, getattr(r.network, "attention", "")) for r in trained.values()}
    assert len(kinds) == len(together.NETWORKS)  # no network twice
    for name, run in trained.items():
        assert run.folder.as_posix() == f"runs/study/{name}"


def test_a_start_learns_the_clips_that_the_committed_one_learned(graph):
    committed = parse(RunConfig, read_yaml(LAUNCH / "mini_pretext.yaml"), "mini_pretext")
    starts = [described(task) for name, task in graph.items() if name[:5] == "start"]
    assert len(starts) == 1  # of the 3-D CNN: the others share their convolutions
    differing = {"name", "out_dir", "model", "network", "backbone"}
    differing |= {"data_root", "prepared"}  # which drawn clips do not read
    for run in starts:
        ours, theirs = dict(run), dict(committed)
        assert {k for k in ours if ours[k] != theirs[k]} <= differing


@pytest.mark.parametrize("network", together.NETWORKS)
def test_a_network_starts_from_its_own_kind(graph, elsewhere, network):
    run = described(graph[f"together_{network}_seed0"])
    start = together.start_of(network)
    if start is None:
        assert run.weights == "book/assets/mini_pretext.pt"
        return
    assert run.weights == f"{start}/best.pt"
    assert f"study:{start.name}" in graph[f"together_{network}_seed0"]["task_dep"]
    learned = described(graph[start.name])
    assert learned.folder == start
    torch.manual_seed(0)
    theirs = build_model(learned, 13)
    save(elsewhere / run.weights, theirs, learned, tuple("abcdefghijklm"))
    ours = build_model(run, 14)
    start_from(ours, run)
    taken, left = theirs.state_dict(), ours.state_dict()
    differ = [name for name in taken if not torch.equal(taken[name], left[name])]
    assert {name.rpartition(".")[0].rpartition(".")[2] for name in differ} == {"fc"}  # 14 classes


def test_what_is_trained_is_explained_before_its_record_is_kept(graph):
    for name in (name for name in graph if name[:5] != "start"):
        trained, explained, kept = commands(graph[name])
        assert explained[1:] == ["-m", "studies.explained", f"runs/study/{name}"]
        assert kept[1:] == ["-m", "stabn", "promote", f"runs/study/{name}", "together"]
        assert "papermill" in trained


def test_a_run_with_a_record_is_left_alone_and_a_start_once_all_its_runs_have_one(elsewhere):
    for seed in SEEDS:
        assert tasks()["start_cnn3d"]["uptodate"] == [False]
        name = f"together_cnn3d_seed{seed}"
        write(elsewhere, f"book/results/together/{name}.json", {})
        task = tasks()[name]
        assert task["task_dep"] == []
        assert task["uptodate"] == [True]
    assert tasks()["start_cnn3d"]["uptodate"] == [True]
    assert "start_convlstm" not in tasks()


def test_the_table_has_the_rows_that_the_study_makes():
    assert list(shown.NETWORKS) == list(together.NETWORKS)
    for network in together.NETWORKS:
        for seed in SEEDS:
            where = f"book/results/together/{together.named(network, seed)}.json"
            assert shown.RECORDS.format(network=network).replace("*", seed) == where
