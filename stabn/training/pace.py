"""Long work says how far it is: a line a minute, with the time that is left."""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

log = logging.getLogger(__name__)
Item = TypeVar("Item")

EVERY = 60.0  # seconds between lines; work that is done sooner says nothing


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


def duration(seconds: float) -> str:
    """Seconds in the unit that a reader would choose."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 3600:.1f} hours" if seconds > 5400 else f"{seconds / 60:.1f} minutes"
