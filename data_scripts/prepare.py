"""Verified videos → smaller ones, which are quicker to read, and the lists beside them.

The result is again a data set's folder. Frames stay what they are and where they are: each copy is
decoded to its end, must have its source's number of frames, and must show what its source shows.
No video is enlarged.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from common import DataError, Shard, report, run, sharded_arguments, verdict
from decoding import examine
from encoding import CODECS, Recipe, Rejected, encode
from likeness import unlike
from lists import annotation_files, by_number
from manifest import (
    Journal,
    manifest_path,
    merge_manifests,
    new_row,
    read_manifest,
    write_manifest,
)
from verify import Stamps, holds, stamps

from stabn import given
from stabn.data.ssv2 import SUFFIXES, VideoFolder
from stabn.data.video import VideoError
from stabn.training.files import remove_leftovers, replacing


def _prepare(task: tuple[dict, Path, Path, dict, Recipe]) -> dict:
    """The row of one video's copy, which is in place if its status is "ok"."""
    _, source, target, old, recipe = task
    size = recipe.size(old["height"], old["width"])
    try:
        with replacing(target) as file:
            copy = Path(file.name)
            encode(source, copy, recipe.codec, size)
            os.utime(copy, ns=(old["mtime_ns"], old["mtime_ns"]))
            row = examine(old["id"], copy)
            if row["status"] != "ok":
                raise Rejected(f"its copy {row['status']}")
            if row["frames"] != old["frames"] or (row["height"], row["width"]) != size:
                raise Rejected(
                    f"its copy has {row['frames']} frames of {row['height']}×{row['width']}, "
                    f"not {old['frames']} of {size[0]}×{size[1]}"
                )
            if what := unlike(source, copy, old["frames"]):
                raise Rejected(what)
            for suffix in {*SUFFIXES} - {target.suffix}:  # of an earlier preparation
                target.with_suffix(suffix).unlink(missing_ok=True)
    except (Rejected, VideoError) as error:
        row = new_row(old["id"], str(error))
    return row | {"recipe": str(recipe), "source_sha256": old["sha256"]}


def plan(root: Path, part: Shard | None) -> tuple[dict[str, dict], dict[str, dict]]:
    """Rows of the sources to prepare, and rows of those to leave out, which say why."""
    sources, there = read_manifest(manifest_path(root)), stamps(root, part)
    if not sources:
        raise DataError(
            f"{manifest_path(root)}: missing or empty; run data_scripts/verify.py first"
        )
    wanted, left_out = {}, {}
    for v in by_number({v for v in sources if part is None or v in part} | there.keys()):
        if v not in there:
            left_out[v] = new_row(v, "was verified, but is gone")
        elif not holds(sources.get(v), there[v]):
            left_out[v] = new_row(v, "changed, or was never verified: run verify.py again")
        elif sources[v]["status"] != "ok":
            left_out[v] = new_row(v, f"broken at the source: {sources[v]['status']}")
        else:
            wanted[v] = sources[v]
    return wanted, left_out


def in_place(
    known: dict[str, dict], wanted: dict[str, dict], done: Stamps, recipe: str
) -> dict[str, dict]:
    """Rows of the copies that are there, made from these sources in this way."""
    return {
        v: known[v]
        for v, old in wanted.items()
        if v in done
        and holds(known.get(v), done[v])
        and known[v]["recipe"] == str(recipe)
        and known[v]["source_sha256"] == old["sha256"]
    }


def prepare(
    root: Path, out: Path, recipe: Recipe, part: Shard | None, jobs: int, limit: float
) -> list[dict]:
    """Rows of all copies (of a shard) and of the videos that were left out."""
    wanted, left_out = plan(root, part)
    sources, copies = VideoFolder(root), out / "videos"
    copies.mkdir(parents=True, exist_ok=True)
    with Journal(out, part) as journal:
        remove_leftovers(copies, part)
        rows = in_place(journal.known, wanted, stamps(out, part), recipe)
        print(f"{out}: {len(wanted)} videos to prepare, {len(rows)} of them are there")
        tasks = [
            (new_row(v), sources.path(v), copies / f"{v}{recipe.codec.suffix}", old, recipe)
            for v, old in wanted.items()
            if v not in rows
        ]
        rows |= journal.fill(_prepare, tasks, jobs, limit, "encoding") | left_out
        write_manifest(manifest_path(out, part), rows.values())
    return list(rows.values())


def merge(root: Path, out: Path, recipe: Recipe) -> list[dict]:
    """Rows of all shards as one manifest.

    Raises:
        DataError: A shard is missing, or something came or changed since.
    """
    wanted, left_out = plan(root, None)
    known = {row["id"]: row for row in merge_manifests(out)}
    rows = in_place(known, wanted, stamps(out), recipe)
    rows |= {v: known[v] for v in wanted if v in known and known[v]["bytes"] is None} | left_out
    if stale := [v for v in wanted if v not in rows]:
        raise DataError(
            f"{out}: not merged, {len(stale)} videos are new, changed, or prepared otherwise (are "
            f"--short-side and --codec the same?), such as {stale[0]}; run the shards again"
        )
    write_manifest(manifest_path(out), rows.values())
    return list(rows.values())


def copy_lists(root: Path, out: Path) -> None:
    """Copy the annotation files, each whole or not at all."""
    for path in annotation_files(root):
        remove_leftovers((out / path.relative_to(root)).parent, {path.stem})
        with replacing(out / path.relative_to(root)) as file:
            file.write(path.read_bytes())


def main(argv: Sequence[str] | None = None) -> int:
    """``python data_scripts/prepare.py --root data/ssv2 --out data/ssv2_256``."""
    parser = sharded_arguments(__doc__, "data set that verify.py has seen", limit=300)
    parser.add_argument(
        "--out", type=given.path, required=True, help="folder of the prepared data set"
    )
    side = "pixels of the short side; smaller videos keep their size (default: %(default)s)"
    parser.add_argument("--short-side", type=int, default=256, help=side)
    codec = "of the copies; h264 is quicker to read and a little larger (default: %(default)s)"
    parser.add_argument("--codec", choices=CODECS, default="vp9", help=codec)
    options = parser.parse_args(argv)
    root, out, part = options.root, options.out, options.shard
    if out.resolve() == root.resolve():
        raise DataError(f"{out}: is the source itself; choose another --out")
    if options.short_side < 16:
        raise DataError(f"--short-side {options.short_side}: must be 16 or more")
    recipe = Recipe(CODECS[options.codec], options.short_side)
    if options.merge:
        rows = merge(root, out, recipe)
    else:
        rows = prepare(root, out, recipe, part, options.jobs, options.time_limit)
    if part is None:
        copy_lists(root, out)
    made = [row for row in rows if row["status"] == "ok"]
    size = sum(row["bytes"] for row in made)
    print(f"{manifest_path(out, part)}: {len(made)} videos prepared, {size / 1e9:.3f} GB, "
          f"{sum(row['frames'] for row in made)} frames")  # fmt: skip
    left_out = {row["id"]: row["status"] for row in rows if row["status"] != "ok"}
    found = report("Left out", [f"{v}: {left_out[v]}" for v in by_number(left_out)])
    ids = {row["id"] for row in made}
    stray = [v for v in stamps(out, part) if v not in ids]
    found += report("In the prepared folder, but not of this preparation", stray)
    return verdict(found)


if __name__ == "__main__":
    run(main)
