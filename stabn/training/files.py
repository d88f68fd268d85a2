"""A file appears whole or not at all, and is known by its hash."""

import hashlib
import os
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from stabn import given


@contextmanager
def replacing(path: str | Path, mode: str = "wb") -> Iterator[IO]:
    """Open a temporary file beside ``path``; on leaving, flush it to disk and rename it to that.

    Whatever goes wrong in between (a full disk, an exception, a kill), what stood at ``path``
    before stays whole.

    Args:
        path: the file to write; its folder is made where it is missing.
        mode: ``"wb"`` or ``"w"`` (UTF-8).

    Raises:
        OSError: no permission, disk full; the temporary file is removed.
    """
    path = given.path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def try_out(folder: Path) -> None:
    """Write a file into a folder and remove it; what was not there is not there afterwards.

    Raises:
        OSError: no permission, disk full.
    """
    with no_empty_folders(folder):
        with replacing(folder / ".tried") as file:
            file.write(b"ok")
        (folder / ".tried").unlink()


@contextmanager
def no_empty_folders(folder: Path) -> Iterator[None]:
    """On leaving, a folder and its parents that were not there before are there only if filled."""
    made = [path for path in (folder, *folder.parents) if not os.path.exists(path)]
    try:
        yield
    finally:
        with suppress(OSError):
            for path in made:  # the innermost first
                path.rmdir()


def remove_leftovers(folder: Path, stems: Container[str] | None = None) -> None:
    """Remove what a killed process left half-written in a folder: all, or of certain files."""
    for path in folder.glob(".*.part"):
        if path.is_file() and (stems is None or path.name.split(".")[1] in stems):
            path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut; some file systems have no such call."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def file_hash(path: str | Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
