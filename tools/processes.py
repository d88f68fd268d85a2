"""The processes of a build, and theirs: they bear a mark, so that none outlives the build unseen.

A process hands its environment down. So what a killed build left behind can be told from all else,
whoever its parent is by now.
"""

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

MARK = "STABN_BUILD"
PATIENCE = 10  # seconds between SIGTERM and SIGKILL: a training run stores its state meanwhile


class Processes:
    """What runs on behalf of builds that keep their files in ``folder``."""

    def __init__(self, folder: Path):
        self._mark = str(folder.resolve())
        self._lock = threading.Lock()
        self._over = False

    def start(self, command: Sequence[str], *, env: dict[str, str], **options) -> subprocess.Popen:
        """Start a command that bears the mark and does not hear the terminal's Ctrl-C itself.

        Raises:
            RuntimeError: the build is ending.
        """
        with self._lock:
            if self._over:
                raise RuntimeError("the build is ending: nothing is started any more")
            env = env | {MARK: self._mark}
            return subprocess.Popen(command, env=env, start_new_session=True, **options)

    def close(self) -> None:
        """Start nothing any more, and end all that runs."""
        with self._lock:
            self._over = True
        self.end()

    def end(self, patience: float = PATIENCE) -> int:
        """End all that bears the mark, from whatever build: SIGTERM, then SIGKILL; how many."""
        ended = 0
        while found := self.running():
            ended += len(found)
            for process in found:
                _quietly(process.terminate)
            for process in self._outlasting(found, patience):
                _quietly(process.kill)
            self._outlasting(found, patience)
        return ended

    def _outlasting(self, found: list[psutil.Process], patience: float) -> list[psutil.Process]:
        """Those that live on after ``patience`` seconds, or none as soon as none does.

        psutil's own wait would take a child's exit status, and its step then passes for a success.
        """
        until = time.monotonic() + patience
        while (alive := [p for p in found if self._is_ours(p)]) and time.monotonic() < until:
            time.sleep(0.05)
        return alive

    @property
    def over(self) -> bool:
        """Whether the build is ending."""
        return self._over

    def running(self) -> list[psutil.Process]:
        """Living processes that bear the mark."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return (
                process.pid != os.getpid()
                and process.environ().get(MARK) == self._mark
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except (psutil.Error, OSError):  # ended meanwhile, or another user's
            return False


def _quietly(act) -> None:
    try:
        act()
    except psutil.Error:  # it has ended meanwhile
        return
