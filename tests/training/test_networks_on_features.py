"""Networks behind a frozen encoder train on its features, from a folder that must be the same."""

from dataclasses import replace

import pytest
import torch

from stabn.data.features import KEY, FeatureCache, FeatureKey, FeaturesError, VideoFeatures, as_json
from stabn.data.ssv2 import VideoFolder
from stabn.explain import explain
from stabn.training.build import build_model, eval_loader, split_videos
from stabn.training.checkpoint import CheckpointError, load
from stabn.training.config import ConfigError
from stabn.training.eval_config import EvalConfig
from stabn.training.evaluate import evaluate
from stabn.training.forward import forward
from stabn.training.preflight.training import preflight
from stabn.training.process import Process
from stabn.training.records import read_record
from stabn.training.train import train

pytestmark = pytest.mark.slow(10)

ALONE = Process(0, 1, torch.device("cpu"))
VECTORS = FeatureKey("vgg16", "ab12", False, "pooled", "seconds", None, "av 1")
NETWORK = {"encoder": "vgg16", "pooled": True, "units": 2, "dense": 4}
T = 4


def kept(folder, key: FeatureKey, root) -> str:
    """Drawn features of all videos, one to six frames each, or T."""
    folder.mkdir(parents=True)
    (folder / KEY).write_text(as_json(key))
    cache, shape = FeatureCache(folder), (512, 7, 7) if key.output == "cube" else (512,)
    for row, video_id in enumerate(sorted(VideoFolder(root).video_ids())):
        n = 1 + row % 6 if key.taken == "seconds" else T
        drawn = torch.randn(n, *shape, generator=torch.Generator().manual_seed(row))
        made = VideoFeatures(drawn, torch.arange(n), 30, "")
        cache.path(video_id).write_bytes(cache.packed(video_id, made))
    return str(folder)


@pytest.fixture(scope="module")
def prepared(tiny_set, tmp_path_factory) -> str:
    return kept(tmp_path_factory.mktemp("features") / "vgg16", VECTORS, tiny_set)


@pytest.fixture(scope="module")
def run(tiny, prepared):
    config = tiny(model="bilstm", network=NETWORK, prepared=prepared, epochs=1)
    train(config)
    return config


def test_a_run_on_features_says_of_what_they_are(run):
    record = read_record(run.folder / "record.json")
    assert record["data"]["features"]["encoder"] == "vgg16"
    assert record["data"]["features"]["weights"] == "ab12"
    figures = record["results"]["validation"]
    assert figures["videos"] == 9
    assert "rank_correlation" not in figures  # a second's frame is no frame of the truth's clip


def test_the_answer_to_a_short_video_is_that_to_its_own_frames(run):
    """Whatever stands behind its end, and in whatever batch it comes."""
    model = load(run.folder / "best.pt").model
    short = 0
    with torch.no_grad():
        for batch in eval_loader(run, "validation", ALONE):
            together = forward(model, batch, ALONE.device)
            for n in range(len(batch)):
                there = int((batch.frame_indices[n] >= 0).sum())
                filled = batch.video[n : n + 1].clone()
                filled[:, there:] = 7.0
                alone = model(filled, lengths=torch.tensor([there]))
                torch.testing.assert_close(alone.logits[0], together.logits[n])
                assert (together.temporal_attention[n, there:] == 0).all()
                short += there < T
    assert short


def test_it_is_looked_at_scored_and_gone_on_with(run, tiny, monkeypatch):
    evaluate(EvalConfig(run=str(run.folder), split="tuning"))
    assert read_record(run.folder / "record.json")["results"]["tuning"]["videos"] == 3
    preflight(run.model_copy(update={"out_dir": tiny().out_dir}))


def test_features_of_other_weights_are_refused(run, tiny_set, tmp_path):
    other = kept(tmp_path / "other", replace(VECTORS, weights="cd34"), tiny_set)
    said = r"holds other features than .* began with \(weights\)"
    with pytest.raises(ConfigError, match=said):
        evaluate(EvalConfig(run=str(run.folder), prepared=other))
    with pytest.raises(ConfigError, match=said):
        train(run.model_copy(update={"prepared": other, "epochs": 2}))


def test_a_video_without_features_is_entered_in_the_ledger(run, tiny_set, tmp_path, tiny):
    prepared = kept(tmp_path / "gap", VECTORS, tiny_set)
    (missing, *_) = (record.video_id for record in split_videos(run, "train")[0])
    (tmp_path / "gap" / f"{missing}.safetensors").unlink()
    values = {"prepared": prepared, "out_dir": tiny().out_dir, "max_decode_failures": 1.0}
    config = run.model_copy(update=values)
    train(config)
    (line,) = (config.folder / "decode_failures.jsonl").read_text().splitlines()
    assert missing in line
    assert "run stabn features again" in line


def test_a_video_cannot_be_explained_by_it_alone(run):
    with pytest.raises(CheckpointError, match="reads features; put it behind vgg16 first"):
        explain("any.mp4", load(run.folder / "best.pt"))


def test_what_does_not_fit_is_said_before_any_work(tiny, tiny_set, prepared, tmp_path):
    with pytest.raises(ConfigError, match="prepared: vgg16 needs its features"):
        tiny(model="bilstm", network=NETWORK)
    given = {"model": "bilstm", "prepared": prepared}
    with pytest.raises(FeaturesError, match="holds features of encoder vgg16, not vgg19"):
        eval_loader(tiny(network=NETWORK | {"encoder": "vgg19"}, **given), "tuning", ALONE)
    with pytest.raises(ConfigError, match="reads all places: make it with --cube, or set pooled"):
        eval_loader(tiny(network=NETWORK | {"pooled": False}, **given), "tuning", ALONE)
    with pytest.raises(ConfigError, match="features of one view alone"):
        eval_loader(tiny(network=NETWORK, sampling="two_clip", **given), "tuning", ALONE)
    cubes = replace(VECTORS, output="cube")
    (tmp_path / "cubes").mkdir()
    (tmp_path / "cubes" / KEY).write_text(as_json(cubes))
    seconds = {"prepared": str(tmp_path / "cubes"), "network": {"encoder": "vgg16"}}
    with pytest.raises(ConfigError, match="a convlstm names a class for each of 4 frames"):
        eval_loader(tiny(model="convlstm", **seconds), "tuning", ALONE)


def test_maps_of_an_encoder_go_through_soft_attention(tiny, tiny_set, tmp_path):
    key = replace(VECTORS, output="cube", taken="segments", num_frames=T)
    prepared = kept(tmp_path / "cubes", key, tiny_set)
    network = {"encoder": "vgg16", "hidden": 2, "dense": 4}
    config = tiny(model="convlstm", network=network, prepared=prepared, batch_size=1)
    model = build_model(config, 3)
    batch = next(iter(eval_loader(config, "tuning", ALONE)))
    output = forward(model, batch, ALONE.device)
    assert batch.video.shape == (1, T, 512, 7, 7)
    assert output.step_logits.shape == (1, T, 3)
    assert output.spatial_attention.shape == (1, 1, T, 7, 7)
