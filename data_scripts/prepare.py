"""Verified videos → small ones with a key frame every 16 frames, and the lists beside them.

The result is again a data set's folder. Frames stay what they are and where they are: each copy is
decoded to its end and must have its source's number of frames. No video is enlarged.
"""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from common import DataError, Shard, report, run, sharded_arguments, verdict
from decoding import complaints, examine, ffmpeg
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
from stabn.training.files import remove_leftovers, replacing

# VP9, because a folder of videos is videos/<id>.webm; H.264 would decode faster (see README.md).
GOP = 16
_ENCODER = ["-c:v", "libvpx-vp9", "-crf", "30", "-b:v", "0", "-g", f"{GOP}", "-pix_fmt", "yuv420p",
            "-deadline", "realtime", "-cpu-used", "5", "-auto-alt-ref", "0", "-lag-in-frames", "0",
            "-threads", "1", "-fflags", "+bitexact", "-flags", "+bitexact"]  # fmt: skip
# What the disk is to blame for, and not the video.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)


class _Rejected(Exception):
    """A copy that is not put in place."""


def encode(source: Path, target: Path | str, size: tuple[int, int]) -> None:
    """Write a copy of the video stream, frame for frame, at ``size`` (height, width)."""
    scale = f"scale={size[1]}:{size[0]}:flags=bicubic"
    done = ffmpeg("-loglevel", "level+error", "-noautorotate", "-i", source, "-map", "0:v:0",
                  "-map_metadata", "-1", "-fps_mode", "passthrough", "-vf", scale, *_ENCODER,
                  "-f", "webm", target)  # fmt: skip
    if said := complaints(done.stderr) or (done.returncode and [f"status {done.returncode}"]):
        for code in _DISK:
            if any(os.strerror(code) in line for line in said):
                raise OSError(code, os.strerror(code), str(target))
        raise _Rejected(f"cannot be encoded (ffmpeg: {said[0]})")


def _prepare(task: tuple[dict, Path, Path, dict, int]) -> dict:
    """The row of one video's copy, which is in place if its status is "ok"."""
    _, source, target, old, short_side = task
    scale = min(1, short_side / min(old["height"], old["width"]))
    size = round(old["height"] * scale), round(old["width"] * scale)
    try:
        with replacing(target) as file:
            encode(source, file.name, size)
            os.utime(file.name, ns=(old["mtime_ns"], old["mtime_ns"]))
            row = examine(old["id"], Path(file.name))
            if row["status"] != "ok":
                raise _Rejected(f"its copy {row['status']}")
            if row["frames"] != old["frames"] or (row["height"], row["width"]) != size:
                raise _Rejected(
                    f"its copy has {row['frames']} frames of {row['height']}×{row['width']}, "
                    f"not {old['frames']} of {size[0]}×{size[1]}"
                )
    except _Rejected as error:
        row = new_row(old["id"], str(error))
    return row | {"recipe": _recipe(short_side), "source_sha256": old["sha256"]}


def _recipe(short_side: int) -> str:
    return f"short side {short_side}: {' '.join(_ENCODER)}"


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
    known: dict[str, dict], wanted: dict[str, dict], done: Stamps, short_side: int
) -> dict[str, dict]:
    """Rows of the copies that are there, made from these sources in this way."""
    return {
        v: known[v]
        for v, old in wanted.items()
        if v in done
        and holds(known.get(v), done[v])
        and known[v]["recipe"] == _recipe(short_side)
        and known[v]["source_sha256"] == old["sha256"]
    }


def prepare(
    root: Path, out: Path, short_side: int, part: Shard | None, jobs: int, limit: float
) -> list[dict]:
    """Rows of all copies (of a shard) and of the videos that were left out."""
    wanted, left_out = plan(root, part)
    videos = out / "videos"
    videos.mkdir(parents=True, exist_ok=True)
    with Journal(out, part) as journal:
        remove_leftovers(videos, part)
        rows = in_place(journal.known, wanted, stamps(out, part), short_side)
        print(f"{out}: {len(wanted)} videos to prepare, {len(rows)} of them are there")
        tasks = [
            (new_row(v), root / "videos" / f"{v}.webm", videos / f"{v}.webm", old, short_side)
            for v, old in wanted.items()
            if v not in rows
        ]
        rows |= journal.fill(_prepare, tasks, jobs, limit, "encoding") | left_out
        write_manifest(manifest_path(out, part), rows.values())
    return list(rows.values())


def merge(root: Path, out: Path, short_side: int) -> list[dict]:
    """Rows of all shards as one manifest.

    Raises:
        DataError: A shard is missing, or something came or changed since.
    """
    wanted, left_out = plan(root, None)
    known = {row["id"]: row for row in merge_manifests(out)}
    rows = in_place(known, wanted, stamps(out), short_side)
    rows |= {v: known[v] for v in wanted if v in known and known[v]["bytes"] is None} | left_out
    if stale := [v for v in wanted if v not in rows]:
        raise DataError(
            f"{out}: not merged, {len(stale)} videos are new, changed, or prepared otherwise (is "
            f"--short-side the same?), such as {stale[0]}; run the shards again"
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
    options = parser.parse_args(argv)
    root, out, part = options.root, options.out, options.shard
    if out.resolve() == root.resolve():
        raise DataError(f"{out}: is the source itself; choose another --out")
    if options.short_side < 16:
        raise DataError(f"--short-side {options.short_side}: must be 16 or more")
    if options.merge:
        rows = merge(root, out, options.short_side)
    else:
        rows = prepare(root, out, options.short_side, part, options.jobs, options.time_limit)
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
