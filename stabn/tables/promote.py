"""Keep a finished run's record where the book's tables look, to be committed.

``stabn promote runs/study/mini_st_abn_seed0 table1``, or with ``--finished`` every
finished run on Something-Something v2 in ``runs/``.
"""

import re
from pathlib import Path
from typing import Any

import click

from stabn import given
from stabn.errors import UserError
from stabn.tables.runs import REAL_CLASSES, TableError
from stabn.training.checkpoint import REPOSITORY
from stabn.training.config import NAME
from stabn.training.records import finished, read_record, write_record
from stabn.training.resume import newest

WHOLE = 168_913 + 24_777  # videos to train on and to validate with
ENOUGH = 0.95  # of them: a set that lost a few files is still the set


def promote(run_dir: str | Path, study: str, root: str | Path = REPOSITORY) -> Path:
    """Keep a finished run's record as ``book/results/<study>/<arm>_seed<k>.json``, to be committed.

    Returns:
        Where it is kept.

    Raises:
        TableError: no record there, or of a run that has not finished, or that has gone on since;
            no name of a study.
    """
    if not re.match(NAME, study):
        raise TableError(f"{study}: is no name of a folder of book/results, such as table1")
    path = given.path(run_dir) / "record.json"
    record = read_record(path)
    if not record:
        raise TableError(f"{path}: no such record; train the run first")
    if not {"name", "seed"} <= record.keys():
        raise TableError(f"{path}: is no record of a run; copy it again")
    if why := unfinished(path.parent, record):
        raise TableError(f"{path}: the run {why}; start it again, it resumes")
    seed = f"_seed{record['seed']}"
    kept = Path(root) / "book/results" / study / f"{record['name'].removesuffix(seed)}{seed}.json"
    write_record(kept, record)
    return kept


def unfinished(folder: Path, record: dict[str, Any]) -> str:
    """Why a record is not to be kept, in words; "" if it reports on the steps that are done.

    Raises:
        CheckpointError: there are checkpoints in the folder, but none can be read.
    """
    if record.get("wall_seconds") is None or not record.get("results"):
        return "has not finished"
    last = newest(folder)
    if last and not finished(record, done := last["progress"]["step"]):
        return f"has gone on since its report of {record.get('steps')} steps: {done} are done"
    return ""


def real_runs(root: str | Path = REPOSITORY) -> list[tuple[Path, str]]:
    """Folders of finished runs on the whole of Something-Something v2, each with its study.

    A run on part of the set, or on a look-alike with as many classes, is not among them; nor is one
    that has gone on since its report.
    """
    found = []
    for path in sorted(Path(root).glob("runs/*/record.json")):
        record = read_record(path)
        real = record.get("classes") == REAL_CLASSES
        if real and record["data"]["videos"] < ENOUGH * WHOLE:
            print(f"left out: {path.parent} saw a set of {record['data']['videos']} videos only")
        elif real and (why := unfinished(path.parent, record)):
            print(f"left out: {path.parent} {why}")
        elif real:
            found.append((path.parent, "table2" if "finetuning" in record else "table1"))
    return found


@click.command()
@click.argument("run", required=False)
@click.argument("study", required=False)
@click.option(
    "--finished", "every", is_flag=True, help="Instead: all on Something-Something v2 in runs/."
)
def command(run: str | None, study: str | None, every: bool) -> None:
    """Put the record of RUN, as in runs/study/mini_st_abn_seed0, into STUDY, as in table1.

    STUDY is a folder of book/results; what lies there is committed, and the book's tables read it.
    """
    if every == (study is not None):
        raise click.UsageError("give a run and a study, or --finished")
    try:
        for each, where in real_runs() if every else [(run, study)]:
            click.echo(promote(each, where))
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be written ({error.strerror})") from error
