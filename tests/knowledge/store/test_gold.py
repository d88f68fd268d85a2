"""Videos whose levels are known: given to everybody, and kept out of what networks learn."""

import numpy as np
import pytest

from stabn.knowledge.edits.edit import EditError
from stabn.knowledge.finetuning.targets import read_edits
from stabn.knowledge.store.database import StoreError
from stabn.knowledge.store.store import Store


@pytest.fixture
def known(make_edit):
    """What an expert knows of b."""
    return make_edit("b", "an expert", levels=(0.0, 1.0) * 4)


def test_everybody_is_given_gold_in_its_place_among_the_others(store, known, make_edit):
    """With one annotator a video, of a, b, c and d, b is gold."""
    store.gold.name([known])
    given = {"Ada": [], "Bo": [], "Cy": []}
    for _ in range(3):
        for name, theirs in given.items():
            if video_id := store.lease(name):
                theirs.append(video_id)
                store.save(make_edit(video_id, name), after=None)
                store.release(name, video_id)
    assert given == {"Ada": ["a", "b"], "Bo": ["b", "c"], "Cy": ["b", "d"]}


def test_networks_learn_from_all_but_gold(store, store_url, known, make_edit):
    rng = np.random.default_rng(0)
    edits = [
        make_edit(video_id, name, levels=rng.random(8))
        for video_id in "abc"
        for name in ("Al", "Bo")
    ]
    store.take_in(edits)
    assert read_edits(store_url) == edits
    store.gold.name([known])
    assert store.edits() == edits  # agreement and signs are about all
    assert read_edits(store_url) == [edit for edit in edits if edit.video_id != "b"]
    store.gold.name([known], train=True)
    assert read_edits(store_url) == edits


def test_a_naming_replaces_the_one_before(store, known, make_edit, tmp_path):
    other = make_edit("a", "an expert", verdict="nothing_to_correct")
    store.gold.name([known, other])
    assert store.gold.edits() == [other, known]  # in queue order
    store.gold.name([known])
    assert store.gold.edits() == [known]
    store.backup(tmp_path / "copy.sqlite")
    store.gold.name([])
    assert store.gold.edits() == []
    store.gold.name([])
    assert Store(tmp_path / "copy.sqlite").gold.edits() == [known]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"video_id": "b"}, "a video is there twice"),
        ({"video_id": "a", "verdict": "cannot_tell"}, "video a: its levels are not known"),
        ({"video_id": "x"}, "video x: is unknown"),
        (
            {"video_id": "a", "levels": (0.0,), "attention": (1.0,)},
            "video a: has 8 frames, the edit 1",
        ),
    ],
)
def test_what_cannot_be_gold_changes_nothing(store, known, make_edit, wrong, said):
    store.gold.name([known])
    with pytest.raises((EditError, StoreError), match=said):
        store.gold.name([known, make_edit(**wrong)])
    assert store.gold.edits() == [known]
