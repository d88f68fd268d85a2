"""Where an annotator is on their way through the queue, and what they have just left."""

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


class Left(NamedTuple):
    """The video that was left last: its id, what is told of it, the verdict given to it, if any."""

    video_id: str
    said: str
    judged: str  # in words; "" where its levels were kept
