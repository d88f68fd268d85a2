"""Sets in their own layouts become lists and links; groups stay together; wrong lists are named.

The trees look like the real ones. Their files are empty where nothing is decoded.
"""

import json
import os
from collections import Counter
from pathlib import Path

import hmdb51
import pytest
import sports1m
import ucf101
import verify
from common import DataError
from layouts import RANDOM, Clip, hold_out, leaks, random_split

from stabn.data.dataset import ClipDataset
from stabn.data.ssv2 import VideoFolder, read_classes, read_split
from stabn.data.transforms import eval_transforms
from stabn.training.config import RunConfig
from stabn.training.records import read_record
from stabn.training.train import train
from tests.data.films import barcodes, encode

pytestmark = pytest.mark.slow(10)

SMALL = {
    "name": "small",
    "report_split": "test",
    "backbone": "small",
    "num_frames": 8,
    "image_size": 24,
    "short_side": 24,
    "train_short_side": (24, 24),
    "epochs": 1,
    "batch_size": 48,
    "workers": 0,
}
UCF = ("ApplyEyeMakeup", "HandstandPushups", "YoYo")


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def names(out: Path, split: str) -> set[str]:
    return {record.video_id for record in read_split(out, split, read_classes(out))}


# -- UCF-101 -----------------------------------------------------------------------------------


def ucf_file(text: str, group: int, k: int) -> str:
    """As the lists have it: files of one class are named with another capital."""
    return f"v_{text.replace('stand', 'Stand')}_g{group:02}_c{k:02}.avi"


@pytest.fixture
def ucf(tmp_path) -> list[str]:
    """Three classes of 25 groups of four clips, groups 1 to 7 to test, in Windows' line ends."""
    for text in UCF:
        for group in range(1, 26):
            for k in range(1, 5):
                touch(tmp_path / "UCF-101" / text / ucf_file(text, group, k))
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    ordered = [
        (text, ucf_file(text, g, k)) for text in UCF for g in range(1, 26) for k in (1, 2, 3, 4)
    ]
    train = [f"{t}/{f} {UCF.index(t) + 1}" for t, f in ordered if f[-10:-8] > "07"]
    test = [f"{t}/{f}" for t, f in ordered if f[-10:-8] <= "07"]
    classes = [f"{k} {text}" for k, text in enumerate(UCF, 1)]
    for name, lines in (("classInd", classes), ("trainlist01", train), ("testlist01", test)):
        (lists / f"{name}.txt").write_bytes("".join(f"{line}\r\n" for line in lines).encode())
    return [f"--{o}={tmp_path / v}" for o, v in (
        ("videos", "UCF-101"), ("lists", "ucfTrainTestlist"), ("out", "ucf101"))]  # fmt: skip


def disjoint(sets) -> bool:
    """Whether no thing is in two of them."""
    return max(Counter(thing for each in sets for thing in each).values()) == 1


def group_of(video_id: str) -> str:
    return video_id[:-4]


def test_ucf101_keeps_its_official_lists_and_its_groups(ucf, tmp_path):
    assert ucf101.main(ucf) == 0
    out = tmp_path / "ucf101"
    assert read_classes(out) == UCF
    train, validation, test = (names(out, split) for split in ("train", "validation", "test"))
    assert len(train | validation) == len(train) + len(validation) == 3 * 18 * 4
    assert {int(v[-6:-4]) for v in test} == set(range(1, 8))
    assert disjoint({group_of(v) for v in of} for of in (train, validation, test))
    assert [sum(text[:4] in v for v in validation) for text in UCF] == [8, 8, 8]
    link = out / "videos" / "v_HandStandPushups_g01_c01.avi"
    assert link.resolve() == tmp_path / "UCF-101" / "HandstandPushups" / link.name
    (record,) = (r for r in read_split(out, "test", UCF) if r.video_id == link.stem)
    assert (record.class_id, record.template) == (1, "HandstandPushups")


def test_the_whole_official_list_trains_where_nothing_is_held_out(ucf, tmp_path):
    assert ucf101.main(ucf) == 0
    held = names(tmp_path / "ucf101", "validation")
    assert ucf101.main([*ucf, "--validation=0"]) == 0
    assert held < names(tmp_path / "ucf101", "train")
    assert not (tmp_path / "ucf101" / "validation.json").exists()


def test_the_random_split_leaks_groups_and_says_so(ucf, tmp_path, capsys):
    assert ucf101.main([*ucf, f"--preset={RANDOM}"]) == 1
    train, validation = (names(tmp_path / "ucf101", s) for s in ("train", "validation"))
    assert (len(train), len(validation)) == (210, 90)
    shared = set(map(group_of, train)) & set(map(group_of, validation))
    assert shared
    said = capsys.readouterr().out
    assert (
        f"Groups that two lists share, so that what is measured is too good: {len(shared)}" in said
    )
    before = (tmp_path / "ucf101" / "train.json").read_bytes()
    ucf101.main([*ucf, f"--preset={RANDOM}"])
    assert (tmp_path / "ucf101" / "train.json").read_bytes() == before


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("classInd", "2 Hand", "3 Hand", r"classInd\.txt, line 2: .* must be '2 ClassName'"),
        ("trainlist01", "_c01.avi 1", "_c01.avi 2", r"trainlist01\.txt, line 1: .* its number"),
        ("trainlist01", "ApplyEye", "Apply", r"trainlist01\.txt, line 1: .* a class"),
        ("trainlist01", "v_YoYo_g08_c01", "v_YoYo_g08_c99", "such as YoYo/v_YoYo_g08_c99"),
        ("testlist01", "v_YoYo_g01_c01", "v_YoYo_g25_c01", "not the official .* share 1"),
    ],
)  # fmt: skip
def test_wrong_lists_of_ucf101_are_refused_by_line(ucf, tmp_path, file, old, new, says):
    path = tmp_path / "ucfTrainTestlist" / f"{file}.txt"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=says):
        ucf101.main(ucf)
    assert not (tmp_path / "ucf101").exists()


@pytest.mark.parametrize(
    ("file", "kept", "says"),
    [
        ("trainlist01", lambda line: False, r"trainlist01\.txt: is empty; unpack the official"),
        ("testlist01", lambda line: False, r"testlist01\.txt: is empty"),
        ("classInd", lambda line: False, r"classInd\.txt: is empty"),
        ("trainlist01", lambda line: "YoYo" not in line, r"YoYo: has no video to train on; unp"),
        ("trainlist01", lambda line: "Apply" in line, r"train on \(and 1 more class\); unpack"),
    ],
)
def test_lists_that_leave_something_empty_are_refused_and_nothing_is_lost(
    ucf, tmp_path, file, kept, says
):
    assert ucf101.main(ucf) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "ucf101").glob("*.json")}
    path = tmp_path / "ucfTrainTestlist" / f"{file}.txt"
    path.write_text("\n".join(filter(kept, path.read_text().splitlines())))
    with pytest.raises(DataError, match=says):
        ucf101.main(ucf)
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "ucf101").glob("*.json")}


def test_a_missing_list_folder_or_video_of_ucf101_is_named(ucf, tmp_path):
    with pytest.raises(
        DataError, match=r"trainlist02\.txt: No such file .* there is classInd\.txt"
    ):
        ucf101.main([*ucf, "--split=2"])
    with pytest.raises(DataError, match="no such folder; give the one that holds a folder a class"):
        ucf101.main([*ucf, f"--videos={tmp_path / 'nowhere'}"])
    (tmp_path / "UCF-101" / "YoYo" / "v_YoYo_g03_c02.avi").unlink()
    with pytest.raises(DataError, match=r"testlist01\.txt: names 1 videos .* YoYo/v_YoYo_g03_c02"):
        ucf101.main(ucf)
    (tmp_path / "UCF-101" / "YoYo").rename(tmp_path / "YoYo")
    with pytest.raises(DataError, match="has no folder YoYo; unpack the whole set"):
        ucf101.main(ucf)


def test_another_file_in_the_folder_of_links_is_left_alone(ucf, tmp_path):
    mine = touch(tmp_path / "ucf101" / "videos" / "mine.mp4")
    with pytest.raises(DataError, match=r"mine\.mp4: is no link of an earlier run"):
        ucf101.main(ucf)
    assert mine.exists()


def test_videos_of_one_frame_and_shorter_than_a_clip_are_verified_and_trained_on(ucf, tmp_path):
    """XviD's files, decoded: one of a single frame, the others of five."""
    how = ("-c:v", "libxvid", "-q:v", 3, "-bf", 0)
    short, film = (encode(barcodes(n), tmp_path / f"{n}.avi", *how) for n in (1, 5))
    for path in (tmp_path / "UCF-101").rglob("*.avi"):
        os.link(short if path.name == "v_YoYo_g01_c01.avi" else film, path.with_suffix(".new"))
        path.with_suffix(".new").rename(path)
    assert ucf101.main(ucf) == 0
    out = tmp_path / "ucf101"
    records = read_split(out, "test", read_classes(out))[-28:]
    dataset = ClipDataset(
        records, VideoFolder(out), 8, "segments", eval_transforms(32, short_side=40)
    )
    clips = {records[k].video_id: dataset[k] for k in (0, 1)}
    assert clips["v_YoYo_g01_c01"].frame_indices.tolist() == [0] * 8
    assert clips["v_YoYo_g01_c02"].frame_indices.tolist() == [0, 0, 1, 2, 2, 3, 4, 4]
    assert verify.main(["--root", str(out), "--jobs", "1", "--shard", "1/40"]) == 0
    config = RunConfig(**SMALL, out_dir=str(tmp_path), data_root=str(out))
    train(config)
    assert read_record(config.folder / "record.json")["results"]["test"]["videos"] == 84


# -- HMDB-51 -----------------------------------------------------------------------------------


def hmdb_tree(folder: Path, classes: dict[str, int]) -> Path:
    """Clips of films, seven of each, with all that such a name says."""
    for text, count in classes.items():
        for k in range(count):
            name = f"#{k // 7}_A_Film(2003)_{text}_f_cm_np1_fr_med_{k % 7}.avi"
            touch(folder / text / name)
    return folder


@pytest.fixture
def hmdb(tmp_path) -> list[str]:
    """Two classes, of which each list has five films to train on, two to test, one left out."""
    videos, lists = (
        hmdb_tree(tmp_path / "hmdb51_org", {"cartwheel": 56, "wave": 56}),
        tmp_path / "s",
    )
    lists.mkdir()
    for text in ("cartwheel", "wave"):
        tags = "11111220"
        lines = [
            f"{path.name} {tags[int(path.name[1])]} " for path in sorted((videos / text).iterdir())
        ]
        (lists / f"{text}_test_split1.txt").write_text("\n".join(lines))
    return [f"--videos={videos}", f"--lists={lists}", f"--out={tmp_path / 'hmdb51'}"]


def test_hmdb51_keeps_its_official_lists_and_its_films(hmdb, tmp_path):
    assert hmdb51.main(hmdb) == 0
    out = tmp_path / "hmdb51"
    assert read_classes(out) == ("cartwheel", "wave")
    found = [names(out, split) for split in ("train", "validation", "test")]
    assert [len(of) for of in found] == [56, 14, 28]
    assert disjoint({v.split("_f_cm")[0] for v in of} for of in found)
    assert sum(1 for _ in (out / "videos").iterdir()) == 98  # those tagged 0 are left out


def test_a_film_is_known_whatever_its_name():
    path = Path("Pirates_1_of_2_wave_hand_wave_u_nm_np2_le_bad_12.avi")
    assert hmdb51.clip(path, "wave").group == "Pirates_1_of_2_wave_hand"


@pytest.mark.parametrize("line", ["a.avi 3", "a.avi", "a.avi x"])
def test_wrong_lines_and_missing_files_of_hmdb51(hmdb, tmp_path, line):
    path = tmp_path / "s" / "wave_test_split1.txt"
    good = path.read_text()
    path.write_text(f"{good}\n{line}\n")
    with pytest.raises(DataError, match=r"wave_test_split1\.txt, line 57: .* and 0, 1 or 2"):
        hmdb51.main(hmdb)
    path.write_text(f"{good}\ngone.avi 2\n")
    with pytest.raises(DataError, match=r"names 1 videos .* such as wave/gone\.avi"):
        hmdb51.main(hmdb)
    path.unlink()
    with pytest.raises(DataError, match=r"org/wave: no list of this split is of that class"):
        hmdb51.main(hmdb)
    with pytest.raises(DataError, match=r"has no file like brush_hair_test_split2\.txt"):
        hmdb51.main([*hmdb, "--split=2"])


def test_the_ten_classes_have_the_reports_sizes_and_no_film_twice(tmp_path, capsys):
    sizes = {"brush_hair": 107, "cartwheel": 107, "catch": 102, "chew": 109, "clap": 130,
             "climb": 108, "climb_stairs": 112, "dive": 127, "draw_sword": 103, "dribble": 145,
             "wave": 104}  # fmt: skip
    videos = hmdb_tree(tmp_path / "org", sizes)
    given = [f"--videos={videos}", f"--lists={tmp_path}", f"--out={tmp_path / 'ten'}"]
    ten = [*given, "--preset=ten-classes"]
    assert hmdb51.main(ten) == 0
    assert len(read_classes(tmp_path / "ten")) == 10
    found = [names(tmp_path / "ten", split) for split in ("train", "validation", "test")]
    assert [len(of) for of in found] == [730, 220, 78]
    assert disjoint({v.split("_A_Film")[0] for v in of} for of in found)
    whole = (tmp_path / "ten" / "train.json").read_bytes()
    for path in sorted((videos / "dive").iterdir())[1:]:
        path.unlink()
    with pytest.raises(DataError, match=r"the 1024 clips of brush_hair, .* into lists of 1028"):
        hmdb51.main(ten)
    next((videos / "dive").iterdir()).unlink()
    with pytest.raises(DataError, match=r"dive: holds no video .*unpack the whole set again"):
        hmdb51.main(ten)
    (videos / "dive").rename(tmp_path / "dive")  # the eleventh class does not take its place
    with pytest.raises(DataError, match=r"has no folder dive; unpack the whole set"):
        hmdb51.main(ten)
    assert (tmp_path / "ten" / "train.json").read_bytes() == whole


# -- Sports-1M ---------------------------------------------------------------------------------


@pytest.fixture
def sports(tmp_path) -> list[str]:
    """Label 0 has 101 short videos, label 1 has 100, label 2 has 101 of 20 s, label 202 is late."""
    how = ("-c:v", "mpeg4", "-g", 25)
    short, long = tmp_path / "short.mp4", tmp_path / "long.mp4"
    encode(barcodes(2), short, *how)
    encode(barcodes(2), long, "-vf", "setpts=N*10/TB", "-r", "0.1", *how)
    folder, lists = tmp_path / "fetched", tmp_path / "lists"
    folder.mkdir()
    lists.mkdir()
    (lists / "labels.txt").write_text("\n".join(f"sport {k} (a)" for k in range(487)))
    lines = []
    for label, count, file in ((0, 101, short), (1, 100, short), (2, 101, long), (202, 101, short)):
        for k in range(count):
            os.link(file, folder / f"-{label}_{k}.mp4")
            lines.append(f"https://www.youtube.com/watch?v=-{label}_{k} {label}")
    os.link(short, folder / "several.mp4")
    lines += ["https://www.youtube.com/watch?v=several 0,1", "http://youtu/watch?v=gone 0"]
    (lists / "train_partition.txt").write_text("\n".join(lines[20:]))
    (lists / "test_partition.txt").write_text("\n".join(lines[:20]))
    return [f"--videos={folder}", f"--lists={lists}", f"--out={tmp_path / 'out'}"]


def test_sports_1m_by_the_99_class_rule(sports, tmp_path, capsys):
    assert sports1m.main(sports) == 0
    assert "1 classes of 99; 1 listed videos are not there" in capsys.readouterr().out
    out = tmp_path / "out"
    assert read_classes(out) == ("sport 0 (a)",)
    assert names(out, "test") == {f"-0_{k}" for k in range(20)}
    assert len(names(out, "train")) + len(names(out, "validation")) == 81
    assert sports1m.main([*sports, f"--preset={RANDOM}"]) == 0
    assert [len(names(out, s)) for s in ("train", "validation")] == [71, 30]
    assert not (out / "test.json").exists()


def test_no_more_than_99_classes_are_taken():
    labels = [f"sport {k}" for k in range(487)]
    files = {f"{k}-{n}": Path(f"{k}-{n}.mp4") for k in range(150) for n in range(2)}
    listed = {v: [int(v.split("-")[0])] for v in files}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sports1m, "seconds", lambda path: 19.9)
        patch.setattr(sports1m, "MORE_THAN", 1)
        clips, broken = sports1m.choose({"train": listed}, labels, files)
    assert {clip.text for clip in clips["train"]} == set(labels[:99])
    assert not broken


def test_wrong_lists_and_broken_videos_of_sports_1m(sports, tmp_path, capsys):
    (tmp_path / "fetched" / "-0_0.mp4").unlink()
    (tmp_path / "fetched" / "-0_0.mp4").write_text("<html>")
    with pytest.raises(DataError, match="no label has more than 100 videos under 20 s"):
        sports1m.main(sports)
    path = tmp_path / "lists" / "train_partition.txt"
    good = path.read_text()
    for line in (
        "https://www.youtube.com/watch?v=a 487",
        "https://www.youtube.com/watch?v=a",
        "a 1",
    ):
        path.write_text(f"{line}\n{good}")
        with pytest.raises(DataError, match=r"train_partition\.txt, line 1: .* from 0 to 486"):
            sports1m.main(sports)
    path.write_text(f"{good}\nhttps://www.youtube.com/watch?v=-0_1 0\n")
    with pytest.raises(DataError, match="-0_1 is in both partitions"):
        sports1m.main(sports)


# -- what they share ---------------------------------------------------------------------------


def clips_of(groups: dict[str, int], text: str = "a") -> list[Clip]:
    return [Clip(Path(f"{text}{g}{k}.avi"), text, g) for g, n in groups.items() for k in range(n)]


def test_whole_groups_are_held_out_the_smallest_first_and_one_stays():
    lists = hold_out(clips_of({"x": 6, "y": 1, "z": 3}), 0.2)
    assert Counter(c.group for c in lists["validation"]) == {"y": 1, "z": 3}
    assert Counter(c.group for c in lists["train"]) == {"x": 6}
    assert hold_out(clips_of({"x": 6}), 0.5).keys() == {"train"}


def test_a_group_is_of_a_class_and_leaks_are_counted_once():
    lists = {
        "train": clips_of({"x": 2, "y": 1}),
        "test": clips_of({"x": 1}) + clips_of({"y": 1}, "b"),
    }
    assert leaks(lists) == ["a, group x: train and test"]
    assert leaks(random_split(clips_of({"x": 10}))) == ["a, group x: train and validation"]


def test_names_that_two_classes_share_get_their_class(hmdb, tmp_path):
    for text in ("cartwheel", "wave"):
        touch(tmp_path / "hmdb51_org" / text / "same.avi")
        with (tmp_path / "s" / f"{text}_test_split1.txt").open("a") as file:
            file.write("\nsame.avi 1\n")
    assert hmdb51.main(hmdb) == 0
    both = {"cartwheel-same", "wave-same"}
    listed = names(tmp_path / "hmdb51", "train") | names(tmp_path / "hmdb51", "validation")
    assert both <= listed
    assert json.loads((tmp_path / "hmdb51" / "labels.json").read_text())["wave"] == "1"
