"""A network of the 2022 release becomes a run: the same answers, and every command takes it."""

import pytest
import torch

from stabn.knowledge.finetuning.config import FinetuneConfig
from stabn.knowledge.finetuning.step import opened
from stabn.models.official import official_name
from stabn.models.st_abn import OFFICIAL, STABN
from stabn.models.weights import WeightsError
from stabn.training.adopt import adopt
from stabn.training.checkpoint import load
from stabn.training.config import ConfigError, parse, read_config, write_config
from stabn.training.eval_config import EvalConfig
from stabn.training.evaluate import evaluate
from stabn.training.records import read_record


@pytest.fixture
def theirs():
    torch.manual_seed(1)
    model = STABN("small", 3, 4, **OFFICIAL).eval()
    for name, buffer in model.named_buffers():  # statistics of a trained network
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return model


@pytest.fixture
def release(theirs, tmp_path):
    state = {f"module.{official_name(k)}": v.clone() for k, v in theirs.state_dict().items()}
    state["module.conv1.weight"] = state["module.conv1.weight"].flip(1)  # it reads B, G, R
    torch.save({"model_state_dict": state, "epoch": 150}, tmp_path / "release.pth")
    return tmp_path / "release.pth"


def test_it_answers_as_theirs_does_and_can_be_scored_and_fine_tuned(
    theirs, release, tiny, tmp_path
):
    """The run it is likened to has another fusion, ReLU, heads: the release's own are taken."""
    like = tiny(fusion="gated", closed=0.3, class_head="gap", temporal_tail="literal", dropout=0.2)
    config = adopt(release, like, tmp_path / "runs" / "theirs")
    assert {name: getattr(config, name) for name in OFFICIAL} == OFFICIAL
    assert read_config(tmp_path / "runs" / "theirs" / "config.yaml") == config

    trained = load(config.folder / "best.pt")
    clip = torch.randn(2, 3, 4, 24, 24)  # N, C, T, H, W
    with torch.no_grad():
        torch.testing.assert_close(tuple(trained.model(clip)), tuple(theirs(clip)))

    asked = {"name": "mended", "run": str(config.folder), "edits": "edits.json"}
    asked |= {"fusion": "gated", "closed": 0.3, "out_dir": str(tmp_path)}
    before, run = opened(parse(FinetuneConfig, asked, "test"))
    assert (before.config.fusion, run.fusion, run.closed) == ("paper", "gated", 0.3)

    evaluate(parse(EvalConfig, {"run": str(config.folder), "split": "tuning"}, "test"))
    assert read_record(config.folder / "record.json")["results"]["tuning"]["videos"] == 3


def test_the_command_says_what_comes_next(release, tiny, tmp_path, stabn, capsys):
    write_config(tiny(), tmp_path / "like.yaml")
    options = ["--config", tmp_path / "like.yaml", "--out", tmp_path / "theirs"]
    stabn("adopt", *map(str, [release, *options]))
    assert "Next: score it" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "theirs").iterdir()) == [
        *("best.pt", "config.yaml")
    ]


def test_what_does_not_fit_is_refused_and_leaves_nothing(release, tiny, tmp_path):
    out = tmp_path / "runs" / "theirs"
    with pytest.raises(WeightsError, match="made for another network"):
        adopt(release, tiny(num_frames=8), out)
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="no 'model_state_dict' in it"):
        adopt(tmp_path / "other.pth", tiny(), out)
    with pytest.raises(ConfigError, match="model: the release is an st_abn, not a baseline"):
        adopt(release, tiny(model="baseline"), out)
    assert not out.parent.exists()
    out.mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"theirs: exists already; choose another --out"):
        adopt(release, tiny(), out)
