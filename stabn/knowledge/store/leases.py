"""Who works on which video: what is next for whom, and for how long it is theirs."""

from collections.abc import Collection

import sqlalchemy as sa

from stabn.knowledge.store.schema import (
    LEASES,
    REVISIONS,
    SKIPS,
    VIDEOS,
    is_gold,
    pair,
    said,
    stands,
)


def next_video(
    connection: sa.Connection,
    annotator: str,
    now: float,
    overlap: int,
    among: Collection[str] | None,
) -> str | None:
    """The video that :meth:`stabn.knowledge.store.store.Store.lease` gives, or None."""
    held = (
        sa.select(VIDEOS.c.video_id)
        .join(LEASES, pair(LEASES, VIDEOS.c.video_id, annotator))
        .where(LEASES.c.until > now)
        .order_by(VIDEOS.c.place)
    )
    for wanted in (held, free(annotator, now, overlap)):
        if among is not None:
            wanted = wanted.where(VIDEOS.c.video_id.in_(list(among)))
        if (video_id := connection.scalar(wanted.limit(1))) is not None:
            return video_id
    return None


def free(annotator: str, now: float, overlap: int) -> sa.Select:
    """Ids of the videos that an annotator can be given, in that order; those they hold, too."""
    others = (
        sa.select(REVISIONS.c.annotator)
        .where(REVISIONS.c.video_id == VIDEOS.c.video_id, stands())
        .where(REVISIONS.c.annotator != annotator)
        .correlate(VIDEOS)
        .union(
            sa.select(LEASES.c.annotator)
            .where(LEASES.c.video_id == VIDEOS.c.video_id, LEASES.c.until > now)
            .where(LEASES.c.annotator != annotator)
            .correlate(VIDEOS)
        )
    )
    own = sa.and_(pair(REVISIONS, VIDEOS.c.video_id, annotator), said())
    return (
        sa.select(VIDEOS.c.video_id)
        .outerjoin(SKIPS, pair(SKIPS, VIDEOS.c.video_id, annotator))
        .where(~sa.exists().where(own))
        .where(sa.or_(_count(others) < overlap, is_gold()))
        .order_by(sa.func.coalesce(SKIPS.c.turn, 0), VIDEOS.c.place)
    )


def hold(connection: sa.Connection, annotator: str, video_id: str, until: float) -> None:
    """The annotator has the video until then (seconds since 1970)."""
    give_back(connection, annotator, video_id)
    row = {"video_id": video_id, "annotator": annotator, "until": until}
    connection.execute(sa.insert(LEASES), row)


def renew(connection: sa.Connection, annotator: str, video_id: str, until: float) -> None:
    """Let a lease last until then; one that was given back stays given back."""
    own = pair(LEASES, video_id, annotator)
    connection.execute(sa.update(LEASES).where(own).values(until=until))


def give_back(connection: sa.Connection, annotator: str, video_id: str) -> None:
    """The annotator has the video no longer."""
    connection.execute(sa.delete(LEASES).where(pair(LEASES, video_id, annotator)))


def skip(connection: sa.Connection, annotator: str, video_id: str) -> None:
    """The annotator has the video no longer, and gets it back after all others."""
    turns = sa.select(sa.func.coalesce(sa.func.max(SKIPS.c.turn), 0) + 1)
    turn = connection.scalar(turns.where(SKIPS.c.annotator == annotator))
    give_back(connection, annotator, video_id)
    connection.execute(sa.delete(SKIPS).where(pair(SKIPS, video_id, annotator)))
    row = {"video_id": video_id, "annotator": annotator, "turn": turn}
    connection.execute(sa.insert(SKIPS), row)


def _count(query: sa.CompoundSelect) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(query.subquery()).scalar_subquery()
