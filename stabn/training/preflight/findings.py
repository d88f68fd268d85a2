"""What a preflight finds: said as it comes, and what is in the run's way once more at the end."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stabn.errors import UserError
from stabn.training.process import OtherProcessError, Process, gathered

log = logging.getLogger(__name__)


class PreflightError(UserError):
    """The run would not go through; the message lists what is in its way."""


@dataclass
class Findings:
    """What was found so far: rank 0 says it as it comes, and tells the faults again at the end."""

    me: Process
    faults: list[str] = field(default_factory=list)

    def good(self, name: str, text: str) -> None:
        """Nothing in the way."""
        log.info("  ok       %-12s %s", name, text)

    def warn(self, name: str, text: str) -> None:
        """The run can go on, but somebody should know."""
        log.info("  warning  %-12s %s", name, text)

    def fault(self, name: str, text: str) -> None:
        """The run cannot go through like this."""
        if (told := f"{name}: {text}") not in self.faults:
            log.info("  FAULT    %-12s %s", name, text)
            self.faults.append(told)

    @contextmanager
    def checking(self, name: str) -> Iterator[None]:
        """An error that a user can cause becomes a fault; the checks after it still run."""
        try:
            yield
        except OtherProcessError:
            pass  # which tells its fault itself
        except UserError as error:
            self.fault(name, str(error))

    def settle(self) -> None:
        """Go on only if no process found a fault; a collective call.

        Raises:
            PreflightError: on rank 0; the others leave without a word.
            SystemExit: all were sent SIGTERM.
        """
        stop, faults = self.me.total(self.me.terminated.is_set(), len(self.faults))
        if stop:
            self.me.leave()
        if not faults:
            return
        told = dict.fromkeys(gathered(self.faults, self.me))  # most are found by every process
        if not self.me.is_main:
            raise SystemExit(1)
        count = "this is" if len(told) == 1 else f"{len(told)} things are"
        listed = "\n  ".join(told)
        raise PreflightError(f"{count} in the run's way:\n  {listed}")
