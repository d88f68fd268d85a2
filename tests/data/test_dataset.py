"""The same clip whatever the rank, the worker or the restart; every video counted once."""

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from stabn.data.dataset import (
    Batch,
    ClipDataset,
    ClipKey,
    EvalSampler,
    Failure,
    TrainSampler,
    clip_rng,
    collate,
)
from stabn.data.sampling import segment_indices, two_clip_indices, views
from stabn.data.ssv2 import Record
from stabn.data.transforms import eval_transform, eval_transforms, train_transform
from stabn.data.video import VideoError

N, T, SIZE = 25, 4, 8


class Numbered:
    """Videos of 3 to 27 frames whose pixels say which video (red) and which frame (green)."""

    def frames(self, video_id: str) -> int:
        return 3 + int(video_id)

    def read(self, video_id: str, indices: np.ndarray) -> np.ndarray:
        if max(indices) >= self.frames(video_id):
            raise VideoError(f"{video_id}.webm", "too short")
        frames = np.zeros((len(indices), 10, 12, 3), np.uint8)
        frames[..., 0] = int(video_id)
        frames[..., 1] = np.asarray(indices)[:, None, None]
        frames[..., 2] = np.arange(12)  # so that crops and flips show
        return frames


class Broken(Numbered):
    """The same, but one of them cannot be read."""

    def read(self, video_id: str, indices: np.ndarray) -> np.ndarray:
        if video_id == "9":
            raise VideoError("videos/9.webm", "is an empty file")
        return super().read(video_id, indices)


RECORDS = [Record(str(i), i % 5, "", "") for i in range(N)]
TRAIN = train_transform(SIZE, area=(0.5, 1), mirror={0: 1, 1: 0}, jitter=0.3)


def train_set(**options) -> ClipDataset:
    options = {"sampling": "segments", "transform": TRAIN, "seed": 3, **options}
    return ClipDataset(RECORDS, Numbered(), T, **options)


def eval_set(**options) -> ClipDataset:
    options = {"sampling": "segments", "transform": eval_transform(SIZE), **options}
    return ClipDataset(RECORDS, Numbered(), T, **options)


def fingerprints(dataset, sampler, workers: int = 0, batch_size: int = 1) -> list[dict]:
    """For every batch, {(video id, frames): pixels and label}."""
    if isinstance(sampler, TrainSampler):
        how = {"batch_sampler": sampler}
    else:
        how = {"sampler": sampler, "batch_size": batch_size}
    loader = DataLoader(dataset, collate_fn=collate, num_workers=workers, **how)
    return [
        {
            (video_id, tuple(batch.frame_indices[i].tolist())): (
                batch.video[i].numpy().tobytes(),
                int(batch.label[i]),
            )
            for i, video_id in enumerate(batch.video_id)
        }
        for batch in loader
    ]


def test_a_clip_holds_what_it_says():
    clip = eval_set()[ClipKey(7)]
    assert (clip.video_id, clip.label) == ("7", 2)
    assert clip.video.dtype == torch.uint8
    assert clip.video.shape == (3, T, SIZE, SIZE)
    assert clip.frame_indices.tolist() == segment_indices(10, T).tolist()
    assert (clip.video[0] == 7).all()
    assert clip.video[1, :, 0, 0].tolist() == clip.frame_indices.tolist()


def test_workers_do_not_change_a_single_clip():
    sampler = TrainSampler(N, 8, seed=3)
    alone = fingerprints(train_set(), sampler)
    assert len(alone) == 3
    assert fingerprints(train_set(), sampler, workers=2) == alone


def test_ranks_share_out_the_same_global_batches():
    alone = fingerprints(train_set(), TrainSampler(N, 8, seed=3, epoch=2))
    for world in (2, 4, 8):
        ranks = [
            fingerprints(train_set(), TrainSampler(N, 8, rank, world, seed=3, epoch=2))
            for rank in range(world)
        ]
        for whole, *parts in zip(alone, *ranks, strict=True):
            assert [len(part) for part in parts] == [8 // world] * world
            assert {k: v for part in parts for k, v in part.items()} == whole


def test_a_restart_in_mid_epoch_goes_on_where_it_stopped():
    whole = fingerprints(train_set(), TrainSampler(N, 8, seed=3, epoch=1), workers=2)
    sampler = TrainSampler(N, 8, seed=3, epoch=1, start_batch=2)
    assert len(sampler) == 1
    assert fingerprints(train_set(), sampler) == whole[2:]


def test_epochs_repeats_seeds_and_videos_differ():
    dataset = train_set()
    keys = [ClipKey(20, 0, 0), ClipKey(20, 1, 0), ClipKey(20, 0, 1), ClipKey(21, 0, 0)]
    clips = [dataset[key].video for key in keys] + [train_set(seed=4)[keys[0]].video]
    for i, a in enumerate(clips):
        for b in clips[:i]:
            assert not torch.equal(a, b)
    orders = {
        tuple(key.index for batch in TrainSampler(N, 5, epoch=epoch, seed=seed) for key in batch)
        for epoch in (0, 1)
        for seed in (0, 1)
    }
    assert len(orders) == 4


def test_draws_come_again_in_another_order():
    first, second, third = (
        [key for batch in TrainSampler(24, 8, epoch=e, repeats=2, draws=2) for key in batch]
        for e in (0, 1, 2)
    )
    assert sorted(first) == sorted(third)
    assert first != third
    assert not set(first) & set(second)


def test_the_generator_comes_from_the_videos_id_not_its_place():
    first = clip_rng(1, "77", ClipKey(0, 2, 1)).random(3)
    np.testing.assert_array_equal(clip_rng(1, "77", ClipKey(99, 2, 1)).random(3), first)
    # no two ways to write one name: 1/12/… is not 11/2/…
    assert not np.array_equal(clip_rng(11, "77", ClipKey(0, 2)).random(3), first)


@pytest.mark.parametrize(
    ("n", "batch", "repeats"), [(25, 8, 1), (24, 8, 1), (8, 8, 1), (25, 10, 2)]
)
def test_an_epoch_takes_every_video_at_most_once_and_leaves_less_than_a_batch(n, batch, repeats):
    sampler = TrainSampler(n, batch, repeats=repeats)
    batches = list(sampler)
    assert len(batches) == len(sampler) == n * repeats // batch
    keys = [key for one in batches for key in one]
    assert len(set(keys)) == len(keys) == len(batches) * batch
    assert {key.repeat for key in keys} == set(range(repeats))


def test_each_video_is_taken_as_often_as_it_is_said():
    repeats = [1, 3, 0, 2] * 5
    keys = [key for batch in TrainSampler(20, 5, repeats=repeats, epoch=1) for key in batch]
    assert sorted(keys) == [ClipKey(i, 1, r) for i in range(20) for r in range(repeats[i])]


@pytest.mark.parametrize("world", [1, 2, 3, 8, 30])
@pytest.mark.parametrize("views", [1, 2])
def test_evaluation_takes_each_video_once_for_any_number_of_ranks(world, views):
    ranks = [EvalSampler(N, views, rank, world) for rank in range(world)]
    keys = [key for sampler in ranks for key in sampler]
    assert sum(map(len, ranks)) == len(keys) == N * views
    assert sorted(keys) == [ClipKey(i, 0, v) for i in range(N) for v in range(views)]


def test_evaluation_is_the_same_every_time():
    runs = [
        fingerprints(eval_set(), EvalSampler(N), workers, batch_size=6) for workers in (0, 2, 0)
    ]
    assert runs[0] == runs[1] == runs[2]
    assert [len(batch) for batch in runs[0]] == [6, 6, 6, 6, 1]


def test_the_two_clips_of_a_video_are_two_views():
    dataset = eval_set(sampling="two_clip")
    first, second = (dataset[ClipKey(20, 0, view)].frame_indices for view in (0, 1))
    np.testing.assert_array_equal(torch.stack([first, second]), two_clip_indices(23, T))


def test_a_video_s_views_are_its_clips_times_their_crops_and_each_clip_is_read_once():
    class Counted(Numbered):
        reads = 0

        def read(self, video_id, indices):
            self.reads += 1
            return super().read(video_id, indices)

    videos, crops = Counted(), eval_transforms(SIZE, crops=3)
    dataset = ClipDataset(RECORDS, videos, T, "segments", crops, temporal=2)
    assert dataset.views == (2, 3)
    made = [dataset[key] for key in EvalSampler(N, 6)]
    assert videos.reads == 2 * N - 1  # of a video of T frames, both clips are all of it
    moments = views("segments", 23, T, temporal=2)
    for view, clip in enumerate(made[20 * 6 : 21 * 6]):
        np.testing.assert_array_equal(clip.frame_indices, moments[view // 3])
        frames = Numbered().read("20", moments[view // 3])
        assert torch.equal(clip.video, crops[view % 3](frames)[0])


def test_a_batch():
    dataset = eval_set()
    batch = collate([dataset[ClipKey(i)] for i in (3, 4)])
    assert len(batch) == 2
    assert batch.video_id == ["3", "4"]
    assert (batch.video.dtype, batch.video.shape) == (torch.uint8, (2, 3, T, SIZE, SIZE))
    assert batch.video.is_contiguous(memory_format=torch.channels_last_3d)
    assert (batch.label.dtype, batch.label.tolist()) == (torch.int64, [3, 4])
    assert (batch.frame_indices.dtype, batch.frame_indices.shape) == (torch.int64, (2, T))
    moved = batch.to("meta")
    assert isinstance(moved, Batch)
    assert moved.video.device.type == moved.label.device.type == "meta"
    assert moved.video_id == ["3", "4"]


def test_a_broken_video_is_an_error_that_names_it():
    with pytest.raises(VideoError, match=r"videos/9\.webm: is an empty file"):
        ClipDataset(RECORDS, Broken(), T, "segments", eval_transform(SIZE))[ClipKey(9)]


@pytest.mark.parametrize("workers", [0, 1])
def test_evaluation_leaves_out_what_is_broken_and_says_so(workers):
    dataset = ClipDataset(RECORDS, Broken(), T, "segments", eval_transform(SIZE))
    loader = DataLoader(dataset, sampler=EvalSampler(N), num_workers=workers, collate_fn=collate)
    batches = list(loader)
    came = [video_id for batch in batches for video_id in batch.video_id]
    assert came == [record.video_id for record in RECORDS if record.video_id != "9"]
    assert len(batches[9]) == 0  # it was alone in its batch
    failures = [failure for batch in batches for failure in batch.failures]
    assert failures == [Failure("9", "videos/9.webm: is an empty file")]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("world", [1, 2])
def test_in_training_the_next_record_takes_the_place_of_a_broken_one(workers, world):
    """On every rank, in every worker, after every restart: the clip that it gives by itself."""
    broken = ClipDataset(RECORDS, Broken(), T, "segments", TRAIN, seed=3)
    failures = []
    for rank in range(world):
        sampler = TrainSampler(N, 8, rank, world, seed=3)
        loader = DataLoader(broken, batch_sampler=sampler, num_workers=workers, collate_fn=collate)
        for keys, batch in zip(sampler, loader, strict=True):
            stand_ins = [key._replace(index=10) if key.index == 9 else key for key in keys]
            expected = collate([train_set()[key] for key in stand_ins])
            assert batch.video_id == expected.video_id
            assert torch.equal(batch.video, expected.video)
            failures += batch.failures
    assert [failure.video_id for failure in failures] == ["9"]


def test_after_the_last_record_comes_the_first():
    class Few(Numbered):
        def read(self, video_id: str, indices: np.ndarray) -> np.ndarray:
            if video_id in ("23", "24", "0"):
                raise VideoError(f"{video_id}.webm", "is broken")
            return super().read(video_id, indices)

    dataset = ClipDataset(RECORDS, Few(), T, "segments", TRAIN, seed=3)
    *failures, clip = dataset.__getitems__([ClipKey(23, 5)])
    assert [failure.video_id for failure in failures] == ["23", "24", "0"]
    assert clip.video_id == "1"


def test_a_set_of_which_nothing_decodes_is_an_error_and_no_endless_search():
    class Gone(Numbered):
        def frames(self, video_id: str) -> int:
            raise VideoError(f"{video_id}.webm", "no such file")

    dataset = ClipDataset(RECORDS, Gone(), T, "segments", TRAIN, seed=3)
    with pytest.raises(VideoError, match=r"4\.webm: no such file; nor can the 19 videos after it"):
        dataset.__getitems__([ClipKey(4)])


def test_a_batch_in_equal_parts():
    batch = collate([eval_set()[ClipKey(i)] for i in range(6)])
    parts = batch.split(3)
    assert [part.video_id for part in parts] == [["0", "1"], ["2", "3"], ["4", "5"]]
    assert torch.equal(torch.cat([part.video for part in parts]), batch.video)
    assert torch.equal(torch.cat([part.label for part in parts]), batch.label)
    with pytest.raises(ValueError, match="6 clips cannot be 4 batches"):
        batch.split(4)


def test_batches_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="batch size 9 is no multiple of 2 processes"):
        TrainSampler(N, 9, 0, 2)
    with pytest.raises(ValueError, match="25 videos do not fill one batch of 26"):
        TrainSampler(N, 26)


def test_keys_and_datasets_travel_between_processes():
    key = pickle.loads(pickle.dumps(ClipKey(3, 1, 2)))
    assert key == ClipKey(3, 1, 2)
    again = pickle.loads(pickle.dumps(train_set()))
    assert torch.equal(again[key].video, train_set()[key].video)
