"""Where an annotator is on their way through the queue, and what they have just left."""

from typing import NamedTuple


class Position(NamedTuple):
    """Where an annotator is.

    Attributes:
        place: of the video among theirs, from 1.
        of: how many are theirs: done, opened, or still to be had.
        done: by them.
    """

    place: int
    of: int
    done: int

    def __str__(self) -> str:
        return f"{self.place} of your {self.of}"


class Left(NamedTuple):
    """The video that was left last: its id, what was said of it, whether leaving said it."""

    video_id: str
    said: str
    judged: bool
