"""Where an annotator is on their way through the queue, where they were, what they just left."""

from typing import NamedTuple


class Position(NamedTuple):
    """Where an annotator is.

    Attributes:
        place: of the video among theirs, from 1.
        of: how many are theirs: done, opened, or still to be had. Others take from the last, so
            it changes.
        done: by them.
    """

    place: int
    of: int
    done: int

    def __str__(self) -> str:
        return f"{self.place} of about {self.of}"


class Been(NamedTuple):
    """A video that an annotator came to: its place among theirs, from 1, its id, their word."""

    place: int
    video_id: str
    said: str


class Left(NamedTuple):
    """The video that was left last: its id, what is told of it, the verdict given to it, if any."""

    video_id: str
    said: str
    judged: str  # in words; "" where its levels were kept
