"""The organiser's page: who has done what, how far they agree, export and backup.

It reads the store and writes nothing but files beside it.
"""

import html
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import ipywidgets as widgets
import pandas as pd

from stabn import given
from stabn.knowledge.app.parts import button
from stabn.knowledge.edits.agreement import agreement_table, alpha
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.edits.exchange import write_json, write_npy
from stabn.knowledge.selection.queue import Queue, QueueError, read_queue
from stabn.knowledge.store.database import StoreError
from stabn.knowledge.store.store import Store

STYLE = """<style>
.stabn-report th, .stabn-report td { text-align: left; padding: .1em 1.2em .1em 0; }
.stabn-report td { overflow-wrap: anywhere; }
.stabn-report th { border-bottom: 1px solid currentColor; }
</style>"""
VERDICTS = {
    "edited": "edited",
    "nothing_to_correct": "nothing to correct",
    "cannot_tell": "cannot tell",
    "bad_video": "bad video",
}


def organise(
    store_url: str | Path, queue_folder: str | Path, folder: str | Path | None = None
) -> widgets.Widget:
    """The page, or a sentence that says why there is none.

    Args:
        store_url: where edits are kept, a file or the URL of a database.
        queue_folder: what is worked through.
        folder: where exports and backups go; None for ``exports`` beside the store's file, or
            beside the queue where the store is a database.
    """
    try:
        store, queue = Store(store_url), read_queue(queue_folder)
    except (QueueError, StoreError) as error:
        return widgets.HTML(f"<p>{html.escape(str(error))}</p>")
    if folder is None:
        file = str(store_url).removeprefix("sqlite:///")
        folder = given.path(queue_folder if "://" in file else file).parent / "exports"
    return Organiser(store, queue, given.path(folder))


class Organiser(widgets.VBox):
    """The page itself.

    Attributes:
        message: What the last button did, or why it could not.
        report: The tables.
    """

    def __init__(self, store: Store, queue: Queue, folder: Path):
        self._store, self._queue, self._folder = store, queue, folder
        self.message, self.report = widgets.HTML(), widgets.HTML()
        buttons = [
            button("Refresh", lambda: self._try(self.refresh)),
            button("Export edits", lambda: self._try(self.export)),
            button("Make a backup", lambda: self._try(self.backup)),
        ]
        super().__init__([widgets.HBox(buttons), self.message, self.report])
        self._try(self.refresh)

    def refresh(self) -> str:
        """Read the store again; returns what to say about it."""
        edits, now = self._edits(), datetime.now(UTC)
        self.report.value = report(self._queue, edits, self._store.progress())
        return f"As of {now:%Y-%m-%d %H:%M:%S} UTC"

    def export(self) -> str:
        """Write the latest edits as JSON and in the 2022 editor's format; returns where."""
        folder = self._folder / f"edits-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        edits = self._edits()
        write_json(edits, folder / "edits.json")
        classes = {v.video_id: self._queue.classes[v.label] for v in self._queue.videos}
        for number, annotator in enumerate(sorted({edit.annotator for edit in edits}), start=1):
            own = [edit for edit in edits if edit.annotator == annotator]
            write_npy(own, folder / "npy" / f"{number}-{safe_name(annotator)}", classes)
        return f"{len(edits)} edits are in {folder}"

    def backup(self) -> str:
        """Copy the whole store, all revisions; returns where."""
        path = self._folder / f"backup-{datetime.now(UTC):%Y%m%d-%H%M%S}.sqlite"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._store.backup(path)
        return f"A copy of everything is in {path}"

    def _edits(self) -> list[Edit]:
        """The latest edits of this queue's videos."""
        queued = {video.video_id for video in self._queue.videos}
        return [edit for edit in self._store.edits() if edit.video_id in queued]

    def _try(self, step: Callable[[], str]) -> None:
        try:
            self.message.value = f"<p>{html.escape(step())}</p>"
        except (OSError, StoreError, ValueError) as error:
            self.message.value = f"<p role='alert'><b>{html.escape(str(error))}</b></p>"


def report(queue: Queue, edits: Sequence[Edit], progress: pd.DataFrame) -> str:
    """All tables as HTML, texts escaped.

    Args:
        queue: what is worked through.
        edits: latest edit of each video and annotator.
        progress: as :meth:`stabn.knowledge.store.store.Store.progress` gives it.
    """
    value = alpha(edits)
    other = sum(edit.model != queue.model for edit in edits)
    sentences = [
        f"{len({e.video_id for e in edits})} of {len(queue.videos)} videos are done by somebody, "
        f"{len(edits)} edits by {len({e.annotator for e in edits})} annotators.",
        "Agreement cannot be computed yet: it needs videos that two people edited."
        if math.isnan(value)
        else f"Krippendorff's α over frames is {value:.2f} (1 is full agreement, 0 is chance).",
    ]
    if other:
        sentences.append(
            f"{other} edits were made for another network: their levels stand, the attention that "
            "was shown beside them was another."
        )
    parts = [f"<p>{html.escape(' '.join(sentences))}</p>"]
    for title, table in [
        ("By class", by_class(queue, edits, progress)),
        ("By annotator", by_annotator(edits)),
        ("Agreement by pair", agreement_table(edits)),
        ("Videos set aside", set_aside(edits)),
    ]:
        shown = (
            table.to_html(escape=True, index=False, border=0, float_format="{:.2f}".format)
            if len(table)
            else "<p>none yet</p>"
        )
        parts.append(f"<h2>{title}</h2>{shown}")
    return f"{STYLE}<div class='stabn-report'>{''.join(parts)}</div>"


def by_class(queue: Queue, edits: Sequence[Edit], progress: pd.DataFrame) -> pd.DataFrame:
    """One row a class: its queued videos, and how many are edited, set aside, being worked on."""
    label = {video.video_id: queue.classes[video.label] for video in queue.videos}
    leased = set(progress.loc[progress["leased_by"].astype(bool), "video_id"])
    rows = []
    for text in dict.fromkeys(label.values()):
        videos = {video_id for video_id, own in label.items() if own == text}
        by = {
            verdict: {e.video_id for e in edits if e.verdict == verdict} & videos
            for verdict in VERDICTS
        }
        done = set().union(*by.values())
        rows.append(
            {
                "class": text,
                "videos": len(videos),
                **{name: len(by[verdict]) for verdict, name in VERDICTS.items()},
                "left": len(videos - done),
                "open now": len(videos & leased),
            }
        )
    return pd.DataFrame(rows)


def by_annotator(edits: Sequence[Edit]) -> pd.DataFrame:
    """One row an annotator: what they did, minutes in all, median seconds a video, last seen."""
    rows = []
    for name in sorted({edit.annotator for edit in edits}):
        own = [edit for edit in edits if edit.annotator == name]
        seconds = pd.Series([edit.seconds for edit in own])
        rows.append(
            {
                "annotator": name,
                **{
                    text: sum(edit.verdict == verdict for edit in own)
                    for verdict, text in VERDICTS.items()
                },
                "minutes": seconds.sum() / 60,
                "median s a video": seconds.median(),
                "last (UTC)": f"{max(edit.made for edit in own):%Y-%m-%d %H:%M}",
            }
        )
    return pd.DataFrame(rows)


def set_aside(edits: Sequence[Edit]) -> pd.DataFrame:
    """One row an edit that says "cannot tell" or "bad video"."""
    rows = [
        {"video": e.video_id, "verdict": VERDICTS[e.verdict], "annotator": e.annotator}
        for e in edits
        if e.verdict in ("cannot_tell", "bad_video")
    ]
    return pd.DataFrame(rows)


def safe_name(text: str) -> str:
    """A name as a folder's name: letters and digits stay, the rest is its code in hexadecimal."""
    return "".join(c if c.isalnum() and c.isascii() else f"_{ord(c):x}_" for c in text)
