"""A study's figures of a run, kept in the run's own record."""

from pathlib import Path
from typing import Any

from stabn.training.checkpoint import CheckpointError
from stabn.training.records import read_record, write_record


def finished(folder: Path) -> dict[str, Any]:
    """The record of a finished run.

    Raises:
        CheckpointError: the run is not finished.
    """
    record = read_record(folder / "record.json")
    if record.get("wall_seconds") is None:
        raise CheckpointError(f"{folder}: is not finished; run its notebook again")
    return record


def keep(folder: Path, **found: Any) -> None:
    """Add figures to a run's record, each under its name."""
    write_record(folder / "record.json", read_record(folder / "record.json") | found)
