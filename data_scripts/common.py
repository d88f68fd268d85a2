"""What the three scripts share: shards, the manifest of all videos, its journal, exit statuses."""

import argparse
import fcntl
import json
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from stabn.data.ssv2 import AnnotationError
from stabn.data.video import VideoError
from stabn.training.files import remove_leftovers, replacing

ALL_WELL, FINDINGS, FAILED = 0, 1, 2  # exit statuses

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

progress = partial(tqdm, mininterval=1.0 if sys.stderr.isatty() else 30.0)  # short logs in batch


class DataError(Exception):
    """A step that cannot be done; the message names the file and the remedy."""


@dataclass(frozen=True)
class Shard:
    """The ``index``-th of ``count`` shares of the videos, from 1.

    A video's share depends on its id alone, so that shards agree whatever else is in the folder.
    """

    index: int
    count: int

    def __contains__(self, video_id: str) -> bool:
        return zlib.crc32(video_id.encode()) % self.count == self.index - 1


def shard(text: str) -> Shard:
    """``"3/16"`` → ``Shard(3, 16)``, for argparse."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} must be i/n with i from 1 to n, such as 3/16")
    return Shard(int(match[1]), int(match[2]))


def arguments(description: str, *, sharded: bool) -> argparse.ArgumentParser:
    """A parser with the options that the scripts share."""
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: 0 all is well · 1 done, but something was found wrong (it is listed) "
        "· 2 could not be done.\nKilled at any moment and started again, it goes on from there.",
    )
    jobs = "how much is done at a time (default: one a core, here %(default)s)"
    parser.add_argument("--jobs", type=_at_least_one, default=_cores(), help=jobs)
    if sharded:
        group = parser.add_mutually_exclusive_group()
        only = "do only the i-th of n shares, i from 1: one task of a cluster's array"
        group.add_argument("--shard", type=shard, metavar="i/n", help=only)
        group.add_argument("--merge", action="store_true", help="join what all shards wrote")
    return parser


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # what a job was given, not what the machine has
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _at_least_one(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1")
    return int(text)


def run(main: Callable[[Sequence[str] | None], int]) -> None:
    """Exit with what ``main`` returns; an error a user can mend is a message, not a traceback."""
    try:
        sys.exit(main(None))
    except (DataError, AnnotationError, VideoError) as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}; mend that and go on with the same command",
              file=sys.stderr)  # fmt: skip
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
    sys.exit(FAILED)


def report(title: str, lines: Sequence[str], most: int = 200) -> int:
    """Print a list of findings under its title; returns how many there are."""
    if lines:
        print(f"\n{title}: {len(lines)}")
        print("\n".join(f"  {line}" for line in lines[:most]))
        if len(lines) > most:
            print(f"  … and {len(lines) - most} more")
    return len(lines)


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

    Raises:
        DataError: Another run has it open.
    """

    def __init__(self, manifest: Path):
        manifest.parent.mkdir(parents=True, exist_ok=True)
        self.path = manifest.with_suffix(".journal")
        self._file = self.path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(f"{self.path}: another run is at work on this; wait for it") from None
        except OSError:
            pass  # a file system without locks
        self.rows: dict[str, dict] = {}
        self._file.seek(0)
        for line in self._file.read().splitlines():
            with suppress(ValueError, KeyError, TypeError):  # a line torn by a kill or a full disk
                row = json.loads(line)
                self.rows[row["id"]] = row
        self._file.write(b"\n")  # ends a torn line, lest the next one be joined to it

    def append(self, row: dict) -> None:
        """Keep a row, in the file before this returns."""
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()
        self.rows[row["id"]] = row

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is None:  # the manifest holds it all now
            self.path.unlink()
        self._file.close()
