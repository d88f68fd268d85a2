"""The launch notebook `select`, by papermill's command line."""

from pathlib import Path

import pytest
import yaml
from papermill import inspect_notebook
from pydantic_core import PydanticUndefined

from stabn.knowledge.selection.config import SelectConfig
from stabn.knowledge.selection.queue import read_queue
from stabn.training.cluster.launch import LaunchOptions
from stabn.training.config import parse, read_yaml
from tests.notebooks import LAUNCH, outputs, papermill, text

pytestmark = pytest.mark.slow(30)


def test_the_parameters_cell_says_what_the_configuration_says():
    told = inspect_notebook(str(LAUNCH / "select.ipynb"))
    fields = SelectConfig.model_fields | LaunchOptions.model_fields
    assert list(told) == list(fields)
    for name, field in fields.items():
        default = "" if field.default is PydanticUndefined else field.default
        assert yaml.safe_load(told[name]["default"].replace("None", "null")) == default, name
        assert told[name]["help"] == field.description, name
        assert told[name]["inferred_type_name"] != "None", name


@pytest.mark.parametrize("name", ["mini_select", "ssv2_select"])
def test_the_parameter_files_select_from_runs_that_have_parameter_files(name):
    path = LAUNCH / f"{name}.yaml"
    config = parse(SelectConfig, read_yaml(path), path)
    trained = read_yaml(LAUNCH / f"{Path(config.run).name}.yaml")
    assert trained["name"] == Path(config.run).name
    assert trained["model"] == "st_abn"
    assert config.threshold == 0.5  # the paper's


def test_a_queue_is_made_and_shown(tiny_run, tmp_path):
    given = ["-p", "run", str(tiny_run.folder), "-p", "out", str(tmp_path / "queue")]
    given += ["-p", "classes", "[0, 2]", "-p", "include_correct", "true", "-p", "limit", "3"]
    done = papermill("select", tmp_path / "select.ipynb", *given)
    assert done.status == 0, done.said
    queue = read_queue(tmp_path / "queue")
    assert queue.weak == (0, 2)
    assert len(queue.videos) == 3
    shown = outputs(tmp_path / "select.ipynb")
    assert "3 videos, worst first" in text(tmp_path / "select.ipynb")
    assert "M_t is highest" in text(tmp_path / "select.ipynb")
    tables = "".join(output.get("data", {}).get("text/html", "") for output in shown)
    assert all(video.video_id in tables for video in queue.videos)
    assert all(name in tables for name in (*queue.classes, "selected", "tuning"))
    assert any("image/png" in output.get("data", {}) for output in shown)


def test_nothing_to_correct_stops_the_notebook_with_exit_status_1(tiny_run, tmp_path):
    given = ["-p", "run", str(tiny_run.folder), "-p", "out", str(tmp_path / "queue")]
    failed = papermill("select", tmp_path / "select.ipynb", *given, "-p", "threshold", "0")
    assert failed.status == 1
    assert "nothing to correct: no class is below the threshold" in failed.said
    assert not (tmp_path / "queue").exists()
    kept = [o for o in outputs(tmp_path / "select.ipynb") if o.output_type == "error"]
    assert len(kept) == 1  # the notebook is kept, with the error in it
