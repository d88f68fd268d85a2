"""A count belongs to a file's bytes: a clip opens its file once, and no stale count is used."""

import hashlib
import os
import pickle
import shutil
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from stabn.data import ssv2
from stabn.data.counts import FrameCounts
from stabn.data.ssv2 import VideoFolder
from stabn.data.video import VideoError, read_frames, write_video


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Videos 1 to 4 of 3, 5, 7 and 9 frames; only 1 to 3 are in the manifest, and 3 is not well."""
    root = tmp_path_factory.mktemp("counted")
    (root / "videos").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (9, 16, 24, 3), dtype=np.uint8)
    for video_id in (1, 2, 3, 4):
        path = root / "videos" / f"{video_id}.webm"
        write_video(path, noise[: 2 * video_id + 1], 12)
    hashes = [hashlib.sha256(path_of(root, v).read_bytes()).hexdigest() for v in (1, 2, 3)]
    status, frames = ["ok", "ok", "is damaged"], [3, 5, None]
    rows = {"id": ["1", "2", "3"], "status": status, "sha256": hashes, "frames": frames}
    pd.DataFrame(rows).to_parquet(root / "manifest.parquet")
    return root


@pytest.fixture
def root(written, tmp_path):
    return shutil.copytree(written, tmp_path / "set")


def path_of(root, video_id):
    return root / "videos" / f"{video_id}.webm"


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """The files whose frames were counted by opening them."""
    names, count = [], ssv2.frame_count

    def noted(path, content):
        names.append(path.stem)
        return count(path, content)

    monkeypatch.setattr(ssv2, "frame_count", noted)
    return names


def test_only_what_the_manifest_does_not_know_is_asked_of_the_file(root, asked):
    videos = VideoFolder(root)
    assert [videos.frames(v) for v in "1234"] == [3, 5, 7, 9]
    assert asked == ["3", "4"]
    again = pickle.loads(pickle.dumps(videos))  # as a loader's worker gets it
    assert [again.frames(v) for v in "1234"] == [3, 5, 7, 9]


def test_a_file_that_changed_is_asked_though_its_size_and_time_are_the_old_ones(root, asked):
    """Another video under the old one's name, padded to its size: nothing but the bytes tells."""
    old, new = path_of(root, 2), path_of(root, 1).read_bytes()
    facts = old.stat()
    content = new + b"\xec" + bytes([0x40, *bytes(facts.st_size)])  # an EBML Void after the end
    old.write_bytes(content[: facts.st_size])
    os.utime(old, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (old.stat().st_size, old.stat().st_mtime_ns) == (facts.st_size, facts.st_mtime_ns)
    assert VideoFolder(root).frames("2") == 3
    assert asked == ["2"]


def test_a_copy_under_another_name_and_time_keeps_its_count(root, asked):
    shutil.copy(path_of(root, 1), path_of(root, 9))
    assert VideoFolder(root).frames("9") == 3
    assert not asked


@pytest.mark.parametrize("content", [None, b"", b"PAR1 and no more"])
def test_without_a_manifest_every_file_is_asked(root, asked, content):
    (root / "manifest.parquet").unlink()
    if content is not None:
        (root / "manifest.parquet").write_bytes(content)
    assert VideoFolder(root).frames("1") == 3
    assert asked == ["1"]


def test_a_manifest_of_another_kind_knows_nothing(root):
    pd.DataFrame({"id": ["1"], "status": ["ok"]}).to_parquet(root / "manifest.parquet")
    with path_of(root, 1).open("rb") as file:
        assert FrameCounts(root).of(file) is None


def test_a_file_that_is_gone_is_refused_in_words(root):
    path_of(root, 1).unlink()
    with pytest.raises(VideoError, match=r"1\.webm: no such file"):
        VideoFolder(root).frames("1")


@pytest.fixture
def openings(monkeypatch) -> list[str]:
    """The videos that were opened, ffmpeg's own openings, by name, among them."""
    names, path_open, av_open = [], Path.open, av.open

    def opened(path, *rest):
        if path.suffix == ".webm":
            names.append(path.stem)
        return path_open(path, *rest)

    def played(file, **rest):
        if isinstance(file, str | Path):
            names.append(Path(file).stem)
        return av_open(file, **rest)

    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr(av, "open", played)
    return names


@pytest.mark.parametrize("kept", [ssv2.KEPT, 10])
@pytest.mark.parametrize("video_id", ["1", "4"])
def test_a_clip_opens_its_file_once(root, openings, monkeypatch, kept, video_id):
    """Known to the manifest or not. A file too large to be kept is opened again to be played."""
    monkeypatch.setattr(ssv2, "KEPT", kept)
    videos, expected = VideoFolder(root), read_frames(path_of(root, video_id), [2, 0, 2])
    openings.clear()
    n = videos.frames(video_id)
    np.testing.assert_array_equal(videos.read(video_id, [n - 1, 0, n - 1])[1], expected[1])
    assert len(openings) == (1 if kept > 10 else 2 if video_id == "1" else 3)
    openings.clear()
    np.testing.assert_array_equal(videos.read(video_id, [2, 0, 2]), expected)
    assert (videos.frames(video_id), openings) == (n, [video_id])


def test_the_bytes_of_one_video_are_never_played_as_anothers(root):
    videos = VideoFolder(root)
    videos.frames("1")
    videos.frames("2")
    for video_id in ("1", "2"):
        expected = read_frames(path_of(root, video_id), [0])
        np.testing.assert_array_equal(videos.read(video_id, [0]), expected)
    path_of(root, 2).unlink()
    with pytest.raises(VideoError, match=r"2\.webm: no such file"):
        videos.read("2", [0])  # nothing is kept for longer than a clip
