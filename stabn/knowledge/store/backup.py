"""A copy of everything, which is itself a store."""

from pathlib import Path

import sqlalchemy as sa

from stabn.knowledge.store.database import StoreError
from stabn.knowledge.store.schema import TABLES
from stabn.training.files import replacing


def write(connection: sa.Connection, path: Path) -> None:
    """What :meth:`stabn.knowledge.store.store.Store.backup` does, of one moment."""
    if path.exists():
        raise StoreError(f"{path}: exists already; give the backup a name of its own")
    copy = copied(connection)
    try:
        with replacing(path) as file:
            file.write(copy)
    except OSError as error:
        raise StoreError(
            f"{path}: the backup could not be written ({error.strerror}); choose another folder"
        ) from error


def copied(connection: sa.Connection) -> bytes:
    """All that the connection sees, SQLite or PostgreSQL, as the bytes of an SQLite file."""
    copy = sa.create_engine("sqlite://")
    try:
        with copy.begin() as target:
            TABLES.create_all(target)
            for table in TABLES.sorted_tables:
                if rows := [dict(row._mapping) for row in connection.execute(sa.select(table))]:
                    target.execute(sa.insert(table), rows)
        raw = copy.raw_connection()
        try:
            return raw.serialize()
        finally:
            raw.close()
    finally:
        copy.dispose()
