"""Files that the organiser's browser asks for, made in that moment from the store."""

import asyncio
import os
import tempfile
from pathlib import Path

from jupyter_server.base.handlers import JupyterHandler
from tornado.web import authenticated

from stabn.errors import UserError
from stabn.knowledge.app import exports
from stabn.knowledge.selection.queue import read_queue
from stabn.knowledge.store.store import Store


def exports_zip(store: Store, queue: str, folder: Path) -> Path:
    """All exports, as one zip file in a folder."""
    exports.write(store, read_queue(queue), folder / "edits")
    return exports.zipped(folder / "edits")


def backup_sqlite(store: Store, queue: str, folder: Path) -> Path:
    """The whole store, all revisions, as one file in a folder."""
    store.backup(folder / "backup.sqlite")
    return folder / "backup.sqlite"


FILES = {"exports.zip": exports_zip, "backup.sqlite": backup_sqlite}


class Download(JupyterHandler):
    """One of :data:`FILES`, of the store and the queue that are served."""

    @authenticated
    async def get(self, name: str) -> None:
        """The file, under a name with the time; or 503 and, in a line, what is in the way."""
        try:
            content = await asyncio.to_thread(self._made, name)
        except (OSError, UserError) as error:
            self.set_status(503)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(f"{error}\n")
            return
        stem, suffix = name.split(".")
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header(
            "Content-Disposition", f'attachment; filename="{exports.stamped(stem)}.{suffix}"'
        )
        self.finish(content)

    @staticmethod
    def _made(name: str) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            store = Store(os.environ["STABN_STORE"])
            return FILES[name](store, os.environ["STABN_QUEUE"], Path(folder)).read_bytes()
