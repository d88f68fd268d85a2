"""A set goes through an encoder once: each video's own frames, gone on with after a kill."""

import os
import shutil
import signal
from multiprocessing import get_context
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from torch import nn

from stabn.data import prepared
from stabn.data.features import KEY, FeatureCache, FeatureDataset, FeaturesError
from stabn.data.sampling import second_indices, segment_indices
from stabn.data.ssv2 import Record, VideoFolder
from stabn.data.transforms import eval_transform
from stabn.data.video import write_video
from stabn.models.encoders import LITE0, Encoder, pooled
from stabn.training import features
from stabn.training.features import AT_ONCE, extract

pytestmark = pytest.mark.slow(20)

SIZES = {"1": 5, "2": 40, "a b": 13}
FPS = 4
MARK = "weights of the toy"


class Toy(nn.Module):
    """Stands for an encoder: the mean colours of a frame's quarters. It counts frames."""

    name, weights_hash, official = LITE0, MARK, False

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seen = 0

    def forward(self, video):
        assert video.dtype == torch.uint8
        assert video.shape[:2] == (1, 3)
        assert video.shape[2] <= AT_ONCE
        self.seen += video.shape[2]
        frames = video.float().transpose(1, 2).flatten(0, 1)
        return nn.functional.adaptive_avg_pool2d(frames, 2).unflatten(0, (1, -1))


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> VideoFolder:
    root = tmp_path_factory.mktemp("set")
    (root / "videos").mkdir()
    rng = np.random.default_rng(0)
    for video_id, n in SIZES.items():
        frames = rng.integers(0, 255, (n, 3, 4, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
        write_video(root / "videos" / f"{video_id}.webm", frames, FPS)
    return VideoFolder(root)


def copied(videos: VideoFolder, root: Path) -> VideoFolder:
    shutil.copytree(videos.folder.parent, root)
    return VideoFolder(root)


def slowly(source, video_id: str, indices: np.ndarray) -> torch.Tensor:
    """One frame after the other through the toy: float32 (n, 3, 2, 2)."""
    seen = eval_transform(224, short_side=224)
    frames = [seen(source.read(video_id, [k]))[0] for k in indices]
    return torch.cat([Toy()(frame[None])[0] for frame in frames])


@pytest.mark.parametrize(
    ("taken", "num_frames", "rule"),
    [
        ("segments", 8, lambda n: segment_indices(n, 8)),
        ("seconds", None, lambda n: second_indices(n, FPS)),
        ("all", None, np.arange),
    ],
)
def test_each_video_has_the_features_of_its_own_frames(videos, tmp_path, taken, num_frames, rule):
    ids = list(SIZES)
    for output, reduced in (("pooled", pooled), ("cube", torch.Tensor.half)):
        out = tmp_path / "deep" / output
        cache = extract(Toy(), videos, ids, out, output=output, taken=taken, num_frames=num_frames)
        for video_id, n in SIZES.items():
            kept, indices = cache.read(video_id), rule(n)
            assert kept.indices.tolist() == indices.tolist()
            assert kept.frames == n
            torch.testing.assert_close(kept.features, reduced(slowly(videos, video_id, indices)))
        assert sorted(path.name for path in out.iterdir()) == sorted(
            [KEY, *(f"{video_id}.safetensors" for video_id in ids)]
        )
    assert cache.key.encoder == LITE0
    assert cache.key.weights == MARK


def test_processes_that_decode_change_nothing(videos, tmp_path):
    here, there = (
        extract(Toy(), videos, list(SIZES), tmp_path / str(jobs), num_frames=4, jobs=jobs)
        for jobs in (0, 1)
    )
    for video_id in SIZES:
        assert here.path(video_id).read_bytes() == there.path(video_id).read_bytes()


def test_of_a_prepared_set_the_key_names_its_content(videos, tmp_path):
    small = prepared.prepare(videos, list(SIZES), tmp_path / "small", 16, jobs=1)
    cache = extract(Toy(), small, ["1"], tmp_path / "out", num_frames=3)
    torch.testing.assert_close(
        cache.read("1").features, pooled(slowly(small, "1", segment_indices(5, 3)))
    )
    assert small.index["data"] in cache.key.decoder
    other = prepared.prepare(videos, list(SIZES), tmp_path / "other", 24, jobs=1)
    for source in (other, videos):
        with pytest.raises(FeaturesError, match=r"holds features of decoder av .*, not av "):
            extract(Toy(), source, ["1"], tmp_path / "out", num_frames=3)
    with pytest.raises(FeaturesError, match="a prepared set does not know how many frames"):
        extract(Toy(), small, ["1"], tmp_path / "other", taken="seconds")


class Mortal(Toy):
    """It is killed when it has seen so many videos."""

    def __init__(self, lives: int):
        super().__init__()
        self.lives = lives

    def forward(self, video):
        if not self.lives:
            os.kill(os.getpid(), signal.SIGKILL)
        self.lives -= 1
        return super().forward(video)


def test_killed_it_goes_on_where_it_stopped(videos, tmp_path):
    whole = extract(Toy(), videos, list(SIZES), tmp_path / "whole", num_frames=4)
    out = tmp_path / "out"
    doomed = get_context("fork").Process(
        target=extract, args=(Mortal(2), videos, list(SIZES), out), kwargs={"num_frames": 4}
    )
    doomed.start()
    doomed.join()
    assert doomed.exitcode == -signal.SIGKILL
    assert sorted(path.stem for path in out.glob("*.safetensors")) == ["1", "2"]
    (out / ".a b.safetensors.1.part").write_bytes(b"half")
    toy = Toy()
    cache = extract(toy, videos, list(SIZES), out, num_frames=4)
    assert toy.seen == 4  # the third video's frames alone
    for video_id in SIZES:
        assert cache.path(video_id).read_bytes() == whole.path(video_id).read_bytes()
    assert not list(out.glob(".*"))
    extract(toy, videos, list(SIZES), out, num_frames=4)
    assert toy.seen == 4
    cache.path("2").write_bytes(b"")  # damaged since
    extract(toy, videos, list(SIZES), out, num_frames=4)
    assert toy.seen == 8


def test_whatever_differs_is_refused_and_what_is_there_stays(videos, tmp_path):
    def made(toy=None, source=videos, **changed):
        return extract(toy or Toy(), source, ["1"], tmp_path / "out", **{"num_frames": 4} | changed)

    cache = made()
    before = cache.path("1").read_bytes()
    other = Toy()
    other.weights_hash = "other weights"
    official = Toy()
    official.official = True
    for says, toy, changed in [
        ("weights weights of the toy, not other weights", other, {}),
        ("official False, not True", official, {}),
        ("output pooled, not cube", None, {"output": "cube"}),
        ("num_frames 4, not 5", None, {"num_frames": 5}),
        (
            "taken segments, not all; num_frames 4, not None",
            None,
            {"taken": "all", "num_frames": None},
        ),
    ]:
        with pytest.raises(FeaturesError, match=f"out: holds features of {says}: give another"):
            made(toy, **changed)
    changed = copied(videos, tmp_path / "set")
    shutil.copy(changed.path("2"), changed.path("1"))
    with pytest.raises(FeaturesError, match=r"1\.safetensors: the video has changed since"):
        made(source=changed)
    assert cache.path("1").read_bytes() == before


def test_broken_videos_are_named_and_all_others_are_encoded(videos, tmp_path):
    broken = copied(videos, tmp_path / "set")
    content = broken.path("1").read_bytes()
    broken.path("1").write_bytes(content[:-50])
    with pytest.raises(FeaturesError) as caught:
        extract(Toy(), broken, [*SIZES, "none"], tmp_path / "out", num_frames=2)
    said = str(caught.value)
    assert "2 of 4 videos cannot be read, all others are encoded" in said
    assert f"{broken.path('1')}: was cut short" in said
    assert f"{broken.path('none')}: no such file" in said
    cache = FeatureCache(tmp_path / "out")
    assert sorted(path.stem for path in cache.folder.glob("*.safetensors")) == ["2", "a b"]
    (batch,) = [FeatureDataset([Record("2", 1, "", "")], cache, 2)[0]]
    assert batch.video.shape == (2, 3)
    broken.path("1").write_bytes(content)
    extract(Toy(), broken, list(SIZES), tmp_path / "out", num_frames=2)


def test_what_cannot_be_is_said_before_any_work(videos, tmp_path):
    toy = Toy()
    with pytest.raises(FeaturesError, match="no videos to encode"):
        extract(toy, videos, [], tmp_path / "out", num_frames=2)
    with pytest.raises(FeaturesError, match="segments need a number of frames a video"):
        extract(toy, videos, ["1"], tmp_path / "out")
    with pytest.raises(FeaturesError, match="frames: all take no number"):
        extract(toy, videos, ["1"], tmp_path / "out", taken="all", num_frames=3)
    (tmp_path / "file").touch()
    with pytest.raises(FeaturesError, match="cannot be written: Not a directory"):
        extract(toy, videos, ["1"], tmp_path / "file" / "out", num_frames=2)
    assert toy.seen == 0
    assert not (tmp_path / "out").exists()


def test_the_command(videos, tmp_path, capsys, stabn, monkeypatch):
    """With the real network, on few frames: as the cube of the same clip says."""
    monkeypatch.setattr(features, "AT_ONCE", 2)
    root, out = videos.folder.parent, tmp_path / "out"
    stabn("features", "--root", root, "--out", out, "--frames", 2, "--weights", "none")
    said = f"features of 3 videos by {LITE0}, of 2 frames on average"
    assert said in capsys.readouterr().out
    encoder = Encoder(LITE0, None)
    cache = FeatureCache(out, encoder=LITE0, weights=encoder.weights_hash, num_frames=2)
    seen = eval_transform(224, short_side=224)
    clip, _ = seen(videos.read("1", segment_indices(5, 2)))
    torch.testing.assert_close(cache.read("1").features, pooled(encoder(clip[None])[0]))
    with pytest.raises(SystemExit, match=r"error: .*out: holds features of num_frames 2, not 3"):
        stabn("features", "--root", root, "--out", out, "--frames", 3, "--weights", "none")
    for sources in ((), ("--root", root, "--prepared", root)):
        with pytest.raises(click.UsageError, match="give --root or --prepared, one of the two"):
            stabn("features", *sources, "--out", out)
