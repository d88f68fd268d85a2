"""The annotators' page: guidelines, practice, a name, then video after video.

Widgets only; what happens when is decided in :mod:`stabn.knowledge.app.session`. Nothing that
somebody types is ever shown other than escaped.
"""

import asyncio
import html
import logging
from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets
import numpy as np

from stabn.data.video import VideoError
from stabn.knowledge.app import practice
from stabn.knowledge.app.guidelines import Guidelines
from stabn.knowledge.app.loading import Loader
from stabn.knowledge.app.meaning import GuidelinesError, read_levels
from stabn.knowledge.app.parts import button, close, row, text, write
from stabn.knowledge.app.session import NAME_LENGTH, Session, SessionError
from stabn.knowledge.app.telling import AGAIN, way_back, without_folders
from stabn.knowledge.app.toast import Toast
from stabn.knowledge.editor.editor import Editor
from stabn.knowledge.edits.edit import Draft
from stabn.knowledge.selection.queue import Queue, QueuedVideo, QueueError, read_queue
from stabn.knowledge.store.database import StoreError
from stabn.knowledge.store.store import Store

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds until somebody is told that saving takes too long
TICK = 5.0  # seconds between two attempts to save what could not be saved
OTHER_LEVELS = (  # than the guidelines'
    " Here 1 is the action, 0.5 is for a hand that comes or goes, 0 for the rest; in your own "
    "videos go by the guidelines."
)
SUBMIT = 0.3  # seconds by which the name may come after the Enter that was pressed behind it


def _nothing() -> None:
    pass


def annotate(
    store_url: str | Path,
    queue_folder: str | Path,
    *,
    overlap: int = 1,
    guidelines: str | Path = "",
    name: str = "",
) -> widgets.Widget:
    """The page, or a sentence that says why there is none.

    Args:
        store_url: where edits are kept, a file or the URL of a database.
        queue_folder: what to work through, as selection wrote it.
        overlap: how many annotators may be given the same video.
        guidelines: a file that says what the levels mean in these videos; "": as for SSv2's.
        name: of somebody who said it already, and so goes on at once; "" asks for it.
    """
    try:
        store, queue = Store(store_url, timeout=PATIENCE), read_queue(queue_folder)
        levels = read_levels(Path(guidelines)) if guidelines else ""
        return App(store, queue, overlap=overlap, levels=levels, name=name)
    except (GuidelinesError, QueueError, StoreError) as error:
        return text(f"There is nothing to annotate here yet. {error}")


class App(widgets.VBox):
    """The page of one visitor.

    Attributes:
        session: Once there is a name.
        editor: The one editor, which goes from video to video.
    """

    def __init__(
        self, store: Store, queue: Queue, *, overlap: int = 1, levels: str = "", name: str = ""
    ):
        self.session: Session | None = None
        self.editor: Editor | None = None
        self._store, self._queue, self._overlap = store, queue, overlap
        self._name, self._own_levels = name, bool(levels)
        self._status: Callable[[], None] = _nothing  # says how things stand, on the screen at hand
        self._loader = Loader(queue)
        self._message, self._above = widgets.HTML(layout={"order": "-2"}), widgets.VBox()
        self._guidelines = Guidelines(self._try, levels)
        self._toast = Toast(self._undo)
        super().__init__()
        self._welcome()
        if name:
            self._try(self._start, name)
        self._keep_ticking()

    def tick(self) -> None:
        """Save what could not be saved and keep the lease; called every few seconds."""
        if self.session is not None:
            self._try(self.session.tick, keep_message=True)

    # -- screens -------------------------------------------------------------------------------

    def _welcome(self) -> None:
        name = widgets.Text(
            self._name,
            description="Your name",
            placeholder="the same each time you come back",
            continuous_update=False,
            layout={"width": "min(30em, 100%)"},
        )
        start = lambda: self._try(self._start, name.value)  # noqa: E731
        name.on_msg(lambda _, message, __: _is_enter(message) and _later(SUBMIT, start))
        self._guidelines.show(closing=False)
        self._show(
            row(button("Practise first", lambda: self._try(self._practise, name.value))),
            row(name, button("Start", start, "primary")),
            text(
                f"Your edits are kept under this name (1 to {NAME_LENGTH} characters). Come back "
                "under the same name and you go on where you were."
            ),
        )

    def _practise(self, name: str) -> None:
        self._name = name  # to be there again afterwards
        self._guidelines.hide()
        clip = practice.clip()
        draft = Draft(np.full(len(clip.levels), 0.5))  # the made-up network looks at all alike
        self._use_editor(clip.frames, draft, sampled=(), truth=clip.truth, predicted=clip.predicted)
        self.editor.saved, self.editor.note = "nothing is kept", "practice"
        truth = text("“Show the truth” compares what you marked with what is true.")
        truth.layout.min_height = "66px"  # of the longest comparison: nothing moves below it

        def tell() -> None:
            self.editor.true_levels = clip.levels.tolist()
            write(truth, practice.compare(draft.levels, clip.levels))
            self.editor.focus()

        self._show(
            text(
                f"Practice, on a drawn clip and a made-up network. Mark when this happens: "
                f"{clip.truth}.{OTHER_LEVELS if self._own_levels else ''}"
            ),
            row(
                button("Show the truth", lambda: self._try(tell), "primary"),
                button("Done practising", lambda: self._try(self._after_practice)),
            ),
            truth,
            editor=True,
        )

    def _after_practice(self) -> None:
        if self.session is None:
            self._welcome()
        else:
            self._open()

    def _start(self, name: str) -> None:
        if self.session is None:
            self.session = Session(self._store, self._queue, name, overlap=self._overlap)
            self._guidelines.hide()
            self._open()

    def _open(self) -> None:
        """Show the session's video, with buttons of its own: a double click does not skip one."""
        session = self.session
        missing = problem = ""
        try:
            missing = "" if session.current is None else self._load(session.current)
        except VideoError as error:
            problem = without_folders(str(error))
        shown = session.current is not None and not problem
        if session.current is None:
            steps = {"Previous video": session.previous, AGAIN: session.next}
        else:
            steps = {
                "Previous video": session.previous,
                "Skip": session.skip,
                "Cannot tell": lambda: session.verdict("cannot_tell"),
                "Bad video": lambda: session.verdict("bad_video"),
            }
        told, state = [text(missing)], text("")
        if problem:
            del steps["Cannot tell"]
            told += [
                text(f"This video cannot be shown: {problem}"),
                text("If it stays so, press “Bad video”: the organiser sees it, and you go on."),
            ]
        conflict = row(
            button("Take the other tab’s version", lambda: self._step(session.take_theirs)),
            button("Keep mine as a further revision", lambda: self._step(session.keep_mine)),
        )
        where, been = widgets.HTML(), self._been()

        def tell() -> None:
            been.value = _place(session)
            conflict.layout.display = "flex" if session.conflict else "none"
            here = session.unsaved or not shown  # trouble is no small print beside the picture
            write(state, f"{session.state}." if here else "", alert=session.unsaved)
            where.value = _where(session)
            if shown:
                self.editor.saved = "" if session.unsaved else session.state

        buttons = [button(n, lambda s=step: self._step(s)) for n, step in steps.items()]
        buttons.append(button("Guidelines", lambda: self._guidelines.show(closing=True)))
        self._show(row(where, *buttons, been), *told, state, conflict, editor=shown, status=tell)
        self._loader.begin(session.upcoming)

    def _been(self) -> widgets.Dropdown:
        """The videos that one came to, each with one's word on it; choosing one opens it."""
        session, classes = self.session, self._queue.classes
        options = [] if session.current else [("–", None)]
        for place, video_id, said in session.been:
            options.append(
                (f"{place} · {said} · {classes[self._queue.video(video_id).label]}", place)
            )
        been = widgets.Dropdown(
            options=options,
            value=_place(session),
            description="Your videos",
            layout={"width": "min(24em, 100%)"},
        )

        def go(change: dict) -> None:
            if change["new"] not in (None, _place(session)):
                self._step(lambda: session.go_to(change["new"]))

        been.observe(go, "value")
        return been

    def _load(self, video: QueuedVideo) -> str:
        """Show a video in the editor; says what cannot be shown with it.

        Raises:
            VideoError: its frames cannot be read.
        """
        loaded = self._loader.get(video)
        classes = self._queue.classes
        self._use_editor(
            loaded.frames,
            self.session.draft,
            sampled=video.sampled,
            truth=classes[video.label],
            predicted=classes[video.predicted],
            classes=classes,
            fps=loaded.fps,
            on_change=lambda: self._try(self.session.save),
            on_command=lambda _: self._step(self.session.next),
            **loaded.network,
        )
        self.editor.note = ""
        missing = without_folders(loaded.missing)
        return missing and f"Probabilities cannot be shown: {missing}"

    def _use_editor(self, frames: np.ndarray, draft: Draft, **video) -> None:
        if self.editor is None:
            self.editor = Editor(frames, draft, **video)
        else:
            self.editor.show(frames, draft, **video)

    # -- doing and telling ---------------------------------------------------------------------

    def _step(self, step: Callable[[], object]) -> None:
        """Do something that may change the video or its draft, then show what there is."""

        def do() -> None:
            before, left = self.session.draft, self.session.left
            self._toast.hide()
            try:
                step()
            finally:
                if self.session.draft is not before or self.session.draft is None:
                    self._open()
            if self.session.left is not None and self.session.left is not left:
                left = self.session.left
                self._toast.say(left.said, back=way_back(left.judged)[0])

        self._try(do)
        if self.editor in self.children:  # a button was pressed: the keys go to the frames again
            self.editor.focus()

    def _undo(self) -> None:
        left = self.session.left
        self._step(self.session.undo)
        if self.session.left is None:  # it was done
            self._toast.say(way_back(left.judged)[1])

    def _try(self, step: Callable[..., object], *arguments, keep_message: bool = False) -> None:
        """Do something; say what went wrong, if it did, where it is seen."""
        try:
            step(*arguments)
        except (SessionError, StoreError, QueueError) as error:
            log.warning("%s", error)
            self._say("" if self._unsaved else without_folders(str(error)))  # which says it already
        except Exception as error:
            log.exception("a step of the annotators' page failed")
            self._say(
                f"Something went wrong ({type(error).__name__}; the server’s log says more). What "
                "was marked saved is saved; reload the page, and tell the organiser if it happens "
                "again."
            )
        else:
            if not keep_message:
                self._say("")
        self._status()

    @property
    def _unsaved(self) -> bool:
        return self.session is not None and self.session.unsaved

    def _say(self, what: str) -> None:
        write(self._message, what, alert=True)

    def _show(
        self,
        *parts: widgets.Widget,
        editor: bool = False,
        status: Callable[[], None] = _nothing,
    ) -> None:
        """Replace what is on the page above the editor; what was there before is closed.

        Args:
            parts: what is seen now.
            editor: whether it is, too; one that was is not drawn anew, so it keeps the keyboard.
            status: brings what is said about saving and place up to date.
        """
        before, self._above.children, self._status = self._above.children, parts, status
        # Read first where there is no name yet; by style, for a widget that moves is drawn anew.
        self._guidelines.layout.order = "-1" if self.session is None else "0"
        always = [self._message, self._above, self._guidelines, self._toast]
        self.children = [*always, *([self.editor] if editor else [])]
        for part in before:
            close(part)
        status()

    def _keep_ticking(self) -> None:
        async def keep() -> None:
            while True:
                await asyncio.sleep(TICK)
                self.tick()

        try:
            self._ticking = asyncio.get_running_loop().create_task(keep())
        except RuntimeError:  # outside a kernel nobody waits for it
            self._ticking = None


def _where(session: Session) -> str:
    """Whose page it is and how far they are: words and a bar."""
    name, position = html.escape(session.annotator, quote=True), session.position
    of_all = f"{position.done} of about {position.of}"
    at = f"{of_all} done" if session.current is None else f"<b>{position}</b>"
    bar = f"<progress value='{position.done}' max='{position.of}' aria-label='{of_all} done'>"
    why = "about: others work on the same videos"
    where = f'<p class="stabn-where" data-annotator="{name}" title="{why}">'
    return f"{where}{name} · {at} {bar}</progress></p>"


def _place(session: Session) -> int | None:
    """Of the video at hand among one's own; None at the end."""
    return None if session.current is None else session.position.place


def _is_enter(message: object) -> bool:
    return isinstance(message, dict) and message.get("event") == "submit"


def _later(seconds: float, step: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(seconds, step)
