"""Something-Something v2's own files → classes, records, mirror pairs, videos."""

import difflib
import re
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from os import scandir
from os.path import exists, splitext
from pathlib import Path
from typing import Any

import numpy as np

from stabn import given
from stabn.data.counts import FrameCounts
from stabn.data.decoding import bytes_of
from stabn.data.video import VideoError, frame_count, read_frames
from stabn.errors import UserError

# of videos: VP9 as the set comes, H.264 as it can be prepared, and as other sets come
SUFFIXES = (".webm", ".mp4", ".avi", ".mkv")
NAME = 240  # bytes of an id
KEPT = 1 << 26  # bytes of a file that are kept at most, between its two uses
NO_CLASS = -1  # the class id of a video whose list holds ids alone


class AnnotationError(UserError, ValueError):
    """An annotation file that is missing, malformed, or belongs to another data set."""


@dataclass(frozen=True)
class Record:
    """One video: its id, class id, class text with [placeholders], and caption.

    Of the unlabelled test split only the id is known: then the class id is ``NO_CLASS``.
    """

    video_id: str
    class_id: int = NO_CLASS
    template: str = ""
    caption: str = ""

    @property
    def labelled(self) -> bool:
        """Whether its class is known."""
        return self.class_id != NO_CLASS


def read_classes(root: Path | str) -> tuple[str, ...]:
    """Class texts, indexed by class id, from the label file (class text → id as a string).

    Raises:
        AnnotationError: No label file, or one that is not a Something-Something label file.
    """
    path = _annotation_file(root, "labels")
    labels = _json(path)
    if not isinstance(labels, dict):
        raise AnnotationError(
            f"{path}: holds a {type(labels).__name__} where Something-Something's label file holds "
            'an object {class text: "id"}; is it the label file of another data set?'
        )
    ids = [str(k) for k in range(len(labels))]
    if not labels or sorted(map(repr, labels.values())) != sorted(map(repr, ids)):
        odd = next((f"{t!r}: {i!r}" for t, i in labels.items() if i not in ids), "a repeated id")
        raise AnnotationError(
            f'{path}: ids must be the strings "0" to "{len(labels) - 1}", each once, but there is '
            f"{odd}; is it the label file of another data set?"
        )
    return tuple(sorted(labels, key=lambda text: int(labels[text])))


def read_split(
    root: Path | str, split: str, classes: Sequence[str], *, unlabelled: bool = False
) -> list[Record]:
    """The videos of a split, in the file's order.

    Args:
        root: The data set's folder; its JSON files lie there or in ``labels/``, under either
            spelling (``train.json`` or ``something-something-v2-train.json``).
        split: ``"train"``, ``"validation"``, ``"test"`` (or ``"tuning"`` in mini-SSv2).
        classes: Class texts from :func:`read_classes`.
        unlabelled: Whether a list of ids alone will do, as the test split's is.

    Raises:
        AnnotationError: The file is missing or malformed, or a template is none of the classes.
    """
    path = _annotation_file(root, split)
    entries = read_entries(path)
    if unlabelled and not any({"template", "label"} & entry.keys() for entry in entries.values()):
        return [Record(video_id) for video_id in entries]
    class_ids = {text: class_id for class_id, text in enumerate(classes)}
    records = []
    for number, (video_id, entry) in enumerate(entries.items()):
        for name in ("template", "label"):
            if name not in entry:
                raise AnnotationError(
                    f"{path}: entry {number} has no {name!r}; a labelled video has id, label, "
                    "template (test lists have no labels)"
                )
            if not isinstance(entry[name], str):
                said = reprlib.repr(entry[name])
                raise AnnotationError(f"{path}: video {video_id}: {name} {said} is no text")
        text = class_text(entry["template"])
        if text not in class_ids:
            raise AnnotationError(
                f"{path}: video {video_id}: template {entry['template']!r} is none of the "
                f"{len(classes)} classes; are the label file and this list of one data set?"
            )
        records.append(Record(video_id, class_ids[text], entry["template"], entry["label"]))
    return records


def read_entries(path: Path) -> dict[str, dict[str, Any]]:
    """What a list says of its videos, by their ids, in the file's order; labelled or not.

    An id is text and names a file, ``videos/<id>.webm``; a whole number is read as its digits.

    Raises:
        AnnotationError: Not a list of objects with ids, or a video that is listed twice.
    """
    entries = _json(path)
    if not isinstance(entries, list):
        raise AnnotationError(f"{path}: must hold a list of videos")
    by_id: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or "id" not in entry:
            raise AnnotationError(
                f"{path}: entry {number} is {reprlib.repr(entry)}, without an id; "
                "a video is an object with its id"
            )
        video_id = str(entry["id"]) if type(entry["id"]) is int else entry["id"]
        if not names_a_file(video_id):
            raise AnnotationError(
                f"{path}: entry {number}: id {reprlib.repr(video_id)} is no text that names a "
                "file; the video of id 7 lies in videos/7.webm"
            )
        if video_id in by_id:
            raise AnnotationError(f"{path}: video {video_id} is listed twice")
        by_id[video_id] = entry
    return by_id


def names_a_file(video_id: Any) -> bool:
    """Whether it is the name of a file of one folder: no way out, no line break, not too long.

    File systems take 255 bytes a name, of which `NAME` leave room for what is put around an id.
    """
    if not isinstance(video_id, str) or not video_id.isprintable():
        return False
    return Path(video_id).name == video_id != "" and len(video_id.encode()) <= NAME


def class_text(template: str) -> str:
    """A template without the square brackets around its placeholders: the class text.

    All brackets go, whatever they hold: replacing only ``[something]`` would leave 20 of the 174
    classes unmatched. Commas and parentheses belong to the text.
    """
    return template.replace("[", "").replace("]", "")


def class_of_template(template: str, classes: Sequence[str]) -> int:
    """The class id of a template.

    Raises:
        AnnotationError: The template is none of the classes.
    """
    try:
        return classes.index(class_text(template))
    except ValueError:
        raise AnnotationError(
            f"template {template!r} is none of the {len(classes)} classes"
        ) from None


def mirror_pairs(classes: Sequence[str]) -> dict[int, int]:
    """Classes that a horizontal flip turns into each other, both ways: {86: 87, 87: 86, …}.

    Found by text: the class that is left when *left* and *right* change places. A class whose
    mirrored text is no class keeps its label ("pulling it right out" names no side).
    """
    ids = {text: class_id for class_id, text in enumerate(classes)}
    swap = {"left": "right", "right": "left"}
    mirrored = {t: re.sub(r"\b(left|right)\b", lambda side: swap[side[0]], t) for t in ids}
    return {ids[t]: ids[m] for t, m in mirrored.items() if m != t and m in ids}


class VideoFolder:
    """Videos as ``root/videos/<id>.webm``, or with another of `SUFFIXES`.

    Raises:
        VideoError: ``root/videos`` is missing.
    """

    def __init__(self, root: Path | str):
        self.folder = given.path(root) / "videos"
        if not self.folder.is_dir():
            raise VideoError(self.folder, "no such folder; the data set keeps videos/<id>.webm")
        self._frames: dict[str, int] = {}
        self._content: dict[str, bytes] = {}  # of the video whose frames were counted last

    def video_ids(self) -> list[str]:
        """The ids of all videos in the folder, sorted; a link to a file that is gone is none.

        Raises:
            VideoError: A video is there twice, as webm and as mp4.
        """
        files = sorted(
            splitext(entry.name)
            for entry in scandir(self.folder)
            if splitext(entry.name)[1] in SUFFIXES and (not entry.is_symlink() or exists(entry))
        )
        for (one, suffix), (next_one, other) in pairwise(files):
            if one == next_one:
                file = self.folder / f"{one}{other}"
                raise VideoError(file, f"is there as {suffix} too: remove one of the two")
        return [video_id for video_id, _ in files]

    def path(self, video_id: str) -> Path:
        """The file of a video; where there is none, the one that should be: a link, or a webm."""
        files = [self.folder / f"{video_id}{suffix}" for suffix in SUFFIXES]
        links = (file for file in files if file.is_symlink())
        return next(chain(filter(Path.exists, files), links), files[0])

    def frames(self, video_id: str) -> int:
        """How many frames a video has: as the set's manifest says, or asked of the file once.

        Both need the file's bytes. They are kept for :meth:`read`, so that a clip, for which the
        two are asked in turn, opens its file once.
        """
        if video_id not in self._frames:
            path = self.path(video_id)
            self._content.clear()
            with bytes_of(path) as file:
                known = self._counts.of(file)
                file.seek(0)
                content = file.read(KEPT + 1)
            if len(content) <= KEPT:
                self._content[video_id] = content
            self._frames[video_id] = known or frame_count(path, self._content.get(video_id))
        return self._frames[video_id]

    def read(self, video_id: str, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Frames uint8 (T, H, W, 3) at source frame indices (T,)."""
        return read_frames(self.path(video_id), indices, self._content.pop(video_id, None))

    @cached_property
    def _counts(self) -> FrameCounts:
        return FrameCounts(self.folder.parent)


def _annotation_file(root: Path | str, name: str) -> Path:
    root = given.path(root)
    spellings = (f"{name}.json", f"something-something-v2-{name}.json")
    for path in (folder / s for folder in (root, root / "labels") for s in spellings):
        if path.is_file():
            return path
    if not root.is_dir():
        what = "is a file" if root.exists() else "no such folder"
        raise AnnotationError(f"{root}: {what}; give the data set's folder, with its lists")
    files = [path for folder in (root, root / "labels") for path in folder.glob("*.json")]
    there = sorted({path.stem.removeprefix("something-something-v2-") for path in files})
    near = difflib.get_close_matches(name, there, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(there) or 'none'}"
    raise AnnotationError(
        f"{root}: has neither {spellings[0]} nor {spellings[1]}, nor a labels/ folder with one; "
        f"{hint}"
    )


def _json(path: Path):
    try:
        return given.read_json(path)
    except OSError as error:
        raise AnnotationError(
            f"{path}: cannot be read ({error.strerror}); make it readable"
        ) from error
    except ValueError as error:
        raise AnnotationError(f"{path}: is not JSON ({error}); copy it again") from error
