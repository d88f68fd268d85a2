"""The prepared set is the set, smaller: the same frames at the same places, quick to seek."""

import os
import shutil
from pathlib import Path

import numpy as np
import prepare as script
import pytest
import verify
from common import DataError
from lookalike import fill, kill_when, run_script, tree, write_lists
from manifest import new_row, read_manifest
from prepare import encode, main
from skimage import data

from stabn.data.ssv2 import VideoFolder, read_classes, read_split
from stabn.data.video import probe, read_frames, write_video

pytestmark = pytest.mark.slow(30)


def prepare(root, out, *options) -> int:
    given = ["--root", root, "--out", out, "--jobs", 1, *options]
    return main(list(map(str, given)))


@pytest.fixture(scope="module")
def verified_once(tmp_path_factory, clips) -> Path:
    root = tmp_path_factory.mktemp("verified")
    write_lists(root, 20, 6, 4, classes=8)
    fill(root, clips, range(1, 31))
    (root / "videos" / "5.webm").write_bytes(b"")
    assert verify.main(["--root", str(root), "--jobs", "1"]) == 1
    return root


@pytest.fixture
def verified(verified_once, tmp_path) -> Path:
    """Thirty videos, of which 5 is broken, with their manifest."""
    return shutil.copytree(verified_once, tmp_path / "set")


def test_the_result_is_a_data_set(verified, tmp_path):
    before = tree(verified)
    out = tmp_path / "out"
    status, said = run_script("prepare", "--root", verified, "--out", out, "--short-side", 18)
    assert status == 1
    assert "Left out: 1\n  5: broken at the source: is an empty file (0 bytes)" in said
    folder = VideoFolder(out)
    classes = read_classes(out)
    assert classes == read_classes(verified)
    assert read_split(out, "train", classes) == read_split(verified, "train", classes)
    assert folder.video_ids() == sorted(str(n) for n in range(1, 31) if n != 5)
    sources, rows = (read_manifest(root / "manifest.parquet") for root in (verified, out))
    for v in folder.video_ids():
        info = probe(folder.path(v))
        assert (info.frames, info.height, info.width) == (sources[v]["frames"], 18, 24)
        assert (rows[v]["frames"], rows[v]["height"], rows[v]["width"]) == (info.frames, 18, 24)
        assert rows[v]["source_sha256"] == sources[v]["sha256"]
    assert rows["5"]["status"].startswith("broken at the source")
    assert tree(verified) == before
    assert not list(out.rglob(".*"))
    assert verify.main(["--root", str(out), "--jobs", "1"]) == 1  # 5 is listed, but not on disk


def test_the_same_frames_at_the_same_places_and_exact_to_seek(tmp_path):
    """A pan of 45 frames, in two passes with hidden frames, as the real videos are."""
    photo = data.astronaut()
    pan = np.stack([photo[i : i + 96, 3 * i : 3 * i + 171] for i in range(45)])
    root, out = tmp_path / "set", tmp_path / "out"
    (root / "videos").mkdir(parents=True)
    write_video(root / "videos" / "1.webm", pan, 12, two_pass=True)
    rows = [script.examine("1", root / "videos" / "1.webm")]
    script.write_manifest(root / "manifest.parquet", rows)
    assert prepare(root, out, "--short-side", 96) == 0
    copy = out / "videos" / "1.webm"
    assert probe(copy) == probe(root / "videos" / "1.webm")
    frames = read_frames(copy, range(45)).astype(int)
    nearest = [np.abs(pan.astype(int) - frame).mean((1, 2, 3)).argmin() for frame in frames]
    assert nearest == list(range(45))
    assert 10 * np.log10(255**2 / np.mean((frames - pan) ** 2)) > 30  # dB
    rng = np.random.default_rng(0)
    for _ in range(20):
        indices = rng.integers(0, 45, 8)
        np.testing.assert_array_equal(read_frames(copy, indices), frames[indices])
    keys = script.ffmpeg("-skip_frame", "nokey", "-i", copy, "-fps_mode", "passthrough",
                         "-f", "framecrc", "-").stdout.splitlines()  # fmt: skip
    times = [int(line.split(b",")[1]) for line in keys if not line.startswith(b"#")]
    assert times[0] == 0
    assert len(times) >= 3  # frames 0, 16, 32 at the latest


def test_no_video_is_enlarged(verified, tmp_path):
    prepare(verified, tmp_path / "out")
    assert probe(tmp_path / "out" / "videos" / "1.webm").height == 24


def test_what_is_there_is_not_made_again(verified, tmp_path, clips, capsys):
    out = tmp_path / "out"
    prepare(verified, out, "--short-side", 16)
    before = tree(out)
    (out / "videos" / "2.webm").write_bytes(b"spoilt since")
    (out / "videos" / "3.webm").unlink()
    capsys.readouterr()
    prepare(verified, out, "--short-side", 16)
    assert "29 videos to prepare, 27 of them are there" in capsys.readouterr().out
    assert tree(out) == before


def test_another_size_or_another_source_makes_it_again(verified, tmp_path, clips, capsys):
    out = tmp_path / "out"
    prepare(verified, out, "--short-side", 16)
    capsys.readouterr()
    prepare(verified, out, "--short-side", 20)
    assert "29 videos to prepare, 0 of them are there" in capsys.readouterr().out
    assert probe(out / "videos" / "1.webm").height == 20
    shutil.copy2(clips[9], verified / "videos" / "1.webm")
    os.utime(verified / "videos" / "1.webm")
    verify.main(["--root", str(verified), "--jobs", "1"])
    capsys.readouterr()
    prepare(verified, out, "--short-side", 20)
    assert "29 videos to prepare, 28 of them are there" in capsys.readouterr().out


def test_killed_and_started_again(verified, tmp_path):
    """The tree of an uninterrupted run, byte for byte: the encoder repeats itself."""
    out, quiet = tmp_path / "out", tmp_path / "quiet"
    options = ["--short-side", "16", "--jobs", "1"]

    def lines() -> int:
        journal = out / "manifest.journal"
        return journal.read_bytes().count(b"\n") if journal.exists() else 0

    for enough in (3, 12):
        kill_when(
            lambda n=enough: lines() > n, "prepare", "--root", verified, "--out", out, *options
        )
        assert not (out / "manifest.parquet").exists()
    (out / "videos" / ".29.webm.1.part").write_bytes(b"half")
    status, said = run_script("prepare", "--root", verified, "--out", out, *options)
    assert status == 1
    assert 10 < int(said.split("29 videos to prepare, ")[1].split()[0]) < 29
    assert prepare(verified, quiet, *options) == 1
    assert tree(out) == tree(quiet)


def test_shards_make_what_one_run_makes(verified, tmp_path):
    out, quiet = tmp_path / "out", tmp_path / "quiet"
    statuses = [prepare(verified, out, "--short-side", 16, "--shard", f"{i}/2") for i in (2, 1)]
    assert sorted(statuses) == [0, 1]  # one of them has the broken video
    with pytest.raises(DataError, match=r"is --short-side the same\?"):
        prepare(verified, out, "--short-side", 20, "--merge")
    assert prepare(verified, out, "--short-side", 16, "--merge") == 1
    assert prepare(verified, quiet, "--short-side", 16) == 1
    for part in out.glob("manifest-*.parquet"):
        part.unlink()
    assert tree(out) == tree(quiet)


def test_a_source_that_changed_since_it_was_verified(verified, tmp_path, clips, capsys):
    (verified / "videos" / "4.webm").write_bytes(b"other")
    (verified / "videos" / "6.webm").unlink()
    shutil.copy2(clips[0], verified / "videos" / "99.webm")
    assert prepare(verified, tmp_path / "out", "--short-side", 16) == 1
    said = capsys.readouterr().out
    assert "Left out: 4" in said
    for line in ("4: changed, or was never", "6: was verified, but is gone", "99: changed, or was"):
        assert f"  {line}" in said
    assert len(list((tmp_path / "out" / "videos").iterdir())) == 27


def test_a_stranger_in_the_prepared_folder_is_named(verified, tmp_path, clips, capsys):
    (tmp_path / "out" / "videos").mkdir(parents=True)
    shutil.copy2(clips[0], tmp_path / "out" / "videos" / "777.webm")
    assert prepare(verified, tmp_path / "out", "--short-side", 16) == 1
    assert "not of this preparation: 1\n  777\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"frames": 9}, "its copy has 8 frames of 24×32, not 9 of 24×32"),
        ({"height": 24, "width": 64}, None),
    ],
)
def test_a_copy_that_is_not_its_source_is_not_put_in_place(tmp_path, clips, wrong, says):
    old = script.examine("1", clips[0]) | wrong
    target = tmp_path / "1.webm"
    row = script._prepare((new_row("1"), clips[0], target, old, 256))
    if says:
        assert row["status"] == says
        assert list(tmp_path.iterdir()) == []
    else:
        assert (row["status"], probe(target).width) == ("ok", 64)


def test_a_video_that_cannot_be_encoded_is_left_out(tmp_path, clips):
    (tmp_path / "bad.webm").write_bytes(b"was fine when it was verified")
    old = script.examine("1", clips[0])
    row = script._prepare((new_row("1"), tmp_path / "bad.webm", tmp_path / "1.webm", old, 256))
    assert row["status"].startswith("cannot be encoded (ffmpeg: ")
    assert [p.name for p in tmp_path.iterdir()] == ["bad.webm"]


def test_a_full_disk_is_not_the_videos_fault(clips):
    with pytest.raises(OSError, match="No space left on device"):
        encode(clips[0], "/dev/full", (24, 32))


def test_nothing_verified(small, tmp_path):
    with pytest.raises(DataError, match=r"manifest\.parquet: missing or empty; run data_scripts/"):
        prepare(small, tmp_path / "out")


@pytest.mark.parametrize("options", [[], ["--short-side", "8"]])
def test_what_makes_no_sense(verified, tmp_path, options):
    out = tmp_path / "out" if options else verified / "videos" / ".."
    with pytest.raises(DataError, match=r"is the source itself|must be 16 or more"):
        prepare(verified, out, *options)
