"""The annotators' page without a browser: what it shows after each step, what the store holds."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances

from stabn.data.mini.make import example
from stabn.data.mini.tracks import draw_timing
from stabn.data.ssv2 import VideoFolder
from stabn.data.video import write_video
from stabn.knowledge.app import annotator as page
from stabn.knowledge.app import toast
from stabn.knowledge.app.annotator import App, annotate
from stabn.knowledge.app.guidelines import GUIDELINES
from stabn.knowledge.app.meaning import LEVELS, GuidelinesError, read_levels
from stabn.knowledge.app.practice import PRACTICE, compare
from stabn.knowledge.selection.config import SelectConfig
from stabn.knowledge.selection.queue import Queue, QueuedVideo, read_queue, write_queue
from stabn.knowledge.selection.select import select
from stabn.knowledge.store.database import ConnectionLost
from stabn.knowledge.store.store import Store
from stabn.training.config import parse

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def data(tmp_path, tiny_set) -> Path:
    """Three videos of the tiny set in a folder of one's own, to be damaged at will."""
    (tmp_path / "data" / "videos").mkdir(parents=True)
    for source in sorted(tiny_set.glob("videos/*.webm"))[:3]:
        (tmp_path / "data" / "videos" / source.name).write_bytes(source.read_bytes())
    return tmp_path / "data"


@pytest.fixture
def queue(tmp_path, data) -> Queue:
    """A queue without features: everything works, but for the probabilities."""
    videos = VideoFolder(data)
    made = Queue(
        folder=tmp_path / "queue",
        run="runs/tiny",
        checkpoint="best",
        model="ab" * 32,
        data_root=str(data),
        classes=(f"Covering {EVIL}", "Lifting"),
        num_frames=2,
        splits=("train", "tuning"),
        weak=(0,),
        accuracy={},
        videos=tuple(
            QueuedVideo(video_id, 0, 1, 0.2, (0.4,) * videos.frames(video_id), (0, 2), None)
            for video_id in videos.video_ids()
        ),
        key="cd" * 32,
        provenance={},
    )
    write_queue(made)
    return made


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "edits.sqlite")


@pytest.fixture
def app(store, queue) -> App:
    return App(store, queue)


@pytest.fixture
def ada(app) -> App:
    """The page after a name was typed."""
    type_name(app, "Ada")
    press(app, "Start")
    assert app.session is not None
    return app


def parts(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def button(app: App, name: str) -> widgets.Button:
    (found,) = (
        part for part in parts(app) if isinstance(part, widgets.Button) and part.description == name
    )
    return found


def been(app: App) -> widgets.Dropdown:
    """The list of one's videos."""
    (found,) = (part for part in parts(app) if isinstance(part, widgets.Dropdown))
    return found


def lost(*_, **__) -> None:
    raise ConnectionLost("edits.sqlite: is locked by another program; try again")


def press(app: App, name: str) -> None:
    button(app, name).click()


def type_name(app: App, name: str) -> None:
    (field,) = (part for part in parts(app) if isinstance(part, widgets.Text))
    field.value = name


def seen(app: App) -> str:
    """All that is written on the page, as HTML."""
    return "\n".join(part.value for part in parts(app) if isinstance(part, widgets.HTML))


def do(app: App, op: str, **more) -> None:
    """What the editor's page sends when somebody paints or presses Enter."""
    message = {"op": op, "video": app.editor._video["number"], "client": "me", "seq": 1, **more}
    app.editor._receive(app.editor, message, [])


def paint(app: App, first: int = 0, last: int = 0, level: float = 1.0) -> None:
    do(app, "paint", first=first, last=last, level=level)


class TestBeforeAName:
    def test_there_are_guidelines_and_nothing_is_handed_out(self, app, store):
        assert "When should the network look?" in seen(app)
        assert app.editor is None
        store.register([("x", 3)])
        assert store.progress().leased_by.tolist() == [()]

    @pytest.mark.parametrize("name", ["", "   ", "x" * 61])
    def test_a_name_that_cannot_be_is_refused_in_words(self, app, name):
        type_name(app, name)
        press(app, "Start")
        assert app.session is None
        assert "name" in app._message.value
        type_name(app, "Ada")
        press(app, "Start")
        assert app._message.value == ""

    def test_enter_behind_the_name_starts(self, app):
        async def enter() -> None:
            (field,) = (part for part in parts(app) if isinstance(part, widgets.Text))
            field._handle_custom_msg({"event": "submit"}, [])
            field.value = "Ada"  # the browser sends it after the key
            await asyncio.sleep(2 * page.SUBMIT)

        asyncio.run(enter())
        assert app.session.annotator == "Ada"

    def test_practice_tells_the_truth_and_is_saved_nowhere(self, app, store):
        type_name(app, "Ada")
        press(app, "Practise first")
        assert app.editor.saved == "nothing is kept"
        assert len(set(app.editor.draft.attention)) == 1  # which does not give the answer away
        paint(app, 12, 19)
        assert app.editor.true_levels == []
        press(app, "Show the truth")
        assert "The action is in frames 12–20; you marked 12–19." in seen(app)
        assert np.flatnonzero(np.array(app.editor.true_levels) == 1).tolist() == [*range(12, 21)]
        press(app, "Done practising")
        assert store.revisions() == []
        press(app, "Start")  # the name is still there
        assert app.session.annotator == "Ada"

    def test_the_truth_of_the_practice_is_what_the_guidelines_say(self, app):
        """Context is where the hand can be seen, not where the clip knows it to be on its way."""
        press(app, "Practise first")
        press(app, "Show the truth")
        clip = example(*PRACTICE)
        hand = clip.hand.any(axis=(1, 2))
        context = np.array(app.editor.true_levels) == 0.5
        assert context.any()
        assert hand[context].all()
        assert not hand[np.array(app.editor.true_levels) == 0].any()


class TestGuidelinesOfOnesOwn:
    def test_they_stand_where_ours_did_and_what_the_buttons_do_stays(self, store, queue, tmp_path):
        file = tmp_path / "swipes.md"
        file.write_text("- **1**: the arm moves\n- **0**: it rests <script>alert(1)</script>\n")
        app = annotate(tmp_path / "edits.sqlite", queue.folder, guidelines=file)
        assert "<li><strong>1</strong>: the arm moves</li>" in seen(app)
        assert "&lt;script&gt;" in seen(app)
        assert "<script" not in seen(app)
        assert "the hand has reached its thing" not in seen(app)
        assert "Next video" in seen(app)
        assert button(app, "Show examples").layout.display == "none"  # they show hands and things
        press(app, "Practise first")
        assert "in your own videos go by the guidelines" in seen(app)

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, "swipes.md: cannot be read (No such file or directory); name a file"),
            (b" \n", "swipes.md: is empty; say in it what 1, 0.5 and 0 mean"),
            (b"\xff\xfe\x00", "swipes.md: is no text in UTF-8"),
        ],
    )
    def test_what_is_no_text_is_said(self, queue, tmp_path, content, said):
        file = tmp_path / "swipes.md"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(GuidelinesError, match=re.escape(said)):
            read_levels(file)
        assert said in annotate(tmp_path / "e.sqlite", queue.folder, guidelines=file).value


def test_the_action_lasts_while_the_hand_is_at_its_thing():
    """What the guidelines tell people to mark is what the drawn clips hold for true."""
    told = " ".join(LEVELS.split())
    assert "the hand has reached its thing to the last one before the hand goes away" in told
    rng = np.random.default_rng(0)
    for _ in range(200):
        timing = draw_timing(rng)
        assert ((timing.away == 0) == (timing.levels == 1)).all()


def test_compare_by_hand():
    truth = np.array([0, 0.5, 1, 1, 0.5, 0])
    assert compare(np.array([0, 0.5, 1, 0.9, 1, 0.5]), truth) == (
        "The action is in frames 2–3; you marked 2–4. The hand comes or goes in frames 1, 4. "
        "In 4 of 6 frames your level is the true one; it is not in 4–5."
    )
    nothing = compare(np.zeros(6), truth)
    assert "you marked none." in nothing
    assert "In 2 of 6" in nothing
    assert "you marked 0, 2–3, 5." in compare(np.array([1, 0, 1, 1, 0, 1]), truth)


class TestVideoByVideo:
    def test_the_first_video_is_there_with_its_words(self, ada, queue):
        video = ada.editor._video
        assert (video["truth"], video["predicted"]) == (queue.classes[0], "Lifting")
        assert "Ada · <b>1 of about 3</b>" in seen(ada)
        assert "<progress value='0' max='3' aria-label='0 of about 3 done'>" in seen(ada)
        assert ada.editor.saved == "not changed yet; “Next video” says “nothing to correct”"
        assert len(ada.editor._frames) == queue.videos[0].frames
        assert "Probabilities cannot be shown" in seen(ada)  # this queue has no head.pt

    def test_a_change_is_saved_and_enter_leads_on(self, ada, store, queue):
        paint(ada)
        assert ada.editor.saved == "saved"
        assert store.edits()[0].levels[:2] == (1.0, 0.4)
        do(ada, "next")
        assert ada.session.current == queue.videos[1]
        assert "<b>2 of about 3</b> <progress value='1' max='3'" in seen(ada)
        press(ada, "Previous video")
        assert ada.session.current == queue.videos[0]
        assert ada.editor.draft.levels[0] == 1.0

    def test_the_guidelines_and_the_editor_have_one_name_for_what_is_untouched(self, ada):
        words = "“nothing to correct”"
        assert words in GUIDELINES.replace("\n", " ")
        assert words in ada.editor.saved
        do(ada, "next")
        press(ada, "Previous video")
        assert ada.editor.saved == f"saved as {words}"

    def test_the_line_after_a_video_takes_it_back(self, ada, store, queue):
        line = ada._toast
        assert line.layout.display == "none"
        paint(ada)
        do(ada, "next")
        assert (line.layout.display, "Saved." in seen(ada)) == ("flex", True)
        press(line, "Back to that video")
        assert "This is that video again, as you left it." in seen(ada)
        assert ada.session.current == queue.videos[0]
        assert ada.editor.draft.levels[0] == 1.0
        press(ada, "Skip")
        assert "Skipped: it comes again at the end." in seen(ada)
        paint(ada)  # goes on with the next video: the line stays for its while
        assert line.layout.display == "flex"
        press(ada, "Previous video")
        assert line.layout.display == "none"

    def test_the_line_names_the_verdict_that_it_takes_back(self, ada, store, queue):
        for op, words in (("next", "nothing to correct"), ("Cannot tell", "cannot tell")):
            do(ada, op) if op == "next" else press(ada, op)
            press(ada._toast, f"Undo “{words}”")
            assert f"“{words}” is taken back: this video is open again." in seen(ada)
            assert ada._toast._button.layout.display == "none"  # there is nothing more to undo
            assert ada.session.current == queue.videos[0]
            assert store.edits() == []

    def test_the_line_goes_by_itself(self, queue, store, monkeypatch):
        monkeypatch.setattr(toast, "SECONDS", 0.01)

        async def annotate() -> None:
            app = App(store, queue)
            type_name(app, "Ada")
            press(app, "Start")
            do(app, "next")
            assert app._toast.layout.display == "flex"
            while app._toast.layout.display != "none":
                await asyncio.sleep(0.01)

        asyncio.run(asyncio.wait_for(annotate(), 60))

    def test_the_next_video_is_read_while_this_one_is_looked_at(self, ada, queue, monkeypatch):
        reading = ada._loader._ahead
        assert reading[0] == queue.videos[1].video_id
        reading[1].result()
        monkeypatch.setattr(VideoFolder, "read", None)  # what is not read by now cannot be
        monkeypatch.setattr(ada._loader, "begin", lambda video: None)
        do(ada, "next")
        assert len(ada.editor._frames) == queue.videos[1].frames

    def test_a_video_plays_at_its_own_rate(self, store, queue, data):
        for path in data.glob("videos/*.webm"):
            frames = VideoFolder(data).frames(path.stem)
            write_video(path, np.zeros((frames, 16, 16, 3), np.uint8), fps=25)
        app = App(store, queue)
        type_name(app, "Ada")
        press(app, "Start")
        assert app.editor._video["fps"] == 25

    def test_videos_leave_no_widgets_behind(self, ada, queue):
        count = lambda: len(_instances)  # noqa: E731  of all widgets, as ipywidgets keeps them
        do(ada, "next")
        before = count()
        for name in ("Previous video", "Skip", "Previous video", "Skip"):
            press(ada, name)
        assert count() == before

    def test_the_guidelines_open_and_close_while_one_annotates(self, ada):
        panel = ada._guidelines
        assert panel.layout.display == "none"
        press(ada, "Guidelines")
        assert panel.layout.display is None
        assert ada.editor in ada.children
        press(ada, "Close the guidelines")
        assert panel.layout.display == "none"

    def test_after_every_button_the_keys_go_to_the_frames(self, ada, monkeypatch):
        heard = []
        monkeypatch.setattr(ada.editor, "send", heard.append)
        for name in ("Skip", "Previous video", "Cannot tell", "Bad video"):
            press(ada, name)
            assert heard.pop() == "focus"

    def test_the_editor_stays_where_it_is(self, ada):
        """A widget that moves is drawn anew, and the keys would go nowhere."""
        before = ada.children
        do(ada, "next")
        assert ada.children == before

    def test_a_button_acts_on_the_video_that_it_was_shown_with(self, ada):
        """So that a double click does not do to the next video what was meant for this one."""
        skip = button(ada, "Skip")
        press(ada, "Skip")
        assert skip.comm is None  # closed: what the browser still sends finds nobody
        assert button(ada, "Skip").comm is not None

    @pytest.mark.parametrize(
        ("name", "verdict"), [("Cannot tell", "cannot_tell"), ("Bad video", "bad_video")]
    )
    def test_verdicts(self, ada, store, queue, name, verdict):
        press(ada, name)
        assert [edit.verdict for edit in store.edits()] == [verdict]
        assert ada.session.current == queue.videos[1]

    def test_the_list_of_ones_videos_leads_to_each(self, ada, store, queue):
        paint(ada)
        do(ada, "next")
        press(ada, "Cannot tell")
        assert been(ada).options == (
            (f"1 · edited · {queue.classes[0]}", 1),
            (f"2 · cannot tell · {queue.classes[0]}", 2),
            (f"3 · no answer yet · {queue.classes[0]}", 3),
        )
        been(ada).value = 1
        assert ada.session.current == queue.videos[0]
        assert been(ada).value == 1
        assert ada.session.draft.levels[0] == 1
        do(ada, "next")
        do(ada, "next")
        do(ada, "next")
        assert ada.session.current is None
        assert been(ada).value is None
        been(ada).value = 2
        assert ada.session.current == queue.videos[1]
        assert [edit.verdict for edit in store.edits()] == [
            *("edited", "cannot_tell", "nothing_to_correct")
        ]

    def test_the_list_stays_where_the_video_stays(self, ada, store, queue, monkeypatch):
        do(ada, "next")
        with monkeypatch.context() as broken:
            broken.setattr(store, "save", lost)
            paint(ada)
            been(ada).value = 1
            assert ada.session.current == queue.videos[1]
            assert been(ada).value == 2
            assert "NOT SAVED" in seen(ada)

    def test_the_end_and_back(self, ada, queue):
        for _ in queue.videos:
            do(ada, "next")
        assert ada.editor not in ada.children
        assert "All done: 3 by you, thank you." in seen(ada)
        assert "“Look again” asks for one" in seen(ada)
        assert "Next video" not in ada.session.state  # there is no such button
        press(ada, "Look again")
        press(ada, "Previous video")
        assert ada.session.current == queue.videos[2]
        assert ada.editor in ada.children

    @pytest.mark.parametrize("content", [b"", b"no video at all", None])
    def test_a_video_that_cannot_be_read_is_offered_as_bad(self, app, store, queue, data, content):
        file = data / "videos" / f"{queue.videos[0].video_id}.webm"
        file.unlink() if content is None else file.write_bytes(content)
        type_name(app, "Ada")
        press(app, "Start")
        assert "This video cannot be shown" in seen(app)
        assert file.name in seen(app)
        assert str(data) not in seen(app)
        assert app.editor is None
        press(app, "Bad video")
        assert store.edits()[0].verdict == "bad_video"
        assert "<b>2 of about 3</b>" in seen(app)
        press(app, "Previous video")
        assert "saved as “bad video”" in seen(app)

    def test_a_video_of_another_length_than_queued_too(self, store, queue, data):
        videos = sorted(
            (data / "videos").iterdir(), key=lambda path: VideoFolder(data).frames(path.stem)
        )
        videos[-1].write_bytes(videos[0].read_bytes())
        app = App(store, queue)
        type_name(app, "Ada")
        press(app, "Start")
        while app.session.current.video_id != videos[-1].stem:
            do(app, "next")
        assert "cannot be shown" in seen(app)

    def test_probabilities_and_overlay_come_from_the_queue(self, tiny_run, tmp_path, store):
        config = {"run": str(tiny_run.folder), "out": str(tmp_path / "asked"), "limit": 2}
        folder = select(
            parse(SelectConfig, config | {"classes": [0, 1, 2], "include_correct": True}, "test")
        )
        app = App(store, read_queue(folder))
        type_name(app, "Ada")
        press(app, "Start")
        assert sum(app.editor._video["own"]) == pytest.approx(1, abs=1e-5)
        assert app.editor._video["rescored"]
        assert app.editor._spatial
        assert "cannot be shown" not in seen(app)


class TestTrouble:
    def test_what_is_typed_or_named_is_never_markup(self, app):
        type_name(app, EVIL)
        press(app, "Start")
        assert EVIL not in seen(app)
        assert "&lt;script&gt;alert(1)" in seen(app)

    def test_an_exception_in_a_callback_is_seen(self, ada, monkeypatch):
        def fail(*_):
            raise RuntimeError(EVIL)

        monkeypatch.setattr(Store, "skip", fail)
        press(ada, "Skip")
        assert "Something went wrong (RuntimeError; the server’s log" in ada._message.value
        assert EVIL not in ada._message.value
        assert "role='alert'" in ada._message.value
        paint(ada)
        assert ada._message.value == ""

    def test_an_edit_whose_store_is_lost_is_saved_by_itself_later(self, queue, store, monkeypatch):
        """By the page's own clock, on the event loop, as in a kernel."""
        monkeypatch.setattr(page, "TICK", 0.01)
        save = Store.save

        async def annotate() -> None:
            app = App(store, queue)
            type_name(app, "Ada")
            press(app, "Start")
            monkeypatch.setattr(Store, "save", lost)
            paint(app)
            assert "⚠ NOT SAVED" in seen(app)
            assert app.editor.saved == ""  # where it says that all is well
            do(app, "next")
            assert seen(app).count("NOT SAVED") == 1  # and nothing beside it says otherwise
            assert "✓" not in seen(app)
            assert app.session.current == queue.videos[0]
            monkeypatch.setattr(Store, "save", save)
            while app.session.unsaved:
                await asyncio.sleep(0.01)
            assert app.editor.saved == "saved"
            assert "NOT SAVED" not in seen(app)

        asyncio.run(asyncio.wait_for(annotate(), 60))
        assert len(store.edits()) == 1

    @pytest.mark.parametrize(
        ("choice", "first"),
        [("Take the other tab’s version", 0.0), ("Keep mine as a further revision", 1.0)],
    )
    def test_two_tabs(self, ada, store, queue, choice, first):
        other = App(store, queue)
        type_name(other, "Ada")
        press(other, "Start")
        assert button(ada, choice).layout.display is None  # its row decides
        paint(other, level=0.0)
        paint(ada, level=1.0)
        assert "another tab saved this video" in seen(ada)
        assert ada.editor.saved == ""
        press(ada, choice)
        assert ada.editor.saved == "saved"
        assert ada.editor.draft.levels[0] == first
        assert store.latest(queue.videos[0].video_id, "Ada").edit.levels[0] == first

    def test_without_a_queue_it_says_what_to_do(self, tmp_path):
        shown = annotate(tmp_path / "edits.sqlite", tmp_path / "queue")
        assert "queue.json: cannot be read" in shown.value
        assert "select.ipynb" in shown.value

    def test_without_a_store_it_says_why(self, tmp_path, queue):
        shown = annotate(tmp_path, queue.folder)
        assert "is no file" in shown.value


def test_a_page_opens_without_what_is_slow_and_large():
    code = (
        "import sys, stabn.knowledge.app.annotator\n"
        "assert not {'torch', 'pandas', 'skimage', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
