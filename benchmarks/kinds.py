"""Where does the time of a forward pass or a training step go? By kind of operation.

    python benchmarks/kinds.py --out book/results/cost/kinds_small_NAME.json

Every operation that PyTorch is asked for is timed, by the CPU time of one thread, and of each call
the least of some turns is taken, on which other work on the machine falls little. Networks and
clips are those of ``python -m benchmarks``, which measures ratios; here is what they are made of.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from measured import finish, parser_for, provenance
from peers import MissingPeer, slow_r50
from ratios import (
    CLASSES,
    SIZES,
    SMALL_NETWORK,
    Clips,
    batch_of,
    forward,
    network,
    scored,
    training_step,
    whole_step,
)
from torch.utils._python_dispatch import TorchDispatchMode

from stabn.knowledge.finetuning.arms import trainable_copy
from stabn.tables.kinds import REST, kind_of

QUESTION = "Where does the time of a forward pass or a training step go?"
TURNS = 3

Ways = dict[tuple[str, str], tuple[Clips, Callable[[], object]]]  # by what is done, and by whom


class Clock(TorchDispatchMode):
    """Notes the name of every operation within, and the seconds of CPU time that it took."""

    def __init__(self):
        super().__init__()
        self.calls: list[tuple[str, float]] = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        begun = time.thread_time()
        result = operation(*args, **(kwargs or {}))
        self.calls.append((operation.overloadpacket.__name__, time.thread_time() - begun))
        return result


def least(calls: Mapping[Any, Callable[[], object]], turns: int = TURNS) -> dict[Any, list]:
    """{way: (operation, least seconds) of each of its calls}, taken in turns.

    Each way is called once before, for memory and kernels; then it must do the same each time.
    """
    for call in calls.values():
        call()
    found: dict[Any, list] = {}
    for _ in range(turns):
        for way, call in calls.items():
            with Clock() as clock:
                call()
            before = found.get(way, clock.calls)
            pairs = zip(before, clock.calls, strict=True)
            found[way] = [(name, min(seconds, other)) for (name, seconds), (_, other) in pairs]
    return found


def by_kind(calls: list[tuple[str, float]]) -> dict[str, float]:
    """Seconds by kind of operation, those of no kind under ``REST``."""
    seconds: dict[str, float] = defaultdict(float)
    for name, took in calls:
        seconds[kind_of(name) or REST] += took
    return dict(seconds)


def ways() -> Ways:
    """Everything that a target of speed compares and that computes."""
    clips = SIZES["small"]
    clip, small = batch_of(clips), batch_of(SMALL_NETWORK)
    found: Ways = {}

    def add(doing: str, by: str, clips: Clips, call: Callable[[], object]) -> None:
        found[doing, by] = clips, call

    for name in ("baseline", "st_abn"):
        add("forward", name, clips, forward(scored(name, clips), clip).call)
        add("step", name, clips, whole_step(network(name, clips), clip).call)
        own = network(name, SMALL_NETWORK, "small", 14)
        add("small step", name, SMALL_NETWORK, whole_step(own, small).call)
    frozen = trainable_copy(network("st_abn", clips))
    with torch.no_grad():
        kept = frozen.features(clip)
    step = training_step(frozen, lambda: frozen.from_features(kept), clips.batch)
    add("step on kept features", "st_abn", clips, step.call)
    try:
        peer, plain = slow_r50(CLASSES, clips.frames, clips.size), clip.contiguous()
    except MissingPeer as missing:
        print(missing)
    else:
        add("forward", "slow_r50", clips, forward(peer, plain).call)
    return found


def main() -> None:
    """The command line."""
    args = parser_for(QUESTION).parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    instructions = torch.backends.cpu.get_cpu_capability()
    record = provenance(QUESTION, args.note) | {"threads": 1, "turns": TURNS, "rows": []}
    compared = ways()
    found = least({way: call for way, (_, call) in compared.items()})
    for (doing, by), calls in found.items():
        seconds, clips = by_kind(calls), compared[doing, by][0]
        row = {"doing": doing, "network": by, "instructions": instructions, "measured_at": "small"}
        row |= {"batch": clips.batch, "frames": clips.frames, "size": clips.size}
        record["rows"].append(row | {"calls": len(calls), "seconds": seconds})
        whole = sum(seconds.values())
        shares = sorted(seconds.items(), key=lambda item: -item[1])
        said = ", ".join(f"{kind} {took / whole:.0%}" for kind, took in shares)
        print(f"{doing}, {by}: {whole:.2f} s: {said}", flush=True)
    finish(record, args.out)


if __name__ == "__main__":
    main()
