"""The study on real footage: all its runs can be launched, and none is there without videos."""

from shutil import copyfile

import pytest

from stabn.knowledge.finetuning.config import FinetuneConfig
from stabn.training.checkpoint import REPOSITORY
from stabn.training.config import RunConfig, parse, read_yaml
from studies import footage
from studies.runs import as_tasks
from tools.graph import LAUNCH


@pytest.fixture
def graph(tmp_path, monkeypatch) -> dict[str, dict]:
    """The study's tasks by name, as if the videos were there and no record."""
    monkeypatch.setattr(footage, "VIDEOS", tmp_path)
    with monkeypatch.context() as elsewhere:
        elsewhere.chdir(tmp_path)  # where no record lies
        return {task["name"]: task for task in as_tasks(footage.steps())}


def given(task: dict) -> dict[str, str]:
    """The values that a task's launch notebook is given on the command line."""
    commands = [action.args[0] for action in task["actions"] if action.args]
    (command,) = (one for one in commands if isinstance(one, tuple) and "papermill" in one)
    at = [k for k, word in enumerate(command) if word == "-p"]
    return {command[k + 1]: str(command[k + 2]) for k in at}


def test_without_videos_there_is_nothing_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(footage, "VIDEOS", tmp_path / "nowhere")
    assert [*footage.steps()] == [*footage.task_footage()] == []


def test_a_fold_is_never_trained_on_and_tested(graph):
    trained = [name for name in graph if "finetune" not in name and "_edits" not in name]
    trained = [name for name in trained if name.startswith("real_")]
    assert len(trained) == 15 * sum(map(len, footage.ARMS.values()))
    for name in trained:
        values = given(graph[name])
        fold = name.split("_fold")[1][0]
        assert values["train_split"] == f"train_{fold}"
        assert {values["eval_split"][-1], values["report_split"][-1]} == {fold}


def test_every_training_is_described_as_a_run_can_be(graph):
    for name in (n for n in graph if n.endswith("fold4_seed2") and "finetune" not in n):
        arm = name.removesuffix("_fold4_seed2").split("_", 2)[2]
        arm = arm.removeprefix("and_back_")
        config = parse(RunConfig, read_yaml(LAUNCH / f"real_{arm}.yaml") | given(graph[name]), name)
        assert config.eval_every == config.epochs  # nothing is steered by the clips tested on
        assert (config.seed, config.name) == (2, name)


def test_of_each_fault_four_ways_are_fine_tuned_and_scored_on_three_lists(graph):
    names = [name for name in graph if name.endswith("_finetune_fold1_seed0")]
    assert len(names) == 4 * len(footage.FAULTS)
    for name in names:
        values = given(graph[name])
        also = values.pop("also_report").strip("[]").split(", ")
        lists = {values["report_split"], *also}
        assert lists == {f"validation_{form}_1" for form in ("swapped", "aligned", "absent")}
        values |= {"also_report": also}
        config = parse(FinetuneConfig, read_yaml(LAUNCH / "real_finetune.yaml") | values, name)
        assert (config.closed or 0) == (0.3 if "closing" in name else 0)
        assert f"study:{config.run.split('/')[-1]}_edits" in graph[name]["task_dep"]


def test_what_a_run_waits_for_is_made(graph):
    made = {f"footage:{task['name']}" for task in footage.task_footage()}
    made |= {f"study:{name}" for name in graph}
    wanted = {need for task in graph.values() for need in task["task_dep"]}
    assert wanted <= made


def test_the_arms_differ_in_the_network_alone():
    network = {"name", "model", "fusion", "attention_start", "constant_spatial"}
    network.add("constant_temporal")
    arms = [read_yaml(LAUNCH / f"real_{arm}.yaml") for arm in footage.ALL]
    common = [{k: v for k, v in arm.items() if k not in network} for arm in arms]
    assert all(one == common[0] for one in common)


def test_each_pass_by_hand_and_the_truth_teach_the_same_network_of_the_first_fold(graph):
    for of in ("pass1", "pass2", "truth"):
        values = given(graph[f"{of}_seed2"])
        assert values["run"].endswith("real_pause_st_abn_fold0_seed2")
        assert values["report_split"] == "validation_swapped_0"
        arms = values["arms"].strip("[]").split(", ")
        assert arms == (["knowledge"] if of == "truth" else ["knowledge", "control"])
        edits = values["edits"]
        assert edits == "runs/study/real_hand_truth.json" or (REPOSITORY / edits).exists()
        assert graph[f"{of}_seed2"]["task_dep"] == ["study:real_pause_st_abn_fold0_seed2"]


def test_the_networks_of_one_seed_stay_with_their_records(graph):
    """So that they can be scored on clips that were not used here."""
    kept = {}
    for name, task in graph.items():
        last = task["actions"][-1]
        if last.py_callable is copyfile:
            kept[name] = [str(path) for path in last.args]
    assert len(kept) == 5 * sum(map(len, footage.ARMS.values()))
    assert all(name.endswith("_seed0") for name in kept)
    name = "real_idle_gated_fold3_seed0"
    assert kept[name] == [f"runs/study/{name}/best.pt", f"book/results/real/{name}-best.pt"]
