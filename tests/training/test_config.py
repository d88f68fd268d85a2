"""A configuration is flat, read from YAML, equal after a round trip, and refuses what cannot be."""

from itertools import product
from pathlib import Path

import pytest
import yaml
from papermill.cli import _resolve_type as as_papermill  # what -p makes of a value

from stabn.knowledge.finetuning.config import FinetuneConfig
from stabn.knowledge.selection.config import SelectConfig
from stabn.training.cluster.launch import LaunchOptions
from stabn.training.config import ConfigError, RunConfig, parse, read_config
from stabn.training.config import write_config as write
from stabn.training.eval_config import EvalConfig

LAUNCH = Path(__file__).parents[2] / "notebooks" / "launch"


def parsed(**values) -> RunConfig:
    return parse(RunConfig, {"name": "x", **values}, "here.yaml")


def test_defaults_are_the_papers_settings():
    paper = {
        "num_frames": 32,
        "image_size": 224,
        "short_side": 256,
        "optimizer": "sgd",
        "lr": 0.01,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "batch_size": 64,
        "epochs": 150,
        "schedule": "plateau",
        "lr_factor": 0.1,
    }
    assert paper.items() <= parsed().model_dump().items()


def test_round_trip_through_yaml(tmp_path):
    config = parsed(train_area=[0.5, 1], milestones=[1, 2], clip_norm=20, weights="a.pt")
    write(config, tmp_path / "run.yaml")
    assert read_config(tmp_path / "run.yaml") == config


def test_text_from_the_command_line_is_read_as_yaml():
    config = parsed(
        fusion_relu="false", clip_norm="null", milestones="[2, 4]", lr="1e-3", weights="none"
    )
    assert config.fusion_relu is False
    assert config.clip_norm is None
    assert config.weights is None
    assert config.milestones == (2, 4)
    assert config.lr == 1e-3


NEEDED = {
    RunConfig: {"name": "x"},
    EvalConfig: {"run": "x"},
    SelectConfig: {"run": "x"},
    FinetuneConfig: {"name": "x", "run": "x", "edits": "x"},
    LaunchOptions: {},
}


@pytest.mark.parametrize("read", [yaml.safe_load, as_papermill])
@pytest.mark.parametrize(
    "typed", ["2024_01", "007", "1e5", "1:30", "2024-01-01", "yes", "True", "0x1f", "12", "nan"]
)
def test_where_a_text_is_meant_any_other_value_is_refused(typed, read):
    value, seen = read(typed), set()
    for cls, needed in NEEDED.items():
        for field, info in cls.model_fields.items():
            kind = str(info.annotation)
            if "str" in kind and "int" not in kind:
                seen.add(field)
                said = refusal(cls, needed | {field: [value] if "tuple" in kind else value})
                quotes = f"{field}: was read as {value} ", f"in quotes (papermill: -r {field} "
                assert all(words in said for words in quotes) == (not isinstance(value, str)), said
    assert {"name", "data_root", "eval_split", "also_report", "rdzv_endpoint", "edits"} <= seen


def refusal(cls, values: dict) -> str:
    try:
        parse(cls, values, "here.yaml")
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ["2024_01", "007", "1e5", "none", "2024-01-01"])
def test_a_number_in_quotes_is_a_name(name, tmp_path):
    (tmp_path / "run.yaml").write_text(f"name: '{name}'\nout_dir: {tmp_path}\n")
    config = read_config(tmp_path / "run.yaml")
    assert config.folder == tmp_path / name
    write(config, tmp_path / "run.yaml")
    assert read_config(tmp_path / "run.yaml") == config


@pytest.mark.parametrize("name", [".", "..", ".hidden", "a/b", "a b", "", "a\n", "a" * 81])
def test_a_name_is_that_of_one_folder(name):
    with pytest.raises(ConfigError, match=r"here\.yaml: name: must be at most 80 letters"):
        parsed(name=name)


@pytest.mark.parametrize("value", [True, "yes"])
@pytest.mark.parametrize("field", ["epochs", "lr", "workers", "clip_norm", "constant_temporal"])
def test_yes_is_no_number(field, value):
    with pytest.raises(ConfigError, match=rf"{field}: must be something else than true or false"):
        parsed(**{field: value})


def test_nor_is_it_one_of_several():
    with pytest.raises(ConfigError, match="milestones: must be something else than true or false"):
        parsed(milestones="[yes, 4]")
    with pytest.raises(ConfigError, match="classes: must be something else than true or false"):
        parse(SelectConfig, {"run": "x", "classes": [3, True]}, "here.yaml")


@pytest.mark.parametrize("value", [float("nan"), "inf", ".inf"])
def test_what_is_no_number_is_no_rate(value):
    with pytest.raises(ConfigError, match="lr: Input should be a finite number"):
        parsed(lr=value)


def test_one_where_a_list_is_meant():
    with pytest.raises(ConfigError, match=r"milestones: must be a list, as in \[75, 125\], not 3"):
        parsed(milestones="3")
    with pytest.raises(ConfigError, match=r"train_area: must be a list, as in \[a, b\], not 0.5"):
        parsed(train_area=0.5)


@pytest.mark.parametrize("value", [32, "32", [32], [1, 2, 3]])
def test_a_range_of_sides_is_two_numbers(value):
    with pytest.raises(
        ConfigError, match=r"train_short_side: must be (a list|2 values), as in \[256, 320\]"
    ):
        parsed(train_short_side=value)
    with pytest.raises(ConfigError, match=r"image_size \(224\) or more, as in \[224, 298\], not"):
        parsed(train_short_side=[32, 32])


def test_the_home_folder_in_a_parameter_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for cls, fields in {
        RunConfig: ("out_dir", "data_root", "prepared", "weights"),
        EvalConfig: ("run", "data_root", "prepared"),
        SelectConfig: ("run", "out", "data_root", "prepared"),
        FinetuneConfig: ("out_dir", "run", "edits", "data_root", "prepared"),
    }.items():
        for field in fields:
            config = parse(cls, NEEDED[cls] | {field: "~/a"}, "here.yaml")
            assert getattr(config, field) == f"{tmp_path}/a"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_parameter_file_with_a_byte_order_mark(tmp_path, encoding):
    (tmp_path / "run.yaml").write_text("name: é\n", encoding=encoding)
    assert read_config(tmp_path / "run.yaml").name == "é"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("batch_sise", "batch_size"), ("learning_rate", "lr"), ("num_frame", "num_frames")],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(wrong, right):
    with pytest.raises(ConfigError, match=rf"here\.yaml: unknown name '{wrong}'.*'{right}'"):
        parsed(**{wrong: 1})


def test_a_name_like_no_other_is_refused_with_all_there_are():
    with pytest.raises(ConfigError, match=r"'zzz'.*known: name, out_dir"):
        parsed(zzz=1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a/b"),
        ("lr", -1),
        ("dropout", 1),
        ("epochs", 0),
        ("seed", 1 << 63),
        ("batch_size", 1.5),
        ("model", "resnet"),
        ("backbone", "resnet18"),
        ("sampling", "random"),
        ("precision", "fp8"),
        ("milestones", "["),
        ("constant_spatial", 0.5),
        ("image_size", 300),
        ("train_short_side", [200, 300]),
        ("train_area", [0, 1]),
    ],
)
def test_an_impossible_value_is_refused_by_the_fields_name(field, value):
    with pytest.raises(ConfigError, match=rf"here\.yaml: .*{field}"):
        parsed(**{field: value})


def test_the_baseline_has_no_attention_to_hold_constant():
    with pytest.raises(ConfigError, match="constant_spatial"):
        parsed(model="baseline", constant_spatial=0.5, constant_temporal=0.5)


def test_all_faults_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        parse(RunConfig, {"lr": 0, "epoch": 3}, "here.yaml")
    for field in ("name", "lr", "epoch"):
        assert field in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"), [("- a\n- b\n", "name: value"), ("a: [", "is not YAML"), (None, "read")]
)
def test_a_file_that_is_no_configuration(tmp_path, text, said):
    path = tmp_path / "run.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=rf"run\.yaml: .*{said}"):
        read_config(path)


def test_evaluation_needs_a_run():
    with pytest.raises(ConfigError, match="run"):
        parse(EvalConfig, {"run": ""}, "here.yaml")


# Selections and fine-tunings have descriptions, and tests, of their own.
TRAINED = [p for p in sorted(LAUNCH.glob("*.yaml")) if not p.stem.endswith(("select", "finetune"))]


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_each_parameter_file_is_a_run_of_its_own_name(path):
    assert read_config(path).name == path.stem


def test_there_is_a_parameter_file_for_each_of_the_papers_rows():
    rules = {"32": "segments", "two_clip": "two_clip", "official_32x2": "official_32x2"}
    for model, depth, tag in product(("baseline", "st_abn"), (50, 101), rules):
        config = read_config(LAUNCH / f"ssv2_{model}_r{depth}_{tag}.yaml")
        assert (config.model, config.backbone) == (model, f"resnet{depth}")
        assert config.sampling == rules[tag]
        assert config.precision == "bf16"


ENCODERS = ("vgg16", "vgg19", "inception_v3", "resnet50", "xception")


@pytest.mark.parametrize("name", ["ucf101", "sports1m99"])
def test_there_is_a_parameter_file_for_each_row_of_the_comparison_with_bilstms(name):
    for encoder, attention in product(ENCODERS, ("after", "before", "none")):
        tag = encoder.replace("_", "")
        config = read_config(LAUNCH / f"{name}_bilstm_{attention}_{tag}.yaml")
        assert (config.encoder, config.network.attention) == (encoder, attention)
        assert (config.network.units, config.network.dense, config.dropout) == (256, 512, 0.5)
        assert config.batch_size == (16 if encoder in ("resnet50", "xception") else 128)
        assert (config.optimizer, config.epochs) == ("rmsprop", 60)
        assert (config.data_root, config.prepared) == (f"data/{name}", f"data/{name}_{encoder}")
    assert read_config(LAUNCH / f"{name}_cnn3d.yaml").model == "cnn3d"


def test_the_report_s_row_has_its_recipe():
    config = read_config(LAUNCH / "hmdb51_convlstm_vgg16.yaml")
    assert (config.model, config.encoder, config.num_frames) == ("convlstm", "vgg16", 30)
    assert (config.batch_size, config.epochs, config.dropout) == (15, 10, 0.7)


def test_the_other_networks_on_mini_ssv2_differ_from_the_baseline_in_the_network_alone():
    network = {"name", "model", "network", "backbone", "weights", "dropout"}

    def common(name: str) -> dict:
        values = yaml.safe_load((LAUNCH / f"{name}.yaml").read_text())
        return {field: value for field, value in values.items() if field not in network}

    for name in ("convlstm", "bilstm_after", "bilstm_before", "bilstm_none"):
        assert common(f"mini_{name}") == common("mini_baseline")
    # which did not learn with theirs
    assert common("mini_cnn3d") == common("mini_baseline") | {"lr": 0.001}


@pytest.mark.parametrize(
    ("name", "of"),
    [("attention", "bilstm"), ("units", "bilstm"), ("encoder", "convlstm and bilstm")],
)
def test_a_setting_of_a_network_is_sent_to_its_place(name, of):
    said = rf"unknown name '{name}' \(of {of}: put it under network\)"
    with pytest.raises(ConfigError, match=said):
        parse(RunConfig, {"name": "a", "model": "bilstm", name: "x"}, "here.yaml")


def test_the_three_arms_on_mini_ssv2_differ_in_the_network_alone():
    baseline, st_abn, control = (
        yaml.safe_load((LAUNCH / f"mini_{arm}.yaml").read_text())
        for arm in ("baseline", "st_abn", "control")
    )
    network = {"name", "model", "attention_start", "constant_spatial", "constant_temporal"}
    common = [{k: v for k, v in arm.items() if k not in network} for arm in (baseline, st_abn)]
    assert common[0] == common[1] == {k: v for k, v in control.items() if k not in network}
    assert control["model"] == st_abn["model"] == "st_abn"
