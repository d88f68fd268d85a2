"""The organiser's page: who has done what, with which care, whose word counts, export and backup.

It changes nothing in the store but whose word counts.
"""

import asyncio
import html
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import ipywidgets as widgets

from stabn import given
from stabn.errors import UserError
from stabn.knowledge.app import exports
from stabn.knowledge.app.compare import compared
from stabn.knowledge.app.deciding import NOBODY, Deciding, offer
from stabn.knowledge.app.parts import button, row
from stabn.knowledge.app.report import CARE, care_report, progress_report
from stabn.knowledge.edits.care import MEASURES, signs
from stabn.knowledge.selection.queue import Queue, QueueError, read_queue
from stabn.knowledge.store.database import StoreError
from stabn.knowledge.store.store import Store

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
        message: What the last button did, or why it could not.
        report: Progress and agreement.
        care: Signs of carelessness, sorted by what `sort` says.
        video: Which one is looked at in `seen`.
        deciding: Whose word counts.
    """

    def __init__(self, store: Store, queue: Queue, folder: Path, *, served_at: str = ""):
        self._store, self._queue, self._folder = store, queue, folder
        self.message, self.report, self.care = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.sort = widgets.Dropdown(
            options=["annotator", *MEASURES],
            value="unchanged",
            description="Sort by",
            layout={"margin": "1em 0 0"},
        )
        self.video = widgets.Dropdown(description="Video", layout={"width": "min(40em, 100%)"})
        self.seen = widgets.HTML()
        self.deciding = Deciding(store, self._decide)
        self.sort.observe(lambda _: self._try(self.refresh), "value")
        self.video.observe(lambda _: self._try(self.look), "value")
        steps = {
            "Refresh": self.refresh,
            "Write exports beside the store": self.export,
            "Make a backup beside the store": self.backup,
        }
        buttons = [button(name, lambda s=step: self._try(s)) for name, step in steps.items()]
        super().__init__(
            [
                row(*buttons, *([widgets.HTML(_downloads(served_at))] if served_at else [])),
                self.message,
                self.report,
                widgets.HTML(f"<h2>Who takes care</h2><p>{CARE}</p>"),
                self.sort,
                self.care,
                widgets.HTML("<h2>A video with everybody's levels</h2>"),
                self.video,
                self.seen,
                self.deciding,
            ]
        )
        self._try(self.refresh)
        self._keep_looking()

    def refresh(self) -> str:
        """Read queue and store again; returns what to say about it."""
        self._queue = read_queue(self._queue.folder)
        edits, aside, now = *self._edits(), datetime.now(UTC)
        self.report.value = progress_report(self._queue, edits, self._store.progress())
        self.care.value = care_report(signs(edits, self._store.gold.edits()), self.sort.value)
        classes = self._queue.classes
        videos = [(f"{v.video_id}: {classes[v.label]}", v.video_id) for v in self._queue.videos]
        offer(self.video, [NOBODY, *videos])
        self.deciding.refresh(edits + aside)
        return f"As of {now:%Y-%m-%d %H:%M:%S} UTC"

    def look(self) -> str:
        """Show the chosen video with everybody's levels; returns what to say about it."""
        self.seen.value = ""
        if not self.video.value:
            return ""
        everybody = *self._edits(), self._store.gold.edits()
        self.seen.value = compared(self._queue, self.video.value, *everybody)
        return f"Video {self.video.value} is shown below"

    def export(self) -> str:
        """Write what counts of the edits in every format; returns where."""
        folder = self._folder / exports.stamped("edits")
        count, (_, aside) = exports.write(self._store, self._queue, folder), self._edits()
        less = f"; {len(aside)} are set aside, and not among them" if aside else ""
        return f"{count} edits are in {folder}{less}"

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
            said = f"{step()}. {self.refresh()}"
            self.look()
            return said

        self._try(do)

    def _try(self, step: Callable[[], str], *, silent: bool = False) -> None:
        try:
            said = f"<p role='status'>{html.escape(step())}</p>"
        except (OSError, UserError, ValueError) as error:
            said = f"<p role='alert'><b>{html.escape(str(error))}</b></p>"
            silent = False
        if not silent:
            self.message.value = said

    def _keep_looking(self) -> None:
        """See what is new, without anybody asking; only what differs is sent to the page."""

        async def keep() -> None:
            while True:
                await asyncio.sleep(EVERY)
                self._try(self.refresh, silent=True)

        try:
            self._looking = asyncio.get_running_loop().create_task(keep())
        except RuntimeError:  # outside a kernel nobody waits for it
            self._looking = None


def _downloads(served_at: str) -> str:
    """Links to what :mod:`stabn.knowledge.app.downloads` makes when it is asked for."""
    links = {"exports.zip": "all exports", "backup.sqlite": "a backup"}
    return "Download: " + ", ".join(
        f"<a href='{html.escape(served_at)}download/{file}' download><u>{words}</u></a>"
        for file, words in links.items()
    )
