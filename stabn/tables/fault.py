"""The set with a known fault: what its records measure, by the way that edits reach the answer.

A network that learned a shortcut is *better* where the shortcut holds, so no mean over the lists
tells a mended one. What should fall is the reliance and the leak, what should rise is the worst
list, and the list without a sign must not suffer. A network that never saw the sign says how far.
"""

from collections.abc import Mapping
from pathlib import Path

from stabn.tables.comparison import Paired, Tested, compare, mean_sd, paired_test
from stabn.tables.finetunings import ARMS, PAIRS, Finetuning, Value, paired, read_finetunings
from stabn.tables.runs import Kept, Run, read_runs
from stabn.training.checkpoint import REPOSITORY

FINETUNINGS = "book/results/fault/*_finetune_seed*.json"
CLEAN = "book/results/fault/mini_biased_clean_seed*.json"
WAYS = {
    "paper": "the paper’s fusion",
    "gated": "gated fusion (ours)",
    "closing": "gated, then a gate that closes (ours)",
    "paper_closing": "the paper’s fusion, then a gate that closes (ours)",
}
# what is fine-tuned with another fusion than it was trained with → the way it started from
STARTED = {"closing": "gated", "paper_closing": "paper"}
LISTS = {
    "validation_swapped": "Swapped",
    "validation_absent": "Absent",
    "validation_aligned": "Aligned",
}
SWAPPED, ABSENT, ALIGNED = LISTS
NEVER_SAW = "a network without the fault: no sign in training"
TRAINED = ""  # the "arm" of a run that was not fine-tuned
CHOSEN = 0  # settings were chosen with this seed


def study(way: str, root: Path = REPOSITORY) -> list[Finetuning]:
    """The committed fine-tunings of one of :data:`WAYS`, all seeds."""
    return [one for one in read_finetunings(root, FINETUNINGS) if way_of(one) == way]


def way_of(one: Finetuning) -> str:
    """Which of :data:`WAYS` a fine-tuning went: a fusion asked of it is not the training's own."""
    config = one.record["config"]
    if not config.get("closed"):
        return config["fusion"]
    return "paper_closing" if one.settings.get("fusion") else "closing"


def clean(root: Path = REPOSITORY) -> list[Run]:
    """The committed runs that learned the same scenes without any sign."""
    return read_runs(root, CLEAN)


def top1(name: str) -> Value:
    """Top-1 in % on one of the lists."""
    return lambda one, arm: 100 * _on(one, arm, name)["top1"]


def worst(one: Kept, arm: str) -> float:
    """Top-1 in % on the list that this network is worst on."""
    return min(top1(name)(one, arm) for name in LISTS)


def reliance(one: Kept, arm: str) -> float:
    """Aligned − swapped, points of top-1: what the sign decides in the same scenes."""
    return top1(ALIGNED)(one, arm) - top1(SWAPPED)(one, arm)


def leak(one: Kept, arm: str) -> float:
    """Logits by which the partner's sign moves the answer from the own class to the partner's."""
    return measured(one, arm)["effect"]["both"]


def fall(one: Kept, arm: str) -> float:
    """Points of top-1 on the swapped list that 1 − M_s costs (Table 3)."""
    return 100 * (_on(one, arm, SWAPPED)["top1"] - _on(one, arm, f"{SWAPPED}-inverted")["top1"])


def measured(one: Kept, arm: str) -> Mapping[str, Mapping[str, float]]:
    """What :mod:`studies.fault` measured of an arm."""
    return one.record["fault"][arm or "trained"]


def agreement(measure: str, field: str) -> Value:
    """How M_t or M_s of the swapped clips agrees with the truth."""
    return lambda one, arm: _on(one, arm, SWAPPED)[measure][field]


def _on(one: Kept, arm: str, name: str) -> Mapping:
    """Figures of one list: an arm's, or of a run that has none."""
    return one.record["results"][f"{arm}-{name}" if arm else name]


def by_arm(way: str, of: Value, root: Path = REPOSITORY) -> dict[str, dict[tuple, float]]:
    """{arm: {(seed, data): value}} of one way: only what shares both makes a pair."""
    done = study(way, root)
    return {arm: paired(done, arm, of) for arm in ARMS}


def by_seed(way: str, of: Value, root: Path = REPOSITORY) -> dict[str, dict[int, float]]:
    """{arm: {seed: value}} of one way."""
    arms = by_arm(way, of, root)
    return {arm: {seed: v for (seed, _), v in values.items()} for arm, values in arms.items()}


def means(way: str, of: Value, root: Path = REPOSITORY) -> dict[str, float]:
    """{arm: mean over its seeds} of one way; NaN without a record."""
    return {arm: _mean(values.values()) for arm, values in by_arm(way, of, root).items()}


def clean_mean(of: Value, root: Path = REPOSITORY) -> float:
    """Mean of the networks without the fault; NaN without a record."""
    return _mean([of(run, TRAINED) for run in clean(root)])


def _mean(values) -> float:
    return mean_sd(values).mean if values else float("nan")


def compared(way: str, of: Value, root: Path = REPOSITORY) -> list[Tested]:
    """Paired tests between the arms of one way."""
    return compare(by_arm(way, of, root), (*PAIRS, ("placebo", "control")))


def against(way: str, other: str, arm: str, of: Value, root: Path = REPOSITORY) -> Paired | None:
    """Paired test of one arm, this way against another, over seeds of the same clips."""
    ours, theirs = (by_arm(one, of, root)[arm] for one in (way, other))
    return paired_test(ours, theirs)
