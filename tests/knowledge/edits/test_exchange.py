"""What was written is what is read; what is damaged is refused by name."""

import json
import os
from datetime import UTC, datetime

import numpy as np
import pytest

from stabn.knowledge.edits.edit import EditError
from stabn.knowledge.edits.exchange import (
    UNKNOWN_MODEL,
    annotator_of,
    folder_of,
    read_json,
    read_npy,
    write_json,
    write_npy,
)

CLASSES = [
    "Pretending to put [something] next to [something]",
    "Putting [something] and/or [something else] on the table",
    'Showing that "[something]" is inside \\ behind',
    "Turning <b>[something]</b> upside down? 100%|*:",
    "..",
    "Étirer ⟨quelque chose⟩ 👐",
]


@pytest.fixture
def edits(make_edit):
    rng = np.random.default_rng(0)
    return [
        make_edit("1", "Robert'); DROP TABLE edits;-- 👩🏽‍🔬", levels=rng.random(8)),
        make_edit("1", "Bo", attention=rng.random(8, np.float32), seconds=1 / 3),
        make_edit("2", verdict="cannot_tell", made=datetime.now(UTC)),
        make_edit("a/b\\c", verdict="bad_video"),
    ]


class TestJson:
    def test_there_and_back(self, edits, tmp_path):
        write_json(edits, tmp_path / "new" / "edits.json")
        assert read_json(tmp_path / "new" / "edits.json") == edits
        write_json([], tmp_path / "none.json")
        assert read_json(tmp_path / "none.json") == []

    def test_a_file_of_the_first_version(self, make_edit, tmp_path):
        """It called edited what nobody had changed."""
        edits = [make_edit("1"), make_edit("2", verdict="nothing_to_correct")]
        write_json(edits, tmp_path / "edits.json")
        content = json.loads((tmp_path / "edits.json").read_text())
        untouched = content["edits"][1]
        untouched |= {"verdict": "edited", "levels": untouched["attention"]}
        (tmp_path / "edits.json").write_text(json.dumps(content | {"version": 1}))
        assert read_json(tmp_path / "edits.json") == edits

    def test_saved_again_by_an_editor(self, edits, tmp_path):
        write_json(edits, tmp_path / "edits.json")
        text = (tmp_path / "edits.json").read_text(encoding="utf-8")
        for encoding in ("utf-8-sig", "utf-16"):  # with byte-order marks
            (tmp_path / "edits.json").write_text(text, encoding=encoding)
            assert read_json(tmp_path / "edits.json") == edits

    def test_people_can_read_it(self, edits, tmp_path):
        write_json(edits, tmp_path / "edits.json")
        text = (tmp_path / "edits.json").read_text(encoding="utf-8")
        assert "👩🏽‍🔬" in text
        assert '"verdict": "cannot_tell"' in text

    def test_an_old_file_stays_whole_when_writing_fails(self, edits, tmp_path, monkeypatch):
        path = tmp_path / "edits.json"
        write_json(edits[:1], path)

        def refuse(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space"):
            write_json(edits, path)
        assert read_json(path) == edits[:1]
        assert os.listdir(tmp_path) == ["edits.json"]

    def test_none_there(self, tmp_path):
        with pytest.raises(EditError, match=r"none\.json: cannot be read \(No such file"):
            read_json(tmp_path / "none.json")
        with pytest.raises(EditError, match="cannot be read"):
            read_json(tmp_path)

    @pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
    def test_truncated(self, edits, tmp_path, kept):
        path = tmp_path / "edits.json"
        write_json(edits, path)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(kept * len(whole))])
        with pytest.raises(EditError, match=r"edits\.json: is no JSON file, or a damaged one"):
            read_json(path)

    @pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"PK\x03\x04", b"[" * 100_000])
    def test_no_json(self, tmp_path, content):
        (tmp_path / "edits.json").write_bytes(content)
        with pytest.raises(EditError, match=r"edits\.json: is no JSON file"):
            read_json(tmp_path / "edits.json")

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"format": "stabn queue"}, r"edits\.json: format: is not 'stabn edits'"),
            ({"format": None}, r"edits\.json: format:"),
            ({"version": 3}, r"edits\.json: version: is 3, this stabn knows 1 and 2; update"),
            ({"version": None}, r"edits\.json: version: is None"),
            ({"edits": None}, r"edits\.json: edits: is no list"),
            ({"edits": {"1": []}}, r"edits\.json: edits: is no list"),
        ],
    )
    def test_not_ours(self, edits, tmp_path, change, said):
        path = tmp_path / "edits.json"
        write_json(edits, path)
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        with pytest.raises(EditError, match=said):
            read_json(path)

    @pytest.mark.parametrize("content", ["[]", "null", "3", '"edits"', "[{}]"])
    def test_other_json(self, tmp_path, content):
        (tmp_path / "edits.json").write_text(content)
        with pytest.raises(EditError, match=r"edits\.json: format: is not 'stabn edits'"):
            read_json(tmp_path / "edits.json")

    @pytest.mark.parametrize("field", ["video_id", "verdict", "levels", "annotator"])
    @pytest.mark.parametrize("value", ["", None, [], {}, 3, True, [float("nan")] * 8, [None] * 8])
    def test_any_damaged_field_is_named(self, edits, tmp_path, field, value):
        self.damage(edits, tmp_path, field, value)

    @pytest.mark.parametrize("field", ["model", "attention", "made"])
    @pytest.mark.parametrize("value", ["", None, [], {}, 3, True, ["0.5"] * 8, [1e999] * 8])
    def test_any_damaged_provenance_is_named(self, edits, tmp_path, field, value):
        self.damage(edits, tmp_path, field, value)

    @pytest.mark.parametrize("value", ["", None, [], {}, True, "3", -1, 1e999])
    def test_damaged_seconds(self, edits, tmp_path, value):
        self.damage(edits, tmp_path, "seconds", value)

    def damage(self, edits, folder, field, value):
        path = folder / "edits.json"
        write_json(edits, path)
        content = json.loads(path.read_text())
        content["edits"][1][field] = value
        path.write_text(json.dumps(content))
        with pytest.raises(EditError, match=rf"edits\.json, entry 2: .*{field}"):
            read_json(path)

    @pytest.mark.parametrize("entry", [None, 3, "edit", []])
    def test_an_entry_that_is_none(self, edits, tmp_path, entry):
        path = tmp_path / "edits.json"
        write_json(edits, path)
        content = json.loads(path.read_text())
        content["edits"][3] = entry
        path.write_text(json.dumps(content))
        with pytest.raises(EditError, match=r"edits\.json, entry 4: is no edit"):
            read_json(path)


class TestNpy:
    def test_there_and_back(self, make_edit, tmp_path):
        rng = np.random.default_rng(0)
        ids = ["1", "2", "a/b", "..", "50% [x]", "é👐"]
        edits = [make_edit(video_id, levels=rng.random(8)) for video_id in ids]
        classes = dict(zip(ids, CLASSES, strict=True))
        assert write_npy(edits, tmp_path / "npy", classes) == 6
        back = read_npy(tmp_path / "npy", dict.fromkeys(ids, 8), annotator="Ada")
        key = lambda edit: edit.video_id  # noqa: E731
        for one, other in zip(sorted(back, key=key), sorted(edits, key=key), strict=True):
            assert (one.video_id, one.levels) == (other.video_id, other.levels)
            assert (one.annotator, one.verdict, one.model) == ("Ada", "edited", UNKNOWN_MODEL)
        assert len(os.listdir(tmp_path / "npy")) == len(CLASSES)  # a folder a class, none outside
        assert os.listdir(tmp_path) == ["npy"]

    def test_the_official_editors_folder(self, tmp_path):
        """Class names as they are, float arrays, also of 32 bits, whole numbers too."""
        folder = tmp_path / CLASSES[0]
        folder.mkdir()
        np.save(folder / "151201.npy", np.array([0, 0.5, 1], np.float32))
        np.save(folder / "99.npy", np.array([0, 1]))
        os.utime(folder / "99.npy", (1_600_000_000, 1_600_000_000))
        edits = read_npy(tmp_path, {"151201": 3, "99": 2, "7": 5})
        assert [(e.video_id, e.levels) for e in edits] == [("151201", (0, 0.5, 1)), ("99", (0, 1))]
        assert edits[1].annotator == "2022 editor"
        assert edits[1].made == datetime.fromtimestamp(1_600_000_000, UTC)

    def test_readable_by_the_official_editor(self, make_edit, tmp_path):
        write_npy([make_edit("1")], tmp_path, {"1": CLASSES[0]})
        array = np.load(tmp_path / CLASSES[0] / "1.npy", allow_pickle=False)
        assert array.dtype == np.float64
        assert tuple(array) == make_edit().levels

    def test_class_texts_too_long_for_a_folder(self, make_edit, tmp_path):
        """Two that differ at their ends alone stay apart."""
        long = "Pushing é " * 300
        classes = {"1": long + "left", "2": long + "right"}
        edits = [make_edit("1"), make_edit("2")]
        assert write_npy(edits, tmp_path, classes) == 2
        assert len(os.listdir(tmp_path)) == 2
        back = read_npy(tmp_path, dict.fromkeys("12", 8))
        assert {(e.video_id, e.levels) for e in back} == {(e.video_id, e.levels) for e in edits}

    def test_other_verdicts_are_left_out(self, make_edit, tmp_path):
        edits = [make_edit("1"), make_edit("2", verdict="bad_video")]
        assert write_npy(edits, tmp_path, {"1": "x", "2": "x"}) == 1

    def test_nothing_is_written_unless_all_can_be(self, make_edit, tmp_path):
        with pytest.raises(EditError, match="video 2: its class is not given"):
            write_npy([make_edit("1"), make_edit("2")], tmp_path / "npy", {"1": "x"})
        with pytest.raises(EditError, match=r"video 1: has edits by Ada and Bo.*one annotator's"):
            write_npy([make_edit("1"), make_edit("1", "Bo")], tmp_path / "npy", {"1": "x"})
        assert not (tmp_path / "npy").exists()

    def test_nothing_is_overwritten(self, make_edit, tmp_path):
        write_npy([make_edit("1")], tmp_path, {"1": "x"})
        again = [make_edit("0"), make_edit("1", "Bo")]
        with pytest.raises(EditError, match=r"1\.npy: exists already; choose an empty folder"):
            write_npy(again, tmp_path, {"0": "x", "1": "x"})
        assert os.listdir(tmp_path / "x") == ["1.npy"]

    @pytest.mark.parametrize(
        ("array", "said"),
        [
            (np.zeros(3), r"levels: shape \(3,\), but the video has 2 frames"),
            (np.zeros((2, 1)), r"levels: shape \(2, 1\)"),
            (np.array(1.0), r"levels: shape \(\)"),
            (np.array([0.0, 1.5]), "levels: frame 1: 1.5 lies outside"),
            (np.array([np.nan, 1]), "levels: frame 0: nan is no number"),
            (np.array(["0", "1"]), "levels: frame 0: '0' is no number"),
            (np.array([1j, 1]), "levels: frame 0: 1j is no number"),
        ],
    )
    def test_impossible_levels(self, tmp_path, array, said):
        (tmp_path / "x").mkdir()
        np.save(tmp_path / "x" / "1.npy", array)
        with pytest.raises(EditError, match=rf"1\.npy: .*{said}"):
            read_npy(tmp_path, {"1": 2})

    @pytest.mark.parametrize("content", [b"", b"text", b"\x93NUMPY\x01\x00"])
    def test_damaged(self, tmp_path, content):
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / "1.npy").write_bytes(content)
        with pytest.raises(EditError, match=r"1\.npy: is no array, or a damaged one"):
            read_npy(tmp_path, {"1": 2})

    def test_code_in_an_array_is_not_run(self, tmp_path):
        class Command:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "broken_into"),)

        (tmp_path / "x").mkdir()
        np.save(tmp_path / "x" / "1.npy", np.array([Command(), 1], dtype=object))
        with pytest.raises(EditError, match=r"1\.npy: is no array"):
            read_npy(tmp_path, {"1": 2})
        assert not (tmp_path / "broken_into").exists()

    def test_an_archive_is_none(self, tmp_path):
        (tmp_path / "x").mkdir()
        with open(tmp_path / "x" / "1.npy", "wb") as file:
            np.savez(file, np.zeros(2))
        with pytest.raises(EditError, match=r"1\.npy: levels: shape of an archive"):
            read_npy(tmp_path, {"1": 2})

    def test_videos_unknown_or_twice(self, make_edit, tmp_path):
        write_npy([make_edit("1")], tmp_path, {"1": "x"})
        with pytest.raises(EditError, match=r"1\.npy: video 1 is not in the data set"):
            read_npy(tmp_path, {"2": 8})
        write_npy([make_edit("1")], tmp_path, {"1": "y"})
        with pytest.raises(EditError, match=r"y.1\.npy: video 1 lies in a second class"):
            read_npy(tmp_path, {"1": 8})

    def test_empty(self, tmp_path):
        with pytest.raises(EditError, match=r"holds no <class>/<video>\.npy"):
            read_npy(tmp_path / "none", {"1": 8})


@pytest.mark.parametrize("name", ["..", ".", "a/b", "名", "a b", "\\\\x", "Ada_41_", "2-Ada"])
def test_names_become_folders_that_stay_where_they_are_and_give_the_name_back(name):
    folder = folder_of(7, name)
    assert folder.startswith("7-")
    assert folder[2:].replace("_", "").isalnum()
    assert folder.isascii()
    assert annotator_of(folder) == name


@pytest.mark.parametrize("folder", ["edits", "1-", "old edits", "1-a b", "1-_zz_"])
def test_other_folders_tell_no_name(folder):
    assert annotator_of(folder) is None
