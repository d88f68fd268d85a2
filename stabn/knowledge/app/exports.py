"""What the organiser takes home: edits in three formats, who made them, or all of the store."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from stabn.knowledge.edits.care import signs
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.edits.exchange import folder_of, write_json, write_npy
from stabn.knowledge.selection.queue import Queue
from stabn.knowledge.store.store import Store
from stabn.training.files import replacing


def write(store: Store, queue: Queue, folder: Path) -> int:
    """Write what counts of a queue's edits: JSON, the 2022 editor's format, tables as CSV.

    The tables are of all; the other formats, which networks learn from, go without gold.

    Args:
        store: where the edits are.
        queue: of whose videos.
        folder: gets ``edits.json``, ``edits.csv``, ``annotators.csv``, ``decisions.csv`` (who was
            set aside, and is not among the others) and, for each annotator, a folder in ``npy/``;
            ``gold.json`` where something is known.

    Returns:
        How many edits ``edits.json`` holds.

    Raises:
        OSError: a file cannot be written.
        StoreError: the store cannot be read.
    """
    edits = of_queue(store.edits(), queue)
    classes = {video.video_id: queue.classes[video.label] for video in queue.videos}
    lessons, gold = store.gold.lessons(edits), of_queue(store.gold.edits(), queue)
    write_json(lessons, folder / "edits.json")
    if gold:
        write_json(gold, folder / "gold.json")
    tables = {
        "edits": listed(edits, classes),
        "annotators": signs(edits, gold),
        "decisions": pd.DataFrame(map(asdict, store.exclusions())),
    }
    for name, table in tables.items():
        with replacing(folder / f"{name}.csv", "w") as file:
            table.map(harmless).to_csv(file, index=False)
    for number, annotator in enumerate(sorted({edit.annotator for edit in lessons}), start=1):
        own = [edit for edit in lessons if edit.annotator == annotator]
        write_npy(own, folder / "npy" / folder_of(number, annotator), classes)
    return len(lessons)


def of_queue(edits: Sequence[Edit], queue: Queue) -> list[Edit]:
    """Those edits that are of the queue's videos."""
    queued = {video.video_id for video in queue.videos}
    return [edit for edit in edits if edit.video_id in queued]


def stamped(what: str) -> str:
    """A name with the time (UTC) to the second."""
    return f"{what}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def zipped(folder: Path) -> Path:
    """A zip file of a folder's content, beside it."""
    return Path(shutil.make_archive(str(folder), "zip", folder))


def listed(edits: Sequence[Edit], classes: dict[str, str]) -> pd.DataFrame:
    """One row an edit: all but its levels, of which the number that differs from what was shown."""
    rows = [
        {
            "video": edit.video_id,
            "class": classes[edit.video_id],
            "annotator": edit.annotator,
            "verdict": edit.verdict,
            "frames": edit.frames,
            "changed": sum(a != b for a, b in zip(edit.levels, edit.attention, strict=False)),
            "seconds": edit.seconds,
            "made": edit.made.isoformat(),
            "model": edit.model,
        }
        for edit in edits
    ]
    return pd.DataFrame(rows)


def harmless(value: object) -> object:
    """A text that no spreadsheet takes for a formula: names and classes are typed by anyone."""
    risky = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if risky else value
