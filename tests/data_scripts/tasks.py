"""What a worker may be asked to do, and what may become of it."""

import ctypes
import os
import signal


def do(task: str) -> str:
    """Answer, or end in one of the ways in which a decoder does."""
    if task == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if task == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "hang":
        ctypes.PyDLL(None).pause()  # outside Python, and never letting go of its lock
    if task == "raise":
        raise ValueError("a mistake of ours")
    if task == "exit":
        os._exit(3)
    return task.upper()
