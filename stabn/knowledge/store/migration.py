"""A store of an older version, brought up to date where it lies."""

import sqlalchemy as sa

from stabn.knowledge.edits.edit import UNKNOWN_MODEL
from stabn.knowledge.store.schema import REVISIONS, TABLES


def to_2(connection: sa.Connection) -> None:
    """Version 1 knew no exclusions, and no verdict "nothing to correct".

    Who pressed Enter on an untouched video was "edited" with the attention shown as levels. The
    attention stays in its own column, so nothing is lost.
    """
    TABLES.create_all(connection)
    untouched = sa.and_(
        REVISIONS.c.verdict == "edited",
        REVISIONS.c.levels == REVISIONS.c.attention,  # the same numbers have the same text
        REVISIONS.c.model != UNKNOWN_MODEL,
    )
    said = {"verdict": "nothing_to_correct", "levels": "[]"}
    connection.execute(sa.update(REVISIONS).where(untouched).values(said))


STEPS = {1: to_2}  # from which version
