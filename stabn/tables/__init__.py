"""Run records → the paper's tables beside ours.

Ours come from records only, and every cell links to the record it was read from. The paper's
numbers stand in columns of their own. A cell without a record is a dash, with the command that
would fill it.
"""

from stabn.tables.comparison import comparisons, findings, holm, mean_sd, paired_test
from stabn.tables.runs import Run, TableError, provenance, read_runs
from stabn.tables.table1 import (
    attention_table,
    mini_table,
    own,
    paired_table,
    paper_gains,
    paper_rows,
    power1,
    real_table,
    study,
)

__all__ = [
    "Run",
    "TableError",
    "attention_table",
    "comparisons",
    "findings",
    "holm",
    "mean_sd",
    "mini_table",
    "own",
    "paired_table",
    "paired_test",
    "paper_gains",
    "paper_rows",
    "power1",
    "provenance",
    "read_runs",
    "real_table",
    "study",
]
