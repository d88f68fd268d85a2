"""Keep a finished run's record where the book's tables look, to be committed.

``python -m stabn.tables.promote runs/study/mini_st_abn_seed0 table1``
"""

import argparse
import sys
from pathlib import Path

from stabn.tables.runs import TableError
from stabn.training.checkpoint import REPOSITORY
from stabn.training.records import read_record, write_record


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


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m stabn.tables.promote", description=__doc__)
    parser.add_argument("run", help="run folder, as in runs/study/mini_st_abn_seed0")
    parser.add_argument("study", help="folder of book/results, as in table1")
    given = parser.parse_args(arguments)
    try:
        print(promote(given.run, given.study))
    except TableError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename}: cannot be written ({error.strerror})")


if __name__ == "__main__":
    main()
