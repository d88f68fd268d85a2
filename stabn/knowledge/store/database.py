"""A database of ours in SQLite or PostgreSQL: opened, read and written whole, errors in words.

A connection lives for one call. So a process can fork or be killed between calls, 74 idle pages
hold no connection, and a file that was deleted is missed at the next call.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.pool import NullPool

from stabn import given
from stabn.errors import UserError


class StoreError(UserError):
    """A store that cannot be used; the message names it (never its password) and the remedy."""


class ConnectionLost(StoreError):
    """Locked for too long, or the connection dropped: the same call may well succeed later."""


class Database:
    """Tables in a SQLite file or on a PostgreSQL server, made where there are none.

    Args:
        url: A file ("edits.sqlite"), "sqlite:///edits.sqlite" or "postgresql://user@host/database".
        tables: What it holds; "stabn_schema" among them, whose one row is the version.
        version: Of these tables.
        steps: {older version: what makes the next one of it}.
        create: Make the database's tables where there are none; otherwise that is an error.
        timeout: Seconds to wait for a lock or an answer.

    Attributes:
        name: The database as messages name it, without its password.

    Raises:
        StoreError: No such database, none of ours, one of a newer version, or one of an older that
            may not be written.
        ConnectionLost: It cannot be reached now.
    """

    def __init__(
        self,
        url: str | Path,
        tables: sa.MetaData,
        version: int,
        steps: Mapping[int, Callable[[sa.Connection], None]],
        *,
        create: bool,
        timeout: float,
    ):
        self._timeout = timeout
        self._tables, self._version, self._steps = tables, version, steps
        self._path, self.name = None, str(url)
        address = self._address(url)
        if address.get_backend_name() == "sqlite":
            self._path = given.path(address.database).absolute()
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

    # -- transactions ----------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Everything that is read inside is of one moment."""
        with self._explaining(), self._engine.connect() as connection:
            if self._path is None:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                if self._path:
                    connection.exec_driver_sql("BEGIN")
                yield connection

    @contextmanager
    def writing(self, *, alone: bool = True) -> Iterator[sa.Connection]:
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
        """Make the store, or bring an older one up to date; refuse a newer one."""
        schema = self._tables.tables["stabn_schema"]
        with self.reading() as connection:
            tables = sa.inspect(connection).get_table_names()
        if schema.name not in tables:
            if not create or (self._path and tables):
                raise StoreError(f"{self.name}: holds no store of edits; correct the address")
            with self.writing() as connection:
                if not sa.inspect(connection).has_table(schema.name):
                    self._tables.create_all(connection)
                    connection.execute(sa.insert(schema), {"version": self._version})
        if self._path and create:
            self._log_ahead()
        with self.reading() as connection:
            version = connection.scalar(sa.select(schema.c.version))
        if version < self._version:
            with self.writing() as connection:
                self._update(connection)
            version = self._version
        if version > self._version:
            raise StoreError(
                f"{self.name}: was made by a newer stabn (store version {version}, this one knows "
                f"{self._version}); update stabn"
            )

    def _update(self, connection: sa.Connection) -> None:
        """Go from version to version; somebody else may have done so a moment ago."""
        schema = self._tables.tables["stabn_schema"]
        found = connection.scalar(sa.select(schema.c.version))
        for version in range(found, self._version):
            self._steps[version](connection)
        connection.execute(sa.update(schema).values(version=self._version))

    def _log_ahead(self) -> None:
        """Write-ahead logging: readers and the writer do not wait for each other."""
        with self._explaining(), self._engine.connect() as connection:
            if connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
                with suppress(OperationalError):  # in use, or read-only: it works without, too
                    connection.exec_driver_sql("PRAGMA journal_mode=WAL")


def _of_sqlite(error: BaseException) -> tuple[type[StoreError], str]:
    """What SQLite's answer means to a user, and whether to try again."""
    return {
        sqlite3.SQLITE_BUSY: (ConnectionLost, "is locked by another program; try again"),
        sqlite3.SQLITE_READONLY: (StoreError, "is read-only; make file and folder writable"),
        sqlite3.SQLITE_CANTOPEN: (
            StoreError,
            "cannot be opened; it must be there, in a folder that you may write to",
        ),
        sqlite3.SQLITE_NOTADB: (
            StoreError,
            "is no database; give another file (edits as JSON end in .json)",
        ),
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
