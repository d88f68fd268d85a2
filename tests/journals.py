"""Journals compared: what depends on the clock is no part of what a run computed."""

from pathlib import Path
from typing import Any

from stabn.training.journal import read_journal

CLOCK = {"clips_per_second", "saving_seconds", "eval_seconds"}


def untimed(path: Path) -> list[dict[str, Any]]:
    """The lines of a ``metrics.jsonl`` without the figures that a clock gave."""
    return [{k: v for k, v in line.items() if k not in CLOCK} for line in read_journal(path)]
