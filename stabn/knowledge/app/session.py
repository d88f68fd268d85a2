"""One annotator's way through the queue: which video comes now, and when one may be left.

All rules of annotating together live here and in :mod:`stabn.knowledge.app.work`, without a widget,
so that they can be tested and so that another front end can keep them. The one rule behind the
others: a video is left only when what was done to it is in the store.
"""

import time
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from stabn.knowledge.app.position import Been, Left, Position
from stabn.knowledge.app.telling import AGAIN, SKIPPED, VERDICTS, leaving, told, word_on
from stabn.knowledge.app.work import Work
from stabn.knowledge.edits.edit import Draft, Edit, Verdict
from stabn.knowledge.selection.queue import Queue, QueuedVideo
from stabn.knowledge.store.database import StoreError
from stabn.knowledge.store.store import Store

LEASE = 1800.0  # seconds a video is kept for somebody who has gone silent
RENEW = 300.0  # seconds between two renewals of a lease
NAME_LENGTH = 60


class SessionError(Exception):
    """A step that cannot be taken now; the message tells the annotator why and what to do."""


def clean_name(text: str) -> str:
    """A name as it is stored: trimmed, single spaces, 1 to 60 characters.

    Raises:
        SessionError: nothing is left, it is too long, or it holds characters that cannot be seen.
    """
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    if not name:
        raise SessionError("Please type a name; your edits are kept under it")
    if len(name) > NAME_LENGTH:
        raise SessionError(f"A name has at most {NAME_LENGTH} characters, this one {len(name)}")
    if any(unicodedata.category(letter).startswith("C") for letter in name):
        raise SessionError("The name holds invisible characters; please type it anew")
    return name


class Session:
    """The queue as one annotator goes through it.

    Coming back under the same name goes on where one was: the video that was open, with the levels
    that were saved last. Time worked is counted a video, through all its revisions: the latest
    edit of a video holds all the seconds that its annotator spent on it until they left it.

    Attributes:
        annotator: The name, as :func:`clean_name` returns it.
        left: The video that was left last, until :meth:`undo`; None before.

    Args:
        store: Where edits go. The queue's videos are registered in it.
        queue: What to work through.
        annotator: A name, cleaned here.
        overlap: How many annotators may be given the same video.
        clock: Seconds that only grow; tests give their own.

    Raises:
        SessionError: The name cannot be.
        StoreError: The store cannot be read or written.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        annotator: str,
        *,
        overlap: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.annotator = clean_name(annotator)
        self.left: Left | None = None
        self._work: Work | None = None
        self._free: list[str] = []  # ids that could still be had, when that was looked at last
        self._store, self._queue, self._overlap, self._clock = store, queue, overlap, clock
        self._skipped: set[str] = set()  # videos skipped here, until they are handed out again
        self._spent: dict[str, float] = {}  # seconds on videos left here without an answer
        store.register((video.video_id, video.frames) for video in queue.videos)
        self._known = {video.video_id for video in queue.videos}
        own = [revision.edit for revision in store.revisions(annotator=self.annotator)]
        said = {edit.video_id: edit.verdict for edit in own if edit.video_id in self._known}
        self._trail = list(said)
        self._said: dict[str, Verdict] = said  # of each video with an answer, or one taken back
        self._at = len(self._trail)  # place in the trail; its length where nothing is open
        self._lease()

    @property
    def current(self) -> QueuedVideo | None:
        """The video at hand, or None where nothing is left to do."""
        return self._work and self._work.video

    @property
    def draft(self) -> Draft | None:
        """Its levels; whoever changes them calls :meth:`save` after."""
        return self._work and self._work.draft

    # -- going through the queue ---------------------------------------------------------------

    def next(self) -> None:
        """Leave the video as it is now and open the next.

        An untouched video gets the verdict that there is nothing to correct; undo takes it back.
        One that was skipped before and is untouched still stays skipped.

        Raises:
            SessionError: What was done here is not saved yet; the video stays open.
            StoreError: The store cannot say what comes next; the video stays open.
        """
        left = None
        if self._work is not None:
            self._work.look()
            if self.draft.verdict == "open" and self.current.video_id not in self._skipped:
                self._work.judge("nothing_to_correct")
            left = self._leave()
            self._store.release(self.annotator, self.current.video_id)
        self._go_on()
        self.left = left

    def previous(self) -> None:
        """Go back to the video worked on before this one, as it was saved.

        Raises:
            SessionError: There is none, or what was done here is not saved yet.
            StoreError: The store cannot be read; the video stays open.
        """
        if self._at == 0:
            raise SessionError("This is your first video; there is none to go back to")
        self._go_back(self._at - 1)

    def go_to(self, place: int) -> None:
        """Open the video at a place among one's own again, as it was saved.

        Args:
            place: from 1, as in :attr:`been`.

        Raises:
            SessionError: What was done here is not saved yet; the video stays open.
            StoreError: The store cannot be read; the video stays open.
        """
        self._go_back(place - 1)

    def undo(self) -> None:
        """Go back to the video that was left last, and take back the verdict that leaving gave it.

        What was painted there stays; it can be undone stroke by stroke.

        Raises:
            SessionError: There is nothing to undo, or what was done here is not saved yet.
            StoreError: The store cannot be read; the video stays open.
        """
        if self.left is None:
            raise SessionError("There is nothing to undo")
        left = self.left
        self._go_back(self._trail.index(left.video_id))
        self.left = None
        self._skipped.discard(left.video_id)
        if left.judged:
            self.draft.undo()
            self.save()

    def skip(self) -> None:
        """Leave the video for later, or for somebody else.

        Raises:
            SessionError: What was done here is not saved yet; the video stays open.
            StoreError: The store cannot be written; the video stays open.
        """
        work = self._opened()
        work.look()
        self._leave()
        self._store.skip(self.annotator, work.video.video_id)
        self._skipped.add(work.video.video_id)
        self._go_on()
        self.left = Left(work.video.video_id, SKIPPED, judged="")

    def verdict(self, verdict: Literal["cannot_tell", "bad_video"]) -> None:
        """Say that the video cannot be judged, or cannot be used, and open the next.

        Raises:
            SessionError: It is not saved yet; the video stays open and :meth:`retry` saves it.
            StoreError: It is saved, but the store cannot say what comes next.
        """
        work = self._opened()
        work.look()
        work.judge(verdict)
        self.next()

    # -- keeping what was done -----------------------------------------------------------------

    def save(self) -> bool:
        """Save the draft if it differs from what is stored, as a further revision.

        Never raises for the store: what cannot be saved is kept here, `state` says so, and
        :meth:`retry` tries again (not every further change: a lost store may take long to say so).

        Returns:
            Whether everything done to this video is in the store.
        """
        if self._work is None:
            return True
        self._work.look()
        return self._work.trouble is None and self._work.push()

    def retry(self) -> bool:
        """Try again to save what could not be saved.

        Returns:
            As :meth:`save`.
        """
        return self._work is None or self._work.push()

    def tick(self) -> None:
        """To be called every few seconds: save what could not be saved; keep the lease if working.

        Raises:
            StoreError: The lease cannot be renewed.
        """
        if self._work is None:
            return
        if self._work.trouble is not None:
            self.retry()
        if self._work.acted > self._renewed and self._clock() - self._renewed > RENEW:
            self._store.renew(self.annotator, self.current.video_id, seconds=LEASE)
            self._renewed = self._clock()

    @property
    def unsaved(self) -> bool:
        """Whether something done to this video is not in the store."""
        return self._work is not None and self._work.unsaved

    @property
    def conflict(self) -> Edit | None:
        """What another tab saved under this name meanwhile, until one of the next two is called."""
        return self._work and self._work.conflict

    def take_theirs(self) -> None:
        """End a conflict: go on from what the other tab saved; what was done here is dropped."""
        self._opened().take_theirs()
        self._renewed = self._clock()

    def keep_mine(self) -> bool:
        """End a conflict: save what was done here as a further revision after the other tab's.

        Returns:
            As :meth:`save`.
        """
        return self._opened().keep_mine()

    # -- telling -------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """One or two sentences for the annotator: saved or not, and what to know."""
        work = self._work
        if work is None:
            return (
                f"All done: {len(self._done)} by you, thank you. Videos that others are working on "
                f"may come free: “{AGAIN}” asks for one"
            )
        return told(work, skipped=work.video.video_id in self._skipped)

    @property
    def position(self) -> Position:
        """Place among one's videos, and how many are done; at the end, the last place."""
        own = len(self._done.union(self._trail, self._free))
        return Position(own if self.current is None else self._at + 1, own, len(self._done))

    @property
    def been(self) -> list[Been]:
        """The videos that one came to, in order; one that was skipped stands where it came last."""
        skipped = self._skipped
        return [
            Been(place, video_id, word_on(self._said.get(video_id, "open"), video_id in skipped))
            for place, video_id in enumerate(self._trail, start=1)
        ]

    @property
    def upcoming(self) -> QueuedVideo | None:
        """What :meth:`next` will open as far as can be known now, to be read ahead; or None."""
        ahead = self._trail[self._at + 1 :] or self._free
        at_hand = self.current and self.current.video_id
        others = (video_id for video_id in ahead if video_id != at_hand)
        video_id = next(others, None)
        return video_id and self._queue.video(video_id)

    @property
    def seconds(self) -> float:
        """Seconds worked on the video at hand, in all revisions together."""
        return 0.0 if self._work is None else self._work.seconds

    # -- inside --------------------------------------------------------------------------------

    @property
    def _done(self) -> set[str]:
        return {video_id for video_id, verdict in self._said.items() if verdict != "open"}

    def _opened(self) -> Work:
        if self._work is None:
            raise SessionError("No video is open")
        return self._work

    def _leave(self) -> Left:
        """Save what was done here, and the time since the last change with it."""
        work = self._work
        if not work.push():
            raise SessionError(self.state)
        work.push_time()
        if work.number is None:  # no revision to keep them
            self._spent[work.video.video_id] = work.seconds
        judged = VERDICTS[work.stored[0]] if work.judged else ""
        return Left(work.video.video_id, leaving(work), judged)

    def _go_back(self, at: int) -> None:
        if self._work is not None:
            self._work.look()
            self._leave()
            if self.current.video_id in self._done | self._skipped:  # others are kept to return to
                self._store.release(self.annotator, self.current.video_id)
        self._claim(at)

    def _go_on(self) -> None:
        if self._at + 1 < len(self._trail):
            self._claim(self._at + 1)
        else:
            self._lease()

    def _claim(self, at: int) -> None:
        video_id = self._trail[at]
        self._store.claim(self.annotator, video_id, seconds=LEASE)
        self._show(video_id)
        self._at = at

    def _lease(self) -> None:
        video_id = self._store.lease(
            self.annotator, seconds=LEASE, overlap=self._overlap, among=self._known
        )
        if video_id is None:
            self._work = None
            self._at = len(self._trail)
            self._look_ahead()
            return
        self._show(video_id)
        self._skipped.discard(video_id)
        self._trail = [own for own in self._trail if own != video_id] + [video_id]
        self._at = len(self._trail) - 1

    def _show(self, video_id: str) -> None:
        self._work = Work(
            self._store,
            self._queue.video(video_id),
            self.annotator,
            self._queue.model,
            clock=self._clock,
            spent=self._spent.get(video_id, 0.0),
            saved=self._count,
        )
        self._renewed = self._clock()
        self._look_ahead()

    def _look_ahead(self) -> None:
        with suppress(StoreError):  # which says how much is left, and no more
            free = self._store.left(self.annotator, overlap=self._overlap)
            self._free = [video_id for video_id in free if video_id in self._known]

    def _count(self, video_id: str) -> None:
        self._said[video_id] = self._work.stored[0]
