"""The video at hand: its draft, the time worked on it, and both brought to the store."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from stabn.knowledge.edits.edit import Edit, Verdict
from stabn.knowledge.edits.history import draft_of
from stabn.knowledge.selection.queue import QueuedVideo
from stabn.knowledge.store.database import StoreError
from stabn.knowledge.store.revisions import Conflict, Revision
from stabn.knowledge.store.store import Store

log = logging.getLogger(__name__)

PAUSE = 60.0  # seconds of a longer gap between two actions that count as work
WORTH = 1.0  # seconds since the last save for which leaving a video saves once more
BREATH = 1.0  # seconds in which strokes make one revision


class Work:
    """One video in one annotator's hands, gone on with from their latest revision.

    Attributes:
        video: Which one.
        draft: Its levels, with all that was saved to go back to; whoever changes them calls
            :meth:`look` after.
        wish: What the store should hold, once it is looked at.
        stored: What it holds, as far as known here.
        number: Of that revision; None where there is none.
        seconds: Worked on it, in all revisions together; of each gap `PAUSE` at most.
        acted: Time of the last action, on the clock that was given.
        conflict: What another tab saved under this name meanwhile, until one of
            :meth:`take_theirs` and :meth:`keep_mine` is called.
        trouble: Why the last attempt to save went wrong otherwise, until one goes well.
        tried: When that was (UTC).
        other_model: Whether the stored edit was made for another network.

    Args:
        store: Where edits go.
        video: Registered there.
        annotator: A clean name.
        model: Hash of the network whose attention is corrected.
        clock: Seconds that only grow.
        spent: Seconds worked on it before that no revision holds, as there is none.
        saved: Called with the video's id after each revision that is saved.

    Raises:
        StoreError: The store cannot be read.
    """

    def __init__(
        self,
        store: Store,
        video: QueuedVideo,
        annotator: str,
        model: str,
        *,
        clock: Callable[[], float],
        spent: float,
        saved: Callable[[str], object],
    ):
        self.video = video
        self._store, self._annotator, self._model = store, annotator, model
        self._clock, self._spent, self._saved = clock, spent, saved
        self.tried: datetime | None = None
        self._attempts: set[datetime] = set()  # when edits were made whose save went wrong
        self._follow()

    @property
    def unsaved(self) -> bool:
        """Whether something done to this video is not in the store."""
        return self.trouble is not None or self.conflict is not None

    @property
    def judged(self) -> bool:
        """Whether it was given a verdict here, since it was opened."""
        return self.stored != self._came and self.stored[0] not in ("edited", "open")

    def look(self) -> None:
        """Note what the draft is now, and the time since the last action as worked."""
        now = self._clock()
        self.seconds += min(now - self.acted, PAUSE)
        self.acted = now
        self.wish = self.draft.content

    def judge(self, verdict: Verdict) -> None:
        """Wish for a verdict without levels."""
        self.draft.say(verdict)
        self.wish = self.draft.content

    def push(self) -> bool:
        """Bring the store to what is wished for; False where it could not be."""
        if self.wish == self.stored:
            self.trouble = None
            return True
        if self.conflict is not None:
            return False
        try:
            self._save_wish()
        except Conflict as conflict:
            self.trouble, self.conflict = None, conflict.theirs
            return False
        except StoreError as error:
            if self.trouble is None:  # once, not at every further attempt
                log.warning("an edit is not saved yet: %s", error)
            self.trouble, self.tried = error, datetime.now(UTC)
            return False
        self.trouble = None
        return True

    def push_time(self) -> None:
        """Save once more for the time since the last change, if it is worth a revision.

        Raises:
            StoreError: The store cannot be written.
        """
        fits = self.number is not None and not self.other_model
        if fits and self.seconds - self._kept >= WORTH:
            with suppress(Conflict):  # another tab's edit is not to be outdone by our seconds
                self._save_wish()

    def take_theirs(self) -> None:
        """End a conflict: go on from what the other tab saved; what was done here is dropped.

        Raises:
            StoreError: The store cannot be read.
        """
        self._follow()

    def keep_mine(self) -> bool:
        """End a conflict: save what was done here as a further revision after the other tab's.

        Returns:
            As :meth:`push`.

        Raises:
            StoreError: The store cannot be read.
        """
        latest = self._latest()
        self.number, self.stored, self._begun = latest.number, latest.edit.content, None
        self.conflict = None
        return self.push()

    def _follow(self) -> None:
        """Go on from what the store holds, or from the network's own attention."""
        revisions = self._store.revisions(self.video.video_id, self._annotator)
        edits = [revision.edit for revision in revisions]
        edit = edits[-1] if edits else None
        self.draft = draft_of(self.video.attention, edits, self._model)
        self.number = revisions[-1].number if revisions else None
        self.stored = self.wish = self._came = self.draft.content
        self.seconds = self._kept = edit.seconds if edit else self._spent
        self.other_model = edit is not None and edit.model != self._model
        self.acted = self._clock()
        self._begun: float | None = None  # when the row at hand was begun, if it was here
        self.trouble: StoreError | None = None
        self.conflict: Edit | None = None
        self._attempts.clear()

    def _latest(self) -> Revision | None:
        return self._store.latest(self.video.video_id, self._annotator)

    def _save_wish(self) -> None:
        verdict, levels = self.wish
        edit = Edit(
            video_id=self.video.video_id,
            verdict=verdict,
            levels=levels,
            annotator=self._annotator,
            model=self._model,
            attention=self.video.attention,
            made=datetime.now(UTC),
            seconds=self.seconds,
        )
        # A verdict is a word of its own; strokes in one breath are one.
        strokes = verdict == self.stored[0] == "edited"
        now = self._clock()
        same = strokes and self._begun is not None and now - self._begun < BREATH
        try:
            self.number = self._store.save(edit, after=self.number, replacing=same)
        except Conflict as conflict:
            if conflict.theirs.made not in self._attempts:
                raise
            # The connection dropped after the commit: what looks like another tab's was ours.
            self.number = self._latest().number
            if conflict.theirs.content != self.wish:
                self.number = self._store.save(edit, after=self.number)
        except StoreError:
            self._attempts.add(edit.made)
            raise
        self._begun = self._begun if same else now
        self.stored, self._kept, self.other_model = self.wish, edit.seconds, False
        self._saved(self.video.video_id)
