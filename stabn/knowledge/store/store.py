"""The store: every revision of every edit, safe in a database that many write to at once.

SQLite in one file by default, PostgreSQL by its address. What holds in both:

- :meth:`Store.save` returns only when the revision is on disk, and adds a row. A row is replaced
  only by whoever wrote it a moment ago, and whole. The rows' key forbids two of one number.
- Whose word does not count is kept beside the edits, which stay as they are
  (:mod:`stabn.knowledge.store.exclusions`).
- What is read in one call is of one moment, and what is written is written whole
  (:mod:`stabn.knowledge.store.database`).
"""

import time
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from stabn import given
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.store import backup, exclusions, leases, revisions, videos
from stabn.knowledge.store.database import Database
from stabn.knowledge.store.exclusions import Exclusion
from stabn.knowledge.store.gold import Gold
from stabn.knowledge.store.migration import STEPS
from stabn.knowledge.store.revisions import Revision, TakenIn
from stabn.knowledge.store.schema import REVISIONS, TABLES, VERSION, excluded, stands

if TYPE_CHECKING:
    import pandas as pd

TIMEOUT = 30.0  # seconds to wait for a lock or an answer before ConnectionLost
LEASE = 1800.0  # seconds a video is kept for somebody who has gone silent


class Store:
    """Edits of registered videos, and who is working on which.

    Attributes:
        gold: Which videos' levels are known.

    Args:
        url: A file ("edits.sqlite"), "sqlite:///edits.sqlite" or "postgresql://user@host/database".
        create: Make the store where there is none; otherwise that is an error.
        timeout: Seconds to wait for a lock or an answer.
        clock: Seconds since 1970, by which leases end.

    Raises:
        StoreError: No such store, no store of ours, or one of a newer version.
        ConnectionLost: It cannot be reached now.
    """

    def __init__(
        self,
        url: str | Path,
        *,
        create: bool = True,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.time,
    ):
        self._clock = clock
        self._database = Database(url, TABLES, VERSION, STEPS, create=create, timeout=timeout)
        self.gold = Gold(self._database)

    @property
    def name(self) -> str:
        """The store as messages name it, without its password."""
        return self._database.name

    # -- edits -----------------------------------------------------------------------------------

    def register(self, queue: Iterable[tuple[str, int]]) -> None:
        """Make videos known, in queue order; those known already keep their places.

        Args:
            queue: (video_id, number of source frames) of each video.

        Raises:
            StoreError: A video is known with another number of frames, or has none; no video of
                this call is registered.
        """
        wanted = list(queue)
        with self._database.reading() as connection:
            new = videos.unknown(connection, wanted, self.name)
        if not new:  # the usual case, every time a page is opened: no lock needed
            return
        with self._database.writing() as connection:
            videos.add(connection, videos.unknown(connection, wanted, self.name))

    def save(self, edit: Edit, *, after: int | None, replacing: bool = False) -> int:
        """Add a revision; when this returns, it is on disk.

        Saving the very same edit again, because the connection dropped before the answer came,
        adds nothing and returns its number.

        Args:
            edit: What to keep.
            after: Number of the revision that this one follows, as far as its annotator knows;
                None where there is none.
            replacing: Take that revision's row, as two strokes within a second are one revision;
                only for who wrote it. The number grows all the same, so that others notice.

        Returns:
            The new revision's number.

        Raises:
            Conflict: The store holds another latest revision of this annotator's video.
            StoreError: The video is unknown or has another number of frames; or the store cannot be
                written. Nothing was saved, except perhaps after ConnectionLost: then save again.
        """
        return self._twice(revisions.save, edit, after, replacing)

    def take_in(self, edits: Iterable[Edit]) -> TakenIn:
        """Add edits from elsewhere, all of them or none; again, it adds nothing.

        Args:
            edits: Of registered videos. Where an annotator's edit here is as new or newer, it stays
                the latest.

        Raises:
            StoreError: A video is unknown or has another number of frames, or the store cannot be
                written.
        """
        return self._twice(revisions.take_in, list(edits))

    def latest(self, video_id: str, annotator: str) -> Revision | None:
        """The annotator's latest revision of a video, or None.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._database.reading() as connection:
            return revisions.latest(connection, video_id, annotator, self.name)

    def revisions(
        self, video_id: str | None = None, annotator: str | None = None
    ) -> list[Revision]:
        """All revisions, of one video or of one annotator if given, in the order of saving.

        Raises:
            StoreError: The store cannot be read.
        """
        query = sa.select(REVISIONS).order_by(REVISIONS.c.id)
        if video_id is not None:
            query = query.where(REVISIONS.c.video_id == video_id)
        if annotator is not None:
            query = query.where(REVISIONS.c.annotator == annotator)
        with self._database.reading() as connection:
            return [revisions.read(row, self.name) for row in connection.execute(query)]

    def edits(self) -> list[Edit]:
        """Everybody's word on each video, in queue order, then by annotator.

        That is the latest edit of each, without what was taken back ("open") and without what is
        set aside: what counts for agreement, consensus, export and training.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._database.reading() as connection:
            return revisions.edits(connection, stands(), self.name)

    # -- whose word counts -----------------------------------------------------------------------

    def exclude(self, annotator: str, video_id: str | None = None, *, who: str, why: str) -> None:
        """Set aside all that an annotator says, or what they say of one video, from now on.

        Nothing is removed; :meth:`readmit` takes it back, and both are kept.

        Args:
            annotator: Whose word.
            video_id: Of which video; None for all, those to come included.
            who: Decides it.
            why: Their reason.

        Raises:
            EditError: Nobody decides, or for no reason.
            StoreError: There is no such edit, it is set aside already, or the store cannot be
                written.
        """
        self._decide(annotator, video_id, True, who, why)

    def readmit(self, annotator: str, video_id: str | None = None, *, who: str, why: str) -> None:
        """Hear again what :meth:`exclude` set aside; arguments and errors as there.

        Raises:
            StoreError: It is not set aside in this way.
        """
        self._decide(annotator, video_id, False, who, why)

    def exclusions(self) -> list[Exclusion]:
        """All decisions of both kinds, in their order.

        :func:`stabn.knowledge.store.exclusions.in_force` says which of them hold.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._database.reading() as connection:
            return exclusions.every(connection)

    def excluded(self) -> list[Edit]:
        """The latest edits that are set aside now, in the order of :meth:`edits`.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._database.reading() as connection:
            return revisions.edits(connection, excluded(), self.name)

    # -- who works on what -----------------------------------------------------------------------

    def lease(
        self,
        annotator: str,
        *,
        seconds: float = LEASE,
        overlap: int = 1,
        among: Collection[str] | None = None,
    ) -> str | None:
        """The next video for an annotator, kept for them for a while.

        That is the first one still leased by them; else the first, in queue order, that they
        neither finished nor skipped, and that fewer than ``overlap`` others finished or hold; else
        such a one among those they skipped, the longest skipped first. What was taken back is not
        finished; what is set aside is so for its annotator alone. Gold is given to everybody.

        Args:
            annotator: Who asks.
            seconds: How long the lease lasts unless renewed.
            overlap: How many annotators may be given the same video.
            among: Only these videos, where the store serves several queues; None for all.

        Returns:
            The video's id, or None where nothing is left for them now.

        Raises:
            StoreError: The store cannot be written.
        """
        now = self._clock()
        with self._database.writing() as connection:
            video_id = leases.next_video(connection, annotator, now, overlap, among)
            if video_id is not None:
                leases.hold(connection, annotator, video_id, now + seconds)
            return video_id

    def left(self, annotator: str, *, overlap: int = 1) -> list[str]:
        """All videos that :meth:`lease` could still give an annotator now, in its order.

        Those that they hold stand in their places, too.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._database.reading() as connection:
            query = leases.free(annotator, self._clock(), overlap)
            return list(connection.scalars(query))

    def claim(self, annotator: str, video_id: str, *, seconds: float = LEASE) -> None:
        """Lease this very video, whoever else has it: everybody may go back to what they did.

        Raises:
            StoreError: The video is unknown, or the store cannot be written.
        """
        with self._database.writing() as connection:
            videos.frames(connection, video_id, self.name)
            leases.hold(connection, annotator, video_id, self._clock() + seconds)

    def renew(self, annotator: str, video_id: str, *, seconds: float = LEASE) -> None:
        """Let a lease last from now on; one that was given back stays given back.

        Raises:
            StoreError: The store cannot be written.
        """
        until = self._clock() + seconds
        with self._database.writing() as connection:
            leases.renew(connection, annotator, video_id, until)

    def release(self, annotator: str, video_id: str) -> None:
        """Give a lease back; without one, nothing happens.

        Raises:
            StoreError: The store cannot be written.
        """
        with self._database.writing() as connection:
            leases.give_back(connection, annotator, video_id)

    def skip(self, annotator: str, video_id: str) -> None:
        """Give a video back for now: it comes last for this annotator, others get it as ever.

        Raises:
            StoreError: The video is unknown, or the store cannot be written.
        """
        with self._database.writing() as connection:
            videos.frames(connection, video_id, self.name)
            leases.skip(connection, annotator, video_id)

    # -- the whole -------------------------------------------------------------------------------

    def progress(self) -> "pd.DataFrame":
        """One row a registered video, in queue order.

        Returns:
            Columns video_id, place (from 0), frames, finished (by how many annotators, whose
            word counts), leased_by (tuple of those who hold it now) and verdicts (tuple of the
            latest one of each annotator who finished it, by annotator).

        Raises:
            StoreError: The store cannot be read.
        """
        from stabn.knowledge.store import progress  # pandas, which those who only save do not need

        with self._database.reading() as connection:
            return progress.table(connection, self._clock())

    def backup(self, path: str | Path) -> None:
        """Copy everything, as of one moment, to a new SQLite file, which is itself a store.

        Args:
            path: The file; it appears whole or not at all.

        Raises:
            StoreError: There is such a file already, it cannot be written, or the store not read.
        """
        with self._database.reading() as connection:
            backup.write(connection, given.path(path))

    # -- writing ---------------------------------------------------------------------------------

    def _twice(self, step: Callable, *arguments):
        """Do a step in a transaction; where somebody was faster, once more: now they are seen."""
        try:
            with self._database.writing(alone=False) as connection:
                return step(connection, *arguments, self.name)
        except IntegrityError:
            with self._database.writing(alone=False) as connection:
                return step(connection, *arguments, self.name)

    def _decide(self, annotator: str, video_id: str | None, excluded: bool, who: str, why: str):
        decision = Exclusion(annotator, video_id, excluded, who, why, datetime.now(UTC))
        with self._database.writing() as connection:
            exclusions.add(connection, decision, self.name)
