"""A draft goes on where its revisions left it, undo and redo included."""

import random

import pytest

from stabn.knowledge.edits.edit import Draft
from stabn.knowledge.edits.history import draft_of

ATTENTION = (0.1,) * 8
MODEL = "0123456789abcdef" * 4


@pytest.fixture
def saved(make_edit):
    """The revision that holds what a draft says."""

    def save(draft: Draft, **more):
        return make_edit(verdict=draft.verdict, levels=draft.content[1], **more)

    return save


@pytest.mark.parametrize("seed", range(20))
def test_the_way_back_is_the_one_that_was_gone(saved, seed):
    """The slow version: the draft itself, saved after each step and never closed."""
    rng = random.Random(seed)
    draft, edits = Draft(ATTENTION), []
    for step in range(40):
        # Every level is a new one: what is drawn by hand never looks like an undo.
        level = (step + 1) / 41
        {
            "paint": lambda level=level: draft.set(rng.randrange(8), level),
            "undo": draft.undo,
            "redo": draft.redo,
        }[rng.choice(["paint", "paint", "undo", "undo", "redo"])]()
        edits.append(saved(draft))
    again = draft_of(ATTENTION, edits, MODEL)
    while True:
        assert again.content == draft.content
        if not draft.undo():
            break
        again.undo()
    assert not again.undo()
    while draft.redo():
        again.redo()
        assert again.content == draft.content
    assert not again.redo()


def test_verdicts_are_steps(saved):
    draft, edits = Draft(ATTENTION), []
    for act in (
        lambda: draft.say("nothing_to_correct"),
        lambda: draft.set(0, 1.0),
        lambda: draft.say("cannot_tell"),
        lambda: draft.set(1, 1.0),
        draft.undo,
    ):
        act()
        edits.append(saved(draft))
    again = draft_of(ATTENTION, edits, MODEL)
    said = [again.content]
    while again.undo():
        said.append(again.content)
    assert said == [
        ("cannot_tell", ()),
        ("edited", (1.0, *ATTENTION[1:])),
        ("nothing_to_correct", ()),
        ("open", ()),
    ]


def test_without_revisions_it_begins_with_the_attention():
    draft = draft_of(ATTENTION, [], MODEL)
    assert draft.content == ("open", ())
    assert not draft.can_undo


def test_the_same_saved_again_for_its_time_is_no_step(saved):
    draft = Draft(ATTENTION)
    draft.set(0, 1.0)
    again = draft_of(ATTENTION, [saved(draft), saved(draft, seconds=20.0)], MODEL)
    again.undo()
    assert not again.can_undo


def test_nothing_to_correct_is_said_of_one_networks_attention(make_edit):
    edit = make_edit(verdict="nothing_to_correct")
    assert draft_of(ATTENTION, [edit], MODEL).verdict == "nothing_to_correct"
    assert draft_of((0.3,) * 8, [edit], "ab" * 32).verdict == "open"
