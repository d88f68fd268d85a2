"""A launch notebook's cell as a process of its own, on a machine of its own, and what it leaves."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from stabn.training.checkpoint import read
from stabn.training.config import RunConfig, write_config
from tests.journals import untimed

PATIENCE = 300  # seconds for what takes a few on a quiet machine

CELL = """
import sys
from stabn.training.cluster import machines
from stabn.training.config import read_config
from stabn.training.cluster.launch import LaunchOptions, launch_config

machines.LOST_AFTER, machines.GRACE = int(sys.argv[3]), 3
options = LaunchOptions(nnodes=2, rdzv_endpoint=sys.argv[2])
launch_config("stabn train", read_config(sys.argv[1]), options)
"""


def until(
    condition: Callable[[], object], what: str, seconds: float = PATIENCE, every: float = 0.1
) -> None:
    """Wait for a condition; fail with ``what`` was waited for when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(every)


class Launched:
    """A started launch; what it prints goes to ``path``."""

    def __init__(self, prefix: Sequence[str], config: RunConfig, path: Path, *given: str) -> None:
        write_config(config, path.with_suffix(".yaml"))
        self.path = path
        with path.open("w") as file:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-u", "-c", CELL, str(path.with_suffix(".yaml")), *given],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )

    def said(self) -> str:
        """All that was printed up to now."""
        return self.path.read_text()

    def until(self, words: str) -> None:
        """Wait until something was printed."""
        ended = lambda: self.process.poll() is not None  # noqa: E731
        until(lambda: words in self.said() or ended(), f"{words!r} in {self.path}")
        assert words in self.said(), self.said()

    def ends(self) -> int:
        """Wait for the end; the exit status."""
        until(lambda: self.process.poll() is not None, f"the end of {self.path}")
        return self.process.returncode


def weights(config: RunConfig, which: str = "last") -> dict[str, torch.Tensor]:
    """The weights that a run has stored."""
    return read(config.folder / f"{which}.pt")["model"]


def same(a: RunConfig, b: RunConfig) -> bool:
    """Whether two runs have ended with the same weights, bit for bit, by the same figures."""
    told = [untimed(c.folder / "metrics.jsonl") for c in (a, b)]
    pairs = [(weights(a, which), weights(b, which)) for which in ("last", "best")]
    return told[0] == told[1] and all(
        x.keys() == y.keys() and all(torch.equal(x[n], y[n]) for n in x) for x, y in pairs
    )
