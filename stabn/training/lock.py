"""A folder belongs to one run at a time.

The mark of whoever works in it is the file ``.lock`` with host, process and time, which a thread
touches now and then: a lease. It needs no locks of the file system, which many a cluster's has not.
The mark of a process that has gone is taken over at once; one of another machine, where nobody here
can look, when it has not been touched for ``LEASE`` seconds.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import LeaseCompromise, SoftFileLease, Timeout

from stabn.training.config import ConfigError
from stabn.training.files import no_empty_folders
from stabn.training.process import Process, agreeing

log = logging.getLogger(__name__)

LEASE = 30.0  # seconds; all who meet in a folder must agree on it


@contextmanager
def holding(folder: Path, me: Process, mark: Path | None = None) -> Iterator[None]:
    """Hold a folder for all processes of a run, as :func:`held`: rank 0 does; a collective call."""
    with ExitStack() as stack:
        with agreeing(me):
            if me.is_main:
                stack.enter_context(held(folder, mark))
        yield


@contextmanager
def held(folder: Path, mark: Path | None = None) -> Iterator[None]:
    """Hold a folder for this process. Where no mark can be made, the log says so.

    Whoever holds it is waited for a while: it may be storing its last step, its launcher gone.

    Args:
        folder: what is worked on.
        mark: another one than ``.lock`` in the folder, where that is yet to appear.

    Raises:
        ConfigError: another process goes on working on it; the message names it and its host.
    """
    mark = mark or folder / ".lock"
    lock = SoftFileLease(mark, lease_duration=LEASE, on_compromise=_lost)
    with no_empty_folders(mark.parent):
        try:
            _acquire(lock, folder)
        except Timeout:
            remedy = "wait until it has ended, or choose another name"
            raise ConfigError(f"{_busy(folder, mark)}; {remedy}") from None
        except OSError as error:
            if os.path.exists(mark):  # another user's
                raise ConfigError(f"{_busy(folder, mark)}; if not, delete {mark}") from None
            log.warning(
                "%s cannot be locked (%s): see to it that nothing else works in it",
                *(folder, error.strerror or error),
            )
        try:
            yield
        finally:
            lock.release()


def _acquire(lock: SoftFileLease, folder: Path) -> None:
    mark = Path(lock.lock_file)
    try:
        lock.acquire(timeout=0.2)  # enough to take over from a process that has gone
    except Timeout:
        log.info("%s; waiting for its end", _busy(folder, mark))
        lock.acquire(timeout=1.2 * LEASE)
    with suppress(OSError), open(mark, "a", encoding="utf-8") as file:
        file.write(f"since={datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n")  # filelock passes it over


def _busy(folder: Path, mark: Path) -> str:
    """Who is at work in a folder, as its mark says."""
    try:
        lines = mark.read_text(encoding="utf-8").splitlines()
    except OSError:  # it has just let go
        lines = []
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    host = said.get("host", "?").partition("?")[0] or "an unknown host"
    who = f"process {said.get('pid', 'unknown')} on {host}"
    return f"{folder}: {who} has been at work in it since {said.get('since', 'an unknown time')}"


def _lost(loss: LeaseCompromise) -> None:
    """Another process has the folder: this one was silent for long, suspended perhaps."""
    log.error("%s is lost (%s): another process may be at work there", loss.lock_file, loss.reason)
    if loss.reason == "owner-changed":
        sys.stdout.flush()
        os._exit(1)  # whatever it stored now would be mixed with the other's
