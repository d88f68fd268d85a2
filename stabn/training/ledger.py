"""A ledger of what training could not decode: one line a failure in ``decode_failures.jsonl``."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stabn.data.dataset import Failure
from stabn.errors import UserError
from stabn.training.files import replacing
from stabn.training.journal import read_journal
from stabn.training.process import Process, gathered

log = logging.getLogger(__name__)

ENOUGH = 1000  # clips: before so many are read, the share is taken of this number


class DecodeFailuresError(UserError):
    """More videos than allowed could not be decoded; the message names the ledger."""


class Ledger:
    """Counts the failures of all processes; rank 0 writes them down.

    Args:
        path: ``decode_failures.jsonl``. Lines of steps after ``step`` (of a part that is done again
            after an interruption) are dropped.
        step: optimizer steps done so far.
        batch_size: clips a step, over all processes.
        allowed: how many failures there may be for each clip read.
        me: this process.
    """

    def __init__(self, path: Path, step: int, batch_size: int, allowed: float, me: Process):
        self.path, self.batch_size, self.allowed, self.me = path, batch_size, allowed, me
        self.count = kept_lines(path, step, me)

    def enter(self, epoch: int, step: int, failures: Sequence[Failure]) -> None:
        """Write down the failures of step ``step``; a collective call.

        Raises:
            DecodeFailuresError: on every rank, when they have become too many.
        """
        failures = gathered(list(failures), self.me)
        self.count += len(failures)
        if self.me.is_main:
            place = {"epoch": epoch + 1, "step": step}
            lines = [place | {"video_id": i, "cause": cause} for i, cause in failures]
            append_lines(self.path, lines)
            for _, cause in failures:
                log.warning("not decoded, the next in the list takes its place: %s", cause)
        clips = step * self.batch_size
        if self.count > self.allowed * max(clips, ENOUGH):
            raise DecodeFailuresError(
                f"{self.count} of the {clips} clips read so far could not be decoded, more than "
                f"max_decode_failures allows ({self.allowed:g}); each is listed with its cause in "
                f"{self.path}: repair the files, or allow more, and start again"
            )


def kept_lines(path: Path, step: int, me: Process) -> int:
    """Drop a ledger's lines of steps after ``step``; how many stay. A collective call."""
    count = 0
    if me.is_main and path.is_file():
        kept = [line for line in read_journal(path) if line["step"] <= step]
        count = len(kept)
        with replacing(path, "w") as file:
            file.writelines(_written(line) for line in kept)
    return me.total(count)[0]


def append_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Add lines to a ledger."""
    with open(path, "a", encoding="utf-8") as file:
        file.writelines(_written(line) for line in lines)


def _written(line: Mapping[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False) + "\n"
