"""Processes that work together, announced as torchrun announces them, without its own start.

They are forked from a server that has imported PyTorch, as a loader's workers are, which takes a
fifth of torchrun's time: what `launch` and torchrun do is for the tests of `training/cluster`.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import torch
from torch.distributed import TCPStore

from stabn.__main__ import main
from stabn.training import process
from stabn.training.config import Strict, write_config
from stabn.training.process import obey_parent_alone, worker_context

PATIENCE = 300  # seconds for what takes a few on a quiet machine
IMPORTED = (  # by the server, for every process: most of what its start would take
    *process.PRELOADED,
    *("stabn.training.train", "stabn.knowledge.finetuning.finetune"),
    *("torch._dynamo", "torch.utils.tensorboard"),
)


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit status, and all that it printed."""

    status: int
    said: str


def side_by_side(count: int, work: Callable[..., object], *arguments: object) -> list[Ended]:
    """Call a function of a module, with these arguments, in so many processes; one end a rank.

    Raises:
        AssertionError: a process did not end.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    with tempfile.TemporaryDirectory() as place:
        said = [Path(place) / f"{rank}.txt" for rank in range(count)]
        with mock.patch.object(process, "PRELOADED", IMPORTED):
            server = worker_context()
        ranks = [
            server.Process(target=_work, args=(rank, count, store.port, path, work, arguments))
            for rank, path in enumerate(said)
        ]
        for rank in ranks:
            rank.start()
        for rank in ranks:
            rank.join(PATIENCE)
        late = [rank.kill() for rank in ranks if rank.is_alive()]
        told = [path.read_text() for path in said]
        assert not late, told
        return [Ended(p.exitcode, text) for p, text in zip(ranks, told, strict=True)]


def _work(rank: int, count: int, port: int, said: Path, work: Callable, arguments: tuple) -> None:
    obey_parent_alone()  # no process outlives the test
    file = os.open(said, os.O_WRONLY | os.O_CREAT)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(file, stream.fileno())
    torch.set_num_threads(1)
    announced = {"RANK": rank, "WORLD_SIZE": count, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": count}
    announced |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    # the store is the launcher's, as torchrun's is
    announced |= {"TORCHELASTIC_USE_AGENT_STORE": True, "TORCHELASTIC_RESTART_COUNT": 0}
    os.environ.update({name: str(value) for name, value in announced.items()})
    work(*arguments)


def stabn_on(count: int, command: str, config: Strict, *, ends: int = 0) -> str:
    """``stabn COMMAND --config`` with ``config`` as its file, on so many processes.

    Returns:
        What they printed, one after the other; each ended with the status that ``ends`` gives.
    """
    ended = side_by_side(count, _stabn, command, config)
    assert [end.status for end in ended] == [ends] * count, ended
    return "".join(end.said for end in ended)


def _stabn(command: str, config: Strict) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "config.yaml"
        write_config(config, path)
        sys.argv = ["stabn", *command.split(), "--config", str(path)]
        main()
