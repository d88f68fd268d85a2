"""How a process ends: asked by SIGTERM, or with what launched it, and within its patience."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import psutil

LAUNCHER_PID = "STABN_LAUNCHER_PID"  # set by stabn.training.cluster.launch
PATIENCE = 30  # seconds between SIGTERM and SIGKILL, if torchrun's own variable names no others
PATIENCE_NAMED = "TORCH_ELASTIC_SHUTDOWN_TIMEOUT"


def patience() -> int:
    """Seconds between SIGTERM and SIGKILL: in them a step must end and be stored."""
    return int(os.environ.get(PATIENCE_NAMED, PATIENCE))


@contextmanager
def on_sigterm(act: Callable[[], object]) -> Iterator[None]:
    """Within it SIGTERM calls ``act`` and ends nothing.

    Only the main thread can ask for that; in another one SIGTERM stays what it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        act()

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def leave_with_the_launcher() -> None:
    """Take it for SIGTERM when what started this process, torchrun or the notebook, has vanished.

    What they start lives in sessions of its own: a SIGKILL to either would otherwise leave it
    behind, holding its GPU. A process that heeds SIGTERM stores its state; whatever it is at, it
    ends when its patience does.
    """
    parent = os.getppid()
    notebook = int(os.environ.get(LAUNCHER_PID, parent))
    if notebook != parent and psutil.Process(parent).ppid() != notebook:
        os._exit(1)  # the parent had vanished before this process came to look: it has another one
    if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:  # as slurm.sh has the notebook do
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def watch() -> None:
        while os.getppid() == parent and _alive(notebook):
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(patience())
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
