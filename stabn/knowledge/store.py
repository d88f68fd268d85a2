"""The store: every revision of every edit, safe in a database that many write to at once.

SQLite in one file by default, PostgreSQL by its address. What holds in both:

- :meth:`Store.save` returns only when the revision is on disk, and adds a row; no row of an edit is
  ever changed or removed. The rows' key forbids two revisions of one number.
- A connection lives for one call. So a process can fork or be killed between calls, 74 idle pages
  hold no connection, and a file that was deleted is missed at the next call.
"""

import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.pool import NullPool

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


class StoreError(Exception):
    """A store that cannot be used; the message names it (never its password) and the remedy."""


class ConnectionLost(StoreError):
    """Locked for too long, or the connection dropped: the same call may well succeed later."""


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
        self._timeout, self._clock = timeout, clock
        self._path, self.name = None, str(url)
        address = self._address(url)
        if address.get_backend_name() == "sqlite":
            self._path = Path(address.database).absolute()
            self.name = str(url) if "://" not in str(url) else address.database
            self._engine = sa.create_engine("sqlite://", creator=self._file, poolclass=NullPool)
        else:
            self.name = address.difference_update_query(["password"]).render_as_string()
            limit = int(1000 * timeout)
            limits = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
            self._engine = sa.create_engine(
                address.set(drivername="postgresql+psycopg"),
                poolclass=NullPool,
                connect_args={
                    "connect_timeout": max(2, round(timeout)),  # libpq takes no less
                    "tcp_user_timeout": limit,
                    "options": " ".join(f"-c {name}={limit}" for name in limits),
                },
            )
        if self._path and not self._path.is_file():
            self._make_file(create)
        self._prepare(create)

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
        with self._reading() as connection:
            new = self._unknown(connection, wanted)
        if not new:  # the usual case, every time a page is opened: no lock needed
            return
        with self._writing() as connection:
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
        with self._reading() as connection:
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
        with self._reading() as connection:
            return [self._revision(row) for row in connection.execute(query)]

    def edits(self) -> list[Edit]:
        """Each annotator's latest edit of each video, in queue order, then by annotator.

        Raises:
            StoreError: The store cannot be read.
        """
        query = _only_latest(_revisions).order_by(_videos.c.place, _revisions.c.annotator)
        with self._reading() as connection:
            return [self._revision(row).edit for row in connection.execute(query)]

    # -- who works on what -----------------------------------------------------------------------

    def lease(self, annotator: str, *, seconds: float = LEASE, overlap: int = 1) -> str | None:
        """The next video for an annotator, kept for them for a while.

        That is the first one still leased by them; else the first, in queue order, that they
        neither finished (saved any revision of) nor skipped, and that fewer than ``overlap`` others
        finished or hold; else such a one among those they skipped, the longest skipped first.

        Args:
            annotator: Who asks.
            seconds: How long the lease lasts unless renewed.
            overlap: How many annotators may be given the same video.

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
        with self._writing() as connection:
            video_id = connection.scalar(held) or connection.scalar(free)
            if video_id is not None:
                self._hold(connection, annotator, video_id, seconds)
            return video_id

    def claim(self, annotator: str, video_id: str, *, seconds: float = LEASE) -> None:
        """Lease this very video, whoever else has it: everybody may go back to what they did.

        Raises:
            StoreError: The video is unknown, or the store cannot be written.
        """
        with self._writing() as connection:
            self._frames(connection, video_id)
            self._hold(connection, annotator, video_id, seconds)

    def renew(self, annotator: str, video_id: str, *, seconds: float = LEASE) -> None:
        """Let a lease last from now on; one that was given back stays given back.

        Raises:
            StoreError: The store cannot be written.
        """
        until = self._clock() + seconds
        with self._writing() as connection:
            connection.execute(
                sa.update(_leases).where(_pair(_leases, video_id, annotator)).values(until=until)
            )

    def release(self, annotator: str, video_id: str) -> None:
        """Give a lease back; without one, nothing happens.

        Raises:
            StoreError: The store cannot be written.
        """
        with self._writing() as connection:
            connection.execute(sa.delete(_leases).where(_pair(_leases, video_id, annotator)))

    def skip(self, annotator: str, video_id: str) -> None:
        """Give a video back for now: it comes last for this annotator, others get it as ever.

        Raises:
            StoreError: The video is unknown, or the store cannot be written.
        """
        turns = sa.select(sa.func.coalesce(sa.func.max(_skips.c.turn), 0) + 1)
        with self._writing() as connection:
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
        with self._reading() as connection:
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
        with copy.begin() as target, self._reading() as source:
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

    # -- opening ---------------------------------------------------------------------------------

    def _address(self, url: str | Path) -> sa.URL:
        if "://" not in str(url):
            return sa.URL.create("sqlite", database=str(url))
        try:
            address = sa.make_url(str(url).replace("postgres://", "postgresql://", 1))
            backend = address.get_backend_name()
        except (ArgumentError, ValueError) as error:
            # The address may hold a password, so it is not repeated.
            raise StoreError("the store's address: is none that a database has") from error
        if backend not in ("sqlite", "postgresql"):
            raise StoreError(f"{address.render_as_string()}: give a SQLite file or a postgresql://")
        if backend == "sqlite" and address.database in (None, "", ":memory:"):
            raise StoreError(f"{url}: edits in memory would be lost; give a file")
        return address

    def _make_file(self, create: bool) -> None:
        if self._path.exists():
            raise StoreError(f"{self.name}: is no file; give the file that the edits are kept in")
        if not create:
            raise StoreError(f"{self.name}: no such store of edits; correct the path")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch()
        except OSError as error:
            raise StoreError(
                f"{self.name}: cannot be made ({error.strerror}); choose another folder"
            ) from error

    def _file(self) -> sqlite3.Connection:
        """Open the file, which must be there: SQLite would make an empty one in its place."""
        connection = sqlite3.connect(
            f"{self._path.as_uri()}?mode=rw",
            uri=True,
            timeout=self._timeout,
            isolation_level=None,  # transactions begin where this module says BEGIN
            check_same_thread=False,
        )
        connection.execute("PRAGMA synchronous=FULL")  # to disk before a commit returns
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    def _prepare(self, create: bool) -> None:
        """Find the store's version, or make the store."""
        with self._reading() as connection:
            tables = sa.inspect(connection).get_table_names()
        if _schema.name not in tables:
            if not create or (self._path and tables):
                raise StoreError(f"{self.name}: holds no store of edits; correct the address")
            with self._writing() as connection:
                if not sa.inspect(connection).has_table(_schema.name):
                    _tables.create_all(connection)
                    connection.execute(sa.insert(_schema), {"version": VERSION})
        if self._path and create:
            self._log_ahead()
        with self._reading() as connection:
            version = connection.scalar(sa.select(_schema.c.version))
        if version != VERSION:
            raise StoreError(
                f"{self.name}: was made by a newer stabn (store version {version}, this one knows "
                f"{VERSION}); update stabn"
            )

    def _log_ahead(self) -> None:
        """Write-ahead logging: readers and the writer do not wait for each other."""
        with self._explaining(), self._engine.connect() as connection:
            if connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
                with suppress(OperationalError):  # in use, or read-only: it works without, too
                    connection.exec_driver_sql("PRAGMA journal_mode=WAL")

    # -- transactions ----------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        """Everything that is read inside is of one moment."""
        with self._explaining(), self._engine.connect() as connection:
            if self._path is None:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                if self._path:
                    connection.exec_driver_sql("BEGIN")
                yield connection

    @contextmanager
    def _writing(self, *, alone: bool = True) -> Iterator[sa.Connection]:
        """What is written inside is on disk on leaving, all of it, or none after an exception.

        Args:
            alone: No other such transaction runs at the same time; in SQLite none ever does.
        """
        with self._explaining():
            before = self._identity()
            with self._engine.connect() as connection, self._in_line(), connection.begin():
                if self._path:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                elif alone:
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7829350)")
                yield connection
            if before != self._identity():  # written to a file that has no name any more
                raise StoreError(f"{self.name}: was deleted or replaced meanwhile; not saved there")

    @contextmanager
    def _in_line(self) -> Iterator[None]:
        """One process after the other, in the order in which they came.

        SQLite's own waiting looks the more rarely the longer it has waited: among dozens of writers
        the newest comer wins, and one may wait for ever. So they first queue for a lock of the
        folder, which the kernel hands on in order. It is about fairness only: SQLite's lock alone
        keeps the data right.
        """
        if self._path is None:
            yield
            return
        folder = os.open(self._path.parent, os.O_RDONLY)
        waiting = threading.Thread(target=fcntl.flock, args=(folder, fcntl.LOCK_EX), daemon=True)
        try:
            waiting.start()
            waiting.join(self._timeout)  # flock itself knows no limit
            if waiting.is_alive():
                raise ConnectionLost(f"{self.name}: is locked by another program; try again")
            yield
            fcntl.flock(folder, fcntl.LOCK_UN)
        finally:
            os.close(folder)

    def _identity(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            status = self._path.stat()
        except OSError as error:
            raise StoreError(f"{self.name}: is gone ({error.strerror}); put it back") from error
        return status.st_dev, status.st_ino

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except DBAPIError as error:
            kind, what = (_of_sqlite if self._path else _of_postgresql)(error.orig)
            raise kind(f"{self.name}: {what} ({str(error.orig).strip()})") from error

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
        with self._writing(alone=False) as connection:
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


def _of_sqlite(error: BaseException) -> tuple[type[StoreError], str]:
    """What SQLite's answer means to a user, and whether to try again."""
    return {
        sqlite3.SQLITE_BUSY: (ConnectionLost, "is locked by another program; try again"),
        sqlite3.SQLITE_READONLY: (StoreError, "is read-only; make file and folder writable"),
        sqlite3.SQLITE_CANTOPEN: (
            StoreError,
            "cannot be opened; it must be there, in a folder that you may write to",
        ),
        sqlite3.SQLITE_NOTADB: (StoreError, "is no database; give another file"),
        sqlite3.SQLITE_CORRUPT: (StoreError, "is damaged; go back to a backup"),
        sqlite3.SQLITE_FULL: (StoreError, "the disk is full; free some space"),
    }.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, (StoreError, "cannot be used"))


def _of_postgresql(error: BaseException) -> tuple[type[StoreError], str]:
    """What PostgreSQL's answer means to a user, and whether to try again."""
    state, text = getattr(error, "sqlstate", None) or "", str(error)
    if state == "3D000" or ("database" in text and "does not exist" in text):
        return StoreError, "no such database; make it with createdb"
    if state.startswith("28") or "authentication failed" in text:
        return StoreError, "the server does not let you in; correct user and password"
    if state in ("25006", "42501"):
        return StoreError, "is read-only for you; ask for the right to write"
    if state == "53100":
        return StoreError, "the server's disk is full; free some space there"
    if state in ("55P03", "57014"):
        return ConnectionLost, "is locked by another program; try again"
    if state[:2] in ("", "08", "40", "53", "57"):
        return ConnectionLost, "the connection to the server is lost; try again"
    return StoreError, "cannot be used"
