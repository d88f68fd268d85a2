"""A copy of everything, which is itself a store."""

import sqlalchemy as sa

from stabn.knowledge.store.schema import TABLES


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
