"""Long work says how far it is, and how much time is left."""

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

log = logging.getLogger(__name__)
Item = TypeVar("Item")

EVERY = 60.0  # seconds between lines; work that is done sooner says nothing
RECENT = 20  # intervals whose mean is a training's pace


def paced(
    items: Iterable[Item], count: int, doing: str, total: int | None = None
) -> Iterator[Item]:
    """Pass ``items`` on, and now and then log how many are done.

    Args:
        items: what is worked on, one after the other.
        count: how many they are.
        doing: what the line begins with, as in ``"scoring validation"``.
        total: how many the line is to speak of, where an item stands for several; ``count``.
    """
    total = count if total is None else total
    start = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= EVERY and done < count:
            last, left = now, duration((now - start) * (count - done) / done)
            log.info("%s: %d of %d, about %s left", doing, total * done // count, total, left)


class Pace:
    """How long a training still takes, from the time that its latest steps and evaluation took.

    Args:
        evaluation: seconds of the latest evaluation; None before the first.
    """

    def __init__(self, evaluation: float | None = None) -> None:
        self.evaluation = evaluation
        self._intervals: deque[tuple[int, float]] = deque(maxlen=RECENT)

    def stepped(self, steps: int, seconds: float) -> None:
        """So many steps took so many seconds, reading and saving included."""
        self._intervals.append((steps, seconds))

    def left(self, steps: int, evaluations: int) -> str:
        """What so many steps and evaluations will take, in words.

        Nobody knows how long an evaluation takes before there was one: until then they are counted.
        """
        done, spent = map(sum, zip(*self._intervals, strict=True))
        seconds = steps * spent / done
        if self.evaluation is not None:
            return duration(seconds + evaluations * self.evaluation)
        ahead = f" and {evaluations} evaluation{'s' * (evaluations > 1)}" if evaluations else ""
        return duration(seconds) + ahead


def duration(seconds: float) -> str:
    """Seconds in the unit that a reader would choose."""
    if seconds < 90:
        return f"{seconds:.0f} second{'s' * (round(seconds) != 1)}"
    return f"{seconds / 3600:.1f} hours" if seconds > 5400 else f"{seconds / 60:.1f} minutes"
