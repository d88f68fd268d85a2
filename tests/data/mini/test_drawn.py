"""Videos drawn in memory are what `example` draws, and read like those of a folder."""

import numpy as np
import pytest
import torch

from stabn.data.dataset import ClipDataset, collate
from stabn.data.mini.drawn import DrawnVideos
from stabn.data.mini.make import SIZES, example
from stabn.data.sampling import segment_indices
from stabn.data.ssv2 import Record
from stabn.data.transforms import eval_transform


@pytest.fixture(scope="module")
def drawn() -> DrawnVideos:
    return DrawnVideos((7, 2), 2, (14, 3), split="train")


def test_each_clip_is_the_example_of_its_class_and_number(drawn):
    assert list(drawn.clips) == ["7-0", "7-1", "2-0", "2-1"]
    for video_id, clip in drawn.clips.items():
        k, i = map(int, video_id.split("-"))
        expected = example(k, (14, 3, k, i), split="train")
        for name in ("frames", "levels", "actor", "hand"):
            np.testing.assert_array_equal(getattr(clip, name), getattr(expected, name))
        np.testing.assert_array_equal(drawn.levels[video_id], expected.levels)
        assert drawn.frames(video_id) == len(expected.frames) == len(expected.levels)


def test_records_are_those_of_an_annotation_file(drawn):
    assert drawn.records == [
        Record(video_id, clip.class_id, SIZES["mini"].templates[clip.class_id], clip.caption)
        for video_id, clip in drawn.clips.items()
    ]
    assert [record.class_id for record in drawn.records] == [7, 7, 2, 2]


def test_one_number_is_a_seed_too_and_held_out_photographs_are_the_default():
    (clip,) = DrawnVideos([0], 1, 9).clips.values()
    expected = example(0, (9, 0, 0), split="validation")
    np.testing.assert_array_equal(clip.frames, expected.frames)


def test_what_is_read_is_the_callers_own(drawn):
    frames = drawn.read("7-1", [5, 0, 5])
    np.testing.assert_array_equal(frames, drawn.clips["7-1"].frames[[5, 0, 5]])
    frames[:] = 0
    assert drawn.clips["7-1"].frames[5].any()


def test_a_dataset_takes_it_as_it_takes_a_folder(drawn):
    """The same methods with the same meaning: clips are the frames at the indices of the rule."""
    transform = eval_transform(32, short_side=36)
    dataset = ClipDataset(drawn.records, drawn, 4, "segments", transform)
    batch = collate([dataset[i] for i in range(len(dataset))])
    assert batch.label.tolist() == [7, 7, 2, 2]
    for i, clip in enumerate(drawn.clips.values()):
        indices = segment_indices(len(clip.frames), 4)
        assert batch.frame_indices[i].tolist() == indices.tolist()
        assert torch.equal(batch.video[i], transform(clip.frames[indices])[0])
