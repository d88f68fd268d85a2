"""The same work for many things, on several cores, with a line of progress."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from typing import Any

from tqdm import tqdm


def in_processes(
    work: Callable[[Any], Any], things: Sequence[Any], jobs: int | None, doing: str, unit: str
) -> Iterator[Any]:
    """What ``work`` makes of every thing, in their order.

    Args:
        work: A function of the top level of a module.
        things: What to call it with.
        jobs: How many processes; None for one a core, 1 for this one.
        doing: What stands before the bar.
        unit: What a thing is called.

    Raises:
        ChildProcessError: A process was killed.
    """
    shown = partial(tqdm, total=len(things), desc=doing, unit=unit, mininterval=1.0)
    if jobs == 1:
        yield from shown(map(work, things))
        return
    # fresh processes: a fork of one that runs threads (torch, a notebook) may hang
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            yield from shown(pool.map(work, things, chunksize=4))
        except BrokenProcessPool as error:
            raise ChildProcessError(
                f"a process was killed while {doing}, out of memory perhaps: ask for fewer jobs"
            ) from error
