"""Which videos there are, in which order, of how many frames."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from stabn.knowledge.store.database import StoreError
from stabn.knowledge.store.schema import VIDEOS


def unknown(
    connection: sa.Connection, videos: Iterable[tuple[str, int]], store: str
) -> dict[str, int]:
    """Those of ``videos`` that are not registered yet, with their frames.

    Args:
        connection: To the store.
        videos: (video_id, number of source frames) of each.
        store: Its name in messages.

    Raises:
        StoreError: A video is known with another number of frames, or has none.
    """
    query = sa.select(VIDEOS.c.video_id, VIDEOS.c.frames)
    known = dict(connection.execute(query).all())
    new: dict[str, int] = {}
    for video_id, frames in videos:
        if frames < 1:
            raise StoreError(f"{store}: video {video_id}: has {frames} frames")
        before = known.get(video_id, new.get(video_id, frames))
        if before != frames:
            raise StoreError(
                f"{store}: video {video_id}: is known with {before} frames, not {frames}; "
                "use a new store for another copy of the videos"
            )
        if video_id not in known:
            new[video_id] = frames
    return new


def add(connection: sa.Connection, new: Mapping[str, int]) -> None:
    """Register videos, {video_id: frames}, in this order behind those that are there."""
    place = connection.scalar(sa.select(sa.func.count()).select_from(VIDEOS))
    rows = [
        {"video_id": video_id, "place": place + i, "frames": frames}
        for i, (video_id, frames) in enumerate(new.items())
    ]
    if rows:
        connection.execute(sa.insert(VIDEOS), rows)


def frames(connection: sa.Connection, video_id: str, store: str) -> int:
    """How many source frames a video has.

    Raises:
        StoreError: The video is not registered.
    """
    query = sa.select(VIDEOS.c.frames).where(VIDEOS.c.video_id == video_id)
    number = connection.scalar(query)
    if number is None:
        raise StoreError(
            f"{store}: video {video_id}: is unknown; register it first (`stabn import` has --queue)"
        )
    return number
