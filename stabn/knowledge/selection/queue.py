"""The videos whose attention people are asked to correct, worst first: one folder.

``queue.json`` says which and why; beside it lie ``head.pt`` and one file of ``features/`` for each
video, from which :mod:`stabn.knowledge.selection.rescoring` answers without the feature extractor.
Reading ``queue.json`` needs neither PyTorch nor the videos.
"""

import json
import logging
import os
import reprlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from stabn import given
from stabn.data.ssv2 import names_a_file
from stabn.errors import UserError
from stabn.training.files import replacing

log = logging.getLogger(__name__)

FORMAT = "stabn queue 1"

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class QueueError(UserError):
    """A queue that cannot be made, read or used; the message names the file and the remedy."""


@dataclass(frozen=True)
class QueuedVideo:
    """One video to be corrected; n frames, seen in V clips of T.

    Attributes:
        video_id: its id.
        label: the true class's id.
        predicted: the class that the network answered.
        probability: of the true class.
        attention: M_t of every source frame, (n,) in [0, 1].
        sampled: source frames of the clips that evaluation takes, (V·T,), clip after clip.
        features: file below the queue's folder with what re-scoring needs; None if there is none.
    """

    video_id: str
    label: Count
    predicted: Count
    probability: Share
    attention: tuple[Share, ...]
    sampled: tuple[Count, ...]
    features: str | None

    @property
    def frames(self) -> int:
        """n, how many frames the video has."""
        return len(self.attention)


@dataclass(frozen=True)
class Queue:
    """What a selection found.

    Attributes:
        folder: the queue's folder.
        run: folder of the run that was asked.
        checkpoint: which of its networks: best or last.
        model: SHA-256 (hex) of that checkpoint's file.
        data_root: folder of the data set, with ``videos/``.
        classes: class texts, by class id.
        num_frames: T.
        splits: the split that the videos are of, and the one that the classes were checked on.
        weak: ids of the classes that were selected.
        accuracy: {class id: (accuracy on the first split, on the second)}; None: no video of it.
        videos: worst first.
        key: hash of everything that decided this content.
        provenance: settings, code version, data fingerprint and time, as plain values.
        failed: {video id: cause} of what could not be decoded: it counts in no accuracy, and nobody
            is asked to correct it.
    """

    folder: Path
    run: str
    checkpoint: str
    model: str
    data_root: str
    classes: tuple[str, ...]
    num_frames: Annotated[int, Field(ge=1)]
    splits: tuple[str, str]
    weak: tuple[Count, ...]
    accuracy: dict[int, tuple[Share | None, Share | None]]
    videos: tuple[QueuedVideo, ...]
    key: str
    provenance: dict[str, Any]
    failed: dict[str, str] = field(default_factory=dict)

    def video(self, video_id: str) -> QueuedVideo:
        """The queued video of that id.

        Raises:
            QueueError: it is not in this queue.
        """
        if video_id not in self._by_id:
            raise QueueError(
                f"{self.folder}: video {video_id} is not among its {len(self.videos)} videos; was "
                f"it queued by another selection?"
            )
        return self._by_id[video_id]

    @cached_property
    def _by_id(self) -> dict[str, QueuedVideo]:
        return {video.video_id: video for video in self.videos}


def write_queue(queue: Queue) -> None:
    """Write ``queue.json`` into the queue's folder, atomically.

    Raises:
        OSError: no permission, disk full.
    """
    values = {f.name: getattr(queue, f.name) for f in fields(queue)}
    del values["folder"]  # a queue may be moved
    values["videos"] = [asdict(video) for video in queue.videos]
    with replacing(queue.folder / "queue.json", "w") as file:
        json.dump({"format": FORMAT, **values}, file, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def read_queue(folder: str | Path) -> Queue:
    """The queue of a folder that :mod:`stabn.knowledge.selection.select` wrote.

    Raises:
        QueueError: no queue there, one of another version, or a damaged one.
    """
    folder = given.path(folder)
    path = folder / "queue.json"
    try:
        values = given.read_json(path)
    except OSError as error:
        raise QueueError(
            f"{path}: cannot be read ({error.strerror}); make a queue with "
            f"notebooks/launch/select.ipynb, or correct the path"
        ) from error
    except ValueError as error:
        raise QueueError(f"{path}: is not JSON ({error}); copy it again") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise QueueError(f"{path}: is no {FORMAT!r}; select again with this version of stabn")
    try:
        queue = TypeAdapter(Queue).validate_python(values | {"folder": folder})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise QueueError(f"{path}: {where}: {first['msg']}; copy it again") from error
    for video in queue.videos:
        if problem := _problem(video, queue):
            shown = reprlib.repr(video.video_id)
            raise QueueError(f"{path}: video {shown}: {problem}; copy it again")
    if len({video.video_id for video in queue.videos}) < len(queue.videos):
        raise QueueError(f"{path}: lists a video twice; copy it again")
    return queue


def _problem(video: QueuedVideo, queue: Queue) -> str | None:
    """What is wrong with an entry whose types are right."""
    if not names_a_file(video.video_id):
        return "its id names no file of the videos' folder"
    if max(video.label, video.predicted) >= len(queue.classes):
        return f"has a class beyond the {len(queue.classes)} listed"
    if not video.sampled or len(video.sampled) % queue.num_frames:
        return f"samples {len(video.sampled)} frames, no multiple of {queue.num_frames}"
    if max(video.sampled) >= video.frames:
        return f"samples frame {max(video.sampled)} of {video.frames}"
    if video.features and not (queue.folder / video.features).resolve().is_relative_to(
        queue.folder.resolve()
    ):
        return f"has its features outside the queue's folder ({video.features})"
    return None


def is_there(folder: Path, key: str) -> bool:
    """Whether ``folder`` holds the queue of that key already; False if there is nothing.

    Raises:
        QueueError: it holds anything else, which is left alone.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    try:
        queue = read_queue(folder)
    except QueueError as error:
        raise QueueError(
            f"{folder}: is in the way, and holds no queue ({error}); give another `out`"
        ) from None
    if queue.key != key:
        made = queue.provenance.get("made", "earlier")
        raise QueueError(
            f"{folder}: holds another queue ({len(queue.videos)} videos, model {queue.model[:8]}, "
            f"made {made}); give another `out`, or remove this folder if nobody edits from it any "
            f"more"
        )
    return True


@contextmanager
def becoming(folder: Path, key: str) -> Iterator[Path]:
    """A folder beside ``folder``, to be filled; on leaving it is renamed to that, or removed.

    What a killed selection of the same key has left is removed first.

    Raises:
        QueueError: no permission, disk full.
    """
    part = folder.with_name(f".{folder.name}.{key[:12]}.part")
    try:
        if part.exists():
            log.info("%s: an unfinished part of this queue, made anew", part)
            shutil.rmtree(part)
        part.mkdir(parents=True)
        yield part
        os.rename(part, folder)
    except OSError as error:
        raise QueueError(
            f"{folder}: the queue could not be written ({error}), and nothing is left of it; free "
            f"some space, set `limit`, or give an `out` where there is room"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
