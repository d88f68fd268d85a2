"""Ctrl-C and SIGTERM end the server: in good order, or without if that takes too long."""

import os
import signal
import sys
from collections.abc import Callable

GRACE = 15  # seconds to end the kernels, each of which is given five


def end_on_signals(stop: Callable[[], object], grace: int = GRACE) -> None:
    """From now on, call ``stop`` at SIGINT or SIGTERM, and end the process ``grace`` seconds later.

    An alarm of the operating system's ends it, whatever the event loop is busy with. Kernels end by
    themselves when the server is gone.

    Args:
        stop: must not wait: it asks the event loop to stop.
        grace: whole seconds, 1 at least.
    """

    def asked(*_) -> None:
        if not signal.getitimer(signal.ITIMER_REAL)[0]:  # asking again wins no time
            signal.alarm(grace)
        stop()

    def overdue(*_) -> None:
        print(f"not ended after {grace} s, so ended at once; what is saved stays", file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)

    signal.signal(signal.SIGALRM, overdue)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, asked)
