"""The study of all networks as a graph: every run can be launched, and all learn alike."""

import json
import math
from pathlib import Path

import pytest
import torch

from stabn.tables import together as shown
from stabn.training.build import build_model
from stabn.training.checkpoint import REPOSITORY, load
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
    steps = (step for seed in SEEDS for step in together.studied_others(seed))
    return {task["name"]: task for task in as_tasks(steps)}


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
    trained = {name: described(task) for name, task in graph.items()}
    assert {run.seed for run in trained.values()} == {0, 3}
    assert len(trained) == len(SEEDS) * len(together.NETWORKS)
    own = {"name", "seed", "weights", "model", "network", "backbone"}
    own |= {"fusion", "attention_start", "dropout", "lr"}  # of ST-ABN; a 3-D CNN has no dropout
    alike = [{k: v for k, v in run if k not in own} for run in trained.values()]
    rates = {name for name, run in trained.items() if run.lr != trained["together_gated_seed0"].lr}
    assert rates == {f"together_cnn3d_seed{seed}" for seed in SEEDS}  # it did not learn at theirs
    assert all(one == alike[0] for one in alike)
    kinds = {(r.model, r.fusion, getattr(r.network, "attention", "")) for r in trained.values()}
    assert len(kinds) == len(together.NETWORKS)  # no network twice
    for name, run in trained.items():
        assert run.folder.as_posix() == f"runs/study/{name}"


@pytest.mark.parametrize("network", together.NETWORKS)
def test_a_network_starts_from_the_pretext_if_its_convolutions_learned_it(graph, network):
    run = described(graph[f"together_{network}_seed0"])
    if network == "cnn3d":  # which has others
        assert run.weights is None
        return
    assert run.weights == "book/assets/mini_pretext.pt"
    torch.manual_seed(0)
    theirs = load(REPOSITORY / run.weights).model.state_dict()
    ours = build_model(run, 14)
    start_from(ours, run.model_copy(update={"weights": str(REPOSITORY / run.weights)}))
    learned, taken = (
        [weight for weight in of.values() if weight.ndim == 5] for of in (theirs, ours.state_dict())
    )
    same = [any(torch.equal(one, other) for other in taken) for one in learned]
    assert sum(same) > len(same) / 2
    assert same[0]


def test_what_is_said_of_the_choice_for_the_3_d_cnn_was_measured():
    """In its parameter file and in chapter 19, of one run each with seed 0."""
    runs = json.loads((REPOSITORY / "book/results/choice/cnn3d.json").read_text(encoding="utf-8"))

    def all_of(run: str, field: str) -> list[float]:
        return [step[field] for step in runs[run]["metrics"] if field in step]

    assert all_of("pretext", "eval_top1")[-1] > 0.95  # of 13 classes
    assert all_of("pretext_lr0.005", "eval_top1")[-1] < 1 / 14
    assert max(all_of("pretext_lr0.001", "train_top1")) < 0.1
    assert min(all_of("nothing_lr0.005", "train_loss")[1:]) > math.log(14)
    assert all_of("nothing_lr0.001", "eval_top1")[-1] > 2 / 14
    chosen = read_yaml(LAUNCH / "mini_cnn3d.yaml")
    assert (chosen.get("weights"), chosen["lr"]) == (None, 0.001)
    assert runs["nothing_lr0.001"]["config"]["lr"] == 0.001


def test_what_is_trained_is_explained_before_its_record_is_kept(graph):
    for name in graph:
        trained, explained, kept = commands(graph[name])
        assert explained[1:] == ["-m", "studies.explained", f"runs/study/{name}"]
        assert kept[1:] == ["-m", "stabn", "promote", f"runs/study/{name}", "together"]
        assert "papermill" in trained


def test_a_run_with_a_record_is_left_alone(elsewhere):
    for seed in SEEDS:
        name = f"together_cnn3d_seed{seed}"
        assert tasks()[name]["uptodate"] == [False]
        write(elsewhere, f"book/results/together/{name}.json", {})
        assert tasks()[name]["task_dep"] == []
        assert tasks()[name]["uptodate"] == [True]


def test_the_table_has_the_rows_that_the_study_makes():
    assert list(shown.NETWORKS) == list(together.NETWORKS)
    for network in together.NETWORKS:
        for seed in SEEDS:
            where = f"book/results/together/{together.named(network, seed)}.json"
            assert shown.RECORDS.format(network=network).replace("*", seed) == where
