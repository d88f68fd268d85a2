"""What is there before it is served: the queue and the store, wherever they lie."""

from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from stabn import given
from stabn.errors import UserError
from stabn.knowledge.selection.queue import QueueError, read_queue


class ServeError(UserError):
    """The pages cannot be served; the message names the remedy."""


def look(queue_folder: Path, store: str) -> list[str]:
    """One line on the queue and one on the store.

    Raises:
        ServeError: there is no queue, or it cannot be read.
    """
    try:
        queue = read_queue(queue_folder)
    except QueueError as error:
        run = queue_folder.parent
        raise ServeError(
            f"{error}. A queue is made from a trained run:\n  papermill "
            f"notebooks/launch/select.ipynb {run}/select.ipynb -p run {run}"
        ) from error
    classes = len({video.label for video in queue.videos})
    lines = [f"queue:       {queue_folder}, {len(queue.videos)} videos of {classes} classes"]
    file = store_file(store)
    if file is None:
        return [*lines, f"store:       {make_url(store).render_as_string()}"]
    return [*lines, f"store:       {file}, {'there' if file.exists() else 'made when first used'}"]


def store_file(store: str) -> Path | None:
    """The file of an SQLite store, absolute; None for a store on a database server.

    Raises:
        ServeError: neither a path nor the address of a database.
    """
    if "://" not in store:
        return given.path(store).resolve()
    try:
        url = make_url(store)
    except (ArgumentError, ValueError) as error:
        raise ServeError(f"{store.split('@')[-1]}: is no address of a database") from error
    if not (url.drivername.startswith("sqlite") and url.database):
        return None
    return given.path(url.database).resolve()


def absolute(store: str) -> str:
    """The store as kernels, which work in another folder, can open it."""
    file = store_file(store)
    return store if file is None else str(file)
