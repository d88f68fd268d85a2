"""Every published row of the other systems stands in its table, beside ours or a command."""

import re
from itertools import product

import pytest
from bs4 import BeautifulSoup

from stabn.tables.other_systems import SETS, sources, system_table
from stabn.tables.table1 import paper_rows
from stabn.training.checkpoint import REPOSITORY
from stabn.training.config import read_config
from tests.records import rows, write

BACKBONES = ("VGG16", "VGG19", "InceptionV3", "ResNet50", "Xception")


@pytest.fixture
def root(tmp_path):
    """A repository with the published numbers alone."""
    for name in SETS:
        write(tmp_path, f"book/results/paper/{name}.csv", {})
        path = f"book/results/paper/{name}.csv"
        (tmp_path / path).write_bytes((REPOSITORY / path).read_bytes())
    return tmp_path


def record(name: str, seed: int, **results) -> dict:
    """A finished run's record, as far as this table reads it."""
    config = {"model": "baseline", "report_split": "test"}
    return {"name": name, "seed": seed, "config": config, "results": {"test": results}}


@pytest.mark.parametrize("name", ["ucf101", "sports1m99"])
def test_sixteen_rows_five_backbones_in_three_arrangements_and_the_3d_cnn(name):
    published = paper_rows(REPOSITORY, name)
    found = {(row["backbone"], row["attention"]) for row in published}
    assert len(published) == 16
    assert found == {("", ""), *product(BACKBONES, ("none", "after", "before"))}
    assert len({row["run"] for row in published}) == 16
    assert all(row["source"] for row in published)


def test_what_the_slides_say_of_their_rows_holds_of_these(root):
    """Attention after helps every backbone; before, it hurts both VGG; VGG19 is the best."""
    for name in ("ucf101", "sports1m99"):
        of = {(r["backbone"], r["attention"]): float(r["accuracy"]) for r in paper_rows(root, name)}
        assert all(of[b, "after"] > of[b, "none"] for b in BACKBONES)
        assert all(of[b, "before"] < of[b, "none"] for b in BACKBONES[:2])
        assert max(of, key=of.get) == ("VGG19", "after")
        order = [of[b, "none"] for b in BACKBONES]
        assert min(order[:2]) > order[2] > max(order[3:])
        assert of["", ""] < min(order[:3])


@pytest.mark.parametrize("name", SETS)
def test_the_command_of_a_row_trains_its_network_on_its_features(root, name):
    page = system_table(name, root)
    for row in paper_rows(root, name):
        config = read_config(REPOSITORY / f"notebooks/launch/{row['run']}.yaml")
        assert config.name == row["run"]
        if row["backbone"]:
            assert f"NAME={row['run']} ENCODER={config.encoder}" in page
            assert config.encoder.replace("_", "") == row["backbone"].lower()
            assert config.prepared == f"data/{name}_{config.encoder}"
        if row["attention"] in ("none", "after", "before"):
            assert config.network.attention == row["attention"]


@pytest.mark.parametrize("name", SETS)
def test_without_a_record_each_row_has_a_dash_and_its_command(root, name):
    page = system_table(name, root)
    published = paper_rows(root, name)
    cells = rows(page)[1:]
    assert [row[0] for row in cells] == [row["method"] for row in published]
    accuracies = [100 * float(row["accuracy"]) for row in published]
    assert [float(row[1]) for row in cells] == pytest.approx(accuracies)
    assert all(re.fullmatch("– \\d+", cell) for row in cells for cell in row[2:])
    items = [item.get_text() for item in BeautifulSoup(page, "html.parser").select("li")]
    assert [item.split()[0] for item in items] == [f"NAME={row['run']}" for row in published]
    assert f"stabn promote runs/$NAME {name}" in page
    assert sources(name, root)


@pytest.mark.parametrize("name", ["ucf101", "sports1m99"])
def test_the_command_of_the_last_column_is_whole_and_touches_no_other_run(root, name):
    """Nothing is left to add: its own folder, name, data and study; settings of the row's file."""
    codes = [c.get_text() for c in BeautifulSoup(system_table(name, root), "html.parser")("code")]
    (last,) = (text for text in codes if f"data/{name}_random" in text)
    made, trained, kept = last.split(" && ")
    assert made == "mkdir -p runs/${NAME}_random"
    words = trained.split()
    assert words[:2] == ["papermill", "notebooks/launch/train.ipynb"]
    assert words[2] == "runs/${NAME}_random/notebook.ipynb"
    assert words[3:5] == ["-f", "notebooks/launch/$NAME.yaml"]
    assert "-p name ${NAME}_random" in trained
    assert trained.endswith("-p report_split validation")
    assert kept == f"stabn promote runs/${{NAME}}_random {name}_random"


def test_ours_stand_beside_theirs_over_seeds_and_the_random_division_apart(root):
    run = "ucf101_bilstm_after_vgg16"
    for seed, top1 in ((0, 0.70), (1, 0.74)):
        where = f"book/results/ucf101/{run}_seed{seed}.json"
        write(root, where, record(f"{run}_seed{seed}", seed, top1=top1))
    write(root, "book/results/ucf101_random/x.json", record(f"{run}_random", 0, top1=0.91))
    page = system_table("ucf101", root)
    (row,) = [row for row in rows(page) if row[0] == "VGG16 + LSTM + attention"]
    assert row[1] == "94.5"
    assert row[2].startswith("72.0 ± 2.8")
    assert row[3] == "91.0"
    assert f"../book/results/ucf101/{run}_seed0.json" in page
    assert page.count("<li>") == 15


def test_hmdb51_counts_frames_as_the_report_does_and_videos_too(root):
    found = record("hmdb51_convlstm_vgg16", 0, top1=0.6, step_top1=0.5)
    write(root, "book/results/hmdb51/a.json", found)
    (_, row) = rows(system_table("hmdb51", root))
    assert row == ["soft attention + ConvLSTM, per frame", "82", "50.0", "60.0"]
