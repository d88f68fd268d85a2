"""The store's tables in the database."""

import sqlalchemy as sa

VERSION = 1

TABLES = sa.MetaData()
sa.Table("stabn_schema", TABLES, sa.Column("version", sa.Integer, nullable=False))
VIDEOS = sa.Table(
    "stabn_videos",
    TABLES,
    sa.Column("video_id", sa.Text, primary_key=True),
    sa.Column("place", sa.Integer, nullable=False, unique=True),
    sa.Column("frames", sa.Integer, nullable=False),
)
REVISIONS = sa.Table(
    "stabn_revisions",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),  # the order in which they were saved
    sa.Column("video_id", sa.ForeignKey(VIDEOS.c.video_id), nullable=False),
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
LEASES = sa.Table(
    "stabn_leases",
    TABLES,
    sa.Column("video_id", sa.ForeignKey(VIDEOS.c.video_id), primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("until", sa.Float(53), nullable=False),  # seconds since 1970
)
SKIPS = sa.Table(
    "stabn_skips",
    TABLES,
    sa.Column("video_id", sa.ForeignKey(VIDEOS.c.video_id), primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("turn", sa.Integer, nullable=False),  # 1, 2, 3 … as this annotator skipped them
)


def pair(table: sa.Table, video_id: str | sa.Column, annotator: str) -> sa.ColumnElement[bool]:
    """Rows of a table that belong to this video and this annotator."""
    return sa.and_(table.c.video_id == video_id, table.c.annotator == annotator)


def only_latest(*columns: sa.Table | sa.Column) -> sa.Select:
    """The columns of each annotator's latest revision of each video."""
    later = REVISIONS.alias()
    newest = (
        sa.select(sa.func.max(later.c.number))
        .where(later.c.video_id == REVISIONS.c.video_id)
        .where(later.c.annotator == REVISIONS.c.annotator)
        .scalar_subquery()
    )
    joined = sa.select(*columns).join(VIDEOS, VIDEOS.c.video_id == REVISIONS.c.video_id)
    return joined.where(REVISIONS.c.number == newest)
