"""Why a launched command failed, read from what its processes and torchrun said."""

import re
import signal
from collections import deque
from collections.abc import Sequence
from itertools import takewhile

from stabn.training.process import PREEMPTED

SEARCHED, REPEATED = 400, 20  # last lines: in which the cause is looked for; told with it

# torchrun's own account of a failure: warnings, one line that names rank and exit status, its stack
ACCOUNT = re.compile(r"[WE]\d{4} .*torch/distributed/elastic/")
FAILED = re.compile(r"failed \(exitcode: (-?\d+)\) local_rank: (\d+)")
ENDED = "death signal, shutting down workers"

RANK = re.compile(r"\[rank\d+\]: ?")  # which PyTorch puts before a process's traceback
CHAINED = ("The above exception was", "During handling of the above")
CONSEQUENCE = "another process cannot go on"
STARVED = "for want of memory? then lower batch_size or workers, or raise accumulate"


class LastWords:
    """Hears a command's lines, and knows afterwards why it failed.

    Attributes:
        preempted: whether it said that it was.
    """

    def __init__(self) -> None:
        self.preempted = False
        self._lines: deque[str] = deque(maxlen=SEARCHED)
        self._failed: re.Match[str] | None = None
        self._ended = self._stack = False

    def hear(self, line: str) -> bool:
        """Take the next line; whether it is for readers, and not torchrun's account of itself."""
        self.preempted = self.preempted or PREEMPTED in line
        self._ended = self._ended or ENDED in line
        self._stack = self._stack or (self._ended and line.startswith("Traceback "))
        if self._stack:
            return False
        if self._failed is None and (failed := FAILED.search(line)):
            self._failed, self._stack = failed, True  # what comes now is torchrun's stack
            return True
        if ACCOUNT.match(line):
            return False
        self._lines.append(RANK.sub("", line))
        return True

    def killed(self, started: str, status: int) -> str:
        """Who was killed, and by which signal; or "".

        Args:
            started: who was started here, by name.
            status: its exit status.
        """
        who, number = started, -status
        if self._failed:
            who, number = f"process {self._failed[2]}", -int(self._failed[1])
        elif self._ended:  # torchrun exits with status 1 then
            number = signal.SIGTERM
        if number <= 0:
            return ""
        name = {s.value: s.name for s in signal.Signals}.get(number, f"signal {number}")
        hint = f" ({STARVED})" if name == "SIGKILL" else ""
        return f"{who} was killed by {name}{hint}"

    def error(self) -> str:
        """What a process said of the cause: its error, else the last line."""
        lines = self._written()
        told = _told(lines) or _raised(lines)
        return told or (lines[-1].strip() if lines else "not a word was said")

    def told(self, status: int) -> str:
        """Rank and exit status; and the last lines, unless a person can put the error right."""
        who = f"process {self._failed[2]}: " if self._failed else ""
        text = f"{who}exit status {self._failed[1] if self._failed else status}"
        if _told(self._written()):
            return text
        return f"{text}; the last lines:\n{''.join([*self._lines][-REPEATED:])}"

    def _written(self) -> list[str]:
        return [line.rstrip() for line in self._lines if line.strip()]


def _told(lines: Sequence[str]) -> str:
    """What a command answers to an error that a person can put right, its list included."""
    starts = (i for i, line in enumerate(lines) if line.startswith("error: "))
    first = next((i for i in starts if CONSEQUENCE not in lines[i]), None)
    if first is None:
        return ""
    listed = takewhile(lambda line: line.startswith("  "), lines[first + 1 :])
    return "\n".join([lines[first].removeprefix("error: "), *listed])


def _raised(lines: Sequence[str]) -> str:
    """The exception of the first traceback; of a chain the last, which the others led to."""
    found, inside = "", False
    for line in lines:
        if line.startswith("Traceback "):
            inside = True
        elif line.startswith(CHAINED):
            found = ""
        elif inside and not found and not line.startswith(" "):
            found, inside = line, False
    return found
