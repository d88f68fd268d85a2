"""What a launched command prints: shown as it comes, and kept whole in a log."""

import re
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

# What the next such line makes out of date: a training's interval, how far long work is.
PASSING = re.compile(r"(\[\d+\] )?((\w+  )?epoch \d+  step \d+/|[^:]*: \d+ of \d+, about )")
PASSING_KEPT, KEPT = 12, 100  # lines that a notebook shows


class Window:
    """What a notebook shows of many lines: the latest, and of the earlier ones those that matter.

    Lines that pass (see ``PASSING``) matter until others have come; a warning, an evaluation, an
    error stays.

    Args:
        log: where all of them stand, for the reader; None if nowhere.
    """

    def __init__(self, log: Path | None) -> None:
        self.log, self.count = log, 0
        self._passing: deque[tuple[int, str]] = deque(maxlen=PASSING_KEPT)
        self._kept: deque[tuple[int, str]] = deque(maxlen=KEPT)

    def add(self, line: str) -> None:
        """One more line, its end included."""
        self.count += 1
        (self._passing if PASSING.match(line) else self._kept).append((self.count, line))

    def __str__(self) -> str:
        where = f", in {self.log}" if self.log else ""
        text, last = "", 0
        for number, line in sorted([*self._passing, *self._kept]):
            left_out = number - last - 1
            text += f"… {left_out} more{where} …\n" if left_out else ""
            text, last = text + line, number
        return text


@contextmanager
def shown(log: Path | None, begins: str) -> Iterator[Callable[[str, bool], None]]:
    """A function that takes each line for the log, and for the reader too if it is told so.

    A notebook gets one output, which is replaced as lines come; everybody else gets line by line.
    What the running cell had put out before is replaced too.

    Args:
        log: a file that is added to; None for none.
        begins: what begins now, for a line of the log with the time.
    """
    in_notebook = type(sys.stdout).__module__.startswith("ipykernel.")
    window, keep = Window(log), _keeper(log)
    keep(f"===== {datetime.now().astimezone():%Y-%m-%d %H:%M:%S %Z}: {begins}\n")

    def show(line: str, for_reader: bool) -> None:
        keep(line)
        if not for_reader:
            return
        if in_notebook:
            _replace(window)
            window.add(line)
        # papermill passes on what is printed, and not what is displayed: each line once
        print(line, end="", flush=True)

    try:
        yield show
    finally:
        if in_notebook:
            _replace(window)


def _replace(window: Window) -> None:
    """Show a window's lines in place of the cell's output."""
    from IPython.display import clear_output, display  # a notebook's alone

    clear_output(wait=True)
    if window.count:
        display({"text/plain": str(window)}, raw=True)


def _keeper(log: Path | None) -> Callable[[str], None]:
    """A function that adds lines to a log. Where that fails, it is said, and the work goes on."""

    def keep(line: str) -> None:
        nonlocal log
        if log is None:
            return
        try:
            with log.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            print(f"no more is kept in {log}: {error.strerror}", flush=True)
            log = None

    return keep
