"""What levels teach: fine-tunings with edits of the same videos, whose levels differ."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from stabn.tables.finetunings import SHORT, Value, read_finetunings
from stabn.tables.html import DASH, NOTHING, linked, table
from stabn.training.checkpoint import REPOSITORY


def taught_table(
    caption: str,
    records: str,
    levels: Mapping[str, tuple[str, Sequence[str]]],
    values: Mapping[str, tuple[Value, int]],
    root: Path = REPOSITORY,
) -> str:
    """A row for each arm; knowledge says whose levels it was taught.

    Args:
        caption: above the table.
        records: pattern of the records' files, with ``{of}``.
        levels: {of: (whose levels, the arms that tell of them)}.
        values: {heading: (a figure of an arm, its decimals)}.
        root: of the repository.
    """
    rows = []
    for of, (words, arms) in levels.items():
        done = read_finetunings(root, records.format(of=of))
        for arm in arms:
            kept = [one for one in done if arm in one.arms]
            cells = [
                linked(kept, [value(one, arm) for one in kept], digits)
                for value, digits in values.values()
            ]
            rows.append([f"knowledge: {words}" if arm == "knowledge" else SHORT[arm], *cells])
    if all(cell == DASH for row in rows for cell in row[1:]):
        return NOTHING
    return table(caption, ["Levels", *values], rows, text_columns=1)
