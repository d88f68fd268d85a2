"""The prepared set is the set, smaller: the same frames at the same places."""

import os
import shutil
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import prepare as script
import pytest
import verify
from common import DataError
from decoding import examine
from encoding import CODECS, Recipe, encode
from lookalike import fill, kill_when, run_script, tree, write_known, write_lists
from manifest import new_row, read_manifest, write_manifest
from prepare import main
from skimage import data

from stabn.data.counts import FrameCounts
from stabn.data.ssv2 import VideoFolder, read_classes, read_split
from stabn.data.video import probe, read_frames, write_video

pytestmark = pytest.mark.slow(20)

VP9_256 = Recipe(CODECS["vp9"], 256)


def prepare(root, out, *options) -> int:
    given = ["--root", root, "--out", out, "--jobs", 1, *options]
    return main(list(map(str, given)))


def only(root: Path, *ids: str) -> Path:
    """The set without its other videos."""
    for path in (root / "videos").iterdir():
        if path.stem not in ids:
            path.unlink()
    return root


@pytest.fixture(scope="module")
def made_once(tmp_path_factory, clips, rows) -> tuple[Path, Path, int, str]:
    """Sixteen verified videos, of which 5 is broken; what prepare makes of them, and says."""
    root = tmp_path_factory.mktemp("once") / "set"
    write_lists(root, 10, 4, 2, classes=4)
    write_known(fill(root, clips, range(1, 17)), rows)
    path, broken = root / "manifest.parquet", root / "videos" / "5.webm"
    broken.write_bytes(b"")
    write_manifest(path, (read_manifest(path) | {"5": examine("5", broken)}).values())
    before, out = tree(root), root.parent / "out"
    status, said = run_script("prepare", "--root", root, "--out", out, "--short-side", 16)
    assert tree(root) == before
    return root, out, status, said


@pytest.fixture
def verified(made_once, tmp_path) -> Path:
    """The set, to prepare or to change."""
    return shutil.copytree(made_once[0], tmp_path / "set")


@pytest.fixture
def prepared(made_once, tmp_path) -> Path:
    """What was made of it with a short side of 16."""
    return shutil.copytree(made_once[1], tmp_path / "out")


def test_the_result_is_a_data_set(made_once, prepared):
    root, out, status, said = made_once
    assert status == 1
    assert "Left out: 1\n  5: broken at the source: is an empty file (0 bytes)" in said
    folder = VideoFolder(out)
    classes = read_classes(out)
    assert classes == read_classes(root)
    assert read_split(out, "train", classes) == read_split(root, "train", classes)
    assert folder.video_ids() == sorted(str(n) for n in range(1, 17) if n != 5)
    sources, rows = (read_manifest(place / "manifest.parquet") for place in (root, out))
    for v in folder.video_ids():
        info = probe(folder.path(v))
        assert (info.frames, info.height, info.width) == (sources[v]["frames"], 16, 21)
        assert (rows[v]["frames"], rows[v]["height"], rows[v]["width"]) == (info.frames, 16, 21)
        assert rows[v]["source_sha256"] == sources[v]["sha256"]
    assert rows["5"]["status"].startswith("broken at the source")
    assert not list(out.rglob(".*"))
    assert verify.main(["--root", str(prepared), "--jobs", "1"]) == 1  # 5 is listed, not on disk


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("codec", CODECS)
def test_the_same_frames_at_the_same_places_in_any_order(tmp_path, codec):
    """A pan of 45 frames, in two passes with hidden frames, as the real videos are."""
    photo = data.astronaut()
    pan = np.stack([photo[i : i + 96, 3 * i : 3 * i + 172] for i in range(45)])
    root, out = tmp_path / "set", tmp_path / "out"
    (root / "videos").mkdir(parents=True)
    write_video(root / "videos" / "1.webm", pan, 12, two_pass=True)
    write_manifest(root / "manifest.parquet", [examine("1", root / "videos" / "1.webm")])
    assert prepare(root, out, "--short-side", 96, "--codec", codec) == 0
    folder = VideoFolder(out)
    copy = folder.path("1")
    assert copy.suffix == CODECS[codec].suffix
    assert probe(copy) == probe(root / "videos" / "1.webm")
    with copy.open("rb") as file:
        assert FrameCounts(out).of(file) == folder.frames("1") == 45  # known without decoding it
    frames = folder.read("1", range(45)).astype(int)
    nearest = [np.abs(pan.astype(int) - frame).mean((1, 2, 3)).argmin() for frame in frames]
    assert nearest == list(range(45))
    assert 10 * np.log10(255**2 / np.mean((frames - pan) ** 2)) > 30  # dB
    rng = np.random.default_rng(0)
    for _ in range(20):
        indices = rng.integers(0, 45, 8)
        np.testing.assert_array_equal(read_frames(copy, indices), frames[indices])


@pytest.mark.parametrize("codec", CODECS.values())
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_video_that_is_to_be_turned_becomes_one_that_stands_upright(tmp_path, codec, degrees):
    """As phones film: the frames lie on their side, and a tag says how to turn them."""
    photo = data.astronaut()
    lying = np.stack([photo[2 * i : 2 * i + 64, 3 * i : 3 * i + 96] for i in range(6)])
    write_video(tmp_path / "lying.mp4", lying, 12)
    source = tmp_path / "1.webm"  # whatever its name says
    tagged = [imageio_ffmpeg.get_ffmpeg_exe(), "-display_rotation", f"{degrees}", "-i",
              tmp_path / "lying.mp4", "-c", "copy", "-f", "mp4", source]  # fmt: skip
    subprocess.run(tagged, check=True, capture_output=True)
    target = tmp_path / f"copy{codec.suffix}"
    row = script._prepare((new_row("1"), source, target, examine("1", source), Recipe(codec, 64)))
    assert row["status"] == "ok"
    upright = np.rot90(lying, degrees // 90, (1, 2)).astype(int)
    assert (row["height"], row["width"]) == upright.shape[1:3]
    for path in (source, target):
        assert np.abs(read_frames(path, range(6)) - upright).mean() < 8


@pytest.mark.parametrize(
    ("codec", "size", "short_side", "becomes"),
    [
        ("vp9", (240, 427), 128, (128, 228)),
        ("h264", (240, 427), 128, (128, 228)),
        ("vp9", (427, 240), 256, (427, 240)),  # none is enlarged
        ("h264", (427, 240), 256, (426, 240)),  # H.264 holds even sides only
        ("h264", (25, 33), 300, (24, 32)),
        ("h264", (35, 35), 31, (32, 32)),
    ],
)
def test_the_size_of_a_copy(codec, size, short_side, becomes):
    assert Recipe(CODECS[codec], short_side).size(*size) == becomes


@pytest.mark.usefixtures("in_process")
def test_no_video_is_enlarged(verified, tmp_path):
    prepare(only(verified, "1"), tmp_path / "out")
    assert probe(tmp_path / "out" / "videos" / "1.webm").height == 24


@pytest.mark.usefixtures("in_process")
def test_what_is_there_is_not_made_again(verified, prepared, capsys):
    before = tree(prepared)
    (prepared / "videos" / "2.webm").write_bytes(b"spoilt since")
    (prepared / "videos" / "3.webm").unlink()
    prepare(verified, prepared, "--short-side", 16)
    assert "15 videos to prepare, 13 of them are there" in capsys.readouterr().out
    assert tree(prepared) == before


@pytest.mark.usefixtures("in_process")
def test_what_is_made_otherwise_or_of_another_source_is_made_again(
    verified, prepared, clips, capsys
):
    only(verified, "1", "2", "3")
    only(prepared, "1", "2", "3")
    prepare(verified, prepared, "--short-side", 20)
    assert "3 videos to prepare, 0 of them are there" in capsys.readouterr().out
    assert probe(prepared / "videos" / "1.webm").height == 20
    shutil.copy2(clips[9], verified / "videos" / "1.webm")
    os.utime(verified / "videos" / "1.webm")
    verify.main(["--root", str(verified), "--jobs", "1"])
    capsys.readouterr()
    prepare(verified, prepared, "--short-side", 20)
    assert "3 videos to prepare, 2 of them are there" in capsys.readouterr().out
    prepare(verified, prepared, "--short-side", 20, "--codec", "h264")
    assert "3 videos to prepare, 0 of them are there" in capsys.readouterr().out
    names = {path.name for path in (prepared / "videos").iterdir()}
    assert names == {"1.mp4", "2.mp4", "3.mp4"}  # and none of them twice


def test_killed_and_started_again(verified, prepared, tmp_path):
    """The tree of an uninterrupted run, byte for byte: the encoder repeats itself."""
    out = tmp_path / "killed"
    options = ["--short-side", "16", "--jobs", "1"]

    def lines() -> int:
        journal = out / "manifest.journal"
        return journal.read_bytes().count(b"\n") if journal.exists() else 0

    kill_when(lambda: lines() > 6, "prepare", "--root", verified, "--out", out, *options)
    assert not (out / "manifest.parquet").exists()
    (out / "videos" / ".12.webm.1.part").write_bytes(b"half")
    status, said = run_script("prepare", "--root", verified, "--out", out, *options)
    assert status == 1
    assert 4 < int(said.split("15 videos to prepare, ")[1].split()[0]) < 15
    assert tree(out) == tree(prepared)


@pytest.mark.usefixtures("in_process")
def test_shards_make_what_one_run_makes(verified, prepared, tmp_path):
    out = tmp_path / "shards"
    statuses = [prepare(verified, out, "--short-side", 16, "--shard", f"{i}/2") for i in (2, 1)]
    assert sorted(statuses) == [0, 1]  # one of them has the broken video
    for other in (["--short-side", 20], ["--short-side", 16, "--codec", "h264"]):
        with pytest.raises(DataError, match=r"are --short-side and --codec the same\?"):
            prepare(verified, out, *other, "--merge")
    assert prepare(verified, out, "--short-side", 16, "--merge") == 1
    for part in out.glob("manifest-*.parquet"):
        part.unlink()
    assert tree(out) == tree(prepared)


@pytest.mark.usefixtures("in_process")
def test_a_source_that_changed_since_it_was_verified(verified, tmp_path, clips, capsys):
    only(verified, "1", "2", "4")
    (verified / "videos" / "4.webm").write_bytes(b"other")
    shutil.copy2(clips[0], verified / "videos" / "99.webm")
    assert prepare(verified, tmp_path / "out", "--short-side", 16) == 1
    said = capsys.readouterr().out
    for line in ("4: changed, or was never", "6: was verified, but is gone", "99: changed, or was"):
        assert f"  {line}" in said
    assert VideoFolder(tmp_path / "out").video_ids() == ["1", "2"]


def test_a_stranger_in_the_prepared_folder_is_named(verified, prepared, clips, capsys):
    shutil.copy2(clips[0], prepared / "videos" / "777.webm")
    assert prepare(verified, prepared, "--short-side", 16) == 1
    assert "not of this preparation: 1\n  777\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"frames": 9}, "its copy has 8 frames of 24×32, not 9 of 24×32"),
        ({"height": 24, "width": 64}, "its copy is squeezed, 24×64 of 24×32"),
    ],
)
def test_a_copy_that_is_not_its_source_is_not_put_in_place(tmp_path, clips, rows, wrong, says):
    task = (new_row("1"), clips[0], tmp_path / "1.webm", rows[0] | wrong, VP9_256)
    assert script._prepare(task)["status"] == says
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_shows_something_else_is_not_put_in_place(tmp_path, clips, rows, monkeypatch):
    """Its length and size are right; it was another video's turn to be encoded."""
    monkeypatch.setattr(script, "encode", lambda source, *rest: encode(clips[5], *rest))
    task = (new_row("1"), clips[0], tmp_path / "1.webm", rows[0], VP9_256)
    assert script._prepare(task)["status"].startswith("its copy shows ")
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_cannot_be_encoded_is_left_out(tmp_path, rows):
    (tmp_path / "bad.webm").write_bytes(b"was fine when it was verified")
    task = (new_row("1"), tmp_path / "bad.webm", tmp_path / "1.webm", rows[0], VP9_256)
    assert script._prepare(task)["status"].startswith("cannot be encoded (ffmpeg: ")
    assert [p.name for p in tmp_path.iterdir()] == ["bad.webm"]


def test_a_full_disk_is_not_the_videos_fault(clips):
    with pytest.raises(OSError, match="No space left on device"):
        encode(clips[0], "/dev/full", CODECS["vp9"], (24, 32))


def test_nothing_verified(small, tmp_path):
    with pytest.raises(DataError, match=r"manifest\.parquet: missing or empty; run data_scripts/"):
        prepare(small, tmp_path / "out")


@pytest.mark.parametrize("options", [[], ["--short-side", "8"]])
def test_what_makes_no_sense(known, tmp_path, options):
    out = tmp_path / "out" if options else known / "videos" / ".."
    with pytest.raises(DataError, match=r"is the source itself|must be 16 or more"):
        prepare(known, out, *options)
