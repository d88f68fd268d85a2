"""Several views of a video: each made as a person would by hand, their probabilities averaged."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
import torch
from scipy.special import softmax

from stabn.data.dataset import ONE_VIEW, Views
from stabn.data.ssv2 import VideoFolder
from stabn.data.transforms import normalise, resize
from stabn.models.folded import folded
from stabn.training.build import eval_loader
from stabn.training.checkpoint import load
from stabn.training.predict import averaged, predict
from stabn.training.process import Process

ALONE = Process(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def model(tiny_run):
    return load(tiny_run.folder / "best.pt").model


def by_hand(config, video_id: str, temporal: int, spatial: int) -> list[tuple[list, torch.Tensor]]:
    """(frame indices, clip) of every view, from the file: moments as fractions, crops as slices."""
    videos, frames, size = VideoFolder(config.data_root), config.num_frames, config.image_size
    n, made = videos.frames(video_id), []
    for view in range(temporal):
        share = (view + Fraction(1, 2)) / temporal  # of each segment
        at = [floor((i + share) * n / frames) for i in range(frames)]
        clip = videos.read(video_id, at)  # (T, H, W, 3)
        height, width = clip.shape[1:3]
        assert width > height
        side = round(size / config.short_side * height)
        top = (height - side) // 2
        lefts = {1: [(width - side) // 2], 3: [0, (width - side) // 2, width - side]}[spatial]
        for left in lefts:
            square = clip[:, top : top + side, left : left + side]
            made.append((at, resize(square, size, size).transpose(0, 1)))
    return made


@pytest.mark.parametrize(("views", "invert"), [((2, 3), False), ((1, 3), True), ((3, 1), False)])
def test_views_are_those_made_by_hand_and_their_probabilities_are_averaged(
    tiny_run, model, views, invert
):
    loader = eval_loader(tiny_run, "tuning", ALONE, Views(*views))
    predictions = predict(model, loader, tiny_run, ALONE, invert_spatial=invert)
    assert len(predictions) == len(loader.dataset.records) == 3
    for row in predictions.itertuples():
        indices, clips = zip(*by_hand(tiny_run, row.video_id, *views), strict=True)
        assert list(row.frame_indices) == [k for view in indices for k in view]
        with torch.no_grad():
            output = model(normalise(torch.stack(clips)), invert_spatial=invert)
        close = {"rtol": 1e-4, "atol": 1e-5}
        for ours, theirs in (
            (row.logits, output.logits),
            (row.attention_logits, output.attention_logits),
        ):
            np.testing.assert_allclose(softmax(ours), theirs.softmax(1).mean(0), **close)
            assert np.exp(ours).sum() == pytest.approx(1, abs=1e-5)  # log-probabilities
        np.testing.assert_allclose(
            row.temporal_attention, output.temporal_attention.flatten(), **close
        )


def test_one_view_is_the_own_answer_of_the_network_without_bn_bit_for_bit(tiny_run, model):
    loader = eval_loader(tiny_run, "validation", ALONE, ONE_VIEW)
    predictions = predict(model, loader, tiny_run, ALONE)
    logits, model = {}, folded(model)
    with torch.no_grad():
        for batch in eval_loader(tiny_run, "validation", ALONE):
            logits |= zip(batch.video_id, model(normalise(batch.video)).logits, strict=True)
    assert list(predictions["video_id"]) == sorted(logits)
    for row in predictions.itertuples():
        assert np.array_equal(row.logits, logits[row.video_id])


def test_probabilities_are_averaged_and_not_logits():
    logits = np.log(np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1]]))  # a sure view, a less sure one
    moved = logits + np.array([[3.0], [-50.0]])  # no constant changes a softmax
    mean = averaged(moved, probabilities=True)
    np.testing.assert_allclose(np.exp(mean), [0.55, 0.375, 0.075])
    np.testing.assert_array_equal(averaged(logits, probabilities=False), logits.mean(axis=0))
    far = averaged(np.array([[0.0, -2000.0], [0.0, -2000.0]]), probabilities=True)
    np.testing.assert_allclose(far, [0.0, -2000.0])  # too small for a number, not for its logarithm


@pytest.mark.parametrize("world", [1, 2, 4])
def test_every_view_of_every_video_once_whatever_the_number_of_ranks(tiny_run, world):
    ranks = [Process(rank, world, ALONE.device) for rank in range(world)]
    keys = [
        [*eval_loader(tiny_run, "tuning", me, Views(2, 3), unlabelled=True).sampler] for me in ranks
    ]
    assert sorted(key for mine in keys for key in mine) == [
        (video, 0, view) for video in range(3) for view in range(6)
    ]
    for mine in keys:  # all of a video's on one rank
        assert len(mine) % 6 == 0


@pytest.mark.parametrize(("batch_size", "at_once"), [(4, 3), (7, 6), (2, 2)])
def test_views_go_through_in_batches_that_do_not_part_a_clip_s_crops(tiny, batch_size, at_once):
    config = tiny(batch_size=batch_size)
    loader = eval_loader(config, "tuning", ALONE, Views(1, 3))
    assert max(map(len, loader)) == at_once
