"""The store's tables in the database."""

import sqlalchemy as sa

VERSION = 2

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
    sa.Column("number", sa.Integer, nullable=False),  # grows with each save of these two
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
EXCLUSIONS = sa.Table(
    "stabn_exclusions",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),  # the order in which they were decided
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("video_id", sa.ForeignKey(VIDEOS.c.video_id)),  # NULL: all that they say
    sa.Column("excluded", sa.Boolean, nullable=False),  # or heard again
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("made", sa.Text, nullable=False),
)
GOLD = sa.Table(
    "stabn_gold",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),  # the order in which they were named
    sa.Column("video_id", sa.ForeignKey(VIDEOS.c.video_id), nullable=False),
    sa.Column("edit", sa.Text, nullable=False),  # JSON of what is known; "": it is gold no more
    sa.Column("train", sa.Boolean, nullable=False),  # networks learn from it, too
)


def pair(table: sa.Table, video_id: str | sa.Column, annotator: str) -> sa.ColumnElement[bool]:
    """Rows of a table that belong to this video and this annotator."""
    return sa.and_(table.c.video_id == video_id, table.c.annotator == annotator)


def said() -> sa.ColumnElement[bool]:
    """Revisions that are their annotator's latest of their video, and not taken back."""
    later = REVISIONS.alias()
    newest = (
        sa.select(sa.func.max(later.c.number))
        .where(later.c.video_id == REVISIONS.c.video_id)
        .where(later.c.annotator == REVISIONS.c.annotator)
        .scalar_subquery()
    )
    return sa.and_(REVISIONS.c.number == newest, REVISIONS.c.verdict != "open")


def stands() -> sa.ColumnElement[bool]:
    """Revisions that are somebody's word on a video, and count."""
    return sa.and_(said(), ~_set_aside())


def excluded() -> sa.ColumnElement[bool]:
    """Revisions that would be somebody's word on a video, but are set aside now."""
    return sa.and_(said(), _set_aside())


def _set_aside() -> sa.ColumnElement[bool]:
    last, later = EXCLUSIONS.alias(), EXCLUSIONS.alias()
    overruled = sa.exists().where(
        later.c.annotator == last.c.annotator,
        later.c.video_id.is_not_distinct_from(last.c.video_id),
        later.c.id > last.c.id,
    )
    concerned = sa.or_(last.c.video_id.is_(None), last.c.video_id == REVISIONS.c.video_id)
    return sa.exists().where(
        last.c.annotator == REVISIONS.c.annotator, concerned, last.c.excluded, ~overruled
    )


def known(gold: sa.FromClause = GOLD) -> sa.ColumnElement[bool]:
    """Rows of gold that count: the newest of each video that is gold now."""
    later = GOLD.alias()
    newer = sa.exists().where(later.c.video_id == gold.c.video_id, later.c.id > gold.c.id)
    return sa.and_(gold.c.edit != "", ~newer)


def is_gold() -> sa.ColumnElement[bool]:
    """Videos that are gold now."""
    named = GOLD.alias()
    return sa.exists().where(named.c.video_id == VIDEOS.c.video_id, known(named))
