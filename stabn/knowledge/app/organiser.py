"""The organiser's page: who has done what, with which care, whose word counts, export and backup.

It changes nothing in the store but whose word counts.
"""

import asyncio
import html
import shlex
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import ipywidgets as widgets

from stabn import given
from stabn.errors import UserError
from stabn.knowledge.app import exports
from stabn.knowledge.app.compare import compared
from stabn.knowledge.app.deciding import NOBODY, Deciding, by_number, offer
from stabn.knowledge.app.parts import button, row
from stabn.knowledge.app.report import CARE, care_report, progress_report
from stabn.knowledge.app.times import marked, stamp
from stabn.knowledge.edits.care import MEASURES, signs
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.selection.queue import Queue, QueueError, read_queue
from stabn.knowledge.store.database import StoreError
from stabn.knowledge.store.store import Store
from stabn.words import counted

EVERY = 20.0  # seconds between two looks for what is new


def organise(
    store_url: str | Path,
    queue_folder: str | Path,
    folder: str | Path | None = None,
    *,
    served_at: str = "",
) -> widgets.Widget:
    """The page, or a sentence that says why there is none.

    Args:
        store_url: where edits are kept, a file or the URL of a database.
        queue_folder: what is worked through.
        folder: where exports and backups go; None for ``exports`` beside the store's file, or
            beside the queue where the store is a database.
        served_at: path of the served page, below which files can be downloaded; "" where no
            server of ours shows it.
    """
    try:
        store, queue = Store(store_url), read_queue(queue_folder)
    except (QueueError, StoreError) as error:
        return widgets.HTML(f"<p>{html.escape(str(error))}</p>")
    if folder is None:
        file = str(store_url).removeprefix("sqlite:///")
        folder = given.path(queue_folder if "://" in file else file).parent / "exports"
    return Organiser(store, queue, given.path(folder), served_at=served_at)


class Organiser(widgets.VBox):
    """The page itself.

    Attributes:
        as_of: When store and queue were read last, or why they cannot be.
        message: What the last export or backup did, or why it could not.
        report: Progress and agreement.
        care: Signs of carelessness, sorted by what `sort` says.
        video: Which one is looked at in `seen`, those that somebody answered first.
        deciding: Whose word counts.
    """

    def __init__(self, store: Store, queue: Queue, folder: Path, *, served_at: str = ""):
        self._store, self._queue, self._folder = store, queue, folder
        self.as_of, self.message = widgets.HTML(), widgets.HTML()
        self.report, self.care = widgets.HTML(), widgets.HTML()
        self.sort = widgets.Dropdown(
            options=["annotator", *MEASURES],
            value="unchanged",
            description="Sort by",
            layout={"margin": "1em 0 0"},
        )
        self.video = widgets.Dropdown(description="Video", layout={"width": "min(40em, 100%)"})
        self.seen, self._looked = widgets.HTML(), widgets.HTML()
        self.deciding = Deciding(store, self._decide)
        self.sort.observe(lambda _: self._try(self.refresh, self.as_of), "value")
        self.video.observe(self._look, "value")
        steps = {
            "Refresh": (self.refresh, self.as_of),
            "Write exports beside the store": (self.export, self.message),
            "Make a backup beside the store": (self.backup, self.message),
        }
        buttons = [button(name, lambda s=step: self._try(*s)) for name, step in steps.items()]
        super().__init__(
            [
                row(*buttons, *([widgets.HTML(_downloads(served_at))] if served_at else [])),
                self.as_of,
                self.message,
                self.report,
                widgets.HTML(f"<h2>Who takes care</h2><p>{CARE}</p>"),
                self.sort,
                self.care,
                widgets.HTML("<h2>A video with everybody's levels</h2>"),
                self.video,
                self._looked,
                self.seen,
                self.deciding,
                widgets.HTML(_commands(store.name)),
            ]
        )
        self._try(self.refresh, self.as_of)
        self._keep_looking()

    def refresh(self) -> str:
        """Read queue and store again; returns what to say about it."""
        self._queue = read_queue(self._queue.folder)
        edits, aside, now = *self._edits(), datetime.now(UTC)
        self.report.value = progress_report(self._queue, edits, self._store.progress(), aside)
        self.care.value = care_report(signs(edits, self._store.gold.edits()), self.sort.value)
        self._offer_videos(edits + aside)
        self.deciding.refresh(edits + aside)
        return f"As of {stamp(now)}"

    def look(self) -> str:
        """Show the chosen video with everybody's levels; returns what to say about it."""
        self.seen.value = ""
        if self.video.value:
            everybody = *self._edits(), self._store.gold.edits()
            self.seen.value = compared(self._queue, self.video.value, *everybody)
        return ""

    def export(self) -> str:
        """Write what counts of the edits in every format; returns where."""
        folder = self._folder / exports.stamped("edits")
        count, (_, aside) = exports.write(self._store, self._queue, folder), self._edits()
        less = f"; {len(aside)} set aside, and not among them" if aside else ""
        return f"{counted(count, 'answer')} written to {folder}{less}"

    def backup(self) -> str:
        """Copy the whole store, all revisions; returns where."""
        path = self._folder / f"{exports.stamped('backup')}.sqlite"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._store.backup(path)
        return f"A copy of everything is in {path}"

    def _edits(self) -> tuple[list, list]:
        """Of this queue's videos: what counts, and what is set aside."""
        both = self._store.edits(), self._store.excluded()
        return tuple(exports.of_queue(edits, self._queue) for edits in both)

    def _decide(self, step: Callable[[], str]) -> None:
        def do() -> str:
            said = step()
            self._try(self.refresh, self.as_of, role="note")
            self._look()
            return said

        self._try(do, self.deciding.answer)

    def _look(self, _=None) -> None:
        self._try(self.look, self._looked)

    def _offer_videos(self, edits: Sequence[Edit]) -> None:
        """Those that somebody answered first, and by whom; the one that is looked at stays."""
        by = defaultdict(list)
        for edit in edits:
            by[edit.video_id].append(edit.annotator)
        options = []
        for video in sorted(
            self._queue.videos, key=lambda v: (v.video_id not in by, by_number(v.video_id))
        ):
            who = f" ({', '.join(sorted(by[video.video_id]))})" if video.video_id in by else ""
            text = f"{video.video_id}: {self._queue.classes[video.label]}{who}"
            options.append((text, video.video_id))
        self.video.unobserve(self._look, "value")
        offer(self.video, [NOBODY, *options])
        self.video.observe(self._look, "value")

    def _try(self, step: Callable[[], str], answer: widgets.HTML, *, role: str = "status") -> None:
        """Do a step and say in `answer` what it returns; `role` "note" reads nothing aloud."""
        try:
            said = html.escape(step())
            answer.value = f"<p role='{role}'>{marked(said)}</p>" if said else ""
        except (OSError, UserError, ValueError) as error:
            said = html.escape(str(error).removeprefix(f"{self._store.name}: "))
            answer.value = f"<p role='alert'><b>{said}</b></p>"

    def _keep_looking(self) -> None:
        """See what is new, without anybody asking; only what differs is sent to the page."""

        async def keep() -> None:
            while True:
                await asyncio.sleep(EVERY)
                self._try(self.refresh, self.as_of, role="note")

        try:
            self._looking = asyncio.get_running_loop().create_task(keep())
        except RuntimeError:  # outside a kernel nobody waits for it
            self._looking = None


def _commands(store: str) -> str:
    """What is done beside this page, at the command line."""
    name = html.escape(shlex.quote(store))
    return (
        "<h2>At the command line</h2><p>Name videos whose levels an expert knows (gold), in place "
        f"of those named before: <code>stabn gold {name} expert.json</code>. Bring in edits from "
        f"files: <code>stabn import {name} FILE_OR_FOLDER</code>.</p>"
    )


def _downloads(served_at: str) -> str:
    """Links to what :mod:`stabn.knowledge.app.downloads` makes when it is asked for."""
    links = {"exports.zip": "all exports", "backup.sqlite": "a backup"}
    return "Download: " + ", ".join(
        f"<a href='{html.escape(served_at)}download/{file}' download><u>{words}</u></a>"
        for file, words in links.items()
    )
