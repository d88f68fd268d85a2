"""A network behind its encoder again answers a video as it answers that video's features."""

from dataclasses import asdict
from shutil import copyfile

import numpy as np
import pytest
import torch

from stabn.attribution import Question
from stabn.attribution.grad_cam import grad_cam
from stabn.data.dataset import ClipKey, collate
from stabn.data.features import FeatureDataset
from stabn.data.ssv2 import Record, VideoFolder
from stabn.data.transforms import eval_transform
from stabn.data.video import read_frames, write_video
from stabn.explain import explain
from stabn.models.encoders import LITE0, Encoder
from stabn.training import features
from stabn.training.build import build_model
from stabn.training.checkpoint import CheckpointError, load, save
from stabn.training.config import RunConfig
from stabn.training.encoded import behind_its_encoder
from stabn.training.forward import forward
from stabn.training.records import write_record

pytestmark = pytest.mark.slow(20)

FPS, T = 2, 3
SIZES = {"short": 3, "long": 9}  # frames: two seconds, five seconds
CLASSES = ("Covering", "Dropping", "Lifting")
RUNS = {  # a system → its network, and how its features are made
    "bilstm": ({"pooled": True, "units": 3, "dense": 4}, {"taken": "seconds"}),
    "convlstm": (
        {"hidden": 2, "dense": 4},
        {"taken": "segments", "num_frames": T, "output": "cube"},
    ),
}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(LITE0, None)


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> VideoFolder:
    root = tmp_path_factory.mktemp("set")
    (root / "videos").mkdir()
    rng = np.random.default_rng(0)
    for video_id, n in SIZES.items():
        frames = rng.integers(0, 255, (n, 4, 6, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
        write_video(root / "videos" / f"{video_id}.webm", frames, FPS)
    return VideoFolder(root)


@pytest.fixture(scope="module")
def saved(encoder, videos, tmp_path_factory):
    """{system: its checkpoint, never trained}, each beside the features that it reads."""
    paths = {}
    for model, (network, made) in RUNS.items():
        folder = tmp_path_factory.mktemp(model)
        features.extract(encoder, videos, list(SIZES), folder / "features", **made)
        given = {"prepared": str(folder / "features"), "network": {"encoder": LITE0} | network}
        config = RunConfig(name="tiny", model=model, num_frames=T, **given)
        torch.manual_seed(1)
        paths[model] = folder / "tiny.pt"
        save(paths[model], build_model(config, len(CLASSES)), config, CLASSES)
    return paths


@pytest.mark.parametrize("model", list(RUNS))
def test_it_answers_and_attends_as_the_network_does_to_the_features(saved, videos, model):
    trained = load(saved[model])
    cache = features.FeatureCache(trained.config.prepared)
    records = [Record(video_id, 0) for video_id in SIZES]
    kept = FeatureDataset(records, cache, T)
    together = behind_its_encoder(trained, None)
    for row, video_id in enumerate(SIZES):
        batch = collate([kept[ClipKey(row)]])
        with torch.no_grad():
            theirs = forward(trained.model, batch, torch.device("cpu"))
        ours = explain(videos.path(video_id), together)
        indices = batch.frame_indices[0]
        there = indices >= 0
        assert ours.frame_indices.tolist() == indices[there].tolist()
        assert len(ours.frames) == (2 if (model, video_id) == ("bilstm", "short") else T)
        p = dict(ours.predictions)
        expected = theirs.logits.softmax(dim=1)[0]
        np.testing.assert_allclose([p[name] for name in CLASSES], expected, atol=1e-5)
        if model == "bilstm":
            m_t = theirs.temporal_attention[0][there]
            np.testing.assert_allclose(ours.temporal, m_t, atol=1e-5)
        else:
            np.testing.assert_allclose(ours.spatial, theirs.spatial_attention[0, 0], atol=1e-5)


def test_grad_cam_weighs_the_encoders_maps(saved, videos, encoder):
    """Told by a loop over the maps' channels, of a video shorter than the network's clip."""
    trained = load(saved["bilstm"])
    seen = eval_transform(224, short_side=224)
    clip, _ = seen(read_frames(videos.path("short"), [0, 2]))  # of its two seconds
    maps = encoder(clip[None]).clone().requires_grad_()  # (1, 2, C, 7, 7)
    filled = torch.cat([maps, maps.new_zeros(1, T - 2, *maps.shape[2:])], dim=1)
    logits = trained.model(filled, lengths=torch.tensor([2])).logits
    (gradient,) = torch.autograd.grad(logits[0, 1], maps)
    expected = sum(
        gradient[0, :, channel].mean() * maps[0, :, channel].detach()
        for channel in range(maps.shape[2])
    ).clamp(min=0)
    together = behind_its_encoder(trained, None).model
    ours = grad_cam(Question(together, clip.float(), 1))
    assert expected.max() > 0
    np.testing.assert_allclose(ours.spatial, expected, atol=1e-6)


def test_the_command_takes_such_a_run_by_any_method(saved, videos, tmp_path, stabn, capsys):
    out = tmp_path / "figure.png"
    given = ["--checkpoint", saved["bilstm"], "--out", out, "--weights", "none"]
    compare = ["--method", "grad_cam", "--compare", "intrinsic", "--compare", "random"]
    stabn("explain", videos.path("long"), *given, *compare)
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "grad_cam: 3 forward passes" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"made with other weights \(.*, not .*\); give those"):
        stabn("explain", videos.path("long"), *given[:-1], "imagenet")


def test_features_made_anew_in_another_way_are_refused(saved, videos, tmp_path, stabn):
    """The folder lies where the run says, and holds what the run did not learn from."""
    run = tmp_path / "run"
    run.mkdir()
    copyfile(saved["bilstm"], run / "best.pt")
    key = asdict(features.FeatureCache(load(saved["bilstm"]).config.prepared).key)
    given = ["--checkpoint", run / "best.pt", "--out", tmp_path / "f.png", "--weights", "none"]
    write_record(run / "record.json", {"data": {"features": key}})
    stabn("explain", videos.path("long"), *given)
    write_record(run / "record.json", {"data": {"features": key | {"taken": "all"}}})
    said = r"holds other features than .*run began with \(taken\); give the folder of those"
    with pytest.raises(SystemExit, match=said):
        stabn("explain", videos.path("long"), *given)


def test_without_what_says_how_the_features_were_made_it_is_refused(saved, tmp_path):
    trained = load(saved["bilstm"])
    elsewhere = trained.config.model_copy(update={"prepared": str(tmp_path / "gone")})
    said = f"reads features of {LITE0}, and the folder that says how .*gone/features.json: No such"
    with pytest.raises(CheckpointError, match=said):
        behind_its_encoder(trained._replace(config=elsewhere))
