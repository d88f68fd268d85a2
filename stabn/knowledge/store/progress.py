"""How far everybody is: one row a video."""

import pandas as pd
import sqlalchemy as sa

from stabn.knowledge.store.schema import LEASES, REVISIONS, VIDEOS, stands


def table(connection: sa.Connection, now: float) -> pd.DataFrame:
    """What :meth:`stabn.knowledge.store.store.Store.progress` returns, at a time since 1970."""
    held = sa.select(LEASES).where(LEASES.c.until > now).order_by(LEASES.c.annotator)
    columns = REVISIONS.c.video_id, REVISIONS.c.verdict
    latest = sa.select(*columns).where(stands()).order_by(REVISIONS.c.annotator)
    leased_by: dict[str, tuple[str, ...]] = {}
    for row in connection.execute(held):
        leased_by[row.video_id] = (*leased_by.get(row.video_id, ()), row.annotator)
    verdicts: dict[str, tuple[str, ...]] = {}
    for row in connection.execute(latest):
        verdicts[row.video_id] = (*verdicts.get(row.video_id, ()), row.verdict)
    videos = connection.execute(sa.select(VIDEOS).order_by(VIDEOS.c.place)).all()
    table = pd.DataFrame(videos, columns=["video_id", "place", "frames"])
    table["leased_by"] = [leased_by.get(video_id, ()) for video_id in table.video_id]
    table["verdicts"] = [verdicts.get(video_id, ()) for video_id in table.video_id]
    table.insert(3, "finished", [len(said) for said in table.verdicts])
    return table
