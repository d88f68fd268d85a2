"""Edits as files: JSON with everything, or the 2022 editor's ``<class>/<video>.npy``."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np

from stabn import given
from stabn.knowledge.edits.edit import UNKNOWN_MODEL, Edit, EditError
from stabn.training.files import replacing

FORMAT, VERSION = "stabn edits", 2
EDITOR_2022 = "2022 editor"  # whose edits a folder holds that says nothing else
READABLE = (1, 2)  # 1 knew no "nothing_to_correct" and no "open"
LONGEST = 200  # bytes of a folder's name; file systems take 255


def write_json(edits: Iterable[Edit], path: str | Path) -> None:
    """Write edits to a JSON file, whole or not at all; :func:`read_json` gives equal ones back.

    Raises:
        OSError: the file cannot be written; one that was there before stays whole.
    """
    content = {"format": FORMAT, "version": VERSION, "edits": [edit.plain() for edit in edits]}
    with replacing(path, "w") as file:
        json.dump(content, file, ensure_ascii=False, allow_nan=False, indent=1)


def read_json(path: str | Path) -> list[Edit]:
    """The edits in a JSON file, in its order.

    Raises:
        EditError: no such file, not ours, of a newer version, or damaged; the message names the
            file, and where an edit is wrong its place (from 1) and the field.
    """
    try:
        content = given.read_json(given.path(path))
    except OSError as error:
        raise EditError(f"{path}: cannot be read ({error.strerror}); correct the path") from error
    except ValueError as error:
        what = f"is no JSON file, or a damaged one ({error}); export it again"
        raise EditError(f"{path}: {what}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise EditError(
            f"{path}: format: is not {FORMAT!r}; give edits that the organiser's page exported or "
            f"`stabn stand-in` wrote"
        )
    if content.get("version") not in READABLE:
        raise EditError(
            f"{path}: version: is {content.get('version')!r}, this stabn knows "
            f"{' and '.join(map(str, READABLE))}; update it"
        )
    edits = content.get("edits")
    if not isinstance(edits, list):
        raise EditError(f"{path}: edits: is no list")
    return [Edit.from_plain(v, f"{path}, entry {i}") for i, v in enumerate(edits, start=1)]


def write_npy(edits: Iterable[Edit], folder: str | Path, classes_of: Mapping[str, str]) -> int:
    """Write levels as the 2022 editor does: one float64 array (n,) a video, in its class's folder.

    Verdicts other than "edited" have no place in that format and are left out. Characters that no
    file name should hold become %XX, as in web addresses. A class text too long for a folder's name
    is cut.

    Args:
        edits: at most one of each video, e.g. one annotator's.
        folder: gets one folder a class.
        classes_of: {video id: class text}.

    Returns:
        How many files were written.

    Raises:
        EditError: a video without class, two edits of one video, or a file that is there already;
            nothing is written.
        OSError: a file cannot be written.
    """
    folder = given.path(folder)
    files: dict[Path, Edit] = {}
    for edit in edits:
        if edit.verdict != "edited":
            continue
        if edit.video_id not in classes_of:
            raise EditError(f"video {edit.video_id}: its class is not given")
        name = f"{_safe(edit.video_id)}.npy"
        path = folder / _folder(classes_of[edit.video_id]) / name
        if path in files:
            raise EditError(
                f"video {edit.video_id}: has edits by {files[path].annotator} and "
                f"{edit.annotator}, the format holds one; write one annotator's at a time"
            )
        if path.exists():
            raise EditError(f"{path}: exists already; choose an empty folder")
        files[path] = edit
    for path, edit in files.items():
        with replacing(path) as file:
            np.save(file, np.array(edit.levels))
    return len(files)


def read_npy(
    folder: str | Path, lengths: Mapping[str, int], *, annotator: str = EDITOR_2022
) -> list[Edit]:
    """Edits from the 2022 editor's folder.

    The files hold levels alone. So the attention that was shown is given as zeros and the model as
    :data:`UNKNOWN_MODEL`; the time is the file's own, and nobody knows how long it took.

    Args:
        folder: with one folder a class, and in it one file a video.
        lengths: {video id: number of source frames}.
        annotator: who made them.

    Returns:
        One edit a file, by class folder, then by file name.

    Raises:
        EditError: there are none; or a file is damaged, of an unknown video, of another length, or
            holds impossible levels. The message names the file.
    """
    edits: dict[str, Edit] = {}
    for path in sorted(given.path(folder).glob("*/*.npy")):
        video_id = unquote(path.stem)
        if video_id not in lengths:
            raise EditError(f"{path}: video {video_id} is not in the data set; remove the file")
        if video_id in edits:
            raise EditError(f"{path}: video {video_id} lies in a second class's folder, too")
        try:
            levels = np.load(path, allow_pickle=False)
            made = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except (OSError, ValueError, EOFError) as error:
            raise EditError(f"{path}: is no array, or a damaged one ({error})") from error
        if getattr(levels, "shape", None) != (lengths[video_id],):
            raise EditError(
                f"{path}: levels: shape {getattr(levels, 'shape', 'of an archive')}, but the video "
                f"has {lengths[video_id]} frames"
            )
        try:
            edits[video_id] = Edit(
                video_id=video_id,
                verdict="edited",
                levels=levels,
                annotator=annotator,
                model=UNKNOWN_MODEL,
                attention=(0.0,) * len(levels),
                made=made,
                seconds=0.0,
            )
        except EditError as error:
            raise EditError(f"{path}: {error}") from error
    if not edits:
        raise EditError(
            f"{folder}: holds no <class>/<video>.npy; of an export give one annotator's folder, as "
            "in npy/1-Ada"
        )
    return list(edits.values())


def folder_of(number: int, annotator: str) -> str:
    """The name of an annotator's folder in an export: ASCII letters and digits of theirs stay.

    Every other character is its code in hexadecimal; the number tells apart what some file systems
    take for one name.
    """
    letters = (c if c.isalnum() and c.isascii() else f"_{ord(c):x}_" for c in annotator)
    return f"{number}-{''.join(letters)}"


def annotator_of(folder: str) -> str | None:
    """The annotator in a name that :func:`folder_of` made; None of any other name."""
    found = re.fullmatch(r"\d+-((?:[A-Za-z0-9]|_[0-9a-f]{1,5}_)+)", folder)
    return found and re.sub("_([0-9a-f]+)_", lambda code: chr(int(code[1], 16)), found[1])


def _folder(class_text: str) -> str:
    """The name of a class's folder; a text too long for one is cut, and ends in its hash."""
    name = _safe(class_text)
    if len(name.encode()) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9]}~{sha256(class_text.encode()).hexdigest()[:8]}"


def _safe(name: str) -> str:
    """A text as the name of a file or folder on any system; ``unquote`` gives the text back."""
    safe = quote(name, safe=" !#$&'()+,;=@[]^`{}")
    return safe if safe.strip(". ") else safe.replace(".", "%2E")
