"""Gold: videos of the queue whose levels are known, by which people's answers can be checked.

Everybody is given them, and sees them as any other video. A naming is a row for each video, and
the newest row of a video counts; none is ever removed.
"""

import json
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from stabn.knowledge.edits.edit import Edit, EditError
from stabn.knowledge.store import videos
from stabn.knowledge.store.database import Database, StoreError
from stabn.knowledge.store.schema import GOLD, VIDEOS, known


class Gold:
    """The gold videos of a store, reached as ``store.gold``."""

    def __init__(self, database: Database):
        self._database = database

    def name(self, edits: Iterable[Edit], *, train: bool = False) -> None:
        """Let these videos be gold, and no others; all of it is written, or nothing.

        Args:
            edits: An expert's, one of each video.
            train: Networks learn from what annotators say of them, too.

        Raises:
            EditError: An edit without levels, or two of one video.
            StoreError: A video is unknown or has another number of frames; or the store cannot be
                written.
        """
        edits = list(edits)
        new = {edit.video_id: edit for edit in edits}
        if len(new) < len(edits):
            raise EditError("gold: a video is there twice; give one edit of each")
        for edit in edits:
            if edit.verdict not in ("edited", "nothing_to_correct"):
                raise EditError(f"gold: video {edit.video_id}: its levels are not known; leave it")
        with self._database.writing() as connection:
            for edit in edits:
                frames = videos.frames(connection, edit.video_id, self._database.name)
                if frames != edit.frames:
                    raise StoreError(
                        f"{self._database.name}: video {edit.video_id}: has {frames} frames, the "
                        f"edit {edit.frames}"
                    )
            before = [edit.video_id for edit in self._read(connection)]
            rows = [
                {
                    "video_id": video_id,
                    "edit": json.dumps(new[video_id].plain()) if video_id in new else "",
                    "train": train,
                }
                for video_id in dict.fromkeys([*before, *new])
            ]
            if rows:
                connection.execute(sa.insert(GOLD), rows)

    def edits(self) -> list[Edit]:
        """What is known of each gold video, in queue order.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._database.reading() as connection:
            return self._read(connection)

    def lessons(self, edits: Sequence[Edit]) -> list[Edit]:
        """Those of some edits that networks may learn from: all but gold kept for checking.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._database.reading() as connection:
            kept = {edit.video_id for edit in self._read(connection, ~GOLD.c.train)}
        return [edit for edit in edits if edit.video_id not in kept]

    def _read(self, connection: sa.Connection, *which: sa.ColumnElement[bool]) -> list[Edit]:
        query = sa.select(GOLD.c.edit).join(VIDEOS, VIDEOS.c.video_id == GOLD.c.video_id)
        query = query.where(known(), *which).order_by(VIDEOS.c.place)
        where = f"{self._database.name}: gold"
        return [Edit.from_plain(json.loads(row), where) for row in connection.scalars(query)]
