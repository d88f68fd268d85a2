"""Targets are looked up by source frame; placebos carry no knowledge of their own video."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from stabn.data.sampling import segment_indices
from stabn.knowledge.edits.edit import Edit, EditError
from stabn.knowledge.edits.exchange import read_npy
from stabn.knowledge.finetuning.targets import (
    at_frames,
    distance,
    read_targets,
    shifted,
    stretched,
    swapped,
    unchanged,
)


class Lengths:
    """Videos that know their lengths alone."""

    def __init__(self, **lengths: int):
        self.lengths = lengths

    def frames(self, video_id: str) -> int:
        return self.lengths[video_id]


def edit(video_id: str, levels, annotator: str = "ann") -> Edit:
    return Edit(
        video_id=video_id,
        verdict="edited",
        levels=tuple(levels),
        annotator=annotator,
        model="ab" * 32,
        attention=(0.5,) * len(levels),
        made=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=1.0,
    )


def test_a_batch_gets_the_levels_of_the_frames_it_was_sampled_from():
    rng = np.random.default_rng(0)
    levels = {"a": rng.random(23), "c": rng.random(7)}
    lengths = {"a": 23, "b": 30, "c": 7}
    for _ in range(20):
        indices = [segment_indices(n, 8, rng) for n in lengths.values()]
        target, edited = at_frames(levels, list(lengths), torch.tensor(np.stack(indices)))
        assert edited.tolist() == [True, False, True]
        for row, video_id, frames in zip(target, lengths, indices, strict=True):
            expected = [levels[video_id][t] if video_id in levels else 0 for t in frames]
            np.testing.assert_allclose(row, expected, rtol=1e-6)


def test_without_levels_nothing_is_edited():
    target, edited = at_frames(None, ["a", "b"], torch.zeros(2, 4, dtype=torch.int64))
    assert (target == 0).all()
    assert not edited.any()


def test_targets_are_what_annotators_agree_on():
    made = [edit("a", [0, 1, 1], who) for who in ("x", "y")] + [edit("a", [1, 1, 0], "z")]
    levels = read_targets(made, {"a": 0}, Lengths(a=3))
    np.testing.assert_array_equal(levels["a"], [0, 1, 1])


OWN = (0.5, 0.5, 0.5)  # the attention that was shown, see edit()


def test_a_video_that_nobody_corrected_is_no_target():
    made = [edit("a", [0, 1, 1]), edit("b", OWN, "x"), edit("b", OWN, "y")]
    assert unchanged(made) == {"b"}
    levels = read_targets(made, {"a": 0, "b": 0}, Lengths(a=3, b=3))
    assert list(levels) == ["a"]


def test_beside_a_correction_the_attention_as_it_was_is_no_vote():
    made = [edit("a", OWN, "x"), edit("a", OWN, "y"), edit("a", [0, 0, 1], "z")]
    assert unchanged(made) == set()
    np.testing.assert_array_equal(read_targets(made, {"a": 0}, Lengths(a=3))["a"], [0, 0, 1])


def test_a_verdict_is_no_correction_and_no_confirmation():
    cannot = replace(edit("a", [0, 1, 1], "y"), verdict="cannot_tell", levels=())
    assert unchanged([edit("a", OWN, "x"), cannot]) == {"a"}
    assert unchanged([cannot]) == set()


def test_of_several_revisions_the_latest_counts_wherever_it_stands():
    later = datetime(2026, 1, 2, tzinfo=UTC)
    back, forth = replace(edit("a", OWN), made=later), replace(edit("b", [0, 1, 1]), made=later)
    made = [edit("a", [0, 1, 1]), edit("b", OWN)]
    assert unchanged([*made, back, forth]) == unchanged([back, forth, *made]) == {"a"}


def test_an_imported_edit_of_zeros_is_a_correction(tmp_path):
    """The 2022 editor's files do not say what was shown: zeros stand in its place."""
    (tmp_path / "class").mkdir()
    np.save(tmp_path / "class" / "a.npy", np.zeros(3))
    made = read_npy(tmp_path, {"a": 3})
    assert made[0].levels == made[0].attention
    assert list(read_targets(made, {"a": 0}, Lengths(a=3))) == ["a"]


def test_an_untouched_video_comes_out_of_a_store_as_it_was_shown(store, make_edit):
    """Floats of any length: both databases give back the very numbers."""
    attention = tuple(np.random.default_rng(0).random(8, np.float32).tolist())
    store.save(make_edit("a", attention=attention, levels=attention), after=None)
    store.save(make_edit("b", attention=attention, levels=(*attention[:7], 0.0)), after=None)
    assert unchanged(store.edits()) == {"a"}


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ([], "nothing to learn from"),
        ([edit("stranger", [0, 1])], "outside the training split .stranger."),
        ([edit("a", [0, 1])], "video a has 2 levels but 3 frames"),
        ([edit("a", OWN)], "sets levels, in 1 videos there was nothing to correct; there is"),
    ],
)
def test_edits_that_do_not_fit_the_training_split_are_refused(edits, said):
    with pytest.raises(EditError, match=said):
        read_targets(edits, {"a": 0}, Lengths(a=3))


def tagged(*ids: str) -> dict[str, np.ndarray]:
    """Levels from which a video can be told: its first is its place."""
    return {name: np.linspace(place, place + 0.5, 5 + place) for place, name in enumerate(ids)}


def donor(row: np.ndarray) -> int:
    return int(row[0])


@pytest.mark.parametrize("seed", range(5))
def test_the_placebo_is_another_video_of_the_class_and_every_edit_is_used_once(seed):
    ids = [f"{k}{i}" for k in "pqr" for i in range(4)]
    class_of = {name: ord(name[0]) for name in ids}
    levels = tagged(*ids)
    given = swapped(levels, class_of, seed)
    donors = {name: ids[donor(row)] for name, row in given.items()}
    assert set(donors.values()) == set(ids) == set(donors)
    for name, other in donors.items():
        assert other != name
        assert class_of[other] == class_of[name]
        assert len(given[name]) == len(levels[name])


def test_the_swaps_depend_on_the_seed_and_on_nothing_else():
    levels, class_of = tagged(*"abcdef"), dict.fromkeys("abcdef", 0)
    again = dict(reversed(list(levels.items())))
    for name, row in swapped(levels, class_of, 1).items():
        np.testing.assert_array_equal(row, swapped(again, class_of, 1)[name])
    donors = {tuple(donor(r) for r in swapped(levels, class_of, s).values()) for s in range(9)}
    assert len(donors) > 1


def test_a_class_with_one_edit_takes_anothers():
    class_of = {"a": 0, "b": 0, "c": 1, "d": 2}
    levels = tagged(*"abcd")
    donors = {name: "abcd"[donor(row)] for name, row in swapped(levels, class_of, 0).items()}
    assert donors == {"a": "b", "b": "a", "c": "d", "d": "c"}
    del class_of["d"], levels["d"]  # c is alone now: it joins the others
    given = swapped(levels, class_of, 0)
    assert all("abc"[donor(row)] != name for name, row in given.items())
    with pytest.raises(EditError, match="two or more"):
        swapped(tagged("a"), {"a": 0}, 0)


def test_stretching_keeps_the_share_of_time():
    row = np.array([0.0, 1.0, 0.5])
    np.testing.assert_array_equal(stretched(row, 3), row)
    np.testing.assert_array_equal(stretched(row, 6), [0, 0, 1, 1, 0.5, 0.5])
    assert len(stretched(row, 1)) == 1


def test_the_shift_marks_the_other_half():
    np.testing.assert_array_equal(shifted({"a": np.array([1, 1, 0, 0])})["a"], [0, 0, 1, 1])


def test_how_far_levels_lie_apart():
    """(0.5 + 0 + 0 + 0)/4 and (1 + 0)/2: 0.3125."""
    one = {"a": np.array([1.0, 0.5, 0, 0]), "b": np.array([1.0, 0])}
    other = {"b": np.array([0.0, 0]), "a": np.array([0.5, 0.5, 0, 0])}
    assert distance(one, other) == distance(other, one) == 0.3125
    assert distance(one, one) == 0
