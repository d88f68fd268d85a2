"""The editor's half in Python: messages, scorer, words; the page has tests of its own."""

import threading
from io import BytesIO

import ipywidgets
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

from stabn.knowledge.editor.editor import Editor
from stabn.knowledge.editor.sliders import sliders
from stabn.knowledge.edits.edit import Draft
from stabn.knowledge.edits.words import describe

N = 10
CLASSES = ("Pushing", "Lifting", "Dropping")
ATTENTION = np.linspace(0.1, 0.9, N)
WAIT = 60  # seconds for another thread


@pytest.fixture
def frames():
    """Smooth pictures, as JPEG likes them."""
    y, x, t = np.meshgrid(np.arange(24), np.arange(32), np.arange(N), indexing="ij")
    return np.stack([5 * y + t, 6 * x, 120 + 5 * t], axis=-1).transpose(2, 0, 1, 3).astype(np.uint8)


@pytest.fixture
def make(frames):
    def make(**values):
        base = {"sampled": range(0, N, 2), "truth": "Pushing", "predicted": "Lifting"}
        draft = values.pop("draft", None) or Draft(ATTENTION)
        return Editor(frames, draft, **(base | values))

    return make


def send(editor, op, **fields):
    """What the page does: one message, meant for the video that it shows."""
    message = {"client": "page", "seq": 1, "video": editor._video["number"], "op": op, **fields}
    editor._handle_custom_msg(message, [])
    return editor._state


def until(editor, reached):
    """Wait until the scores, which another thread sets, are as they should be."""
    done = threading.Event()

    def look(_change=None):
        if reached(editor._scores):
            done.set()

    editor.observe(look, "_scores")
    look()
    assert done.wait(WAIT), editor._scores


def test_messages_do_what_the_drafts_methods_do(make):
    calls = []
    editor, draft = make(on_change=lambda: calls.append(1)), Draft(ATTENTION)
    rng = np.random.default_rng(0)
    changes = 0
    for _ in range(300):
        first, last = (int(v) for v in rng.integers(0, N, 2))
        level = float(rng.choice([0, 0.5, 1, 0.35]))
        op, fields = [
            ("set", {"frame": first, "level": level}),
            ("paint", {"first": first, "last": last, "level": level}),
            ("fill", {"first": first, "last": last}),
            ("smooth", {}),
            ("reset", {}),
            ("undo", {}),
            ("undo", {}),
            ("redo", {}),
        ][rng.integers(8)]
        before = draft.levels
        getattr(draft, op)(*fields.values())
        changes += not np.array_equal(before, draft.levels)
        state = send(editor, op, **fields)
        assert state["levels"] == editor.draft.levels.tolist() == draft.levels.tolist()
        assert (state["can_undo"], state["can_redo"]) == (draft.can_undo, draft.can_redo)
        assert state["changed"] == draft.changed
    assert len(calls) == changes > 100


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("nonsense", "video before"),
        ({}, "video before"),
        ({"op": "explode"}, "no such step: 'explode'"),
        ({"op": ["set"]}, "no such step"),
        ({"op": "__init__", "attention": [0.5]}, "no such step"),
        ({"op": "set", "frame": N, "level": 1}, f"frame {N}"),
        ({"op": "set", "frame": -1, "level": 1}, "frame -1"),
        ({"op": "set", "frame": 1.5, "level": 1}, "frame 1.5"),
        ({"op": "set", "frame": "1", "level": 1}, "frame '1'"),
        ({"op": "set", "frame": 1}, "level"),
        ({"op": "set", "frame": 1, "level": 1.01}, "level"),
        ({"op": "set", "frame": 1, "level": float("nan")}, "level"),
        ({"op": "set", "frame": 1, "level": "1"}, "level"),
        ({"op": "paint", "first": 0, "level": 1}, "frame None"),
        ({"op": "set", "frame": 1, "level": 1, "video": 0}, "video before"),
    ],
)
def test_what_is_no_step_is_refused_and_changes_nothing(make, message, words):
    calls = []
    editor = make(on_change=lambda: calls.append(1), on_command=calls.append)
    if isinstance(message, dict) and message:
        message = {"video": editor._video["number"], **message}
    editor._handle_custom_msg(message, [])
    assert words in editor._state["problem"]
    assert editor._state["levels"] == ATTENTION.tolist()
    assert not editor.draft.can_undo
    assert calls == []
    assert send(editor, "set", frame=1, level=1)["problem"] == ""  # and goes on


def test_every_message_is_answered(make):
    editor = make()
    for seq, op in enumerate(["hello", "explode", "undo", "smooth"]):
        assert send(editor, op, seq=seq)["seen"] == ["page", seq]
    editor.refresh()
    assert editor._state["seen"] == ["page", 3]


def test_commands_reach_the_app(make):
    heard = []
    editor = make(on_command=heard.append)
    assert editor.can_command
    send(editor, "next")
    assert heard == ["next"]
    send(editor, "next", video=0)  # pressed twice: the second was for the video before
    assert heard == ["next"]
    quiet = make()
    assert not quiet.can_command
    assert send(quiet, "next")["problem"] == ""


def test_a_failing_callback_is_told(make):
    def fail():
        raise OSError("disk full")

    editor = make(on_change=fail)
    state = send(editor, "set", frame=0, level=1)
    assert state["problem"] == "The last step may not have been kept (OSError; the log says more)"
    assert state["failed"]
    assert state["levels"][0] == 1
    assert not state["saving"]
    editor._on_change = None
    assert not send(editor, "set", frame=0, level=0)["failed"]


def test_a_change_made_elsewhere_is_shown(make):
    editor = make()
    editor.draft.paint(0, 3, 1)
    editor.refresh()
    assert editor._state["levels"] == editor.draft.levels.tolist()
    assert editor._state["can_undo"]


def test_of_the_levels_that_wait_only_the_newest_are_scored(make):
    scored, started, go = [], threading.Event(), threading.Event()

    def rescore(levels):
        started.set()
        go.wait(WAIT)
        scored.append(levels[0])
        return np.array([levels[0], 0, 0])

    editor = make(rescore=rescore, classes=CLASSES, own=np.ones(3) / 3)
    assert started.wait(WAIT)
    for level in (0.2, 0.4, 0.6, 0.8):  # none of these waits for the scorer
        send(editor, "set", frame=0, level=level)
    go.set()
    until(editor, lambda scores: scores.get("version") == editor._state["version"])
    assert editor._scores["after"] == [0.8, 0, 0]
    assert scored[-1] == 0.8
    assert len(scored) == 2  # the network's own, which were under way, and the newest
    assert "“Pushing”: 0.33 before, 0.80 after." in editor.summary


def test_scores_of_the_video_before_are_not_shown(make, frames):
    go, started = threading.Event(), threading.Event()

    def slow(levels):
        started.set()
        go.wait(WAIT)
        return np.array([1.0, 0, 0])

    def quick(levels):
        return np.array([0, 1.0, 0])

    editor = make(rescore=slow, classes=CLASSES)
    assert started.wait(WAIT)
    words = {"sampled": [0], "truth": "Pushing", "predicted": "Lifting", "classes": CLASSES}
    editor.show(frames[:4], Draft(ATTENTION[:4]), rescore=quick, **words)
    assert editor._scores == {}
    seen = []
    editor.observe(lambda change: seen.append(change["new"]["after"]), "_scores")
    go.set()
    until(editor, lambda scores: scores.get("after"))
    assert seen == [[0, 1.0, 0]]


def test_before_any_edit_there_is_no_after(make):
    """Scoring the network's own attention over the whole video differs from its answer, `own`."""
    editor = make(rescore=lambda _: np.eye(3)[0], classes=CLASSES, own=np.array([0.3, 0.6, 0.1]))
    until(editor, lambda scores: scores.get("after"))
    assert "“Pushing”: 0.30 before. “Lifting”: 0.60 before." in editor.summary
    send(editor, "set", frame=0, level=1)
    until(editor, lambda scores: scores.get("version") == editor._version)
    assert "“Pushing”: 0.30 before, 1.00 after." in editor.summary
    send(editor, "undo")
    until(editor, lambda scores: scores.get("version") == editor._version)
    assert "after" not in editor.summary


def test_another_video_makes_no_widget(make, frames):
    """A kernel keeps each widget that was made until it is closed."""
    editor = make()
    before = set(_instances)
    for _ in range(20):
        editor.show(frames, Draft(ATTENTION), sampled=[0], truth="Pushing", predicted="Lifting")
    assert set(_instances) == before


def test_another_video_begins_without_the_truth(make, frames):
    editor = make()
    editor.true_levels = ATTENTION.tolist()
    editor.show(frames, Draft(ATTENTION), sampled=[0], truth="Pushing", predicted="Lifting")
    assert editor.true_levels == []


def test_an_exception_while_scoring_is_told_and_scoring_goes_on(make):
    def rescore(levels):
        if levels[0] == 1:
            raise RuntimeError("no features")
        return levels[:3]

    editor = make(rescore=rescore, classes=CLASSES)
    send(editor, "set", frame=0, level=1)
    until(editor, lambda scores: "RuntimeError" in scores.get("problem", ""))
    assert "no features" not in editor._scores["problem"]  # which may name a file of the server
    assert editor._scores["after"] is None
    send(editor, "set", frame=0, level=0.5)
    until(editor, lambda scores: scores.get("after") and scores["after"][0] == 0.5)


def test_the_frames_travel_as_jpegs(make, frames):
    pictures = [np.asarray(Image.open(BytesIO(data))) for data in make()._frames]
    error = np.abs(np.stack(pictures).astype(int) - frames)
    assert error.mean() < 2
    assert error.max() < 30


def test_overlay_is_raw_and_views_that_share_a_frame_are_averaged(make):
    maps = np.stack([np.full((2, 3), level) for level in (0.2, 1.0, 0.4, 0.0)])
    editor = make(sampled=[4, 0, 4, 9], spatial=maps)
    assert editor._video["sampled"] == [0, 4, 9]
    assert editor._video["map_size"] == [2, 3]
    sent = np.frombuffer(editor._spatial, np.uint8).reshape(3, 2, 3)
    assert sent[:, 0, 0].tolist() == [255, 77, 0]  # the mean of 0.2 and 0.4, rounded


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"draft": Draft([0.5] * 4)}, "frames must be uint8"),
        ({"sampled": [0, N]}, "sampled"),
        ({"sampled": [0], "spatial": np.zeros((2, 4, 4))}, "spatial must be"),
        ({"sampled": [0], "spatial": np.full((1, 4, 4), 2.0)}, "between 0 and 1"),
        ({"sampled": [0], "spatial": np.full((1, 4, 4), np.nan)}, "between 0 and 1"),
        ({"fps": 0.0}, "fps must be"),
        ({"fps": np.nan}, "fps must be"),
        ({"classes": CLASSES, "own": np.ones(2)}, "own has 2 probabilities, classes 3"),
    ],
)
def test_arrays_that_do_not_fit(make, values, words):
    with pytest.raises(ValueError, match=words):
        make(**values)


def test_describe():
    draft = Draft(np.array([0.25, 0.5, 0.75, 0.75]))
    assert describe(draft) == (
        "4 frames: 0 level 0.25, 1 context (0.5), 2–3 level 0.75. "
        "This is the network's own attention."
    )
    draft.paint(0, 1, 0)
    draft.paint(2, 3, 1)
    words = {"truth": "Pushing", "predicted": "Lifting", "classes": CLASSES}
    own, after = np.array([0.2, 0.7, 0.1]), np.array([0.8, 0.1, 0.1])
    assert describe(draft, **words, own=own, after=after) == (
        "4 frames: 0–1 irrelevant (0), 2–3 the action (1). "
        "Differs from the network's attention in 4. "
        "“Pushing”: 0.20 before, 0.80 after. “Lifting”: 0.70 before, 0.10 after."
    )
    assert "levels from 0.10 (frame 0) to 0.90 (frame 9), mean 0.50" in describe(Draft(ATTENTION))


def widgets(box, kind):
    if isinstance(box, kind):
        return [box]
    return [found for child in getattr(box, "children", ()) for found in widgets(child, kind)]


def test_plain_sliders_change_the_same_draft():
    draft, calls = Draft(ATTENTION), []
    box = sliders(draft, lambda: calls.append(1))
    bars = widgets(box, ipywidgets.FloatSlider)
    buttons = {button.description: button for button in widgets(box, ipywidgets.Button)}
    span = widgets(box, ipywidgets.IntRangeSlider)[0]
    words = widgets(box, ipywidgets.Label)[0]
    assert [bar.value for bar in bars] == ATTENTION.tolist()
    assert buttons["undo"].disabled

    bars[3].value = 1
    assert draft.levels[3] == 1
    span.value = (5, 7)
    buttons["irrelevant (0)"].click()
    assert [bar.value for bar in bars[5:8]] == draft.levels[5:8].tolist() == [0, 0, 0]
    assert len(calls) == 2  # what the sliders show is no change of theirs
    buttons["undo"].click()
    buttons["undo"].click()
    assert not draft.changed
    assert bars[3].value == ATTENTION[3]
    buttons["redo"].click()
    assert draft.levels[3] == 1
    assert words.value == describe(draft)
    assert buttons["undo"].disabled is False
    assert buttons["redo"].disabled is False
