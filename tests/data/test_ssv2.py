"""Something-Something v2's files, in official-style texts; whatever else, refused in words."""

import json
from pathlib import Path

import numpy as np
import pytest

from stabn.data.ssv2 import (
    AnnotationError,
    Record,
    VideoFolder,
    class_of_template,
    class_text,
    mirror_pairs,
    read_classes,
    read_split,
)
from stabn.data.video import VideoError, read_frames, write_video
from tests.data.films import barcodes, encode, numbers

# Template as it stands in train.json → class text as it stands in labels.json, sorted by text.
TEMPLATES = {
    "Lifting [something] up completely, then letting it drop down": (
        "Lifting something up completely, then letting it drop down"
    ),
    "Moving [part] of [something]": "Moving part of something",
    "Plugging [something] into [something] but pulling it right out as you remove your hand": (
        "Plugging something into something but pulling it right out as you remove your hand"
    ),
    "Poking a hole into [something soft]": "Poking a hole into something soft",
    "Pulling [something] from left to right": "Pulling something from left to right",
    "Pulling [something] from right to left": "Pulling something from right to left",
    "Pushing [something] from left to right": "Pushing something from left to right",
    "Pushing [something] from right to left": "Pushing something from right to left",
    "Putting [number of] [something] onto [something]": (
        "Putting number of something onto something"
    ),
    "Putting [something that cannot actually stand upright] upright on the table, so it falls on "
    "its side": "Putting something that cannot actually stand upright upright on the table, so it "
    "falls on its side",
    "Putting [something], [something] and [something] on the table": (
        "Putting something, something and something on the table"
    ),
    "[Something] falling like [a feather or paper]": "Something falling like a feather or paper",
    "Taking [something] from [somewhere]": "Taking something from somewhere",
    "Tipping [something] with [something in it] over, so [something in it] falls out": (
        "Tipping something with something in it over, so something in it falls out"
    ),
    "Touching (without moving) [part] of [something]": (
        "Touching (without moving) part of something"
    ),
    "Turning the camera left while filming [something]": (
        "Turning the camera left while filming something"
    ),
    "Turning the camera right while filming [something]": (
        "Turning the camera right while filming something"
    ),
}
CLASSES = tuple(TEMPLATES.values())


def entry(video_id: str, template: str) -> dict:
    caption = class_text(template).replace("something", "a cup", 1)
    return {"id": video_id, "label": caption, "template": template, "placeholders": ["a cup"]}


@pytest.fixture
def root(tmp_path) -> Path:
    labels = {text: str(k) for k, text in enumerate(CLASSES)}
    train = [entry(str(100 + k), template) for k, template in enumerate(TEMPLATES)]
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    (tmp_path / "train.json").write_text(json.dumps(train))
    return tmp_path


def test_classes_are_indexed_by_id_whatever_the_files_order(root):
    shuffled = [(text, str(k)) for k, text in enumerate(CLASSES)]
    np.random.default_rng(0).shuffle(shuffled)
    (root / "labels.json").write_text(json.dumps(dict(shuffled)))
    assert read_classes(root) == CLASSES


def test_a_template_finds_its_class_whatever_its_brackets_hold():
    for class_id, template in enumerate(TEMPLATES):
        assert class_of_template(template, CLASSES) == class_id
    with pytest.raises(AnnotationError, match=r"'Eating .something.' is none of the 17 classes"):
        class_of_template("Eating [something]", CLASSES)


def test_records(root):
    records = read_split(root, "train", read_classes(root))
    assert [record.class_id for record in records] == list(range(len(CLASSES)))
    assert records[4] == Record(
        "104",
        4,
        "Pulling [something] from left to right",
        "Pulling a cup from left to right",
    )


@pytest.mark.parametrize("folder", [".", "labels"])
@pytest.mark.parametrize("prefix", ["", "something-something-v2-"])
def test_both_spellings_in_both_places(root, folder, prefix):
    (root / folder).mkdir(exist_ok=True)
    for name in ("labels", "train"):
        (root / f"{name}.json").rename(root / folder / f"{prefix}{name}.json")
    assert len(read_split(root, "train", read_classes(root))) == len(CLASSES)


def test_mirror_pairs_are_found_by_text():
    pairs = mirror_pairs(CLASSES)
    assert pairs == {4: 5, 5: 4, 6: 7, 7: 6, 15: 16, 16: 15}
    assert mirror_pairs(CLASSES[::-1]) == {16 - a: 16 - b for a, b in pairs.items()}
    assert mirror_pairs(CLASSES[:4]) == {}  # "pulling it right out" names no side


def test_an_unknown_template_names_file_video_and_template(root):
    (root / "validation.json").write_text(json.dumps([entry("7", "Juggling [something]")]))
    with pytest.raises(AnnotationError, match=r"validation\.json: video 7: template 'Juggling"):
        read_split(root, "validation", CLASSES)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ("brushing teeth\njuggling\n", "is not JSON"),
        ('["abseiling", "zumba"]', "holds a list .* another data set"),
        ("{}", "ids must be"),
        ('{"abseiling": 0, "zumba": 1}', "'abseiling': 0; .* another data set"),
        ('{"abseiling": "1", "zumba": "2"}', "'zumba': '2'; .* another data set"),
        ('{"abseiling": "0", "zumba": "0"}', "a repeated id; .* another data set"),
        ('{"abseiling": {"id": "0"}}', "another data set"),
    ],
)
def test_the_label_file_of_another_data_set(root, labels, says):
    (root / "labels.json").write_text(labels)
    with pytest.raises(AnnotationError, match=rf"labels\.json: .*{says}"):
        read_classes(root)


@pytest.mark.parametrize(
    ("split", "says"),
    [
        ('[{"id": "1"', "is not JSON"),
        ('{"1": "Moving part of something"}', "must hold a list"),
        ('[{"id": "1"}]', "entry 0 has no 'template'.*test lists"),
        ('["1", "2"]', "entry 0"),
        (json.dumps([entry("1", CLASSES[0]), entry("1", CLASSES[1])]), "video 1 is listed twice"),
    ],
)
def test_a_malformed_split(root, split, says):
    (root / "train.json").write_text(split)
    with pytest.raises(AnnotationError, match=rf"train\.json: .*{says}"):
        read_split(root, "train", CLASSES)


def test_a_list_of_ids_alone_will_do_where_no_label_is_needed(root):
    (root / "test.json").write_text('[{"id": "7"}, {"id": "3"}]')
    records = read_split(root, "test", CLASSES, unlabelled=True)
    assert [record.video_id for record in records] == ["7", "3"]
    assert not any(record.labelled for record in records)
    (root / "test.json").write_text(json.dumps([{"id": "7"}, entry("3", CLASSES[0])]))
    with pytest.raises(AnnotationError, match="entry 0 has no 'template'"):
        read_split(root, "test", CLASSES, unlabelled=True)  # forgotten, not left out
    (root / "test.json").write_text(json.dumps([entry("3", CLASSES[0])]))
    assert read_split(root, "test", CLASSES, unlabelled=True) == read_split(root, "test", CLASSES)


def test_ids_that_are_numbers_are_read_as_text(root):
    def ids(*given: object) -> list[str]:
        listed = [entry("1", "Moving [part] of [something]") | {"id": i} for i in given]
        (root / "train.json").write_text(json.dumps(listed))
        return [record.video_id for record in read_split(root, "train", CLASSES)]

    assert ids(7, 78_687) == ids("7", "78687") == ["7", "78687"]
    with pytest.raises(AnnotationError, match=r"train\.json: video 7 is listed twice"):
        ids(7, "7")


@pytest.mark.parametrize(
    "wrong",
    [None, True, 7.0, ["7"], {"7": 7}, "", ".", "a/7", "../7", "7\0", "7\n", "\ud800", "7" * 241],
)
def test_an_id_that_names_no_file(root, wrong):
    listed = [entry("6", "Moving [part] of [something]"), {"id": wrong}]
    (root / "train.json").write_text(json.dumps(listed))
    with pytest.raises(AnnotationError, match=r"train\.json: entry 1: id .* is no text"):
        read_split(root, "train", CLASSES)


@pytest.mark.parametrize("field", ["template", "label"])
@pytest.mark.parametrize("wrong", [None, 3, ["Moving [part] of [something]"], {}])
def test_a_template_or_a_caption_that_is_no_text(root, field, wrong):
    listed = [entry("7", "Moving [part] of [something]") | {field: wrong}]
    (root / "train.json").write_text(json.dumps(listed))
    with pytest.raises(AnnotationError, match=rf"train\.json: video 7: {field} .* is no text"):
        read_split(root, "train", CLASSES)


def test_lists_that_an_editor_saved_with_a_byte_order_mark(root):
    expected = read_split(root, "train", read_classes(root))
    for name in ("labels.json", "train.json"):
        (root / name).write_text((root / name).read_text(), encoding="utf-8-sig")
    assert read_split(root, "train", read_classes(root)) == expected


def test_a_missing_file_names_both_spellings(root):
    with pytest.raises(AnnotationError, match=r"test\.json nor something-something-v2-test\.json"):
        read_split(root, "test", CLASSES)


def test_videos_in_a_folder(root):
    with pytest.raises(VideoError, match="videos: no such folder"):
        VideoFolder(root)
    (root / "videos").mkdir()
    frames = np.random.default_rng(0).integers(0, 255, (5, 16, 24, 3), dtype=np.uint8)
    for video_id in ("9", "10"):
        write_video(root / f"videos/{video_id}.webm", frames, 12)
    videos = VideoFolder(root)
    assert videos.video_ids() == ["10", "9"]
    assert videos.path("9") == root / "videos" / "9.webm"
    assert videos.frames("9") == videos.frames("9") == 5
    np.testing.assert_array_equal(
        videos.read("9", [4, 0]), read_frames(root / "videos/9.webm", [4, 0])
    )
    with pytest.raises(VideoError, match=r"11\.webm: no such file"):
        videos.frames("11")


def test_a_video_as_h264_is_an_mp4(tmp_path):
    (tmp_path / "videos").mkdir()
    frames = np.random.default_rng(0).integers(0, 255, (4, 16, 24, 3), dtype=np.uint8)
    write_video(tmp_path / "videos" / "1.webm", frames, 12)
    write_video(tmp_path / "videos" / "2.mp4", frames, 12)
    videos = VideoFolder(tmp_path)
    assert videos.video_ids() == ["1", "2"]
    assert [videos.path(v).suffix for v in "123"] == [".webm", ".mp4", ".webm"]
    assert videos.frames("2") == 4
    assert videos.read("2", [3]).shape == (1, 16, 24, 3)
    write_video(tmp_path / "videos" / "1.mp4", frames, 12)
    with pytest.raises(VideoError, match=r"1\.webm: is there as \.mp4 too: remove one"):
        videos.video_ids()


def test_a_link_to_a_video_that_is_gone_is_none_and_is_told_from_no_link(tmp_path):
    (tmp_path / "videos").mkdir()
    gone = tmp_path / "gone.avi"
    (tmp_path / "videos" / "1.avi").symlink_to(gone)
    videos = VideoFolder(tmp_path)
    assert videos.video_ids() == []
    assert videos.path("1").name == "1.avi"
    with pytest.raises(VideoError, match=rf"1\.avi: is a link to {gone}, which is gone: put it b"):
        videos.frames("1")
    encode(barcodes(3), gone, "-c:v", "mpeg4")
    assert videos.video_ids() == ["1"]
    assert videos.frames("1") == 3


def test_a_video_may_be_an_avi_with_dots_in_its_name(tmp_path):
    (tmp_path / "videos").mkdir()
    film = tmp_path / "videos" / "#2_a.film_np1.avi"
    encode(barcodes(6), film, "-c:v", "mpeg4", "-vtag", "XVID", "-q:v", "3")
    videos = VideoFolder(tmp_path)
    assert videos.video_ids() == [film.stem]
    assert videos.frames(film.stem) == 6
    assert numbers(videos.read(film.stem, [5, 0])) == [5, 0]


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ("tunning", r"neither tunning\.json nor .*; did you mean 'tuning'\?"),
        ("exam", r"neither exam\.json nor .*; there is labels, mini, train, tuning, validation"),
    ],
)
def test_a_list_that_is_not_there(tiny_set, split, said):
    with pytest.raises(AnnotationError, match=said):
        read_split(tiny_set, split, read_classes(tiny_set))


def test_a_data_set_that_is_not_there(tmp_path):
    (tmp_path / "file").touch()
    for name, said in {"none": "no such folder", "file": "is a file"}.items():
        with pytest.raises(AnnotationError, match=f"{name}: {said}; give the data set's folder"):
            read_classes(tmp_path / name)
