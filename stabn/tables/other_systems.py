"""The accuracies of two other systems, row by row as published, and ours beside them as HTML.

The published ones stand in ``book/results/paper``, each with its source and the name of the run
that would repeat it; ours are read from the records of runs of that name.
"""

from html import escape
from pathlib import Path
from typing import NamedTuple

from stabn.models.encoders import ENCODERS
from stabn.tables.html import DASH, linked, remedies, table
from stabn.tables.runs import Kept, Run, read_kept
from stabn.tables.table1 import TRAIN, paper_rows
from stabn.training.checkpoint import REPOSITORY


class Column(NamedTuple):
    """One way in which ours are measured: the study that keeps its records, and the figure."""

    heading: str
    study: str
    figure: str = "top1"


class Set(NamedTuple):
    """A data set with published rows.

    Attributes:
        caption: what the published numbers are.
        columns: of ours.
        features: the command that makes the features which a run reads.
    """

    caption: str
    columns: tuple[Column, ...]
    features: str


RANDOM = "_random"  # ends the names of runs on a set that was divided at random
SECONDS = "--cube --taken seconds"
SETS = {
    "ucf101": Set(
        "UCF-101 (real videos), accuracy in %; published: of a random 30 % that leaks groups",
        (Column("Ours: official split 1", "ucf101"), Column("Ours: random 70/30", "ucf101_random")),
        SECONDS,
    ),
    "sports1m99": Set(
        "Sports-1M-99 (real videos), accuracy in %; published: of a random 30 %",
        (
            Column("Ours: official partitions", "sports1m99"),
            Column("Ours: random 70/30", "sports1m99_random"),
        ),
        SECONDS,
    ),
    "hmdb51": Set(
        "HMDB-51 (real videos), ten classes, accuracy in %; published: of single frames",
        (
            Column("Ours: of frames", "hmdb51", "step_top1"),
            Column("Ours: of videos", "hmdb51"),
        ),
        "--cube --taken segments --frames 30",
    ),
}


def system_table(name: str, root: Path = REPOSITORY) -> str:
    """Every published row of a set of ``SETS``, and ours where on record, else a numbered dash."""
    of = SETS[name]
    runs = {column: _runs(root, column) for column in of.columns}
    rows, gaps = [], []
    for row in paper_rows(root, name):
        same = [_named(runs[column], column, row["run"]) for column in of.columns]
        if not all(same):
            gaps.append(_gap(row))
        gap = f"{DASH} <sup>{len(gaps)}</sup>"
        ours = [
            linked(found, [100 * run.results[column.figure] for run in found], 1, gap=gap)
            for column, found in zip(of.columns, same, strict=True)
        ]
        published = f"{100 * float(row['accuracy']):.3g}"
        rows.append([escape(row["method"]), published, *ours])
    head = ["Method", "Published", *(column.heading for column in of.columns)]
    return table(of.caption, head, rows, text_columns=1) + _remedies(name, gaps)


def _runs(root: Path, column: Column) -> list[Run]:
    pattern = f"book/results/{column.study}/*.json"
    return [
        run for run in read_kept(Run, "run record", root, pattern) if column.figure in run.results
    ]


def _named(runs: list[Run], column: Column, name: str) -> list[Kept]:
    wanted = name + RANDOM if column.study.endswith(RANDOM) else name
    return [run for run in runs if run.record["name"].removesuffix(f"_seed{run.seed}") == wanted]


def _gap(row: dict[str, str]) -> str:
    own = {name.replace("_", ""): name for name in ENCODERS}  # "inceptionv3" is "inception_v3"
    encoder = f" ENCODER={own[row['backbone'].lower()]}" if row["backbone"] else ""
    return f"NAME={row['run']}{encoder}"


def _remedies(name: str, gaps: list[str]) -> str:
    """The commands that fill the dashes of a set, in the order of their use."""
    if not gaps:
        return ""
    features = f"stabn features --root data/{name} --out data/{name}_$ENCODER --encoder $ENCODER"
    text = (
        "<p>The features first, once for an ENCODER; a row without one reads frames, and needs "
        f"none: <code>{features} {SETS[name].features}</code></p>"
    ) + remedies(gaps, f"{TRAIN} && stabn promote runs/$NAME {name}")
    if len({column.study for column in SETS[name].columns}) > 1:
        other = TRAIN.replace("runs/$NAME", f"runs/${{NAME}}{RANDOM}")
        other += f" -p name ${{NAME}}{RANDOM} -p data_root data/{name}{RANDOM}"
        other += f" -p report_split validation && stabn promote runs/${{NAME}}{RANDOM} {name}"
        text += (
            f"<p>and for the last column, whose features are the same files: "
            f"<code>{escape(other)}{RANDOM}</code></p>"
        )
    return text


def sources(name: str, root: Path = REPOSITORY) -> str:
    """Where the published numbers of a set are from, in a line."""
    return "; ".join(sorted({row["source"] for row in paper_rows(root, name)}))
