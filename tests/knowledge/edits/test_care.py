"""Signs of carelessness, worked out by hand for three people."""

import numpy as np
import pytest

from stabn.knowledge.edits.care import answered, signs
from stabn.knowledge.edits.edit import UNKNOWN_MODEL

SHOWN = (0.5, 0.5, 0.5, 0.5)


@pytest.fixture
def edit(make_edit):
    """A video's levels, or nothing to correct, by somebody in so many seconds."""

    def make(video_id, annotator, levels, seconds, **more):
        said = {"levels": levels} if levels else {"verdict": "nothing_to_correct"}
        said |= {"attention": SHOWN, "seconds": seconds}
        return make_edit(video_id, annotator, **(said | more))

    return make


@pytest.fixture
def edits(edit):
    return [
        edit("a", "Ada", (0, 0, 1, 1), 30),
        edit("b", "Ada", (0, 1, 1, 0), 40),
        edit("c", "Ada", None, 20),
        edit("a", "Bob", (0, 0, 1, 1), 50),
        edit("b", "Bob", (0, 1, 1, 1), 60),
        *(edit(video_id, "Eve", None, 1) for video_id in "abc"),
    ]


def test_signs_by_hand(edits, edit):
    gold = [edit("a", "an expert", (0, 0, 0, 1), 90)]
    table = signs(edits, gold).set_index("annotator")
    assert table.loc["Ada"].to_dict() == {
        "videos": 3, "unchanged": pytest.approx(1 / 3), "fast": 0,
        "worth a look": "is 0.25 from gold (videos: 1); but so few videos (3) say little",
        "apart": (0 + 0.25) / 2, "common": 2, "off gold": 0.25, "gold": 1,
    }  # fmt: skip
    # The others took 20, 30, 40, 50 and 60 s, of which the fastest tenth is below 24.
    assert table.loc["Eve"].drop("worth a look").to_dict() == {
        "videos": 3, "unchanged": 1, "fast": 1,
        "apart": (0.5 + 0.375) / 2, "common": 2, "off gold": 0.5, "gold": 1,
    }  # fmt: skip
    assert table.loc["Eve", "worth a look"] == (
        "left 100% unchanged; was faster than nine in ten of the others in 100%; is 0.44 from the "
        "others (videos: 2); is 0.50 from gold (videos: 1); but so few videos (3) say little"
    )


def test_what_cannot_be_said_is_nan(edits):
    alone = signs([e for e in edits if e.annotator == "Ada"]).set_index("annotator").loc["Ada"]
    assert np.isnan([alone["fast"], alone["apart"], alone["off gold"]]).all()
    assert alone["worth a look"] == ""
    assert signs([]).empty


def test_imported_edits_took_no_time(edits, edit):
    """Their zero seconds make nobody slow, and nobody of theirs fast."""
    imported = [edit(v, "2022", (0, 0, 1, 1), 0, model=UNKNOWN_MODEL) for v in "abc"]
    with_them = signs([*edits, *imported]).set_index("annotator")
    assert with_them.fast.drop("2022").equals(signs(edits).set_index("annotator").fast)
    assert np.isnan(with_them.loc["2022", "fast"])


def test_verdicts_on_the_video_are_no_levels(edit, make_edit):
    cannot = make_edit("a", "Ada", verdict="cannot_tell")
    assert answered(cannot) is None
    row = signs([cannot, edit("a", "Bob", (0, 0, 1, 1), 5)], []).iloc[0]
    assert (row["videos"], row["common"]) == (1, 0)
    assert np.isnan(row["unchanged"])
