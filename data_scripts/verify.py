"""Every video decoded to its last frame → manifest.parquet, and a list of what is wrong."""

from collections.abc import Sequence
from pathlib import Path

from common import DataError, Shard, report, run, sharded_arguments, verdict
from decoding import examine
from lists import Lists, by_number
from manifest import Journal, manifest_path, merge_manifests, new_row, write_manifest
from workers import Lost

from stabn.data.ssv2 import VideoFolder

Stamps = dict[str, tuple[int, int]]  # video id → (bytes, mtime in ns)


def stamps(root: Path, part: Shard | None = None) -> Stamps:
    """By which files are known again: size and time of the last change.

    Raises:
        VideoError: There is no folder of videos.
    """
    folder = VideoFolder(root)
    facts = {v: folder.path(v).stat() for v in folder.video_ids() if part is None or v in part}
    return {v: (facts[v].st_size, facts[v].st_mtime_ns) for v in by_number(facts)}


def holds(row: dict | None, stamp: tuple[int, int]) -> bool:
    """Whether a row describes the file that is there now, and is for keeps."""
    return (
        row is not None
        and (row["bytes"], row["mtime_ns"]) == stamp
        and not row["status"].startswith(Lost.PREFIX)
    )


def check(root: Path, part: Shard | None, jobs: int, limit: float) -> list[dict]:
    """Rows of all videos (of a shard); those that an earlier run left are taken as they are."""
    there, folder = stamps(root, part), VideoFolder(root)
    with Journal(root, part) as journal:
        known = journal.known
        rows = {v: known[v] for v, stamp in there.items() if holds(known.get(v), stamp)}
        print(f"{root}: {len(there)} videos, {len(rows)} of them known from before")
        tasks = [
            (new_row(v, bytes=size, mtime_ns=mtime), folder.path(v))
            for v, (size, mtime) in there.items()
            if v not in rows
        ]
        rows |= journal.fill(_examine, tasks, jobs, limit, "decoding")
        write_manifest(manifest_path(root, part), rows.values())
    return list(rows.values())


def _examine(task: tuple[dict, Path]) -> dict:
    row, path = task
    return examine(row["id"], path)


def merge(root: Path) -> list[dict]:
    """Rows of all shards as one manifest.

    Raises:
        DataError: A shard is missing, or videos came or changed since.
    """
    rows, there = {row["id"]: row for row in merge_manifests(root)}, stamps(root)
    if stale := [v for v, stamp in there.items() if not holds(rows.get(v), stamp)]:
        raise DataError(
            f"{root}: not merged, {len(stale)} videos are new or changed since the shards ran, or "
            f"lost their worker, such as {stale[0]}; run the shards again (the rest is known)"
        )
    write_manifest(manifest_path(root), (rows[v] for v in there))
    return [rows[v] for v in there]


def main(argv: Sequence[str] | None = None) -> int:
    """``python data_scripts/verify.py --root data/ssv2``."""
    parser = sharded_arguments(__doc__, "data set with videos/<id>.webm", limit=60)
    options = parser.parse_args(argv)
    root, part = options.root, options.shard
    lists = None if part else Lists(root)  # read first: a bad one shows in a second, not at the end
    rows = merge(root) if options.merge else check(root, part, options.jobs, options.time_limit)
    usable = {row["id"] for row in rows if row["status"] == "ok"}
    frames = sum(row["frames"] for row in rows if row["status"] == "ok")
    size = sum(row["bytes"] or 0 for row in rows)
    print(f"{manifest_path(root, part)}: {len(rows)} videos, {size / 1e9:.3f} GB, "
          f"{len(usable)} ok with {frames} frames")  # fmt: skip
    broken = {row["id"]: row["status"] for row in rows if row["status"] != "ok"}
    found = report("Broken videos", [f"{v}: {broken[v]}" for v in by_number(broken)])
    if lists:
        there = [row["id"] for row in rows]
        found += report("Listed, but not on disk", lists.missing(there))
        found += report("Named by two lists", lists.repeated())
        empty = lists.empty_classes("train", usable)
        found += report("Classes without a usable video to train on", empty)
        unlisted = lists.unlisted(there)
        if "test" in lists.ids:
            found += report("On disk, but in no list", unlisted)
        elif unlisted:
            print(f"{len(unlisted)} videos are in no list; there is no test list, they may be its")
    return verdict(found)


if __name__ == "__main__":
    run(main)
