"""Revisions of edits in the database: written, found, and read back."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from stabn.knowledge.edits.edit import Edit, EditError
from stabn.knowledge.store import videos
from stabn.knowledge.store.database import StoreError
from stabn.knowledge.store.schema import REVISIONS, VIDEOS, pair


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
    """An edit and its number among its annotator's revisions of this video, which only grows."""

    number: int
    edit: Edit


def save(
    connection: sa.Connection, edit: Edit, after: int | None, replacing: bool, store: str
) -> int:
    """What :meth:`stabn.knowledge.store.store.Store.save` does, once.

    Raises:
        IntegrityError: somebody took the number in this very moment.
    """
    of = f"{store}: video {edit.video_id}"
    number = (after or 0) + 1
    frames = videos.frames(connection, edit.video_id, store)
    if frames != edit.frames:
        raise StoreError(f"{of}: has {frames} frames, the edit {edit.frames}")
    before = latest(connection, edit.video_id, edit.annotator, store)
    if before == Revision(number, edit):
        return number
    if before is not None and before.number != after:
        raise Conflict(
            f"{of}: {edit.annotator} is at revision {before.number} of it, saved "
            f"{before.edit.made:%Y-%m-%d %H:%M} UTC; look at that one first",
            before.edit,
        )
    if before is None and after is not None:
        raise StoreError(
            f"{of}: holds no revision of {edit.annotator}, so none after {after}; is this "
            "another store than before?"
        )
    row = edit.plain() | {
        "number": number,
        "levels": json.dumps(edit.levels),
        "attention": json.dumps(edit.attention),
    }
    if before is None or not replacing:
        connection.execute(sa.insert(REVISIONS), row)
        return number
    own = sa.and_(pair(REVISIONS, edit.video_id, edit.annotator), REVISIONS.c.number == after)
    if connection.execute(sa.update(REVISIONS).where(own).values(row)).rowcount != 1:
        raise IntegrityError("the revision to be replaced has another number now", None, None)
    return number


class TakenIn(NamedTuple):
    """What became of edits from elsewhere: how many are new, were there, or are outdated here."""

    new: int
    known: int
    outdated: int


def take_in(connection: sa.Connection, edits: Iterable[Edit], store: str) -> TakenIn:
    """What :meth:`stabn.knowledge.store.store.Store.take_in` does, once."""
    counts = dict.fromkeys(TakenIn._fields, 0)
    for edit in edits:
        before = latest(connection, edit.video_id, edit.annotator, store)
        if before is None or before.edit.made < edit.made:
            save(connection, edit, before and before.number, False, store)
            counts["new"] += 1
        else:
            counts["known" if before.edit == edit else "outdated"] += 1
    return TakenIn(**counts)


def latest(connection: sa.Connection, video_id: str, annotator: str, store: str) -> Revision | None:
    """The annotator's latest revision of a video, or None."""
    query = sa.select(REVISIONS).where(pair(REVISIONS, video_id, annotator))
    row = connection.execute(query.order_by(REVISIONS.c.number.desc()).limit(1)).first()
    return None if row is None else read(row, store)


def edits(connection: sa.Connection, which: sa.ColumnElement[bool], store: str) -> list[Edit]:
    """Those of some revisions, in queue order, then by annotator."""
    query = sa.select(REVISIONS).join(VIDEOS, VIDEOS.c.video_id == REVISIONS.c.video_id)
    query = query.where(which).order_by(VIDEOS.c.place, REVISIONS.c.annotator)
    return [read(row, store).edit for row in connection.execute(query)]


def read(row: sa.Row, store: str) -> Revision:
    """The revision that a row holds.

    Raises:
        StoreError: it is damaged.
    """
    values = dict(row._mapping)
    name = f"{store}: row {values.pop('id')} of {REVISIONS.name}"
    number = values.pop("number")
    try:
        values |= {field: json.loads(values[field]) for field in ("levels", "attention")}
        return Revision(number, Edit.from_plain(values, name))
    except json.JSONDecodeError as error:
        raise StoreError(f"{name}: is damaged ({error}); go back to a backup") from error
    except EditError as error:
        raise StoreError(f"{error}; go back to a backup") from error
