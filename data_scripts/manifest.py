"""The manifest of all videos, a row each, and the journal that it grows from."""

import fcntl
import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from common import DataError, Shard, progress
from workers import Lost, in_workers

from stabn.training.files import remove_leftovers, replacing

# One row a video. `recipe` and `source_sha256` are null unless prepare.py wrote the file.
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("status", pa.string()),  # "ok", or what is wrong in words
        ("frames", pa.int32()),  # decoded
        ("promised", pa.int32()),  # by the container: its duration times its frame rate
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("fps", pa.float64()),
        ("bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("sha256", pa.string()),  # of the file's bytes
        ("recipe", pa.string()),
        ("source_sha256", pa.string()),
    ]
)


def new_row(video_id: str, status: str = "ok", **facts) -> dict:
    """A row of the manifest; what is not known is null."""
    return dict.fromkeys(SCHEMA.names) | {"id": video_id, "status": status} | facts


def manifest_path(root: Path, part: Shard | None = None) -> Path:
    """Where the manifest of a data set, or of one shard of it, lies."""
    return root / (f"manifest-{part.index}-of-{part.count}.parquet" if part else "manifest.parquet")


def read_manifest(path: Path) -> dict[str, dict]:
    """Rows of a manifest by video id; none if there is no such file.

    Raises:
        DataError: The file is no manifest, or a damaged one.
    """
    if not path.exists():
        return {}
    try:
        table = pq.read_table(path)
        return {row["id"]: row for row in table.select(SCHEMA.names).cast(SCHEMA).to_pylist()}
    except (pa.ArrowException, KeyError, OSError) as error:
        first = str(error).splitlines()[0]
        raise DataError(
            f"{path}: no readable manifest ({first}); delete it and run again"
        ) from None


def write_manifest(path: Path, rows: Iterable[dict]) -> None:
    """Write rows sorted by id, whole or not at all; the same rows give the same bytes."""
    table = pa.Table.from_pylist(sorted(rows, key=lambda row: row["id"]), schema=SCHEMA)
    remove_leftovers(path.parent, {path.stem})
    with replacing(path) as file:
        pq.write_table(table, file, compression="zstd")


def merge_manifests(root: Path) -> list[dict]:
    """The rows of all shards' manifests.

    Raises:
        DataError: A shard's manifest is missing, or there are manifests of several divisions.
    """
    found: dict[int, set[int]] = {}
    for path in root.glob("manifest-*-of-*.parquet"):
        if match := re.fullmatch(r"manifest-(\d+)-of-(\d+)\.parquet", path.name):
            found.setdefault(int(match[2]), set()).add(int(match[1]))
    if not found:
        raise DataError(f"{root}: holds no manifest-i-of-n.parquet; run the shards first")
    if len(found) > 1:
        divisions = " and ".join(f"n = {n}" for n in sorted(found))
        raise DataError(f"{root}: holds manifests of {divisions}; delete those of the old division")
    ((count, indices),) = found.items()
    if missing := sorted(set(range(1, count + 1)) - indices):
        names = ", ".join(manifest_path(root, Shard(i, count)).name for i in missing)
        raise DataError(f"{root}: not merged, {names} missing; run --shard {missing[0]}/{count}")
    shards = (Shard(i, count) for i in range(1, count + 1))
    return [row for part in shards for row in read_manifest(manifest_path(root, part)).values()]


class Journal:
    """Results so far, a JSON line each, appended as they come: a kill loses none that was written.

    It lies beside the manifest that it becomes, and is locked while it is open.

    Attributes:
        known: rows by video id, from the manifest of the set, of the shard, and from the journal.

    Raises:
        DataError: Another run has it open, or a manifest is damaged.
    """

    def __init__(self, root: Path, part: Shard | None = None):
        manifest = manifest_path(root, part)
        root.mkdir(parents=True, exist_ok=True)
        self.path = manifest.with_suffix(".journal")
        self._file = self.path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(f"{self.path}: another run is at work on this; wait for it") from None
        except OSError:
            pass  # a file system without locks
        self.known = read_manifest(manifest_path(root)) | read_manifest(manifest)
        self._file.seek(0)
        for line in self._file.read().splitlines():
            with suppress(ValueError, KeyError, TypeError):  # a line torn by a kill or a full disk
                row = json.loads(line)
                self.known[row["id"]] = row
        self._file.write(b"\n")  # ends a torn line, lest the next one be joined to it

    def fill(
        self, work: Callable, tasks: Sequence[tuple], jobs: int, limit: float, doing: str
    ) -> dict[str, dict]:
        """Do tasks in workers; their rows by video id, each in the file as it comes.

        Args:
            work: A task → its row; a function of the top level of a module.
            tasks: Each begins with the row to keep should its worker be lost.
            jobs: How many workers.
            limit: Seconds a task may take.
            doing: A word for what is done.
        """
        rows, done = {}, in_workers(work, tasks, jobs, limit)
        for (expected, *_), row in progress(done, doing, len(tasks), unit="video"):
            row = expected | {"status": str(row)} if isinstance(row, Lost) else row
            self._file.write(json.dumps(row).encode() + b"\n")
            self._file.flush()
            rows[row["id"]] = row
        return rows

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is None:  # the manifest holds it all now
            self.path.unlink()
        self._file.close()
