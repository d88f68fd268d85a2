"""Keep a finished run's record where the book's tables look, to be committed.

``python -m stabn.tables.promote runs/study/mini_st_abn_seed0 table1``, or with ``--finished`` every
finished run on Something-Something v2 in ``runs/``.
"""

import argparse
import sys
from pathlib import Path

from stabn.tables.runs import REAL_CLASSES, TableError
from stabn.training.checkpoint import REPOSITORY
from stabn.training.records import read_record, write_record

WHOLE = 168_913 + 24_777  # videos to train on and to validate with
ENOUGH = 0.95  # of them: a set that lost a few files is still the set


def promote(run_dir: str | Path, study: str, root: str | Path = REPOSITORY) -> Path:
    """Keep a finished run's record as ``book/results/<study>/<arm>_seed<k>.json``, to be committed.

    Returns:
        Where it is kept.

    Raises:
        TableError: no record there, or of a run that has not finished.
    """
    path = Path(run_dir) / "record.json"
    record = read_record(path)
    if not record:
        raise TableError(f"{path}: no such record; train the run first")
    if record.get("wall_seconds") is None or not record.get("results"):
        raise TableError(f"{path}: the run has not finished; start it again, it resumes")
    name = record["name"].removesuffix(f"_seed{record['seed']}")
    kept = Path(root) / "book" / "results" / study / f"{name}_seed{record['seed']}.json"
    write_record(kept, record)
    return kept


def finished(root: str | Path = REPOSITORY) -> list[tuple[Path, str]]:
    """Folders of finished runs on the whole of Something-Something v2, each with its study.

    A run on part of the set, or on a look-alike with as many classes, is not among them.
    """
    found = []
    for path in sorted(Path(root).glob("runs/*/record.json")):
        record = read_record(path)
        real = record.get("classes") == REAL_CLASSES
        if real and record["data"]["videos"] < ENOUGH * WHOLE:
            print(f"left out: {path.parent} saw a set of {record['data']['videos']} videos only")
        elif real and record.get("wall_seconds") is None:
            print(f"left out: {path.parent} has not finished")
        elif real:
            found.append((path.parent, "table2" if "finetuning" in record else "table1"))
    return found


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m stabn.tables.promote", description=__doc__)
    parser.add_argument("run", nargs="?", help="run folder, as in runs/study/mini_st_abn_seed0")
    parser.add_argument("study", nargs="?", help="folder of book/results, as in table1")
    parser.add_argument(
        "--finished", action="store_true", help="instead: all on Something-Something v2 in runs/"
    )
    given = parser.parse_args(arguments)
    if given.finished == (given.study is not None):
        parser.error("give a run and a study, or --finished")
    try:
        for run, study in finished() if given.finished else [(given.run, given.study)]:
            print(promote(run, study))
    except TableError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename}: cannot be written ({error.strerror})")


if __name__ == "__main__":
    main()
