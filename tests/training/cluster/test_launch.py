"""A launched run streams, fails loudly, and leaves no process behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading

import psutil
import pytest

from stabn.training.cluster.launch import LaunchError, LaunchOptions, from_notebook, launch
from stabn.training.config import ConfigError, RunConfig
from stabn.training.ending import PATIENCE_NAMED
from stabn.training.eval_config import EvalConfig
from tests.training.cluster.launched import PATIENCE, until

WORKER = """
import os, sys, time
from contextlib import nullcontext
from pathlib import Path
from stabn.training.ending import leave_with_the_launcher, on_sigterm

other = Path(__file__).with_name("rank 0 has spoken")
leave_with_the_launcher()
with on_sigterm(lambda: None) if "hang" in sys.argv else nullcontext():
    sys.stdout.write(f"worker {os.getpid()}\\n")  # in one piece: the other rank writes as well
    if os.environ.get("RANK") == "0":
        other.touch()
    elif sys.argv[1:] == ["die"]:
        while not other.exists():  # whose pid the test wants to read
            time.sleep(0.01)
        print("no memory left for rank 1")
        os._exit(7)
    time.sleep(600)
"""


@pytest.fixture
def worker(tmp_path, monkeypatch) -> str:
    """A module that says its pid and sleeps, or dies on rank 1."""
    (tmp_path / "sleepy_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "sleepy_worker"


def pids(said: str) -> list[int]:
    """The workers'; on a busy machine the line may begin with half a sentence of gloo's."""
    return [int(pid) for pid in re.findall(r"worker (\d+)\n", said)]


def gone(pid: int) -> bool:
    """Whether a process has ended; so has a zombie that nobody waits for."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def are_gone(family: list[int]) -> None:
    """Wait until all of them have ended."""
    until(lambda: all(map(gone, family)), f"the end of {family}")


@pytest.mark.slow(3)
def test_a_worker_that_dies_ends_the_run_with_its_last_words(worker, tmp_path, capfd):
    log = tmp_path / "sleepy.log"
    with pytest.raises(LaunchError) as raised:
        launch(worker, ["die"], LaunchOptions(nproc_per_node=2), log=log)
    told = re.match(
        r"sleepy_worker failed: .*\nprocess 1: exit status 7; the last", str(raised.value)
    )
    assert told, raised.value
    assert "no memory left for rank 1" in str(raised.value)
    streamed = capfd.readouterr().out
    assert "no memory left for rank 1" in streamed
    assert "Traceback" not in streamed  # torchrun's own account of it ...
    assert "ChildFailedError" in log.read_text()  # ... is in the log alone
    workers = pids(streamed)
    assert len(workers) == 2
    are_gone(workers)


def heed_interrupts() -> None:
    """What a shell starts in the background ignores them, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow(20)
@pytest.mark.parametrize(
    ("count", "how", "what"),
    [
        *((count, how, []) for count in (1, 2) for how in (signal.SIGINT, signal.SIGKILL)),
        # a step that hangs does not look whether it was asked to end
        *((1, how, ["hang"]) for how in (signal.SIGTERM, signal.SIGKILL)),
    ],
)
def test_no_worker_outlives_the_process_that_launched_it(worker, monkeypatch, count, how, what):
    monkeypatch.setenv(PATIENCE_NAMED, "1")
    code = (
        "from stabn.training.cluster.launch import *;"
        f"launch({worker!r}, {what}, LaunchOptions(nproc_per_node={count}))"
    )
    launcher = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed_interrupts,
    )
    said = ""
    while len(pids(said)) < count:
        line = launcher.stdout.readline()
        assert line, f"the launcher ended before its workers were up: {said}"
        said += line
    family = [child.pid for child in psutil.Process(launcher.pid).children(recursive=True)]
    os.kill(launcher.pid, how)
    launcher.wait(PATIENCE)
    are_gone(pids(said) + family)


def test_several_machines_need_a_place_to_meet():
    with pytest.raises(ConfigError, match=r"rdzv_endpoint.*nnodes > 1"):
        launch("stabn train", [], LaunchOptions(nnodes=2))


def test_a_taken_port_is_told_before_anything_is_started(capfd):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server_says = threading.Thread(target=lambda: server.accept()[0].sendall(b"ready\n"))
        server_says.start()
        options = LaunchOptions(nnodes=2, rdzv_endpoint=f"127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(ConfigError, match=r"rdzv_endpoint: the port of .* another program"):
            launch("stabn train", [], options)
        server_says.join()
    assert "torch" not in capfd.readouterr().out


class TestFromNotebook:
    """A notebook's plain values are its parameters; names that were there before are not."""

    before = frozenset({"In", "Out", "pd", "version"})

    def test_they_are_sorted_out_and_validated(self):
        names = {
            **{"In": ["x"], "version": "1", "pd": sys},  # there before
            **{
                "_": 3,
                "_i": "",
                "_i12": "x",
                "_3": 4,
                "__annotations__": {},
                "_dh": [],
            },  # IPython's
            **{"name": "x", "lr": "1e-3", "fusion_relu": "true", "nproc_per_node": "2"},
        }
        config, options = from_notebook(RunConfig, names, set(self.before))
        assert (config.name, config.lr, config.fusion_relu) == ("x", 1e-3, True)
        assert options == LaunchOptions(nproc_per_node=2)

    def test_a_cell_can_be_run_again(self):
        names = {"name": "x", "lr": 0.1}
        first = from_notebook(RunConfig, names, set(self.before))
        names |= {"config": first[0], "options": first[1]}
        assert from_notebook(RunConfig, names, set(self.before)) == first
        assert from_notebook(RunConfig, names, set(names)) == first  # all cells, in a used kernel

    @pytest.mark.parametrize("unknown", ["split", "learning_rate", "_private"])
    def test_an_unknown_one_is_refused(self, unknown):
        with pytest.raises(ConfigError, match=f"parameters of this notebook: .*'{unknown}'"):
            from_notebook(RunConfig, {"name": "x", unknown: 1}, set(self.before))

    def test_an_impossible_value_is_refused(self):
        with pytest.raises(ConfigError, match="nproc_per_node"):
            from_notebook(EvalConfig, {"run": "runs/x", "nproc_per_node": 0}, set())
