"""The store: every revision of every edit, safe in a database that many write to at once.

SQLite in one file by default, PostgreSQL by its address. What holds in both:

- :meth:`Store.save` returns only when the revision is on disk, and adds a row; no row of an edit is
  ever changed or removed. The rows' key forbids two revisions of one number.
- What is read in one call is of one moment, and what is written is written whole
  (:mod:`stabn.knowledge.store.database`).
"""

import json
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from stabn import given
from stabn.knowledge.edits.edit import Edit, EditError
from stabn.knowledge.store import backup, leases, videos
from stabn.knowledge.store.database import Database, StoreError
from stabn.knowledge.store.schema import REVISIONS, TABLES, VERSION, VIDEOS, only_latest, pair
from stabn.training.files import replacing

if TYPE_CHECKING:
    import pandas as pd

TIMEOUT = 30.0  # seconds to wait for a lock or an answer before ConnectionLost
LEASE = 1800.0  # seconds a video is kept for somebody who has gone silent


class Conflict(StoreError):
    """This annotator's video was saved from elsewhere meanwhile; nothing was overwritten.

    Attributes:
        theirs: The edit that the store holds.
    """

    def __init__(self, message: str, theirs: Edit):
        super().__init__(message)
        self.theirs = theirs


@dataclass(frozen=True)
class Revision:
    """An edit and its number among its annotator's revisions of this video: 1, 2, 3 …"""

    number: int
    edit: Edit


class Store:
    """Edits of registered videos, and who is working on which.

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
        self._database = Database(url, TABLES, VERSION, create=create, timeout=timeout)

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

    def save(self, edit: Edit, *, after: int | None) -> int:
        """Add a revision; when this returns, it is on disk.

        Saving the very same edit again, because the connection dropped before the answer came,
        adds nothing and returns its number.

        Args:
            edit: What to keep.
            after: Number of the revision that this one follows, as far as its annotator knows;
                None where there is none.

        Returns:
            The new revision's number.

        Raises:
            Conflict: The store holds another latest revision of this annotator's video.
            StoreError: The video is unknown or has another number of frames; or the store cannot be
                written. Nothing was saved, except perhaps after ConnectionLost: then save again.
        """
        try:
            return self._append(edit, after)
        except IntegrityError:  # somebody took the number in this very moment: now they are seen
            return self._append(edit, after)

    def latest(self, video_id: str, annotator: str) -> Revision | None:
        """The annotator's latest revision of a video, or None.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._database.reading() as connection:
            return self._latest(connection, video_id, annotator)

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
            return [self._revision(row) for row in connection.execute(query)]

    def edits(self) -> list[Edit]:
        """Each annotator's latest edit of each video, in queue order, then by annotator.

        Raises:
            StoreError: The store cannot be read.
        """
        query = only_latest(REVISIONS).order_by(VIDEOS.c.place, REVISIONS.c.annotator)
        with self._database.reading() as connection:
            return [self._revision(row).edit for row in connection.execute(query)]

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
        neither finished (saved any revision of) nor skipped, and that fewer than ``overlap`` others
        finished or hold; else such a one among those they skipped, the longest skipped first.

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
            Columns video_id, place (from 0), frames, finished (how many annotators saved it),
            leased_by (tuple of those who hold it now) and verdicts (tuple of the latest one of
            each annotator who finished it, by annotator).

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
        path = given.path(path)
        if path.exists():
            raise StoreError(f"{path}: exists already; give the backup a name of its own")
        with self._database.reading() as connection:
            copy = backup.copied(connection)
        try:
            with replacing(path) as file:
                file.write(copy)
        except OSError as error:
            raise StoreError(
                f"{path}: the backup could not be written ({error.strerror}); choose another folder"
            ) from error

    # -- queries ---------------------------------------------------------------------------------

    def _append(self, edit: Edit, after: int | None) -> int:
        of = f"{self.name}: video {edit.video_id}"
        number = (after or 0) + 1
        with self._database.writing(alone=False) as connection:
            frames = videos.frames(connection, edit.video_id, self.name)
            if frames != edit.frames:
                raise StoreError(f"{of}: has {frames} frames, the edit {edit.frames}")
            latest = self._latest(connection, edit.video_id, edit.annotator)
            if latest == Revision(number, edit):
                return number
            if latest is not None and latest.number != after:
                raise Conflict(
                    f"{of}: {edit.annotator} is at revision {latest.number} of it, saved "
                    f"{latest.edit.made:%Y-%m-%d %H:%M} UTC; look at that one first",
                    latest.edit,
                )
            if latest is None and after is not None:
                raise StoreError(
                    f"{of}: holds no revision of {edit.annotator}, so none after {after}; is this "
                    "another store than before?"
                )
            row = edit.plain() | {
                "number": number,
                "levels": json.dumps(edit.levels),
                "attention": json.dumps(edit.attention),
            }
            connection.execute(sa.insert(REVISIONS), row)
        return number

    def _latest(self, connection: sa.Connection, video_id: str, annotator: str) -> Revision | None:
        query = sa.select(REVISIONS).where(pair(REVISIONS, video_id, annotator))
        row = connection.execute(query.order_by(REVISIONS.c.number.desc()).limit(1)).first()
        return None if row is None else self._revision(row)

    def _revision(self, row: sa.Row) -> Revision:
        values = dict(row._mapping)
        name = f"{self.name}: row {values.pop('id')} of {REVISIONS.name}"
        number = values.pop("number")
        try:
            values |= {field: json.loads(values[field]) for field in ("levels", "attention")}
            return Revision(number, Edit.from_plain(values, name))
        except json.JSONDecodeError as error:
            raise StoreError(f"{name}: is damaged ({error}); go back to a backup") from error
        except EditError as error:
            raise StoreError(f"{error}; go back to a backup") from error
