"""The whole loop without a browser: select, edits from a file, fine-tune, by their commands."""

from pathlib import Path

import nbformat
import pytest
import yaml
from papermill import inspect_notebook
from pydantic_core import PydanticUndefined

from stabn.knowledge.finetuning.config import FinetuneConfig
from stabn.knowledge.selection.config import SelectConfig
from stabn.knowledge.selection.queue import read_queue
from stabn.training.cluster.launch import LaunchOptions
from stabn.training.config import parse, read_yaml, write_config
from stabn.training.records import read_record
from tests.notebooks import LAUNCH, Executed, papermill

pytestmark = pytest.mark.slow(25)


def tune(output: Path, **parameters: object) -> Executed:
    given = [part for name, value in parameters.items() for part in ("-p", name, value)]
    return papermill("finetune", output, *given)


def test_the_parameters_cell_says_what_the_configuration_says():
    told = inspect_notebook(str(LAUNCH / "finetune.ipynb"))
    fields = FinetuneConfig.model_fields | LaunchOptions.model_fields
    assert list(told) == list(fields)
    for name, field in fields.items():
        default = "" if field.default is PydanticUndefined else field.default
        listed = list(default) if isinstance(default, tuple) else default
        assert yaml.safe_load(told[name]["default"].replace("None", "null")) == listed, name
        assert told[name]["help"] == field.description, name
        assert told[name]["inferred_type_name"] != "None", name


@pytest.mark.parametrize("name", ["mini_finetune", "ssv2_finetune"])
def test_the_parameter_files_start_from_runs_that_have_parameter_files(name):
    config = parse(FinetuneConfig, read_yaml(LAUNCH / f"{name}.yaml"), name)
    assert config.name == name
    trained = read_yaml(LAUNCH / f"{Path(config.run).name}.yaml")
    assert trained["model"] == "st_abn"
    assert config.gamma == 10  # the paper's
    assert set(config.arms) == {"knowledge", "control", "placebo"}


def test_the_way_that_mends_differs_from_the_papers_in_what_its_file_says():
    paper, ours = (
        read_yaml(LAUNCH / f"{name}.yaml") for name in ("ssv2_finetune", "ssv2_closing_finetune")
    )
    parse(FinetuneConfig, ours, "ours")
    changed = {name: ours[name] for name in ours if ours[name] != paper.get(name)}
    assert changed == {
        "name": "ssv2_closing_finetune",
        "fusion": "gated",
        "closed": 0.3,
        "gamma": 100,
    }
    assert set(paper) <= set(ours)


def test_the_papers_settings_are_the_defaults():
    config = FinetuneConfig(name="x", run="y", edits="z.json")
    assert (config.gamma, config.lr, config.optimizer, config.momentum) == (10, 1e-4, "sgd", 0.9)


def test_select_edit_and_fine_tune(tiny_run, tmp_path, stabn, capsys):
    queue, edits = tmp_path / "queue", tmp_path / "edits.json"
    how = {"run": str(tiny_run.folder), "out": str(queue)}
    how |= {"classes": [0, 1], "include_correct": True}
    write_config(parse(SelectConfig, how, "test"), tmp_path / "select.yaml")
    stabn("select", "--config", tmp_path / "select.yaml")
    stabn("stand-in", "--queue", queue, "--out", edits)
    assert "nobody's work" in capsys.readouterr().out

    how = {"name": "tuned", "out_dir": tmp_path, "run": tiny_run.folder, "edits": edits}
    how |= {"epochs": 1, "batch_size": 4, "lr": 0.01, "log_every": 1}
    tuned = tune(tmp_path / "finetune.ipynb", **how)
    assert tuned.status == 0, tuned.said

    record = read_record(tmp_path / "tuned/record.json")
    assert record["edits"]["videos"] == len(read_queue(queue).videos)
    assert record["edits"]["of_another_network"] == 0
    assert record["modified"] == [0, 1]
    assert len(record["results"]) == 8  # four arms, each with M_s and with 1 − M_s
    cells = nbformat.read(tmp_path / "finetune.ipynb", 4).cells
    shown = [output for cell in cells for output in cell.get("outputs", [])]
    tables = "".join(output.get("data", {}).get("text/html", "") for output in shown)
    assert all(arm in tables for arm in ("before", "knowledge", "control", "placebo", "modified"))
    assert any("image/png" in output.get("data", {}) for output in shown)


def test_edits_that_are_not_there_stop_the_notebook_with_exit_status_1(tiny_run, tmp_path):
    how = {"name": "tuned", "out_dir": tmp_path, "run": tiny_run.folder}
    failed = tune(tmp_path / "f.ipynb", **how, edits=tmp_path / "nowhere.json")
    assert failed.status == 1
    assert "nowhere.json" in failed.said
    assert not (tmp_path / "tuned").exists()


def test_lists_from_the_command_line_are_read_as_yaml():
    given = {"name": "x", "run": "runs/y", "edits": "e.json"}
    config = parse(
        FinetuneConfig, given | {"also_report": "[tuning, validation]", "arms": "[control]"}, "-p"
    )
    assert (config.also_report, config.arms) == (("tuning", "validation"), ("control",))
    assert parse(FinetuneConfig, given | {"also_report": "[]"}, "-p").also_report == ()
