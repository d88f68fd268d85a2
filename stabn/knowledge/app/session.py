"""One annotator at work: which video comes now, what is saved, what to do when saving fails.

All rules of annotating together live here, without a widget, so that they can be tested and so
that another front end can keep them. The one rule behind the others: a video is left only when
what was done to it is in the store.
"""

import time
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from stabn.knowledge.edits.edit import Draft, Edit, Verdict
from stabn.knowledge.selection.queue import Queue, QueuedVideo
from stabn.knowledge.store.database import ConnectionLost, StoreError
from stabn.knowledge.store.store import Conflict, Revision, Store

PAUSE = 60.0  # seconds of a longer gap between two actions that count as work
WORTH = 1.0  # seconds since the last save for which leaving a video saves once more
LEASE = 1800.0  # seconds a video is kept for somebody who has gone silent
RENEW = 300.0  # seconds between two renewals of a lease
NAME_LENGTH = 60

WORDS: dict[Verdict, str] = {
    "edited": "saved",
    "cannot_tell": "saved as “cannot tell”",
    "bad_video": "saved as “bad video”",
}
UNTOUCHED = "looked at, nothing to correct"  # what it means to leave a video as it came


class SessionError(Exception):
    """A step that cannot be taken now; the message tells the annotator why and what to do."""


class Position(NamedTuple):
    """Where an annotator is: place of the video in the queue (from 1), of so many, done by them."""

    place: int
    of: int
    done: int

    def __str__(self) -> str:
        return f"video {self.place} of {self.of}, {self.done} done by you"


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
        current: The video at hand, or None where nothing is left to do.
        draft: Its levels; whoever changes them calls :meth:`save` after.
        conflict: What another tab saved under this name meanwhile, until one of
            :meth:`take_theirs` and :meth:`keep_mine` is called.

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
        self.conflict: Edit | None = None
        self.current: QueuedVideo | None = None
        self.draft: Draft | None = None
        self._store, self._queue, self._overlap, self._clock = store, queue, overlap, clock
        self._trouble: StoreError | None = None
        self._tried: datetime | None = None
        self._attempts: set[datetime] = set()  # when edits were made whose save went wrong
        self._skipped: set[str] = set()  # videos skipped here, until they are handed out again
        store.register((video.video_id, video.frames) for video in queue.videos)
        self._known = {video.video_id for video in queue.videos}
        own = [revision.edit.video_id for revision in store.revisions(annotator=self.annotator)]
        self._trail = list(dict.fromkeys(v for v in own if v in self._known))
        self._done = set(self._trail)
        self._at = len(self._trail)  # place in the trail; its length where nothing is open
        self._lease()

    # -- going through the queue ---------------------------------------------------------------

    def next(self) -> None:
        """Leave the video as it is now and open the next.

        An untouched video is kept with the network's own attention as its levels: looked at,
        nothing to correct. One that was skipped before and is untouched still stays skipped.

        Raises:
            SessionError: What was done here is not saved yet; the video stays open.
            StoreError: The store cannot say what comes next; the video stays open.
        """
        if self.current is not None:
            self._look()
            if self.current.video_id not in self._skipped:
                self._wish = self._wish or ("edited", self._seen)
            self._leave()
            self._store.release(self.annotator, self.current.video_id)
        self._go_on()

    def previous(self) -> None:
        """Go back to the video worked on before this one, as it was saved.

        Raises:
            SessionError: There is none, or what was done here is not saved yet.
            StoreError: The store cannot be read; the video stays open.
        """
        if self._at == 0:
            raise SessionError("This is your first video; there is none to go back to")
        if self.current is not None:
            self._look()
            self._leave()
            if self.current.video_id in self._done | self._skipped:  # others are kept to return to
                self._store.release(self.annotator, self.current.video_id)
        self._claim(self._at - 1)

    def skip(self) -> None:
        """Leave the video for later, or for somebody else.

        Raises:
            SessionError: What was done here is not saved yet; the video stays open.
            StoreError: The store cannot be written; the video stays open.
        """
        video = self._open_video()
        self._look()
        self._leave()
        self._store.skip(self.annotator, video.video_id)
        self._skipped.add(video.video_id)
        self._go_on()

    def verdict(self, verdict: Literal["cannot_tell", "bad_video"]) -> None:
        """Say that the video cannot be judged, or cannot be used, and open the next.

        Raises:
            SessionError: It is not saved yet; the video stays open and :meth:`retry` saves it.
            StoreError: It is saved, but the store cannot say what comes next.
        """
        self._open_video()
        self._look()
        self._wish = (verdict, ())
        self.next()

    # -- keeping what was done -----------------------------------------------------------------

    def save(self) -> bool:
        """Save the draft if it differs from what is stored, as a further revision.

        Never raises for the store: what cannot be saved is kept here, `state` says so, and
        :meth:`retry` tries again (not every further change: a lost store may take long to say so).

        Returns:
            Whether everything done to this video is in the store.
        """
        if self.current is None:
            return True
        self._look()
        return self._trouble is None and self._push()

    def retry(self) -> bool:
        """Try again to save what could not be saved.

        Returns:
            As :meth:`save`.
        """
        return self.current is None or self._push()

    def tick(self) -> None:
        """To be called every few seconds: save what could not be saved; keep the lease if working.

        Raises:
            StoreError: The lease cannot be renewed.
        """
        if self.current is None:
            return
        if self._trouble is not None:
            self.retry()
        if self._acted > self._renewed and self._clock() - self._renewed > RENEW:
            self._store.renew(self.annotator, self.current.video_id, seconds=LEASE)
            self._renewed = self._clock()

    @property
    def unsaved(self) -> bool:
        """Whether something done to this video is not in the store."""
        return self._trouble is not None or self.conflict is not None

    def take_theirs(self) -> None:
        """End a conflict: go on from what the other tab saved; what was done here is dropped."""
        self._follow(self._latest())

    def keep_mine(self) -> bool:
        """End a conflict: save what was done here as a further revision after the other tab's.

        Returns:
            As :meth:`save`.
        """
        latest = self._latest()
        self._after, self._stored = latest.number, _content(latest.edit)
        self.conflict = None
        return self._push()

    # -- telling -------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """One or two sentences for the annotator: saved or not, and what to know."""
        if self.current is None:
            return (
                f"Nothing is left for you to do, thank you ({len(self._done)} done by you). Videos "
                "that others are working on may come free: look in again later"
            )
        if self.conflict is not None:
            return (
                "NOT SAVED: another tab saved this video under your name at "
                f"{self.conflict.made:%H:%M} UTC. Nothing is overwritten: take that version, or "
                "save yours as a further revision"
            )
        if self._trouble is not None:
            then = (
                "saving is tried again every few seconds"
                if isinstance(self._trouble, ConnectionLost)
                else "tell the organiser"
            )
            # The time changes what is shown, and so keeps the page's kernel from being idle.
            return (
                f"NOT SAVED, kept in this page, do not close it; {then} (last tried "
                f"{self._tried:%H:%M:%S} UTC: {self._trouble})"
            )
        if self._stored is not None:
            said = WORDS[self._stored[0]]
            if self._stored == ("edited", self.current.attention):
                said = f"saved as “{UNTOUCHED}”"
            said += f", revision {self._after}"
        elif self.current.video_id in self._skipped:
            said = "skipped; if not changed it stays so, and comes again at the end"
        else:
            said = f"not changed yet; “Next video” keeps it as “{UNTOUCHED}”"
        if self._other_model:
            said += (
                ". Your earlier edit was made for another network: the levels are yours, the "
                "attention beside them is this network's"
            )
        return said

    @property
    def position(self) -> Position:
        """Place in the queue and number of videos done; at the end, the place after the last."""
        ids = [video.video_id for video in self._queue.videos]
        place = len(ids) if self.current is None else ids.index(self.current.video_id) + 1
        return Position(place, len(ids), len(self._done))

    @property
    def seconds(self) -> float:
        """Seconds worked on this video, in all revisions together; of each gap `PAUSE` at most."""
        return self._worked

    # -- inside --------------------------------------------------------------------------------

    def _open_video(self) -> QueuedVideo:
        if self.current is None:
            raise SessionError("No video is open")
        return self.current

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
            self.current = self.draft = None
            self._at = len(self._trail)
            return
        self._show(video_id)
        self._skipped.discard(video_id)
        self._trail = [own for own in self._trail if own != video_id] + [video_id]
        self._at = len(self._trail) - 1

    def _show(self, video_id: str) -> None:
        video = self._queue.video(video_id)
        latest = self._store.latest(video_id, self.annotator)
        self.current = video
        self._follow(latest)

    def _follow(self, revision: Revision | None) -> None:
        """Go on from a revision of the current video, or from the network's own attention."""
        edit = revision.edit if revision else None
        levels = edit.levels if edit and edit.verdict == "edited" else None
        self.draft = Draft(self.current.attention, levels)
        self._seen = self._levels()
        self._after = revision.number if revision else None
        self._stored = self._wish = _content(edit) if edit else None
        self._worked = self._kept = edit.seconds if edit else 0.0
        self._other_model = edit is not None and edit.model != self._queue.model
        self._acted = self._renewed = self._clock()
        self._trouble = self.conflict = None
        self._attempts.clear()

    def _levels(self) -> tuple[float, ...]:
        return tuple(float(level) for level in self.draft.levels)

    def _look(self) -> None:
        """Note what the draft is now, and the time since the last action as worked."""
        now = self._clock()
        self._worked += min(now - self._acted, PAUSE)
        self._acted = now
        levels = self._levels()
        if levels != self._seen:
            self._seen, self._wish = levels, ("edited", levels)

    def _leave(self) -> None:
        """Save what was done here, and the time since the last change with it."""
        if not self._push():
            raise SessionError(self.state)
        fits = self._stored is not None and not self._other_model
        if fits and self._worked - self._kept >= WORTH:
            with suppress(Conflict):  # another tab's edit is not to be outdone by our seconds
                self._save_wish()

    def _push(self) -> bool:
        """Bring the store to what is wished for; False where it could not be."""
        if self._wish == self._stored:
            self._trouble = None
            return True
        if self.conflict is not None:
            return False
        try:
            self._save_wish()
        except Conflict as conflict:
            self._trouble, self.conflict = None, conflict.theirs
            return False
        except StoreError as error:
            self._trouble, self._tried = error, datetime.now(UTC)
            return False
        self._trouble = None
        return True

    def _save_wish(self) -> None:
        verdict, levels = self._wish
        edit = Edit(
            video_id=self.current.video_id,
            verdict=verdict,
            levels=levels,
            annotator=self.annotator,
            model=self._queue.model,
            attention=self.current.attention,
            made=datetime.now(UTC),
            seconds=self._worked,
        )
        try:
            self._after = self._store.save(edit, after=self._after)
        except Conflict as conflict:
            if conflict.theirs.made not in self._attempts:
                raise
            # The connection dropped after the commit: what looks like another tab's was ours.
            self._after = self._latest().number
            if _content(conflict.theirs) != self._wish:
                self._after = self._store.save(edit, after=self._after)
        except StoreError:
            self._attempts.add(edit.made)
            raise
        self._stored, self._kept, self._other_model = self._wish, edit.seconds, False
        self._done.add(self.current.video_id)

    def _latest(self) -> Revision:
        return self._store.latest(self.current.video_id, self.annotator)


def _content(edit: Edit) -> tuple[Verdict, tuple[float, ...]]:
    return edit.verdict, edit.levels
