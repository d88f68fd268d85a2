"""The annotator's editor: one video's frames, levels and class probabilities in a notebook or app.

Python holds the truth, a `Draft`; the page (``editor.js`` and what that imports) shows it, paints
ahead of the kernel while somebody drags, and sends what they did as one message a step.
"""

import logging
import math
import threading
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from PIL import Image

from stabn.knowledge.editor.modules import linked
from stabn.knowledge.edits.edit import Draft
from stabn.knowledge.edits.words import describe

FPS = 12.0  # of Something-Something v2, and of mini-SSv2
QUALITY = 85  # of the JPEGs that travel to the page
STEPS = {  # what the page may ask of a draft, and with which arguments
    "set": ("frame", "level"),
    "paint": ("first", "last", "level"),
    "fill": ("first", "last"),
    **dict.fromkeys(("smooth", "reset", "undo", "redo"), ()),
}

log = logging.getLogger(__name__)


class Editor(anywidget.AnyWidget):
    """Shows a video and a draft of its temporal attention, to be corrected by mouse or keys.

    Its callbacks run in the thread that handles the page's messages, one at a time; an exception
    in one is logged, and the page says that it happened.

    Attributes:
        saved: What the app says about saving, shown beside the picture.
        note: What else it says, such as the place in the queue.
        summary: The draft and its effect in one line
            (:func:`stabn.knowledge.edits.words.describe`).
        can_command: Whether there is somebody to hear of Enter.
        true_levels: What would be right, (n,) in [0, 1], to be drawn over the draft; [] where that
            is unknown or not to be seen yet. Another video begins without.

    Args:
        frames: (n, H, W, 3) uint8, every source frame.
        draft: Its levels; the editor changes them in place.
        sampled: Source index of every frame that the network saw; repeats are fine.
        truth: Text of the class that the video shows.
        predicted: Text of the class that the network answered.
        spatial: (len(sampled), H', W') in [0, 1], the network's spatial attention.
        rescore: Levels (n,) to probabilities (K,). Called in a thread of its own, one call at a
            time; of the levels that wait only the newest are scored.
        classes: Their K texts.
        own: (K,) probabilities with the network's own attention.
        fps: Frames a second at which the video was taken, and is played.
        on_change: Called after every change of the draft made here.
        on_command: Called with ``"next"`` when Enter is pressed.

    Raises:
        ValueError: An array that does not fit the others; the message names it.
    """

    _esm = linked(Path(__file__).with_name("editor.js"))
    _css = Path(__file__).with_name("editor.css")

    saved = traitlets.Unicode().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)
    summary = traitlets.Unicode(read_only=True).tag(sync=True)
    can_command = traitlets.Bool(read_only=True).tag(sync=True)
    true_levels = traitlets.List(traitlets.Float()).tag(sync=True)
    _video = traitlets.Dict().tag(sync=True)
    _frames = traitlets.List(traitlets.Bytes()).tag(sync=True)
    _spatial = traitlets.Bytes().tag(sync=True)
    _state = traitlets.Dict().tag(sync=True)
    _scores = traitlets.Dict().tag(sync=True)

    def __init__(self, frames: np.ndarray, draft: Draft, **video):
        super().__init__()
        self._lock = threading.RLock()  # messages, the scorer and notebook cells: three threads
        self._scorer = _Newest(self._score)
        self._number = self._version = 0
        self.show(frames, draft, **video)
        self.on_msg(self._receive)

    def show(
        self,
        frames: np.ndarray,
        draft: Draft,
        *,
        sampled: Sequence[int],
        truth: str,
        predicted: str,
        spatial: np.ndarray | None = None,
        rescore: Callable[[np.ndarray], np.ndarray] | None = None,
        classes: Sequence[str] = (),
        own: np.ndarray | None = None,
        fps: float = FPS,
        on_change: Callable[[], None] | None = None,
        on_command: Callable[[str], None] | None = None,
    ) -> None:
        """Go on to another video in the same place; arguments and errors as the class has them."""
        _check(frames, draft, sampled, spatial, classes, own, fps)
        order, maps = _by_frame(sampled, spatial)
        with self._lock, self.hold_sync():
            self._number += 1
            self.draft, self._rescore = draft, rescore
            self._words = {"truth": truth, "predicted": predicted, "classes": tuple(classes)}
            self._own, self._after = own, None
            self._on_change, self._on_command = on_change, on_command
            self._frames = [_jpeg(frame) for frame in frames]
            self._spatial = b"" if maps is None else np.uint8(np.rint(maps * 255)).tobytes()
            self._scores, self.true_levels = {}, []
            self._video = {
                "number": self._number,
                "attention": draft.attention.tolist(),
                "sampled": order,
                "map_size": [] if maps is None else list(maps.shape[1:]),
                "own": None if own is None else np.asarray(own, float).tolist(),
                "rescored": rescore is not None,
                "fps": fps,
                **self._words,
            }
            self.set_trait("can_command", on_command is not None)
            self.refresh()

    def refresh(self) -> None:
        """Show the draft as it is, after it was changed elsewhere than here."""
        with self._lock:
            self._changed()
            self._publish()

    def focus(self) -> None:
        """Give the keyboard to the frames: a button elsewhere was pressed and has done its work."""
        self.send("focus")

    def _changed(self) -> None:
        self._version += 1
        self._after = None
        if self._rescore is not None:
            self._scorer.submit((self._number, self._version, self._rescore, self.draft.levels))

    def _publish(self, **more) -> None:
        draft = self.draft
        state = {
            "levels": draft.levels.tolist(),
            "version": self._version,
            "can_undo": draft.can_undo,
            "can_redo": draft.can_redo,
            "changed": draft.changed,
            "problem": "",
            "failed": False,
            "saving": False,
        }
        seen = {"seen": self._state["seen"]} if "seen" in self._state else {}
        self._state = state | seen | more
        self._summarise()

    def _summarise(self) -> None:
        # Before any edit there is no "after": what was scored would differ from `own` all the same,
        # which is the answer to the frames of one clip and not to the whole video.
        edited = self.draft.changed or self._own is None
        after = self._after if edited else None
        words = describe(self.draft, **self._words, own=self._own, after=after)
        self.set_trait("summary", words)

    def _receive(self, _widget: "Editor", message: object, _buffers: object) -> None:
        """Act on one message of the page, and answer it whatever comes of it."""
        message = message if isinstance(message, dict) else {}
        seen = [message.get("client"), message.get("seq")]  # which page, and its how manieth step
        with self._lock:
            before, problem, failed = self.draft.levels, "", False
            try:
                command = self._act(message)
            except ValueError as error:  # also the draft's own EditError
                self._publish(seen=seen, problem=f"Not done: {error}")
                return
            if changed := self.draft.levels is not before:  # every change makes a new array
                self._changed()
            busy = changed or command is not None
            self._publish(seen=seen, saving=busy)
            try:
                if changed and self._on_change is not None:
                    self._on_change()
                if command is not None and self._on_command is not None:
                    self._on_command(command)
            except Exception as error:
                log.exception("a callback of the editor failed")
                problem, failed = _told("The last step may not have been kept", error), True
            if busy:
                self._publish(problem=problem, failed=failed)

    def _act(self, message: dict) -> str | None:
        """Do to the draft what a message says; a command is returned. ValueError: it cannot be."""
        op = message.get("op")
        if op == "hello":  # a page that asks whether anybody is there
            return None
        current = message.get("video") == self._number
        if op == "next":
            return op if current else None  # Enter pressed twice goes on once
        if not current:
            raise ValueError("that was meant for the video before")
        if not isinstance(op, str) or op not in STEPS:
            raise ValueError(f"no such step: {op!r}")
        getattr(self.draft, op)(*(message.get(name) for name in STEPS[op]))
        return None

    def _score(self, job: tuple) -> None:
        """In the scorer's thread: score one set of levels and show it, unless time went on."""
        number, version, rescore, levels = job
        result: dict = {"version": version, "after": None, "problem": ""}
        try:
            after = np.asarray(rescore(levels), float)
            result["after"] = after.tolist()
        except Exception as error:
            log.exception("re-scoring failed")
            result["problem"] = _told("Could not be computed", error)
        with self._lock:
            if number != self._number:
                return
            if result["after"] is not None and version == self._version:
                self._after = after
                self._summarise()
            self._scores = result


def _told(what: str, error: Exception) -> str:
    """Trouble in words for whoever edits: an error's own text may name the server's files."""
    return f"{what} ({type(error).__name__}; the log says more)"


class _Newest:
    """Calls a function in one background thread; of the calls that wait, only the newest is made.

    The thread ends when nothing waits: a server of many notebooks keeps none that idle.
    """

    def __init__(self, work: Callable[[tuple], None]):
        self._work, self._lock = work, threading.Lock()
        self._waiting: tuple | None = None
        self._running = False

    def submit(self, job: tuple) -> None:
        with self._lock:
            self._waiting = job
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="rescore", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                job, self._waiting = self._waiting, None
                if job is None:
                    self._running = False
                    return
            self._work(job)


def _jpeg(frame: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _by_frame(sampled: Sequence[int], maps: np.ndarray | None) -> tuple[list, np.ndarray | None]:
    """Every sampled frame once, in order, with the mean of its maps where views share a frame."""
    order, place = np.unique(np.asarray(sampled, int), return_inverse=True)
    if maps is None:
        return order.tolist(), None
    total = np.zeros((len(order), *maps.shape[1:]))
    np.add.at(total, place, maps)
    return order.tolist(), total / np.bincount(place)[:, None, None]


def _check(frames, draft, sampled, spatial, classes, own, fps) -> None:
    n = len(draft.levels)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[0] != n or frames.shape[3] != 3:
        raise ValueError(
            f"frames must be uint8 ({n}, H, W, 3), as the draft has {n} levels, "
            f"not {frames.dtype} {frames.shape}"
        )
    if any(not 0 <= index < n for index in sampled):
        raise ValueError(f"sampled must be source frames from 0 to {n - 1}: {list(sampled)}")
    if spatial is not None:
        if spatial.ndim != 3 or len(spatial) != len(sampled):
            raise ValueError(f"spatial must be ({len(sampled)}, H', W'), not {spatial.shape}")
        if not (spatial.min() >= 0 and spatial.max() <= 1):
            raise ValueError("spatial must lie between 0 and 1: the overlay shows raw values")
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps must be a number of frames a second, not {fps}")
    if own is not None and len(own) != len(classes):
        raise ValueError(f"own has {len(own)} probabilities, classes {len(classes)} texts")
