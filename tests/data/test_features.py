"""A cache of features gives back what was put in; another one's are refused; short videos are 0."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from stabn.data.dataset import ClipKey, EvalSampler, Failure, TrainSampler, collate
from stabn.data.features import (
    KEY,
    FeatureCache,
    FeatureDataset,
    FeatureKey,
    FeaturesError,
    VideoFeatures,
    as_json,
)
from stabn.data.sampling import segment_indices
from stabn.data.ssv2 import Record
from stabn.data.video import VideoError

VECTORS = FeatureKey("vgg16", "ab12", False, "pooled", "segments", 4, "av 1")
CUBES = replace(VECTORS, output="cube")
LENGTHS = {"long": 7, "short": 2, "exact": 4}


def cache_of(folder: Path, key: FeatureKey, **videos: VideoFeatures) -> FeatureCache:
    folder.mkdir(exist_ok=True)
    (folder / KEY).write_text(as_json(key))
    cache = FeatureCache(folder)
    for video_id, found in videos.items():
        cache.path(video_id).write_bytes(cache.packed(video_id, found))
    return cache


def some(n: int, *shape: int, seed: int = 0) -> VideoFeatures:
    features = torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))
    return VideoFeatures(features, 3 * torch.arange(n), 3 * n, "cd34")


def by_second(folder: Path) -> FeatureCache:
    key = replace(VECTORS, taken="seconds", num_frames=None)
    return cache_of(folder, key, **{name: some(n, 5) for name, n in LENGTHS.items()})


def records(*ids: str) -> list[Record]:
    return [Record(video_id, row, "", "") for row, video_id in enumerate(ids)]


@pytest.mark.parametrize(("key", "shape"), [(VECTORS, (5,)), (CUBES, (5, 2, 3))])
def test_what_was_put_in_comes_back(tmp_path, key, shape):
    given = some(4, *shape)
    found = cache_of(tmp_path, key, v=given).read("v")
    kept = given.features if key is VECTORS else given.features.half()
    assert found.features.dtype == kept.dtype
    assert torch.equal(found.features, kept)
    assert torch.equal(found.indices, given.indices)
    assert found[2:] == given[2:]


def test_the_key_is_read_back_and_each_of_its_parts_changes_its_hash(tmp_path):
    assert cache_of(tmp_path, VECTORS).key == VECTORS
    others = {
        "encoder": "vgg19",
        "weights": "ab13",
        "official": True,
        "output": "cube",
        "taken": "all",
        "num_frames": 5,
        "decoder": "av 2",
    }
    assert others.keys() == asdict(VECTORS).keys()
    for name, value in others.items():
        assert replace(VECTORS, **{name: value}).hash != VECTORS.hash
        with pytest.raises(FeaturesError, match=f"{name} .*, not {value}: give another folder"):
            FeatureCache(tmp_path, **{name: value})
    FeatureCache(tmp_path, encoder="vgg16", num_frames=4)
    with pytest.raises(FeaturesError, match="encoder vgg16, not vgg19; decoder av 1, not av 2"):
        FeatureCache(tmp_path, encoder="vgg19", decoder="av 2")
    with pytest.raises(TypeError, match="no part of a FeatureKey: frames"):
        FeatureCache(tmp_path, frames=4)


def test_a_cache_that_is_none_is_refused(tmp_path):
    def refused(says: str) -> None:
        with pytest.raises(FeaturesError, match=says):
            FeatureCache(tmp_path)

    refused(r"features\.json: No such file or directory; make it with stabn features")
    cache_of(tmp_path, VECTORS)
    said = json.loads((tmp_path / KEY).read_text())
    for content, says in [
        (json.dumps(said | {"version": 0}), "another version"),
        (json.dumps(said | {"more": 1}), "damaged"),
        ("{}", "damaged"),
        ("[1]", "damaged"),
        ("{", "damaged"),
    ]:
        (tmp_path / KEY).write_text(content)
        refused(says)


def test_a_file_of_another_cache_or_video_is_refused(tmp_path):
    ours = cache_of(tmp_path / "ours", VECTORS, v=some(4, 5), w=some(4, 5))
    theirs = cache_of(tmp_path / "theirs", replace(VECTORS, weights="other"), v=some(4, 5))
    theirs.path("v").replace(ours.path("v"))
    with pytest.raises(VideoError, match=r"v\.safetensors: is of another cache or video"):
        ours.read("v")
    ours.path("w").replace(ours.path("v"))
    with pytest.raises(VideoError, match="another cache or video"):
        ours.read("v")


def test_a_damaged_or_missing_file_is_named(tmp_path):
    cache = cache_of(tmp_path, VECTORS, v=some(4, 5))
    with pytest.raises(VideoError, match=r"w\.safetensors: not there: run stabn features"):
        cache.read("w")
    content = cache.path("v").read_bytes()
    for part in (content[:-1], content[:20], b"", b"text"):
        cache.path("v").write_bytes(part)
        with pytest.raises(VideoError, match=r"v\.safetensors: damaged .* delete it"):
            cache.read("v")


def test_a_feature_that_a_cube_cannot_keep_is_refused(tmp_path):
    great = VideoFeatures(torch.full((1, 2, 1, 1), 7e4), torch.arange(1), 1, "")
    with pytest.raises(FeaturesError, match=r"too great for torch\.float16"):
        cache_of(tmp_path, CUBES).packed("v", great)
    cache_of(tmp_path, VECTORS).packed("v", great)  # a vector is kept in float32
    wrong = great._replace(features=torch.tensor([[float("nan")]]))
    with pytest.raises(FeaturesError, match=r"v\.safetensors: a feature is NaN"):
        cache_of(tmp_path, VECTORS).packed("v", wrong)


# -- the data set over it ------------------------------------------------------------------------


def test_segments_are_taken_whole_and_for_their_t_alone(tmp_path):
    kept = some(4, 5, 2, 3)
    cache = cache_of(tmp_path, CUBES, v=kept)
    dataset = FeatureDataset([Record("v", 3, "", "")], cache, 4, seed=1)
    clip = dataset[0]
    assert torch.equal(clip.video, kept.features.half().float())
    assert torch.equal(clip.frame_indices, kept.indices)
    assert (clip.label, clip.video_id) == (3, "v")
    with pytest.raises(FeaturesError, match="num_frames 4, not 5"):
        FeatureDataset(dataset.records, cache, 5)


def test_seconds_are_cut_or_filled_up_with_zeros_and_a_mask(tmp_path):
    cache = by_second(tmp_path)
    dataset = FeatureDataset(records(*LENGTHS), cache, 4)
    (batch,) = DataLoader(dataset, 3, sampler=EvalSampler(3), collate_fn=collate)
    assert batch.video.shape == (3, 4, 5)
    assert batch.video_id == list(LENGTHS)
    present = batch.frame_indices >= 0
    assert present.sum(1).tolist() == [4, 2, 4]
    for row, (video_id, n) in enumerate(LENGTHS.items()):
        kept, length = cache.read(video_id), min(n, 4)
        assert torch.equal(batch.video[row, :length], kept.features[:length])
        assert torch.equal(batch.frame_indices[row, :length], kept.indices[:length])
    assert not batch.video[~present].any()
    assert cache.mean_length(LENGTHS) == round((7 + 2 + 4) / 3)


def test_of_all_frames_training_draws_from_each_part_and_evaluation_takes_the_middles(tmp_path):
    key = replace(VECTORS, taken="all", num_frames=None)
    kept = some(12, 5)
    cache = cache_of(tmp_path, key, v=kept)
    (index,) = records("v")
    steady = FeatureDataset([index], cache, 4)
    middles = segment_indices(12, 4)
    for epoch in range(3):
        clip = steady[ClipKey(0, epoch)]
        assert torch.equal(clip.video, kept.features[middles])
        assert torch.equal(clip.frame_indices, kept.indices[middles])
    drawn = FeatureDataset([index], cache, 4, seed=0)
    rows = np.array([drawn[ClipKey(0, epoch)].frame_indices.numpy() for epoch in range(40)]) // 3
    assert (rows // 3 == np.arange(4)).all()
    assert set(rows.ravel()) == set(range(12))
    again = FeatureDataset([index], cache, 4, seed=0)[ClipKey(0, 7)]
    assert torch.equal(again.frame_indices, drawn[ClipKey(0, 7)].frame_indices)


def test_a_batch_of_cubes_splits_and_moves_like_any_other(tmp_path):
    cache = cache_of(tmp_path, CUBES, a=some(4, 5, 2, 2), b=some(4, 5, 2, 2, seed=1))
    dataset = FeatureDataset(records("a", "b"), cache, 4, seed=0)
    (batch,) = DataLoader(dataset, batch_sampler=TrainSampler(2, 2), collate_fn=collate)
    assert batch.video.dtype == torch.float32
    assert batch.video.shape == (2, 4, 5, 2, 2)
    for row, video_id in enumerate(batch.video_id):
        assert torch.equal(batch.video[row], cache.read(video_id).features.float())
    assert [len(part) for part in batch.to("cpu").split(2)] == [1, 1]


def test_a_video_without_features_ends_no_loader(tmp_path):
    cache = by_second(tmp_path)
    os.remove(cache.path("short"))
    missing = Failure(
        "short", f"{cache.path('short')}: not there: run stabn features again for this set"
    )
    evaluation = FeatureDataset(records(*LENGTHS), cache, 4)
    assert evaluation.labelled
    got = evaluation.__getitems__([ClipKey(row) for row in range(3)])
    assert [part.video_id for part in got] == list(LENGTHS)
    assert got[1] == missing
    training = FeatureDataset(records(*LENGTHS), cache, 4, seed=0)
    failure, instead = training.__getitems__([ClipKey(1)])
    assert failure == missing
    assert instead.video_id == "exact"
