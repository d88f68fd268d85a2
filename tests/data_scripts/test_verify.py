"""The manifest says of every video what it holds, or what is wrong with it; nothing is guessed."""

import json
import os
import shutil
from pathlib import Path

import assemble
import imageio_ffmpeg
import prepare
import pyarrow.parquet as pq
import pytest
from broken import KINDS, mp4
from common import DataError
from decoding import examine
from lookalike import (
    MTIME,
    TEMPLATES,
    fill,
    kill_when,
    run_script,
    tree,
    write_known,
    write_lists,
)
from manifest import Journal, read_manifest, write_manifest
from verify import main

from stabn.data.ssv2 import AnnotationError, class_text, read_classes
from stabn.data.video import VideoError
from stabn.training.files import file_hash

pytestmark = pytest.mark.slow(15)


def verify(root, *options) -> int:
    return main(["--root", str(root), "--jobs", "1", *map(str, options)])


def manifest(root) -> bytes:
    return (root / "manifest.parquet").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory, clips):
    """A set of 174 classes and 40 videos, and among them one broken of every kind."""
    root = tmp_path_factory.mktemp("whole") / "set"
    write_lists(root, 30, 6, 4)
    fill(root, clips, range(1, 41))
    spoilt = {}
    for number, (kind, (spoil, cause)) in enumerate(KINDS.items(), start=20):
        path = root / "videos" / f"{number}.webm"
        content = path.read_bytes()
        path.unlink()
        spoil(path, content)
        spoilt[str(number)] = (kind, cause)
    status, said = run_script("verify", "--root", root)
    return root, spoilt, status, said


def test_the_official_form_of_the_look_alike(whole):
    classes = read_classes(whole[0])
    assert len(classes) == 174
    assert list(classes) == sorted(classes)
    assert sum("," in text or "(" in text for text in classes) >= 14


def test_every_broken_video_is_found_with_its_cause_and_no_other(whole):
    root, spoilt, status, said = whole
    rows = read_manifest(root / "manifest.parquet")
    assert rows.keys() == {str(n) for n in range(1, 41)}
    assert {v for v, row in rows.items() if row["status"] != "ok"} == spoilt.keys()
    for video_id, (kind, cause) in spoilt.items():
        assert cause in rows[video_id]["status"], kind
        assert f"  {video_id}: {rows[video_id]['status']}\n" in said
    assert f"Broken videos: {len(spoilt)}" in said
    assert status == 1


def test_a_row_says_what_a_video_holds(whole):
    root, spoilt, _, _ = whole
    rows = read_manifest(root / "manifest.parquet")
    for n in set(range(1, 41)) - set(map(int, spoilt)):
        path = root / "videos" / f"{n}.webm"
        assert rows[str(n)] == {
            "id": str(n),
            "status": "ok",
            "frames": 8 + n % 16 % 5,
            "promised": 8 + n % 16 % 5,
            "width": 32,
            "height": 24,
            "fps": 12.0,
            "bytes": path.stat().st_size,
            "mtime_ns": MTIME * 10**9,
            "sha256": file_hash(path),
            "recipe": None,
            "source_sha256": None,
        }
    assert pq.read_table(root / "manifest.parquet").num_rows == 40


def test_what_is_known_is_not_decoded_again(whole, capsys):
    root = whole[0]
    before = manifest(root)
    assert verify(root) == 1
    assert "40 videos, 40 of them known from before" in capsys.readouterr().out
    assert manifest(root) == before


@pytest.mark.usefixtures("in_process")
def test_a_video_that_changed_is_decoded_again(known, clips, capsys):
    path = known / "videos" / "3.webm"
    shutil.copy2(clips[4], path)
    os.utime(known / "videos" / "5.webm", (MTIME + 1, MTIME + 1))
    (known / "videos" / "6.webm").write_bytes(b"")
    assert verify(known) == 1
    assert "16 videos, 13 of them known" in capsys.readouterr().out
    rows = read_manifest(known / "manifest.parquet")
    assert rows["3"]["sha256"] == file_hash(clips[4])
    assert "empty" in rows["6"]["status"]


@pytest.mark.parametrize("name", ["1.webm", "1.mp4"])
def test_the_containers_bytes_count_not_the_suffix(tmp_path, name):
    """An mp4 under the name of a webm is read by training too."""
    mp4(tmp_path / name)
    row = examine("1", tmp_path / name)
    assert (row["status"], row["frames"]) == ("ok", 12)


@pytest.mark.usefixtures("in_process")
def test_a_video_as_h264_is_decoded_like_the_others(known, capsys):
    (known / "videos" / "2.webm").unlink()
    mp4(known / "videos" / "2.mp4")
    assert verify(known) == 0
    assert "16 videos, 15 of them known" in capsys.readouterr().out
    assert read_manifest(known / "manifest.parquet")["2"]["frames"] == 12


@pytest.mark.parametrize(
    ("ended_by", "says"),
    [
        ("SEGV", "ffmpeg, the witness of its 8 frames, crashed with SIGSEGV: re-encode it with"),
        ("KILL", "worker lost: killed from outside (SIGKILL; out of memory?)"),  # tried again
    ],
)
def test_a_witness_that_crashes_says_nothing_of_the_video(
    clips, tmp_path, monkeypatch, ended_by, says
):
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\nkill -{ended_by} $$\n")
    program.chmod(0o755)
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(program))
    status = examine("0", clips[0])["status"]
    assert status.startswith(says)
    assert "copy it again" not in status


def test_a_decoder_that_hangs_takes_its_worker_and_not_the_run(known, clips, capsys):
    """A pipe to which nobody writes: opening it never ends."""
    path = known / "videos" / "7.webm"
    path.unlink()
    os.mkfifo(path)
    assert verify(known, "--time-limit", 3) == 1
    rows = read_manifest(known / "manifest.parquet")
    assert rows["7"]["status"] == "worker lost: no answer within 3 s"
    assert sum(row["status"] == "ok" for row in rows.values()) == 15
    path.unlink()
    shutil.copy2(clips[7], path)
    capsys.readouterr()
    assert verify(known) == 0
    assert "16 videos, 15 of them known" in capsys.readouterr().out


def test_killed_and_started_again(small, tmp_path, rows):
    """The manifest of an uninterrupted run, and what was done before is not done again."""
    quiet = write_known(shutil.copytree(small, tmp_path / "quiet"), rows)
    journal = small / "manifest.journal"

    def lines() -> int:
        return journal.read_bytes().count(b"\n") if journal.exists() else 0

    for enough in (3, 7):
        kill_when(lambda n=enough: lines() > n, "verify", "--root", small, "--jobs", 1)
        assert not (small / "manifest.parquet").exists()
    journal.write_bytes(journal.read_bytes() + b'{"id": "1", "sta')  # torn in the middle
    (small / ".manifest.parquet.1.part").write_bytes(b"half")
    status, said = run_script("verify", "--root", small)
    assert status == 0
    assert 5 < int(said.split("16 videos, ")[1].split()[0]) < 16
    assert tree(small) == tree(quiet)


@pytest.mark.usefixtures("in_process")
class TestShards:
    def test_together_they_are_the_whole(self, known):
        expected = manifest(known)
        (known / "manifest.parquet").unlink()
        for i in (3, 1, 2):
            assert verify(known, "--shard", f"{i}/3") == 0
        parts = [read_manifest(known / f"manifest-{i}-of-3.parquet").keys() for i in (1, 2, 3)]
        assert sum(map(len, parts)) == len(set().union(*parts)) == 16
        assert not (known / "manifest.parquet").exists()
        assert verify(known, "--merge") == 0
        assert manifest(known) == expected
        assert verify(known, "--merge") == 0
        assert manifest(known) == expected

    def test_one_is_missing(self, small):
        for i in (1, 4):
            write_manifest(small / f"manifest-{i}-of-4.parquet", [])
        with pytest.raises(DataError, match=r"manifest-2-of-4\.parquet, manifest-3-of-4.* missing"):
            verify(small, "--merge")
        assert not (small / "manifest.parquet").exists()

    def test_none_was_run(self, small):
        with pytest.raises(DataError, match="run the shards first"):
            verify(small, "--merge")

    def test_two_divisions(self, small):
        for part in ("1-of-2", "2-of-2", "1-of-3"):
            write_manifest(small / f"manifest-{part}.parquet", [])
        with pytest.raises(DataError, match="n = 2 and n = 3; delete those of the old"):
            verify(small, "--merge")

    def test_a_video_came_since(self, known, clips):
        for part in ("1/2", "2/2"):
            verify(known, "--shard", part)
        fill(known, clips, [31])
        with pytest.raises(DataError, match=r"1 videos are new or changed.*such as 31"):
            verify(known, "--merge")

    @pytest.mark.parametrize("part", ["0/3", "4/3", "3", "a/b", "1/0"])
    def test_no_shard(self, small, part, capsys):
        with pytest.raises(SystemExit):
            verify(small, "--shard", part)
        assert "must be i/n with i from 1 to n" in capsys.readouterr().err

    @pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "long"])
    def test_no_time_limit_that_ends_nothing(self, small, seconds, capsys):
        with pytest.raises(SystemExit):
            verify(small, "--time-limit", seconds)
        assert "must be a number of seconds above 0" in capsys.readouterr().err


@pytest.mark.usefixtures("in_process")
def test_a_colon_in_a_name_is_no_protocol(tmp_path, monkeypatch, clips):
    monkeypatch.chdir(tmp_path)
    os.makedirs("2024:01")
    shutil.copy2(clips[0], "2024:01/x:1.webm")
    assert examine("x:1", Path("2024:01/x:1.webm"))["status"] == "ok"


class TestLists:
    """The annotation files against the folder."""

    def test_the_other_spelling_and_the_other_place(self, known):
        for path in list(known.glob("*.json")):
            path.unlink()
        write_lists(known / "labels", 10, 4, 2, classes=4, prefix="something-something-v2-")
        assert verify(known) == 0

    def test_listed_but_not_on_disk(self, known, capsys):
        for n in (2, 10, 12, 16):
            (known / "videos" / f"{n}.webm").unlink()
        assert verify(known) == 1
        said = capsys.readouterr().out
        assert "not on disk: 4\n  train: 2\n  train: 10\n  validation: 12\n  test: 16\n" in said

    def test_on_disk_but_in_no_list(self, known, clips, capsys):
        fill(known, clips, [100, 31])
        assert verify(known) == 1
        assert "On disk, but in no list: 2\n  31\n  100\n" in capsys.readouterr().out

    def test_without_a_test_list_they_may_be_the_tests(self, known, capsys):
        (known / "test.json").unlink()
        (known / "test.csv").write_text("30;Pushing something\n")  # answers are no list
        assert verify(known) == 0
        assert "2 videos are in no list; there is no test list" in capsys.readouterr().out

    def test_a_class_without_a_video(self, known, capsys):
        """Its only videos are broken or gone."""
        (known / "videos" / "3.webm").write_bytes(b"")
        (known / "videos" / "7.webm").unlink()
        assert verify(known) == 1
        assert f"to train on: 1\n  3: {class_text(TEMPLATES[3])}\n" in capsys.readouterr().out

    def test_a_class_that_no_list_names(self, known, capsys):
        labels = json.loads((known / "labels.json").read_text())
        labels["Zipping something"] = "4"
        (known / "labels.json").write_text(json.dumps(labels))
        assert verify(known) == 1
        assert "to train on: 1\n  4: Zipping something\n" in capsys.readouterr().out

    def test_a_video_in_two_lists(self, known, capsys):
        validation = json.loads((known / "validation.json").read_text())
        validation.append(json.loads((known / "train.json").read_text())[4])
        (known / "validation.json").write_text(json.dumps(validation))
        assert verify(known) == 1
        assert "Named by two lists: 1\n  5: train and validation" in capsys.readouterr().out

    def test_a_list_that_is_missing_is_said_before_hours_of_decoding(self, small):
        (small / "train.json").unlink()
        with pytest.raises(AnnotationError, match=r"neither train\.json nor"):
            verify(small)
        assert not (small / "manifest.journal").exists()

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ('{"id": "1"}', "must hold a list"),
            ("[1, 2]", "entry 0 is 1, without an id"),
            ('[{"id": 7}, {}]', "entry 1 is {}, without an id"),
            ('[{"id": 7}, {"id": "7"}]', "video 7 is listed twice"),
            ('[{"id": {"id": 7}}]', "entry 0: id {'id': 7} is no text"),
            ("no", "is not JSON"),
        ],
    )
    def test_a_test_list_that_is_none(self, small, content, said):
        (small / "test.json").write_text(content)
        with pytest.raises(AnnotationError, match=rf"test\.json: {said}"):
            verify(small)

    def test_ids_that_are_numbers(self, small):
        for path in small.glob("*.json"):
            if path.stem != "labels":
                entries = json.loads(path.read_text())
                numbered = [entry | {"id": int(entry["id"])} for entry in entries]
                path.write_text(json.dumps(numbered), encoding="utf-8-sig")
        assert verify(small) == 0


def test_no_videos(tmp_path):
    write_lists(tmp_path, 2, 1, 1, classes=2)
    with pytest.raises(VideoError, match="no such folder"):
        verify(tmp_path)
    status, said = run_script("verify", "--root", tmp_path)
    assert (status, said.count("\n")) == (2, 1)


def test_a_damaged_manifest(small):
    (small / "manifest.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(DataError, match=r"manifest\.parquet: no readable manifest .*; delete it"):
        verify(small)


def test_two_runs_at_a_time(small):
    with (
        Journal(small),
        pytest.raises(DataError, match="another run is at work"),
    ):
        verify(small)


@pytest.mark.parametrize("script", [assemble.main, main, prepare.main])
def test_help_says_what_the_exit_status_means(script, capsys):
    with pytest.raises(SystemExit) as ended:
        script(["--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "Exit status: 0 all is well" in said
    assert "--jobs" in said
