"""Now and then all processes tell each other how they are; in between each one trains on.

To ask a GPU whether a loss is finite waits for all that it still has to do, and to ask the other
processes waits for the slowest of them. So runs on GPUs ask about once a second, in which many
steps may lie. On a CPU, which has nothing left to do when a step ends, every step is asked about.
"""

import time

from stabn.training.ledger import Ledger
from stabn.training.nonfinite import ElsewhereError, LossWatch
from stabn.training.process import Process

SECONDS = 1.0  # between two calls, about: short beside what SIGTERM leaves a process
MOST = 16  # steps between two calls


class RollCall:
    """After which steps all are asked, and what their answers mean for each.

    Args:
        ledger: gets what could not be decoded.
        watch: whether losses were finite.
        me: this process.
    """

    def __init__(self, ledger: Ledger, watch: LossWatch, me: Process):
        self.ledger, self.watch, self.me = ledger, watch, me
        self.every = 1
        self._start()

    def _start(self) -> None:
        self._steps, self._since = 0, time.monotonic()

    def due(self, certainly: bool) -> bool:
        """Whether all call now, after one step more; the same for all processes.

        ``certainly``: what follows needs their answers, as storing does.
        """
        self._steps += 1
        return certainly or self._steps >= self.every

    def stop(self) -> bool:
        """Whether some process was sent SIGTERM, so that all stop; a collective call.

        Raises:
            NonFiniteLossError: on all processes, if some loss was not finite.
            DecodeFailuresError: on all processes, if too much could not be decoded.
        """
        wrong = self.watch.wrong()
        answers = self.me.terminated.is_set(), len(self.ledger.pending), wrong is not None
        affordable = self._affordable() if self.me.is_main else 0  # one clock for all
        stop, failed, anywhere, self.every = self.me.total(*answers, affordable)
        if anywhere:
            raise wrong or ElsewhereError("the loss of another process is not finite")
        if failed:
            self.ledger.enter()
        self._start()
        return stop > 0

    def _affordable(self) -> int:
        """Steps until the next call."""
        if self.me.device.type == "cpu":
            return 1
        each = (time.monotonic() - self._since) / self._steps
        return max(1, min(MOST, int(SECONDS / max(each, 1e-6))))
