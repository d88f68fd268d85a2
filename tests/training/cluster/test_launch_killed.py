"""A launched run that is killed from outside says which process it was, and by which signal."""

import os
import re
import signal
import threading

import psutil
import pytest

from stabn.training.cluster.launch import LaunchError, LaunchOptions, launch

pytestmark = pytest.mark.slow(15)

WORKER = """
import os, sys, time
from stabn.training.ending import leave_with_the_launcher

leave_with_the_launcher()
sys.stdout.write(f"worker {os.environ.get('RANK', 0)} is up\\n")
time.sleep(120)
"""


def victim(who: str) -> psutil.Process | None:
    """torchrun, or the worker with that rank, among this process's descendants."""
    for process in psutil.Process().children(recursive=True):
        try:
            command = process.cmdline()
            if "sleepy_worker" not in command:
                continue
            torchrun = "torch.distributed.run" in command
            rank = None if torchrun else process.environ().get("RANK", "0")
        except psutil.Error:
            continue
        if who == "torchrun" if torchrun else who == f"process {rank}":
            return process
    return None


@pytest.mark.parametrize(
    ("count", "who", "how", "hint"),
    [
        (1, "process 0", signal.SIGKILL, r" \(for want of memory\?.*\)"),
        (1, "process 0", signal.SIGTERM, ""),
        (2, "process 1", signal.SIGKILL, r" \(for want of memory\?.*\)"),
        (2, "process 0", signal.SIGTERM, ""),
        (2, "torchrun", signal.SIGKILL, r" \(for want of memory\?.*\)"),
        (2, "torchrun", signal.SIGTERM, ""),
    ],
)
def test_the_error_names_the_victim_and_the_signal(
    tmp_path, monkeypatch, capfd, count, who, how, hint
):
    (tmp_path / "sleepy_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    struck = threading.Event()

    def strike() -> None:
        said = ""
        while not struck.wait(0.05):
            said += capfd.readouterr().out
            if all(f"worker {rank} is up" in said for rank in range(count)):
                os.kill(victim(who).pid, how)
                struck.set()

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        with pytest.raises(LaunchError) as raised:
            launch("sleepy_worker", [], LaunchOptions(nproc_per_node=count))
    finally:
        struck.set()
        thread.join()
    first = str(raised.value).splitlines()[0]
    assert re.fullmatch(f"sleepy_worker failed: {who} was killed by {how.name}{hint}", first)
