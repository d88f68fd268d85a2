"""The 20 downloaded parts → videos/<id>.webm, checked against the archive's own headers."""

import gzip
import hashlib
import io
import os
import re
import shutil
import tarfile
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from common import ALL_WELL, DataError, arguments, progress, run

from stabn import given
from stabn.data.container import not_a_video
from stabn.training.files import remove_leftovers, replacing

PARTS = 20
_PART = re.compile(r"20bn-something-something-v2-(\d+)", re.IGNORECASE)
_MEMBER = re.compile(r"(?:\./)?([^/]+)/(\d+)\.webm")
_HASHES = {32: "md5", 40: "sha1", 64: "sha256"}  # by the digits they have
_RECORD = 10240  # bytes: what tar reads at a time


def find_parts(places: Sequence[Path]) -> list[Path]:
    """The parts among files and the files of folders, in numeric order.

    Raises:
        DataError: A part is missing, doubled or empty, or no part of this archive.
    """
    files = []
    for place in places:
        if not place.exists():
            raise DataError(f"{place}: no such file or folder; give the parts or their folder")
        files += sorted(place.iterdir()) if place.is_dir() else [place]
    parts: dict[int, Path] = {}
    for path in dict.fromkeys(files):
        match = _PART.fullmatch(path.name)
        if not match or not path.is_file():
            print(f"{path}: ignored, its name is not that of a part")
            continue
        number = int(match[1])
        if number >= PARTS:
            raise DataError(f"{path}: the archive has parts 00 to {PARTS - 1}; is it another's?")
        if number in parts:
            raise DataError(f"part {number:02} is there twice: {parts[number]}, {path}; keep one")
        if not path.stat().st_size:
            raise DataError(f"{path}: is empty; download it again")
        parts[number] = path
    if missing := [f"{n:02}" for n in range(PARTS) if n not in parts]:
        raise DataError(
            f"{', '.join(map(str, places))}: part {', '.join(missing)} of {PARTS} missing; "
            "download it (20bn-something-something-v2-NN)"
        )
    with parts[0].open("rb") as file:
        kind = not_a_video(file)
    if kind != "a gzip archive":
        raise DataError(f"{parts[0]}: is {kind or 'no gzip archive'}; download it again")
    return [parts[number] for number in range(PARTS)]


def check_sums(parts: Sequence[Path], listed: Path, jobs: int) -> None:
    """Compare every part with a list made by md5sum, sha1sum or sha256sum.

    Raises:
        DataError: The list is unreadable or lacks a part, or parts differ from it (all are named).
    """
    sums = {}
    for line in listed.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        entry = re.fullmatch(r"\\?([0-9a-fA-F]+) [ *](.+)", line.strip())
        if entry and len(entry[1]) in _HASHES and (name := _PART.fullmatch(Path(entry[2]).name)):
            sums[int(name[1])] = entry[1].lower()
    if missing := [path.name for n, path in enumerate(parts) if n not in sums]:
        raise DataError(f"{listed}: has no checksum of {', '.join(missing)}; is it the right list?")

    def differs(number: int) -> str | None:
        with parts[number].open("rb") as file:
            found = hashlib.file_digest(file, _HASHES[len(sums[number])]).hexdigest()
        return None if found == sums[number] else str(parts[number])

    with ThreadPoolExecutor(jobs) as pool:
        work = pool.map(differs, range(PARTS))
        wrong = [
            path for path in progress(work, desc="checksums", total=PARTS, unit="part") if path
        ]
    if wrong:
        raise DataError(f"{', '.join(wrong)}: not what {listed} says; download it again")


def check_space(parts: Sequence[Path], videos: Path) -> None:
    """Refuse to begin where the videos will not fit; videos hardly compress, so sizes are known.

    Raises:
        DataError: Too little room.
    """
    here = sum(path.stat().st_size for path in videos.glob("*.webm"))
    needed = 1.05 * sum(path.stat().st_size for path in parts) - here
    place = next(folder for folder in (videos, *videos.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise DataError(
            f"{videos}: the videos need {needed / 1e9:.1f} GB more, the disk has "
            f"{free / 1e9:.1f} GB; make room or choose another --out (nothing was written)"
        )


class Joined(io.RawIOBase):
    """The parts read end to end as one file, which is never written."""

    def __init__(self, parts: Sequence[Path], bar):
        self.name, self._bar = parts[0], bar
        self._files = self._open(parts)
        self._file = next(self._files)

    def _open(self, parts: Sequence[Path]) -> Iterator[io.BufferedReader]:
        for self.name in parts:
            with self.name.open("rb") as file:
                yield file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while not (count := self._file.readinto(buffer)):
            following = next(self._files, None)
            if following is None:
                self._file = io.BytesIO()  # asked again, the end is still the end
                return 0
            self._file = following
        self._bar.update(count)
        return count


class Tail:
    """A file to read from that remembers the last two records of what it gave."""

    def __init__(self, file: io.BufferedIOBase):
        self._file, self.position, self.tail = file, 0, b""

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.position += len(data)
        self.tail = (self.tail + data)[-2 * _RECORD :]
        return data

    def only_zeros_from(self, start: int) -> bool:
        """Whether an end mark follows and nothing else; reads (and so checks) all that is left."""
        rest = self.tail[start - self.position :] if start < self.position else b""
        while data := self.read(_RECORD):
            rest = rest[:512] + data if not any(rest) else rest
        return len(rest) >= 512 and not any(rest)


def members(parts: Sequence[Path], bar) -> Iterator[tuple[str, tarfile.TarInfo, bytes]]:
    """Id, header and bytes of every video, in the archive's order.

    Raises:
        DataError: The archive is damaged, ends early, or holds something other than videos.
    """
    joined, last, end, seen = Joined(parts, bar), "the beginning", 0, set()
    try:
        unpacked = Tail(gzip.GzipFile(fileobj=io.BufferedReader(joined, 1 << 20)))
        with tarfile.open(fileobj=unpacked, mode="r|", bufsize=_RECORD) as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # else it keeps every header
                name = _MEMBER.fullmatch(member.name)
                end = member.offset_data + -(-member.size // 512) * 512
                if member.isdir() and re.fullmatch(r"(\./)?[^/]*/?", member.name):
                    end = member.offset_data
                    continue
                folder = name and name[1]
                if not name or not member.isreg() or folder in (".", "..") or name[2] in seen:
                    raise DataError(
                        f"{joined.name}: holds {member.name!r} after {last}, where only videos "
                        "<folder>/<number>.webm, each once, belong; is it the data set's archive?"
                    )
                data = tar.extractfile(member).read()
                if len(data) != member.size:
                    raise EOFError(f"{len(data)} of {member.size} bytes")
                yield name[2], member, data
                seen.add(name[2])
                last = f"video {name[2]}"
            if not unpacked.only_zeros_from(end):
                raise EOFError("no end mark")
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError) as error:
        raise DataError(
            f"{joined.name}: the archive ends early or is damaged after {last} ({error}); "
            "download this part and the one before it again, and repeat (what is unpacked stays; "
            "it is compared with the archive then)"
        ) from error


def write(path: Path, data: bytes, mtime: float) -> bool:
    """Put a video in its place, whole, on the disk, as old as in the archive, unless it is there.

    Bytes are compared, not only sizes: what came out of a damaged part may have the right size.
    """
    with suppress(FileNotFoundError):
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return False
    with replacing(path) as file:
        file.write(data)
        file.flush()
        os.utime(file.fileno(), (mtime, mtime))
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """``python data_scripts/assemble.py downloads/ --out data/ssv2``."""
    parser = arguments(__doc__)
    parser.add_argument(
        "parts", type=given.path, nargs="+", help="the parts, or the folder they are in"
    )
    parser.add_argument(
        "--out", type=given.path, required=True, help="data set's folder, e.g. data/ssv2"
    )
    parser.add_argument(
        "--checksums", type=given.path, help="list by md5sum or sha256sum, checked first"
    )
    options = parser.parse_args(argv)
    videos = options.out / "videos"
    parts = find_parts(options.parts)
    if options.checksums:
        check_sums(parts, options.checksums, options.jobs)
    check_space(parts, videos)
    videos.mkdir(parents=True, exist_ok=True)
    remove_leftovers(videos)
    strangers = {path.name for path in videos.iterdir()}
    total, written, size, pending = 0, 0, 0, deque()
    bytes_bar = partial(progress, desc="unpacking", unit="B", unit_scale=True)
    with (
        bytes_bar(total=sum(path.stat().st_size for path in parts)) as bar,
        ThreadPoolExecutor(options.jobs) as pool,
        closing(members(parts, bar)) as archive,
    ):
        for video_id, member, data in archive:
            total, size = total + 1, size + member.size
            name = f"{video_id}.webm"
            strangers.discard(name)
            pending.append(pool.submit(write, videos / name, data, member.mtime))
            while len(pending) > 4 * options.jobs:  # no more in memory than that
                written += pending.popleft().result()
        written += sum(future.result() for future in pending)
    print(f"{videos}: {total} videos, {size / 1e9:.3f} GB; {written} written, "
          f"{total - written} were there")  # fmt: skip
    if strangers:
        print(f"not of the archive, left alone: {len(strangers)}, such as {min(strangers)}")
    print(f"next: the label files into {options.out}, then "
          f"python data_scripts/verify.py --root {options.out}")  # fmt: skip
    return ALL_WELL


if __name__ == "__main__":
    run(main)
