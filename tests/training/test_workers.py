"""A loader's workers: who starts them, whom they obey, when they end."""

import signal
import subprocess
import sys

import psutil
import pytest

from tests.training.cluster.launched import PATIENCE

pytestmark = pytest.mark.slow(30)

RANK = """
import sys
import torch
from torch.utils.data import DataLoader
from stabn.training.process import joined, obey_parent_alone, worker_context

if __name__ == "__main__":
    with joined():
        loader = DataLoader(
            torch.arange(1000),
            num_workers=2,
            multiprocessing_context=worker_context(),
            worker_init_fn=obey_parent_alone,
        )
        for (number,) in loader:
            print(int(number), flush=True)
            sys.stdin.readline()
"""


@pytest.fixture
def rank(tmp_path):
    """A process with two workers; it reads a number for every line that it is sent."""
    script = tmp_path / "rank.py"
    script.write_text(RANK)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "0\n"
    yield process
    process.kill()
    process.communicate()


def family(process: subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def ask(process: subprocess.Popen) -> str:
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline()


def test_they_are_forked_from_a_server_and_not_beside_threads_of_the_network(rank):
    direct = psutil.Process(rank.pid).children()
    (server,) = [child for child in direct if "forkserver" in " ".join(child.cmdline())]
    assert len(server.children()) == 2
    assert not [child for child in direct if child.children() and child != server]


def test_sigterm_to_everything_around_the_process_ends_nothing(rank):
    for member in family(rank):
        member.terminate()
    assert [ask(rank) for _ in range(20)] == [f"{number}\n" for number in range(1, 21)]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_they_end_with_their_process(rank, how):
    members = family(rank)
    assert len(members) >= 2
    rank.send_signal(how)
    rank.wait(PATIENCE)
    assert not psutil.wait_procs(members, timeout=PATIENCE)[1]


def test_one_that_is_lost_ends_the_process_with_the_cause(rank):
    worker = next(m for m in family(rank) if not m.children() and m.num_threads() > 1)
    worker.kill()
    while ask(rank):
        pass
    _, said = rank.communicate(timeout=PATIENCE)
    assert rank.returncode == 1
    assert "ConfigError: workers: a process that reads videos was lost" in said


def test_a_server_that_is_lost_ends_them_all(rank):
    members = family(rank)
    next(m for m in members if m.children()).kill()
    while ask(rank):
        pass
    _, said = rank.communicate(timeout=PATIENCE)
    assert rank.returncode == 1
    assert "ConfigError: workers: a process that reads videos was lost" in said
    assert not psutil.wait_procs(members, timeout=PATIENCE)[1]
