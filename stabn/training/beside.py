"""Checkpoints written beside the steps: in a thread of its own, one after the other.

A step waits while its state is copied in memory, not while the disk takes it.
"""

import copy
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from torch import Tensor

from stabn.errors import UserError
from stabn.training.process import Process

log = logging.getLogger(__name__)
MOST = 2  # copies in memory: a best network and where the run stands, stored in one breath


class Beside:
    """Does work in a thread, in the order given; leaving its context waits for all of it.

    What a piece of work raises is raised here, at the next look or wait, and what was given after
    it is not done. A process that is to leave (SIGTERM) waits for all first.

    Args:
        me: this process, which then waits in :meth:`Process.leave`.
    """

    def __init__(self, me: Process):
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        self._given: deque[Future[None]] = deque()
        self._failed = False
        me.unfinished.append(self.wait)

    def __call__(self, work: Callable[[], None]) -> None:
        """Have ``work`` done; wait while ``MOST`` pieces are unfinished."""
        self._wait_for_all_but(MOST - 1)
        self._given.append(self._thread.submit(self._do, work))

    def look(self) -> None:
        """Raise what went wrong, if something did; waits for nothing."""
        while self._given and self._given[0].done():
            self._given.popleft().result()

    def wait(self) -> None:
        """Return when all is done."""
        self._wait_for_all_but(0)

    def _wait_for_all_but(self, count: int) -> None:
        while len(self._given) > count:
            self._given.popleft().result()

    def _do(self, work: Callable[[], None]) -> None:
        if self._failed:  # a best network that is not there must not be told of in last.pt
            return
        try:
            work()
        except BaseException:
            self._failed = True
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            self.wait()
        except UserError as also:
            if error is None:
                raise
            log.error("%s", also)  # beside what ends the run
        finally:
            self._thread.shutdown()


def copied(value: Any) -> Any:
    """Tensors on the CPU that no later step changes, in the containers that they came in.

    A tensor that stands in several places is copied once, and so stored once.
    """
    return _copied(value, {})


def _copied(value: Any, known: dict[Any, Tensor]) -> Any:
    if isinstance(value, Tensor):
        key = value.data_ptr(), value.shape, value.stride(), value.dtype
        if key not in known:
            known[key] = value.detach().to("cpu", copy=True)
        return known[key]
    if isinstance(value, dict):
        own = copy.copy(value)
        own.update((name, _copied(part, known)) for name, part in value.items())
        return own
    if isinstance(value, list | tuple):
        return type(value)(_copied(part, known) for part in value)
    return copy.deepcopy(value)
