"""The launch notebooks, by papermill's command line, as a researcher runs them."""

import re

import nbformat
import pandas as pd
import pytest
import yaml
from papermill import inspect_notebook
from pydantic_core import PydanticUndefined

from stabn.training.cluster.launch import LaunchOptions
from stabn.training.config import RunConfig, read_config, write_config
from stabn.training.eval_config import EvalConfig
from stabn.training.records import read_record
from tests.notebooks import LAUNCH, outputs, papermill, text

pytestmark = pytest.mark.slow(40)


@pytest.mark.parametrize(("notebook", "cls"), [("train", RunConfig), ("evaluate", EvalConfig)])
def test_the_parameters_cell_says_what_the_configuration_says(notebook, cls):
    told = inspect_notebook(str(LAUNCH / f"{notebook}.ipynb"))
    fields = cls.model_fields | LaunchOptions.model_fields
    assert list(told) == list(fields)
    for name, field in fields.items():
        default = "" if field.default is PydanticUndefined else field.default
        listed = list(default) if isinstance(default, tuple) else default
        assert yaml.safe_load(told[name]["default"].replace("None", "null")) == listed, name
        assert told[name]["help"] == field.description, name
        assert told[name]["inferred_type_name"] != "None", name


def test_train_then_evaluate(tiny, tmp_path):
    config = tiny(epochs=1)
    write_config(config, tmp_path / "run.yaml")
    notebook = config.folder / "notebook.ipynb"
    config.folder.mkdir()
    given = ["-f", str(tmp_path / "run.yaml"), "-p", "fusion_relu", "true", "-p", "seed", "3"]
    trained = papermill("train", notebook, *given)
    assert trained.status == 0, trained.said
    assert read_config(config.folder / "config.yaml") == config.model_copy(update={"seed": 3})
    assert "step 3/3" in text(notebook)
    assert any("image/png" in output.get("data", {}) for output in outputs(notebook))
    for cell in nbformat.read(notebook, 4).cells:
        if cell.source.startswith("launch_config"):
            assert len(cell.outputs) == 1
    log = (config.folder / "train.log").read_text()
    assert re.findall(r"===== .*: (stabn .*) begins on", log) == [
        "stabn preflight train",
        "stabn train",
    ]
    assert "step 3/3" in log
    assert "KeyboardInterrupt" not in trained.said  # by which papermill ends its kernel
    made = {path.name for path in config.folder.iterdir()}
    assert made == {
        *("best.pt", "config.yaml", "last.pt", "metrics.jsonl", "train.log"),
        *("notebook.ipynb", "predictions.parquet", "record.json", "tensorboard"),
    }

    given = ["-p", "run", str(config.folder), "-p", "split", "tuning"]
    evaluated = papermill("evaluate", config.folder / "evaluate.ipynb", *given)
    assert evaluated.status == 0, evaluated.said
    results = read_record(config.folder / "record.json")["results"]
    assert set(results) == {"validation", "tuning", "tuning-inverted"}
    assert len(pd.read_parquet(config.folder / "predictions-tuning.parquet")) == 3
    for name, videos in {"notebook": 9, "evaluate": 3}.items():
        assert f"of {videos} clips are right" in text(config.folder / f"{name}.ipynb")
        shown = outputs(config.folder / f"{name}.ipynb")
        assert any("taken for" in output.get("data", {}).get("text/html", "") for output in shown)


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ("batch_sise", "4", "unknown name 'batch_sise' (did you mean 'batch_size'?)"),
        ("data_root", "nowhere", "nowhere: no such folder"),
    ],
)
def test_a_wrong_parameter_stops_the_notebook_with_exit_status_1(
    tiny, tmp_path, parameter, value, said
):
    config = tiny()
    write_config(config, tmp_path / "run.yaml")
    given = ["-f", str(tmp_path / "run.yaml"), "-p", parameter, value]
    failed = papermill("train", tmp_path / "notebook.ipynb", *given)
    assert failed.status == 1
    assert said in failed.said
    assert not config.folder.exists()
    errors = [o for o in outputs(tmp_path / "notebook.ipynb") if o.output_type == "error"]
    assert len(errors) == 1  # the notebook is kept, with the error in it
