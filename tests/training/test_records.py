"""A record says what a run was; its fingerprint changes with the data, not with the place."""

import json
import shutil

import pytest

from stabn.training.records import (
    agreement_table,
    code_version,
    data_fingerprint,
    read_record,
    results_table,
    write_record,
)


@pytest.fixture
def copy(tiny, tiny_set, tmp_path):
    """A copy of the tiny set elsewhere, as a configuration."""
    shutil.copytree(tiny_set, tmp_path / "copy")
    return tiny(data_root=str(tmp_path / "copy"))


def test_a_finished_run_says_what_it_was(tiny_run):
    record = read_record(tiny_run.folder / "record.json")
    assert record["config"] == tiny_run.model_dump(mode="json")
    assert record["seed"] == tiny_run.seed
    assert record["data"]["videos"] == 24
    assert record["code"] == {**code_version(), "dirty": record["code"]["dirty"]}
    assert record["hardware"]["processes"] == 1
    assert record["hardware"]["precision"] == "fp32"
    assert record["versions"]["torch"].startswith("2.")
    assert record["wall_seconds"] > 0
    assert 0.05 < record["peak_memory_gib"]["process"] < 6
    assert record["steps"] == tiny_run.epochs * (12 // tiny_run.batch_size)
    assert set(record["results"]) == {"validation"}


def test_the_fingerprint_is_that_of_any_copy(tiny, copy):
    here, there = data_fingerprint(tiny()), data_fingerprint(copy)
    assert here["sha256"] == there["sha256"]


@pytest.mark.parametrize("change", ["label", "size", "name"])
def test_another_label_size_or_name_is_another_fingerprint(copy, change):
    before = data_fingerprint(copy)["sha256"]
    root = copy.folder.__class__(copy.data_root)
    video = sorted((root / "videos").iterdir())[0]
    if change == "label":
        entries = json.loads((root / "train.json").read_text())
        entries[0]["template"] = entries[1]["template"] + " "
        (root / "train.json").write_text(json.dumps(entries))
    elif change == "size":
        video.write_bytes(video.read_bytes()[:-1])
    else:
        video.rename(video.with_name("x.webm"))
    assert data_fingerprint(copy)["sha256"] != before


def test_json_has_no_nan(tmp_path):
    record = {"results": {"validation": {"loss": float("nan"), "per_class": {3: (0.5, 1)}}}}
    write_record(tmp_path / "record.json", record)
    strict = json.loads((tmp_path / "record.json").read_text(), parse_constant=pytest.fail)
    assert strict == {"results": {"validation": {"loss": None, "per_class": {"3": [0.5, 1]}}}}
    assert read_record(tmp_path / "none.json") == {}


def test_tables_of_the_results():
    agreement = {"value": 0.6, "chance": 0.0, "n": 4, "interval": [-0.1, 0.1]}
    figures = {"top1": 0.5, "per_class": {}, "rank_correlation": agreement}
    record = {"results": {"validation": figures, "tuning": {"top1": 0.25}}}
    assert results_table(record).loc["top1"].to_dict() == {"validation": 0.5, "tuning": 0.25}
    assert agreement_table(record).to_dict("records") == [
        {
            "evaluation": "validation",
            "measure": "rank_correlation",
            "value": 0.6,
            "chance": 0.0,
            "n": 4,
        }
    ]
    assert agreement_table({"results": {}}).empty
