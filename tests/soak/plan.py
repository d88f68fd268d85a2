"""Which process is to be killed, how, and when."""

from dataclasses import dataclass

import numpy as np

PHASES = ("start-up", "step", "save", "evaluation", "report")
RANKS = ("rank 0", "rank 1")
VICTIMS = (*RANKS, "loader", "torchrun", "kernel", "papermill")
# a loader's worker heeds SIGTERM from its own process only: that is no kill
ENDS = [(v, s) for v in VICTIMS for s in ("SIGKILL", "SIGTERM") if (v, s) != ("loader", "SIGTERM")]
STEPS = 6  # in an epoch


@dataclass(frozen=True)
class Plan:
    """When to strike, and whom.

    Attributes:
        phase: one of ``PHASES``.
        after: not before this step is in the journal.
        share: in [0, 1), how much of the phase is to pass first.
        victim: one of ``VICTIMS``.
        signal: ``"SIGKILL"`` or ``"SIGTERM"``.
    """

    phase: str
    after: int
    share: float
    victim: str
    signal: str


def plans(kills: int, seed: int, epochs: int) -> list[list[Plan]]:
    """``kills`` plans in runs of at most five: every phase once, every victim in its turn."""
    rng = np.random.default_rng(seed)
    ends: list[tuple[str, str]] = []
    while len(ends) < kills:
        ends += [ENDS[i] for i in rng.permutation(len(ENDS))]
    runs = []
    for first in range(0, kills, len(PHASES)):
        count = min(len(PHASES), kills - first)
        phases = [PHASES[i] for i in rng.permutation(len(PHASES))[:count]]
        phases.sort(key=lambda phase: phase == "report")  # nothing comes after it
        after = np.sort(rng.integers(0, (epochs - 1) * STEPS, count))
        runs.append(
            [
                Plan(phase, int(step), float(rng.random()), *end)
                for phase, step, end in zip(phases, after, ends[first:], strict=False)
            ]
        )
    return runs
