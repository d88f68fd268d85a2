"""A prepared set equals the videos decoded and shrunk one by one; it is written whole or not."""

import json
import os
import pickle
import resource
import shutil
import signal
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch.utils.data import DataLoader

from stabn.data.dataset import ClipDataset, ClipKey, EvalSampler, collate
from stabn.data.prepared import PreparationError, PreparedFrames, prepare
from stabn.data.ssv2 import Record, VideoFolder
from stabn.data.transforms import eval_transform, train_transform
from stabn.data.video import VideoError, write_video

pytestmark = pytest.mark.slow(15)

SIZES = {"1": (5, 32, 48), "2": (9, 40, 30), "7": (3, 24, 24), "a b": (4, 24, 70)}


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> VideoFolder:
    root = tmp_path_factory.mktemp("set")
    (root / "videos").mkdir()
    photo = data.astronaut()
    for video_id, (n, h, w) in SIZES.items():
        frames = np.stack([photo[9 * i : 9 * i + h, 5 * i : 5 * i + w] for i in range(n)])
        write_video(root / "videos" / f"{video_id}.webm", frames, 12)
    return VideoFolder(root)


def with_a_broken_one(videos: VideoFolder, root: Path) -> VideoFolder:
    (root / "videos").mkdir(parents=True)
    for video_id in SIZES:
        content = videos.path(video_id).read_bytes()
        broken = video_id in ("2", "7")
        (root / "videos" / f"{video_id}.webm").write_bytes(content[:-200] if broken else content)
    return VideoFolder(root)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_of_features_is_told_from_no_folder_and_left_alone(tmp_path):
    (tmp_path / "features.json").write_text("{}")
    with pytest.raises(PreparationError, match=r"holds an encoder's features, and frames are ask"):
        PreparedFrames(tmp_path)
    with pytest.raises(PreparationError, match=r"holds an encoder's features; choose another fold"):
        prepare(Mock(), ["1"], tmp_path, 8)
    assert [path.name for path in tmp_path.iterdir()] == ["features.json"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_frames_are_the_videos_made_small(videos, tmp_path, jobs):
    prepared = prepare(videos, list(SIZES), tmp_path / "deep" / "small", 16, jobs)
    assert prepared.video_ids() == list(SIZES)
    for video_id, (n, h, w) in SIZES.items():
        assert prepared.frames(video_id) == n
        frames = prepared.read(video_id, range(n))
        height, width = round(h * 16 / min(h, w)), round(w * 16 / min(h, w))
        assert frames.dtype == np.uint8
        assert frames.shape == (n, height, width, 3)
        for small, frame in zip(frames, videos.read(video_id, range(n)), strict=True):
            pillows = Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR)
            assert np.abs(small.astype(int) - np.asarray(pillows)).max() <= 1


def test_any_order_repeats_and_a_copy(videos, tmp_path):
    prepared = prepare(videos, ["1", "2"], tmp_path, 16, jobs=1)
    whole = prepared.read("2", range(9))
    frames = prepared.read("2", [8, 0, 0, 3])
    np.testing.assert_array_equal(frames, whole[[8, 0, 0, 3]])
    frames[:] = 0  # the caller's own: the set does not change
    np.testing.assert_array_equal(prepared.read("2", range(9)), whole)


def test_nothing_is_shrunk_at_the_videos_own_size(videos, tmp_path):
    prepared = prepare(videos, ["7"], tmp_path, 24, jobs=1)
    np.testing.assert_array_equal(prepared.read("7", [0, 2]), videos.read("7", [0, 2]))


def test_a_dataset_reads_it_like_a_folder_of_videos(videos, tmp_path):
    prepared = prepare(videos, ["1"], tmp_path, 32, jobs=1)
    clips = [
        ClipDataset([Record("1", 0, "", "")], source, 4, "segments", eval_transform(28))[ClipKey(0)]
        for source in (videos, prepared)
    ]
    assert torch.equal(clips[0].video, clips[1].video)


def test_a_worker_gets_the_path_not_the_bytes(videos, tmp_path):
    prepared = prepare(videos, list(SIZES), tmp_path, 24, jobs=1)
    pickled = pickle.dumps(prepared)
    assert len(pickled) < 1000 < prepared.index["bytes"]
    again = pickle.loads(pickled)
    np.testing.assert_array_equal(again.read("1", [4]), prepared.read("1", [4]))


def test_spawned_and_forked_workers_read_the_same_clips(videos, tmp_path):
    prepared = prepare(videos, list(SIZES), tmp_path, 24, jobs=1)
    records = [Record(video_id, 0, "", "") for video_id in SIZES]
    dataset = ClipDataset(records, prepared, 4, "segments", train_transform(16), seed=0)
    expected = collate([dataset[ClipKey(i)] for i in range(4)])
    for context in ("fork", "spawn"):
        loader = DataLoader(
            dataset,
            4,
            sampler=EvalSampler(4),
            num_workers=1,
            collate_fn=collate,
            multiprocessing_context=context,
        )
        (batch,) = loader
        assert batch.video_id == expected.video_id
        assert torch.equal(batch.video, expected.video)
        assert torch.equal(batch.frame_indices, expected.frame_indices)


def test_what_is_not_there_is_named(videos, tmp_path):
    prepared = prepare(videos, ["1"], tmp_path, 16, jobs=1)
    with pytest.raises(VideoError, match="has no video 99"):
        prepared.frames("99")
    for index in (5, -1):
        with pytest.raises(VideoError, match="video 1 has frames 0 to 4"):
            prepared.read("1", [0, index])


@pytest.mark.parametrize("jobs", [1, 2])
def test_broken_videos_are_all_named_and_the_old_set_stays(videos, tmp_path, jobs):
    out = tmp_path / "small"
    prepare(videos, ["1"], out, 16, jobs=1)
    before = contents(out)
    broken = with_a_broken_one(videos, tmp_path / "set")
    with pytest.raises(PreparationError) as caught:
        prepare(broken, list(SIZES), out, 16, jobs)
    message = str(caught.value)
    assert "2 of 4 videos cannot be read" in message
    for video_id in ("2", "7"):
        assert f"{broken.path(video_id)}: was cut short" in message
    assert str(broken.path("1")) not in message
    assert contents(out) == before


class Deadly(VideoFolder):
    """Videos that take the process that reads them."""

    def read(self, video_id, indices):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_is_said_and_the_old_set_stays(videos, tmp_path):
    prepare(videos, ["1"], tmp_path, 16, jobs=1)
    before = contents(tmp_path)
    with pytest.raises(PreparationError, match="not prepared, a process was killed while decoding"):
        prepare(Deadly(videos.folder.parent), ["1", "2"], tmp_path, 16, jobs=2)
    assert contents(tmp_path) == before


def test_a_new_set_replaces_the_old_one(videos, tmp_path):
    prepare(videos, ["1"], tmp_path, 16, jobs=1)
    old = PreparedFrames(tmp_path)
    before = old.read("1", range(5))
    new = prepare(videos, ["2"], tmp_path, 24, jobs=1)
    assert PreparedFrames(tmp_path).video_ids() == new.video_ids() == ["2"]
    assert len(contents(tmp_path)) == 2
    np.testing.assert_array_equal(old.read("1", range(5)), before)  # who reads it may finish


def test_equal_sets_are_equal_folders(videos, tmp_path):
    for name, jobs in (("one", 1), ("two", 1), ("three", 2)):
        prepare(videos, list(SIZES), tmp_path / name, 16, jobs)
    assert len(contents(tmp_path / "one")) == 2
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(tmp_path / "three")
    prepare(videos, list(SIZES), tmp_path / "two", 24, jobs=1)
    assert not contents(tmp_path / "one").keys() >= contents(tmp_path / "two").keys()


def test_preparing_again_leaves_an_equal_set(videos, tmp_path):
    prepare(videos, ["1", "7"], tmp_path, 16, jobs=1)
    before, reader = contents(tmp_path), PreparedFrames(tmp_path)
    frames = reader.read("7", range(3))
    prepare(videos, ["1", "7"], tmp_path, 16, jobs=1)
    assert contents(tmp_path) == before
    np.testing.assert_array_equal(reader.read("7", range(3)), frames)
    np.testing.assert_array_equal(PreparedFrames(tmp_path).read("7", range(3)), frames)


@pytest.mark.parametrize("short_side", [16, 24], ids=["equal frames", "other frames"])
def test_a_writer_killed_before_its_index_is_in_place(videos, tmp_path, short_side):
    """It leaves its frames, whose name may be that of the old set's; the next one tidies up."""
    prepare(videos, ["1"], tmp_path / "set", 16, jobs=1)
    shutil.copytree(tmp_path / "set", tmp_path / "killed")
    prepare(videos, ["1"], tmp_path / "other", short_side, jobs=1)
    name = PreparedFrames(tmp_path / "other").index["data"]
    shutil.copy(tmp_path / "other" / name, tmp_path / "killed" / name)
    (tmp_path / "killed" / "frames-part-0123abcd.u8").write_bytes(b"cut off")
    old, new = PreparedFrames(tmp_path / "set"), PreparedFrames(tmp_path / "killed")
    np.testing.assert_array_equal(new.read("1", range(5)), old.read("1", range(5)))
    prepare(videos, ["1"], tmp_path / "killed", 16, jobs=1)
    assert contents(tmp_path / "killed") == contents(tmp_path / "set")


def test_a_set_under_another_name_is_read_until_it_is_replaced(videos, tmp_path):
    """Names were random once."""
    prepare(videos, ["1"], tmp_path, 16, jobs=1)
    index = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / index["data"]).rename(tmp_path / "frames-0123abcd.u8")
    (tmp_path / "index.json").write_text(json.dumps({**index, "data": "frames-0123abcd.u8"}))
    assert PreparedFrames(tmp_path).read("1", [4]).shape == (1, 16, 24, 3)
    prepare(videos, ["1"], tmp_path, 16, jobs=1)
    assert set(contents(tmp_path)) == {"index.json", index["data"]}


def test_a_full_disk_leaves_the_old_set_whole(videos, tmp_path):
    prepare(videos, ["7"], tmp_path, 16, jobs=1)
    before = contents(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        with pytest.raises(PreparationError, match="cannot be written: File too large"):
            prepare(videos, list(SIZES), tmp_path, 24, jobs=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(tmp_path) == before


def test_a_place_that_cannot_be_written(videos, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PreparationError, match=r"file/small: cannot be written: Not a directory"):
        prepare(videos, ["1"], tmp_path / "file" / "small", 16, jobs=1)
    with pytest.raises(PreparationError, match="no videos"):
        prepare(videos, [], tmp_path / "small", 16, jobs=1)


def test_a_damaged_set_is_refused(videos, tmp_path):
    with pytest.raises(PreparationError, match=r"index\.json: No such file.*make it with"):
        PreparedFrames(tmp_path)
    prepare(videos, ["1", "2"], tmp_path, 16, jobs=1)
    index = json.loads((tmp_path / "index.json").read_text())
    frames = tmp_path / index["data"]

    def refused(says: str) -> None:
        with pytest.raises(PreparationError, match=says):
            PreparedFrames(tmp_path)

    frames.write_bytes(frames.read_bytes()[:-1])
    refused(f"holds {index['bytes'] - 1} bytes of {index['bytes']}; prepare the set again")
    frames.write_bytes(b"")
    refused("damaged")
    frames.unlink()
    refused("No such file")
    (tmp_path / "index.json").write_text(json.dumps({**index, "version": 0}))
    refused("another version")
    (tmp_path / "index.json").write_text("{}")
    refused("damaged")
    (tmp_path / "index.json").write_text("{")
    refused("damaged")


def test_the_command(videos, tmp_path, capsys, stabn):
    root = videos.folder.parent
    stabn("prepare", "--root", root, "--out", tmp_path, "--short-side", 16, "--jobs", 1)
    assert "4 videos" in capsys.readouterr().out
    assert PreparedFrames(tmp_path).video_ids() == sorted(SIZES)
    with pytest.raises(SystemExit, match=r"error: .*none/videos: no such folder"):
        stabn("prepare", "--root", tmp_path / "none", "--out", tmp_path, "--short-side", 16)
