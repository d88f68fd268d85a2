"""What an organiser does with a store without writing Python."""

import getpass

import numpy as np
import pytest

from stabn.knowledge.edits.exchange import write_json, write_npy
from stabn.knowledge.selection.queue import QueuedVideo, write_queue
from stabn.knowledge.store.store import Store


@pytest.fixture
def store(tmp_path, make_edit) -> Store:
    """A store in a file, which knows videos a to d, with an edit of a by Ada and by Cy."""
    store = Store(tmp_path / "edits.sqlite")
    store.register((video_id, 8) for video_id in "abcd")
    store.take_in([make_edit(), make_edit(annotator="Cy")])
    return store


def test_setting_aside_and_hearing_again(store, stabn, capsys):
    both = store.edits()
    stabn("exclude", store.name, "--annotator", "Cy", "--because", "at random", "--by", "Olga")
    assert store.edits() == both[:1]
    said = capsys.readouterr().out
    assert "by Olga: at random" in said
    assert "1 edits count, 1 are set aside" in said
    stabn("exclude", store.name)
    assert capsys.readouterr().out == said
    again = ["--annotator", "Cy", "--undo", "--because", "she did look"]
    stabn("exclude", store.name, *again)
    assert store.edits() == both
    assert capsys.readouterr().out == f"{store.name}: 2 edits count, 0 are set aside\n"
    stabn("exclude", store.name, "--annotator", "Ada", "--video", "a", "--because", "mine")
    assert store.edits() == both[1:]
    assert [one.who for one in store.exclusions()] == ["Olga", *[getpass.getuser()] * 2]


def test_nothing_is_decided_without_a_name_or_a_reason(store, stabn):
    with pytest.raises(SystemExit, match="error: --because: missing"):
        stabn("exclude", store.name, "--annotator", "Cy")
    with pytest.raises(SystemExit, match="error: --annotator: missing"):
        stabn("exclude", store.name, "--because", "at random")
    with pytest.raises(SystemExit, match=r"error: .*none.sqlite: no such store"):
        stabn("exclude", f"{store.name}/../none.sqlite")
    assert store.exclusions() == []


def test_a_json_file(store, stabn, make_edit, tmp_path, capsys):
    edits = [make_edit(), make_edit("b"), make_edit("c", verdict="cannot_tell")]
    write_json(edits, tmp_path / "edits.json")
    stabn("import", store.name, str(tmp_path / "edits.json"))
    assert "2 edits are new, 1 were there, 0 are no newer" in capsys.readouterr().out
    assert [edit for edit in store.edits() if edit.annotator == "Ada"] == edits
    stabn("import", store.name, str(tmp_path / "edits.json"))
    assert "0 edits are new, 3 were there" in capsys.readouterr().out


def test_a_folder_of_the_2022_editor(store, stabn, make_edit, tmp_path):
    write_npy([make_edit("c")], tmp_path / "npy", {"c": "Covering"})
    stabn("import", store.name, str(tmp_path / "npy"), "--annotator", "Bo")
    (edit,) = (edit for edit in store.edits() if edit.annotator == "Bo")
    np.testing.assert_array_equal(edit.levels, make_edit().levels)


def test_a_folder_that_the_organiser_exported_says_whose_it_is(store, stabn, make_edit, tmp_path):
    write_npy([make_edit("c")], tmp_path / "1-Bo_20_B", {"c": "Covering"})
    stabn("import", store.name, str(tmp_path / "1-Bo_20_B"))
    assert [edit.video_id for edit in store.edits() if edit.annotator == "Bo B"] == ["c"]


def test_what_does_not_fit_is_said_and_nothing_is_imported(store, stabn, make_edit, tmp_path):
    write_json([make_edit("b"), make_edit("z")], tmp_path / "edits.json")
    with pytest.raises(SystemExit, match=r"error: .*video z: is unknown; register it first"):
        stabn("import", store.name, str(tmp_path / "edits.json"))
    assert len(store.revisions()) == 2


def test_a_queue_makes_a_store_that_knows_its_videos(stabn, make_queue, make_edit, tmp_path):
    queue = make_queue([QueuedVideo("a", 0, 1, 0.2, (0.1,) * 8, (0, 2), None)])
    write_queue(queue)
    write_json([make_edit()], tmp_path / "edits.json")
    path = str(tmp_path / "new.sqlite")
    with pytest.raises(SystemExit, match=r"error: .*no such store of edits"):
        stabn("import", path, str(tmp_path / "edits.json"))
    stabn("import", path, str(tmp_path / "edits.json"), "--queue", str(queue.folder))
    assert Store(path, create=False).edits() == [make_edit()]


def test_naming_gold(store, stabn, make_edit, tmp_path, capsys):
    known = make_edit("b", "an expert")
    write_json([known], tmp_path / "expert.json")
    stabn("gold", store.name, str(tmp_path / "expert.json"))
    assert capsys.readouterr().out == f"{store.name}: 1 gold video\n"
    assert store.gold.edits() == [known]
    stabn("gold", store.name, "--annotator", "Ada")
    assert store.gold.edits() == [make_edit()]
    for wrong, said in [
        (["--annotator", "Nobody"], "--annotator Nobody: has said nothing"),
        (["--annotator", "Ada", "--none"], "give one of a file, --annotator and --none"),
        ([str(tmp_path / "none.json")], "none.json: cannot be read"),
    ]:
        with pytest.raises(SystemExit, match=said):
            stabn("gold", store.name, *wrong)
    assert store.gold.edits() == [make_edit()]
    stabn("gold", store.name, "--none")
    assert store.gold.edits() == []
