"""Whose word does not count, decided by whom and why; and what follows from it everywhere."""

import numpy as np
import pytest

from stabn.knowledge.edits.agreement import agreement_table, alpha
from stabn.knowledge.edits.edit import EditError
from stabn.knowledge.edits.exchange import read_json, write_json
from stabn.knowledge.finetuning.targets import read_edits, read_targets
from stabn.knowledge.store.database import StoreError
from stabn.knowledge.store.exclusions import in_force
from stabn.knowledge.store.store import Store

WHY = {"who": "Olga", "why": "presses keys at random"}


class Eight:
    """Videos of eight frames each."""

    def frames(self, video_id: str) -> int:
        return 8


@pytest.fixture
def careful(make_edit):
    """What Ada and Bo say of a, b and c."""
    rng = np.random.default_rng(0)
    return [
        make_edit(video_id, name, levels=rng.random(8))
        for video_id in "abc"
        for name in ("Ada", "Bo")
    ]


@pytest.fixture
def careless(make_edit):
    """What Cy says of a to d, without a look."""
    return [make_edit(video_id, "Cy", levels=(1.0, 0.0) * 4) for video_id in "abcd"]


@pytest.fixture
def clean(tmp_path, careful) -> Store:
    """A store that never had Cy."""
    store = Store(tmp_path / "clean.sqlite")
    store.register((video_id, 8) for video_id in "abcd")
    store.take_in(careful)
    return store


@pytest.fixture
def store(store, careful, careless) -> Store:
    store.take_in([*careless, *careful])
    return store


def test_without_the_careless_all_is_as_if_they_had_never_been(
    store, store_url, clean, careless, tmp_path
):
    known = dict.fromkeys("abcd", 0)
    targets = read_targets(clean.edits(), known, Eight())
    spoilt = read_targets(store.edits(), known, Eight())
    assert "d" in spoilt
    assert not np.array_equal(spoilt["a"], targets["a"])
    store.exclude("Cy", **WHY)
    assert store.edits() == clean.edits()
    assert store.excluded() == careless
    assert alpha(store.edits()) == alpha(clean.edits())
    assert agreement_table(store.edits()).equals(agreement_table(clean.edits()))
    assert store.progress().finished.tolist() == clean.progress().finished.tolist()
    write_json(store.edits(), tmp_path / "edits.json")
    for source in (store_url, str(tmp_path / "edits.json")):
        learned = read_targets(read_edits(source), known, Eight())
        assert list(learned) == list(targets)
        for video_id, levels in learned.items():
            np.testing.assert_array_equal(levels, targets[video_id])
    assert read_json(tmp_path / "edits.json") == clean.edits()


def test_an_edit_alone(store, careless):
    before = store.edits()
    store.exclude("Cy", "b", **WHY)
    assert store.edits() == [edit for edit in before if edit != careless[1]]
    assert store.excluded() == [careless[1]]
    assert len(store.revisions(annotator="Cy")) == 4


def test_each_decision_is_kept_and_the_last_one_holds(store, clean):
    whole = store.edits()
    store.exclude("Cy", **WHY)
    store.exclude("Cy", "a", **WHY)
    store.readmit("Cy", who="Pia", why="was the mouse's fault")
    assert [edit for edit in whole if edit not in store.edits()] == store.excluded()
    assert [(edit.annotator, edit.video_id) for edit in store.excluded()] == [("Cy", "a")]
    store.readmit("Cy", "a", who="Pia", why="this one, too")
    assert store.edits() == whole
    store.exclude("Cy", who="Olga", why="no, it was not")
    assert store.edits() == clean.edits()
    log = [(one.video_id, one.excluded, one.who, one.why) for one in store.exclusions()]
    assert log == [
        (None, True, *WHY.values()),
        ("a", True, *WHY.values()),
        (None, False, "Pia", "was the mouse's fault"),
        ("a", False, "Pia", "this one, too"),
        (None, True, "Olga", "no, it was not"),
    ]
    assert in_force(store.exclusions()) == store.exclusions()[-1:]
    assert all(one.made.utcoffset() is not None for one in store.exclusions())


def test_what_is_said_later_is_set_aside_too(store, make_edit, clean):
    store.exclude("Cy", **WHY)
    store.save(make_edit("a", "Cy", seconds=99.0), after=1)
    assert store.edits() == clean.edits()
    assert [edit.seconds for edit in store.excluded() if edit.video_id == "a"] == [99.0]


def test_a_video_that_only_the_careless_finished_is_free_again(store):
    assert store.lease("Di") is None
    store.exclude("Cy", **WHY)
    assert store.lease("Di") == "d"
    assert store.lease("Cy") is None  # they need not do it twice


def test_what_was_taken_back_is_not_among_it(store, make_edit):
    store.save(make_edit("d", "Cy", verdict="open"), after=1)
    store.exclude("Cy", **WHY)
    assert [edit.video_id for edit in store.excluded()] == ["a", "b", "c"]


def test_a_backup_keeps_it(store, clean, tmp_path):
    store.exclude("Cy", **WHY)
    store.backup(tmp_path / "copy.sqlite")
    copy = Store(tmp_path / "copy.sqlite", create=False)
    assert copy.exclusions() == store.exclusions()
    assert copy.edits() == clean.edits()


def test_what_cannot_be_decided(store):
    with pytest.raises(StoreError, match="Zoe: holds no such edit; it has edits by Ada, Bo, Cy"):
        store.exclude("Zoe", **WHY)
    with pytest.raises(StoreError, match="Ada, d: holds no such edit"):
        store.exclude("Ada", "d", **WHY)
    with pytest.raises(StoreError, match="Cy: is not set aside; there is nothing to take back"):
        store.readmit("Cy", **WHY)
    store.exclude("Cy", **WHY)
    with pytest.raises(StoreError, match=r"Cy: set aside already, by Olga \(presses keys"):
        store.exclude("Cy", **WHY)
    with pytest.raises(StoreError, match="Cy: is set aside as a whole; hear all of their videos"):
        store.readmit("Cy", "a", **WHY)
    for field, asked in {"who": "Please give the name", "why": "Please give a reason"}.items():
        with pytest.raises(EditError, match=asked):
            store.exclude("Ada", **(WHY | {field: " "}))
    assert len(store.exclusions()) == 1
    store.exclude("Ada", "a", **WHY)
    with pytest.raises(StoreError, match="Ada: is set aside in single videos; choose of a"):
        store.readmit("Ada", **WHY)
