"""Whose word does not count: an annotator's, or one of their edits, and who decided that.

A decision is a row; taking it back is another. No edit is touched.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from stabn.knowledge.edits.edit import EditError, check_text
from stabn.knowledge.store.database import StoreError
from stabn.knowledge.store.schema import EXCLUSIONS, REVISIONS


@dataclass(frozen=True)
class Exclusion:
    """One decision on an annotator, or on their edit of one video.

    Attributes:
        annotator: whose word it is about.
        video_id: which video; None for all that they say, now and later.
        excluded: set aside, or heard again.
        who: decided it.
        why: in their words.
        made: when (UTC).

    Raises:
        EditError: nobody, or no reason; the message asks for it.
    """

    annotator: str
    video_id: str | None
    excluded: bool
    who: str
    why: str
    made: datetime

    def __post_init__(self):
        for text, field, asked in (
            (self.who, "who", "Please give the name of whoever decides it"),
            (self.why, "why", "Please give a reason, in words that still tell you in a year"),
        ):
            if not text.strip():
                raise EditError(asked)
            check_text(text, field)

    @property
    def about(self) -> str:
        """Annotator and video in words."""
        return self.annotator if self.video_id is None else f"{self.annotator}, {self.video_id}"


def every(connection: sa.Connection) -> list[Exclusion]:
    """All decisions, in their order."""
    rows = connection.execute(sa.select(EXCLUSIONS).order_by(EXCLUSIONS.c.id))
    return [
        Exclusion(
            **{name: value for name, value in row._mapping.items() if name not in ("id", "made")},
            made=datetime.fromisoformat(row.made),
        )
        for row in rows
    ]


def in_force(decisions: Sequence[Exclusion]) -> list[Exclusion]:
    """Of all decisions, in their order, those by which something is set aside now."""
    last = {(one.annotator, one.video_id): one for one in decisions}
    return [one for one in last.values() if one.excluded]


def add(connection: sa.Connection, new: Exclusion, store: str) -> None:
    """Write a decision down.

    Args:
        connection: to the store, nobody else writing.
        new: the decision.
        store: the store's name in messages.

    Raises:
        StoreError: there is nothing that it could be about, or it changes nothing.
    """
    where = REVISIONS.c.annotator == new.annotator
    if new.video_id is not None:
        where = sa.and_(where, REVISIONS.c.video_id == new.video_id)
    if not connection.scalar(sa.select(sa.exists().where(where))):
        names = sa.select(REVISIONS.c.annotator).distinct().order_by(REVISIONS.c.annotator)
        known = ", ".join(connection.scalars(names)) or "nobody"
        raise StoreError(f"{store}: {new.about}: holds no such edit; it has edits by {known}")
    theirs = {
        one.video_id: one for one in in_force(every(connection)) if one.annotator == new.annotator
    }
    before = theirs.get(new.video_id)
    if new.excluded and before:
        raise StoreError(f"{store}: {new.about}: set aside already, by {before.who} ({before.why})")
    if not new.excluded and not before:
        what = f"{new.about}: is not set aside; there is nothing to take back"
        if None in theirs:
            what = f"{new.annotator}: is set aside as a whole; hear all of their videos again first"
        elif theirs and new.video_id is None:
            what = f"{new.annotator}: is set aside in single videos; choose of {', '.join(theirs)}"
        raise StoreError(f"{store}: {what}")
    connection.execute(sa.insert(EXCLUSIONS), asdict(new) | {"made": new.made.isoformat()})
