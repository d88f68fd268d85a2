"""An edit is valid or refused by name; a draft can always go back."""

import json
import random
from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import numpy as np
import pytest

from stabn.knowledge.edits.edit import LEVELS, UNKNOWN_MODEL, Draft, Edit, EditError, Verdict


class TestEdit:
    def test_numbers_of_any_kind_become_plain_ones(self, make_edit):
        levels = np.array([0, 0.5, 1, 0, 0, 0, 0, 0], np.float32)
        edit = make_edit(levels=levels, attention=list(1 - levels), seconds=np.int64(3))
        assert edit.levels == (0.0, 0.5, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        assert {type(x) for x in (*edit.levels, *edit.attention, edit.seconds)} == {float}
        assert edit.frames == 8

    def test_times_are_kept_as_utc(self, make_edit):
        kyoto = timezone(timedelta(hours=9))
        edit = make_edit(made=datetime(2024, 5, 17, 18, 30, tzinfo=kyoto))
        assert edit.made == datetime(2024, 5, 17, 9, 30, tzinfo=UTC)
        assert edit.made.utcoffset() == timedelta(0)

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({"levels": (0.0,) * 7}, "video a: levels: 7 for 8 frames"),
            ({"levels": ()}, "video a: levels: 0 for 8 frames"),
            ({"levels": (0.0,) * 6 + (1.2, 0.0)}, r"levels: frame 6: 1.2 lies outside \[0, 1\]"),
            ({"levels": (0.0,) * 7 + (-0.1,)}, "levels: frame 7: -0.1 lies outside"),
            ({"levels": (float("nan"),) + (0.0,) * 7}, "levels: frame 0: nan is no number"),
            ({"levels": (0.0, None) + (0.0,) * 6}, "levels: frame 1: missing"),
            ({"levels": (0.0, "1") + (0.0,) * 6}, "levels: frame 1: '1' is no number"),
            ({"levels": (0.0, True) + (0.0,) * 6}, "levels: frame 1: True is no number"),
            ({"levels": (10**400,) * 8}, "levels: frame 0: 1000000"),
            ({"levels": "00001111"}, "levels: '00001111' is no list"),
            ({"levels": None}, "levels: None is no list"),
            ({"levels": np.zeros((8, 1))}, "levels: frame 0: "),
            ({"attention": (), "levels": ()}, "attention: missing"),
            ({"attention": (2.0,) * 8}, "attention: frame 0: 2 lies outside"),
            ({"verdict": "perfect"}, "verdict: 'perfect' is none of edited, nothing_to_correct"),
            ({"verdict": "bad_video", "levels": (1.0,) * 8}, "levels: given although .* bad_video"),
            ({"annotator": ""}, "annotator: empty"),
            ({"annotator": " \t"}, "annotator: empty"),
            ({"annotator": None}, "annotator: None is no text"),
            ({"annotator": "A\0da"}, "annotator: .*cannot be stored"),
            ({"annotator": "A\ud800"}, "annotator: .*cannot be stored"),
            ({"video_id": ""}, "edit: video_id: empty"),
            ({"video_id": 7}, "edit: video_id: 7 is no text"),
            ({"model": "best.pt"}, "model: 'best.pt' is no SHA-256"),
            ({"made": datetime(2024, 5, 17)}, "made: .* no time with a time zone"),
            ({"made": "yesterday"}, "made: .* no time"),
            ({"seconds": -1.0}, "seconds: -1.0 is negative"),
            ({"seconds": float("inf")}, "seconds: inf is no number"),
            ({"seconds": None}, "seconds: missing"),
        ],
    )
    def test_what_is_wrong_is_named(self, make_edit, values, said):
        with pytest.raises(EditError, match=said):
            make_edit(**values)

    @pytest.mark.parametrize("verdict", get_args(Verdict))
    def test_there_and_back_through_json(self, make_edit, verdict):
        edit = make_edit(
            verdict=verdict,
            annotator="Robert'); DROP TABLE edits;-- 👩🏽‍🔬",
            attention=np.random.default_rng(0).random(8),
            made=datetime.now(UTC),
        )
        assert Edit.from_plain(json.loads(json.dumps(edit.plain())), "here") == edit

    def test_who_leaves_the_attention_as_it_was_edits_nothing(self, make_edit):
        shown = np.random.default_rng(0).random(8)
        edit = make_edit(levels=shown, attention=shown)
        assert edit == make_edit(verdict="nothing_to_correct", levels=(), attention=shown)
        assert make_edit(levels=(*shown[:7], 0.0), attention=shown).verdict == "edited"

    def test_imported_levels_are_an_edit_whatever_was_shown(self, make_edit):
        edit = make_edit(levels=(0.0,) * 8, attention=(0.0,) * 8, model=UNKNOWN_MODEL)
        assert edit.content == ("edited", (0.0,) * 8)

    def test_fields_missing_or_unknown(self, make_edit):
        plain = make_edit().plain()
        del plain["model"]
        plain["modle"] = "0" * 64
        said = r"edits.json, entry 3: model: missing; modle: unknown field"
        with pytest.raises(EditError, match=said):
            Edit.from_plain(plain, "edits.json, entry 3")

    @pytest.mark.parametrize("values", [None, 3, "edit", [1, 2]])
    def test_no_edit_at_all(self, values):
        with pytest.raises(EditError, match="entry 3: is no edit"):
            Edit.from_plain(values, "edits.json, entry 3")

    @pytest.mark.parametrize("made", [None, 3, "yesterday", "2024-13-01T00:00:00+00:00"])
    def test_no_time(self, make_edit, made):
        with pytest.raises(EditError, match=r"entry 3: made: .* no time in ISO 8601"):
            Edit.from_plain(make_edit().plain() | {"made": made}, "entry 3")


class TestDraft:
    def test_starts_from_the_attention_or_from_levels(self):
        attention = np.array([0.1, 0.9, 0.3])
        assert Draft(attention).levels.tolist() == [0.1, 0.9, 0.3]
        assert not Draft(attention).changed
        draft = Draft(attention, [0.0, 1.0, 0.5])
        assert draft.levels.tolist() == [0.0, 1.0, 0.5]
        assert draft.changed
        assert not draft.can_undo
        draft.reset()
        assert draft.levels.tolist() == [0.1, 0.9, 0.3]
        draft.undo()
        assert draft.levels.tolist() == [0.0, 1.0, 0.5]

    def test_nobody_changes_it_from_outside(self):
        attention = np.array([0.1, 0.9, 0.3])
        draft = Draft(attention)
        attention[:] = 0
        assert draft.levels.tolist() == [0.1, 0.9, 0.3]
        for array in draft.levels, draft.attention:
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1

    def test_paint_takes_the_ends_in_either_order(self):
        draft = Draft([0.2] * 6)
        draft.paint(4, 2, 1.0)
        assert draft.levels.tolist() == [0.2, 0.2, 1, 1, 1, 0.2]

    def test_fill_draws_a_line(self):
        draft = Draft([0.0, 0.7, 0.7, 0.7, 1.0, 0.3])
        draft.fill(4, 0)
        assert draft.levels.tolist() == [0, 0.25, 0.5, 0.75, 1, 0.3]

    def test_smooth_averages_what_is_near(self):
        draft = Draft([0.0, 0.0, 0.9, 0.0, 0.6])
        draft.smooth()
        np.testing.assert_allclose(draft.levels, [0, 0.3, 0.3, 0.5, 0.3])
        wide = Draft([0.0, 1.0, 0.5])
        wide.smooth(10)
        np.testing.assert_allclose(wide.levels, [0.5] * 3)

    def test_what_changes_nothing_is_no_step(self):
        draft = Draft([0.1] * 5)
        draft.set(2, 0.1)
        draft.paint(0, 4, 0.1)
        draft.fill(1, 3)
        draft.smooth(2)
        draft.reset()
        assert not draft.can_undo
        assert not draft.changed

    @pytest.mark.parametrize("frame", [-1, 3, 1.0, None, "1"])
    def test_no_such_frame(self, frame):
        draft = Draft([0.1] * 3)
        for act in (lambda: draft.set(frame, 1), lambda: draft.fill(0, frame)):
            with pytest.raises(EditError, match=r"frame .*: the video has frames 0 to 2"):
                act()
        assert not draft.can_undo

    @pytest.mark.parametrize("level", [-0.1, 1.1, float("nan"), None, "1"])
    def test_no_such_level(self, level):
        draft = Draft([0.1] * 3)
        with pytest.raises(EditError, match="level"):
            draft.set(0, level)
        assert not draft.can_undo

    def test_no_such_radius(self):
        with pytest.raises(EditError, match="radius: at least 1"):
            Draft([0.1]).smooth(0)

    def test_levels_for_another_video(self):
        with pytest.raises(EditError, match="levels: 2 for 3 frames"):
            Draft([0.1] * 3, [0.0, 1.0])
        with pytest.raises(EditError, match="for 0 frames"):
            Draft([])

    def test_a_verdict_is_a_step_like_a_stroke(self):
        draft = Draft([0.2] * 3)
        states = [draft.content]
        for act in (
            lambda: draft.say("nothing_to_correct"),
            lambda: draft.set(0, 1.0),
            lambda: draft.say("cannot_tell"),
            lambda: draft.set(1, 1.0),
            draft.reset,
            lambda: draft.say("bad_video"),
            lambda: draft.say("edited", [0.0, 0.5, 1.0]),
            lambda: draft.say("open"),
        ):
            before = draft.levels
            act()
            assert draft.levels is not before
            states.append(draft.content)
        assert states == [
            ("open", ()),
            ("nothing_to_correct", ()),
            ("edited", (1.0, 0.2, 0.2)),
            ("cannot_tell", ()),
            ("edited", (1.0, 1.0, 0.2)),
            ("open", ()),
            ("bad_video", ()),
            ("edited", (0.0, 0.5, 1.0)),
            ("open", ()),
        ]
        for state in reversed(states[:-1]):
            assert draft.undo()
            assert draft.content == state
        assert not draft.undo()
        for state in states[1:]:
            draft.redo()
            assert draft.content == state

    def test_saying_the_same_again_is_no_step(self):
        draft = Draft([0.2] * 3, [1.0, 0.2, 0.2])
        draft.say("edited", [1.0, 0.2, 0.2])
        assert not draft.can_undo
        draft.say("bad_video")
        draft.say("bad_video")
        draft.undo()
        assert not draft.can_undo

    def test_saying_what_cannot_be(self):
        draft = Draft([0.2] * 3)
        for levels, said in (([1.0], "levels: 1 for 3 frames"), ([2.0] * 3, "outside")):
            with pytest.raises(EditError, match=said):
                draft.say("edited", levels)
        assert not draft.can_undo

    @pytest.mark.parametrize("seed", range(30))
    def test_undo_and_redo_walk_along_all_states(self, seed):
        """The slow version: a list of every state so far, and where one stands in it."""
        rng = random.Random(seed)
        n = rng.randint(1, 12)
        draft = Draft([rng.random() for _ in range(n)])
        states, at = [draft.levels.tolist()], 0
        for _ in range(200):
            a, b = rng.randrange(n), rng.randrange(n)
            act = rng.choice(["set", "paint", "fill", "smooth", "reset", "undo", "redo"])
            if act == "undo":
                assert draft.undo() == (at > 0)
                at = max(0, at - 1)
            elif act == "redo":
                assert draft.redo() == (at + 1 < len(states))
                at = min(len(states) - 1, at + 1)
            else:
                level = rng.choice([*LEVELS, rng.random()])
                {
                    "set": lambda a=a, level=level: draft.set(a, level),
                    "paint": lambda a=a, b=b, level=level: draft.paint(a, b, level),
                    "fill": lambda a=a, b=b: draft.fill(a, b),
                    "smooth": lambda: draft.smooth(rng.randint(1, 3)),
                    "reset": draft.reset,
                }[act]()
                if draft.levels.tolist() != states[at]:
                    states, at = [*states[: at + 1], draft.levels.tolist()], at + 1
            assert draft.levels.tolist() == states[at]
            assert draft.can_undo == (at > 0)
            assert draft.can_redo == (at + 1 < len(states))
            assert draft.changed == (states[at] != states[0])
            assert all(0 <= level <= 1 for level in draft.levels)
