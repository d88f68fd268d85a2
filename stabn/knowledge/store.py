"""The store: every revision of every edit, safe in a database that many write to at once.

SQLite in one file by default, PostgreSQL by its address. What holds in both:

- :meth:`Store.save` returns only when the revision is on disk, and adds a row; no row of an edit is
  ever changed or removed. The rows' key forbids two revisions of one number.
- What is read in one call is of one moment, and what is written is written whole
  (:mod:`stabn.knowledge.database`).
"""

import json
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from stabn.knowledge.database import Database, StoreError
from stabn.knowledge.edits import Edit, EditError
from stabn.training.files import replacing

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
TIMEOUT = 30.0  # seconds to wait for a lock or an answer before ConnectionLost
LEASE = 1800.0  # seconds a video is kept for somebody who has gone silent

_tables = sa.MetaData()
_schema = sa.Table("stabn_schema", _tables, sa.Column("version", sa.Integer, nullable=False))
_videos = sa.Table(
    "stabn_videos",
    _tables,
    sa.Column("video_id", sa.Text, primary_key=True),
    sa.Column("place", sa.Integer, nullable=False, unique=True),
    sa.Column("frames", sa.Integer, nullable=False),
)
_revisions = sa.Table(
    "stabn_revisions",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),  # the order in which they were saved
    sa.Column("video_id", sa.ForeignKey(_videos.c.video_id), nullable=False),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),  # 1, 2, 3 … of this annotator's video
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("levels", sa.Text, nullable=False),  # JSON: Python's floats come back to the bit
    sa.Column("attention", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("made", sa.Text, nullable=False),
    sa.Column("seconds", sa.Float(53), nullable=False),
    sa.UniqueConstraint("video_id", "annotator", "number"),
    sa.Index("stabn_revisions_annotator", "annotator"),
)
_leases = sa.Table(
    "stabn_leases",
    _tables,
    sa.Column("video_id", sa.ForeignKey(_videos.c.video_id), primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("until", sa.Float(53), nullable=False),  # seconds since 1970
)
_skips = sa.Table(
    "stabn_skips",
    _tables,
    sa.Column("video_id", sa.ForeignKey(_videos.c.video_id), primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("turn", sa.Integer, nullable=False),  # 1, 2, 3 … as this annotator skipped them
)


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
        self._database = Database(url, _tables, VERSION, create=create, timeout=timeout)

    @property
    def name(self) -> str:
        """The store as messages name it, without its password."""
        return self._database.name

    # -- edits -----------------------------------------------------------------------------------

    def register(self, videos: Iterable[tuple[str, int]]) -> None:
        """Make videos known, in queue order; those known already keep their places.

        Args:
            videos: (video_id, number of source frames) of each.

        Raises:
            StoreError: A video is known with another number of frames, or has none; no video of
                this call is registered.
        """
        wanted = list(videos)
        with self._database.reading() as connection:
            new = self._unknown(connection, wanted)
        if not new:  # the usual case, every time a page is opened: no lock needed
            return
        with self._database.writing() as connection:
            new = self._unknown(connection, wanted)
            place = connection.scalar(sa.select(sa.func.count()).select_from(_videos))
            rows = [
                {"video_id": video_id, "place": place + i, "frames": frames}
                for i, (video_id, frames) in enumerate(new.items())
            ]
            if rows:
                connection.execute(sa.insert(_videos), rows)

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
        query = sa.select(_revisions).order_by(_revisions.c.id)
        if video_id is not None:
            query = query.where(_revisions.c.video_id == video_id)
        if annotator is not None:
            query = query.where(_revisions.c.annotator == annotator)
        with self._database.reading() as connection:
            return [self._revision(row) for row in connection.execute(query)]

    def edits(self) -> list[Edit]:
        """Each annotator's latest edit of each video, in queue order, then by annotator.

        Raises:
            StoreError: The store cannot be read.
        """
        query = _only_latest(_revisions).order_by(_videos.c.place, _revisions.c.annotator)
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
        others = (
            sa.select(_revisions.c.annotator)
            .where(_revisions.c.video_id == _videos.c.video_id, _revisions.c.number == 1)
            .where(_revisions.c.annotator != annotator)
            .correlate(_videos)
            .union(
                sa.select(_leases.c.annotator)
                .where(_leases.c.video_id == _videos.c.video_id, _leases.c.until > self._clock())
                .where(_leases.c.annotator != annotator)
                .correlate(_videos)
            )
        )
        own = _pair(_revisions, _videos.c.video_id, annotator)
        free = (
            sa.select(_videos.c.video_id)
            .outerjoin(_skips, _pair(_skips, _videos.c.video_id, annotator))
            .where(~sa.exists().where(own))
            .where(_count(others) < overlap)
            .order_by(sa.func.coalesce(_skips.c.turn, 0), _videos.c.place)
            .limit(1)
        )
        held = (
            sa.select(_videos.c.video_id)
            .join(_leases, _pair(_leases, _videos.c.video_id, annotator))
            .where(_leases.c.until > self._clock())
            .order_by(_videos.c.place)
            .limit(1)
        )
        if among is not None:
            held, free = (q.where(_videos.c.video_id.in_(list(among))) for q in (held, free))
        with self._database.writing() as connection:
            video_id = connection.scalar(held) or connection.scalar(free)
            if video_id is not None:
                self._hold(connection, annotator, video_id, seconds)
            return video_id

    def claim(self, annotator: str, video_id: str, *, seconds: float = LEASE) -> None:
        """Lease this very video, whoever else has it: everybody may go back to what they did.

        Raises:
            StoreError: The video is unknown, or the store cannot be written.
        """
        with self._database.writing() as connection:
            self._frames(connection, video_id)
            self._hold(connection, annotator, video_id, seconds)

    def renew(self, annotator: str, video_id: str, *, seconds: float = LEASE) -> None:
        """Let a lease last from now on; one that was given back stays given back.

        Raises:
            StoreError: The store cannot be written.
        """
        until = self._clock() + seconds
        with self._database.writing() as connection:
            connection.execute(
                sa.update(_leases).where(_pair(_leases, video_id, annotator)).values(until=until)
            )

    def release(self, annotator: str, video_id: str) -> None:
        """Give a lease back; without one, nothing happens.

        Raises:
            StoreError: The store cannot be written.
        """
        with self._database.writing() as connection:
            connection.execute(sa.delete(_leases).where(_pair(_leases, video_id, annotator)))

    def skip(self, annotator: str, video_id: str) -> None:
        """Give a video back for now: it comes last for this annotator, others get it as ever.

        Raises:
            StoreError: The video is unknown, or the store cannot be written.
        """
        turns = sa.select(sa.func.coalesce(sa.func.max(_skips.c.turn), 0) + 1)
        with self._database.writing() as connection:
            self._frames(connection, video_id)
            turn = connection.scalar(turns.where(_skips.c.annotator == annotator))
            for table in _leases, _skips:
                connection.execute(sa.delete(table).where(_pair(table, video_id, annotator)))
            row = {"video_id": video_id, "annotator": annotator, "turn": turn}
            connection.execute(sa.insert(_skips), row)

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
        import pandas as pd  # here, as it is large and those who only save do not need it

        held = sa.select(_leases).where(_leases.c.until > self._clock())
        latest = _only_latest(_revisions.c.video_id, _revisions.c.verdict)
        with self._database.reading() as connection:
            videos = connection.execute(sa.select(_videos).order_by(_videos.c.place)).all()
            leases = connection.execute(held.order_by(_leases.c.annotator)).all()
            saved = connection.execute(latest.order_by(_revisions.c.annotator)).all()
        leased_by: dict[str, tuple[str, ...]] = {}
        verdicts: dict[str, tuple[str, ...]] = {}
        for row in leases:
            leased_by[row.video_id] = (*leased_by.get(row.video_id, ()), row.annotator)
        for row in saved:
            verdicts[row.video_id] = (*verdicts.get(row.video_id, ()), row.verdict)
        table = pd.DataFrame(videos, columns=["video_id", "place", "frames"])
        table["leased_by"] = [leased_by.get(video_id, ()) for video_id in table.video_id]
        table["verdicts"] = [verdicts.get(video_id, ()) for video_id in table.video_id]
        table.insert(3, "finished", [len(said) for said in table.verdicts])
        return table

    def backup(self, path: str | Path) -> None:
        """Copy everything, as of one moment, to a new SQLite file, which is itself a store.

        Args:
            path: The file; it appears whole or not at all.

        Raises:
            StoreError: There is such a file already, it cannot be written, or the store not read.
        """
        path = Path(path)
        if path.exists():
            raise StoreError(f"{path}: exists already; give the backup a name of its own")
        copy = sa.create_engine("sqlite://")
        with copy.begin() as target, self._database.reading() as source:
            _tables.create_all(target)
            for table in _tables.sorted_tables:
                if rows := [dict(row._mapping) for row in source.execute(sa.select(table))]:
                    target.execute(sa.insert(table), rows)
        raw = copy.raw_connection()
        try:
            with replacing(path) as file:
                file.write(raw.serialize())
        except OSError as error:
            raise StoreError(
                f"{path}: the backup could not be written ({error.strerror}); choose another folder"
            ) from error
        finally:
            raw.close()
            copy.dispose()

    # -- queries ---------------------------------------------------------------------------------

    def _unknown(
        self, connection: sa.Connection, videos: Iterable[tuple[str, int]]
    ) -> dict[str, int]:
        """Those of ``videos`` that are not registered yet, with their frames."""
        query = sa.select(_videos.c.video_id, _videos.c.frames)
        known = dict(connection.execute(query).all())
        new: dict[str, int] = {}
        for video_id, frames in videos:
            if frames < 1:
                raise StoreError(f"{self.name}: video {video_id}: has {frames} frames")
            before = known.get(video_id, new.get(video_id, frames))
            if before != frames:
                raise StoreError(
                    f"{self.name}: video {video_id}: is known with {before} frames, not {frames}; "
                    "use a new store for another copy of the videos"
                )
            if video_id not in known:
                new[video_id] = frames
        return new

    def _frames(self, connection: sa.Connection, video_id: str) -> int:
        query = sa.select(_videos.c.frames).where(_videos.c.video_id == video_id)
        frames = connection.scalar(query)
        if frames is None:
            raise StoreError(f"{self.name}: video {video_id}: is unknown; register it first")
        return frames

    def _append(self, edit: Edit, after: int | None) -> int:
        of = f"{self.name}: video {edit.video_id}"
        number = (after or 0) + 1
        with self._database.writing(alone=False) as connection:
            frames = self._frames(connection, edit.video_id)
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
            connection.execute(sa.insert(_revisions), row)
        return number

    def _latest(self, connection: sa.Connection, video_id: str, annotator: str) -> Revision | None:
        query = sa.select(_revisions).where(_pair(_revisions, video_id, annotator))
        row = connection.execute(query.order_by(_revisions.c.number.desc()).limit(1)).first()
        return None if row is None else self._revision(row)

    def _revision(self, row: sa.Row) -> Revision:
        values = dict(row._mapping)
        name = f"{self.name}: row {values.pop('id')} of {_revisions.name}"
        number = values.pop("number")
        try:
            values |= {field: json.loads(values[field]) for field in ("levels", "attention")}
            return Revision(number, Edit.from_plain(values, name))
        except json.JSONDecodeError as error:
            raise StoreError(f"{name}: is damaged ({error}); go back to a backup") from error
        except EditError as error:
            raise StoreError(f"{error}; go back to a backup") from error

    def _hold(
        self, connection: sa.Connection, annotator: str, video_id: str, seconds: float
    ) -> None:
        connection.execute(sa.delete(_leases).where(_pair(_leases, video_id, annotator)))
        until = self._clock() + seconds
        row = {"video_id": video_id, "annotator": annotator, "until": until}
        connection.execute(sa.insert(_leases), row)


def _pair(table: sa.Table, video_id: str | sa.Column, annotator: str) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.video_id == video_id, table.c.annotator == annotator)


def _count(query: sa.CompoundSelect) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(query.subquery()).scalar_subquery()


def _only_latest(*columns: sa.Table | sa.Column) -> sa.Select:
    """The columns of each annotator's latest revision of each video."""
    later = _revisions.alias()
    newest = (
        sa.select(sa.func.max(later.c.number))
        .where(later.c.video_id == _revisions.c.video_id)
        .where(later.c.annotator == _revisions.c.annotator)
        .scalar_subquery()
    )
    joined = sa.select(*columns).join(_videos, _videos.c.video_id == _revisions.c.video_id)
    return joined.where(_revisions.c.number == newest)
