"""What a gain depends on: number of edits, γ_t, wrong levels; from run records.

Each point is a fine-tuning on the biased set, the way that mends (:data:`WAY`), that differs in one
thing from a study with a fifth of the videos edited. Its *gain* is knowledge minus a control that
saw the same clips: its own where other videos are repeated (``share``), else that study's of the
same seed.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from stabn.knowledge.edits.standin import noise_of
from stabn.tables.comparison import mean_sd, p_words, paired_test
from stabn.tables.fault import ABSENT, SWAPPED, WAYS, agreement, reliance, top1, way_of
from stabn.tables.finetunings import Finetuning, Value, read_finetunings
from stabn.tables.html import DASH, MISSING, NOTHING, fixed, linked, spread, table
from stabn.training.checkpoint import REPOSITORY

RECORDS = "book/results/sweeps/{sweep}_*_seed*.json"
STUDY = "book/results/sweeps/share_20_seed*.json"  # what every point differs from
WAY = "paper_closing"  # of the fault's ways
# sweep → what is varied, as a table's heading
SWEEPS = {
    "share": "Training videos edited, %",
    "gamma": "γ_t, averaged over edited clips",
    "noise": "Frames with a wrong level, %",
}

GOAL = 10.0  # points of reliance, what the study of the fault set out to come down to
AGREEMENT = agreement("rank_correlation", "value")
Points = Mapping[float, Mapping[int, Finetuning]]  # what is varied → {seed: fine-tuning}


def study(root: Path = REPOSITORY) -> list[Finetuning]:
    """The fine-tunings that every point differs from in one thing, all seeds."""
    return read_finetunings(root, STUDY)


def points(sweep: str, root: Path = REPOSITORY) -> Points:
    """All points of a sweep, the study's own among them, by what is varied."""
    found: dict[float, dict[int, Finetuning]] = defaultdict(dict)
    for one in [*read_finetunings(root, RECORDS.format(sweep=sweep)), *study(root)]:
        if way_of(one) == WAY:
            found[_varied(sweep, one)][one.seed] = one
    return dict(sorted(found.items()))


def _varied(sweep: str, one: Finetuning) -> float:
    if sweep == "share":
        return round(100 * one.record["edits"]["share_of_training"], 1)
    if sweep == "noise":
        return max(100 * noise_of(name) for name in one.record["edits"]["annotators"])
    return one.settings["gamma"]


def gains(of: Value, sweep: str, root: Path = REPOSITORY) -> dict[float, dict[int, float]]:
    """{what is varied: {seed: knowledge − control}}; a seed without a control is left out."""
    controls, done = controlled(of, sweep, root), points(sweep, root)
    return {
        x: {seed: of(done[x][seed], "knowledge") - value for seed, value in seeds.items()}
        for x, seeds in controls.items()
    }


def controlled(of: Value, sweep: str, root: Path = REPOSITORY) -> dict[float, dict[int, float]]:
    """{what is varied: {seed: its control}}: of its own clips, else the study's of that seed."""
    studied = {one.seed: one for one in study(root)}
    found: dict[float, dict[int, float]] = {}
    for x, seeds in points(sweep, root).items():
        found[x] = {}
        for seed, one in seeds.items():
            other = one if "control" in one.arms else studied.get(seed)
            if other is not None:
                found[x][seed] = of(other, "control")
    return found


def sweep_table(sweep: str, root: Path = REPOSITORY) -> str:
    """Every point of a sweep: agreement, what the sign still decides, gains with p of the first.

    p is of a paired t-test of the gain on the swapped list over seeds, not corrected.
    """
    gained, others = (gains(top1(name), sweep, root) for name in (SWAPPED, ABSENT))
    without = controlled(reliance, sweep, root)
    rows = []
    for x, seeds in points(sweep, root).items():
        kept = [one for seed, one in seeds.items() if seed in gained[x]]
        if not kept:
            continue
        test = paired_test(gained[x], dict.fromkeys(gained[x], 0.0))
        rows.append(
            [
                f"{x:g}",
                linked(kept, [AGREEMENT(one, "knowledge") for one in kept], 2),
                linked(kept, [reliance(one, "knowledge") for one in kept], 1),
                spread(without[x].values(), 1),
                linked(kept, [gained[x][one.seed] for one in kept], 1),
                DASH if test is None else p_words(test.p).removeprefix("= "),
                linked(kept, [others[x][one.seed] for one in kept], 1),
            ]
        )
    if not rows:
        return NOTHING
    gain = "Knowledge − control, points: {}"
    head = [SWEEPS[sweep], "M_t with the truth", "Reliance with edits, points"]
    head += ["In the control, points", gain.format("swapped"), "p, uncorrected"]
    head += [gain.format("absent")]
    caption = f"mini-SSv2, biased (synthetic, stand-in edits), {WAYS[WAY]}: mean ± sd over seeds"
    return table(caption, head, rows, text_columns=0)


def reliance_in_words(sweep: str, root: Path = REPOSITORY) -> str:
    """What the sign still decides at every point, and which points come down to :data:`GOAL`."""
    found = {
        x: mean_sd(reliance(one, "knowledge") for one in seeds.values())
        for x, seeds in points(sweep, root).items()
    }
    if not found:
        return MISSING
    without = controlled(reliance, sweep, root)
    listed = ", ".join(f"{x:g}" for x in found)
    edited = ", ".join(fixed(value.mean, 1) for value in found.values())
    controls = ", ".join(
        fixed(mean_sd(without[x].values()).mean, 1) if without[x] else DASH for x in found
    )
    reached = ", ".join(f"{x:g}" for x, value in found.items() if value.mean <= GOAL) or "none"
    return (
        f"{SWEEPS[sweep]}: {listed}. Points that the sign decides, with edits: {edited}; in the "
        f"control: {controls}. {GOAL:g} points or less, the goal that was set before, at: "
        f"{reached}."
    )


def in_a_sentence(sweep: str, root: Path = REPOSITORY) -> str:
    """Where the gain is largest and smallest, as a sentence; of one point, what it is."""
    means = {x: mean_sd(seeds.values()) for x, seeds in gains(top1(SWAPPED), sweep, root).items()}
    if not means:
        return MISSING
    if len(means) == 1:
        ((x, only),) = means.items()
        gain = fixed(only.mean, 1, signed=True)
        return f"{SWEEPS[sweep]}: one point, {x:g}: a mean gain of {gain} points (n = {only.n})."
    low, high = min(means, key=lambda x: means[x].mean), max(means, key=lambda x: means[x].mean)
    least, most = (fixed(means[x].mean, 1, signed=True) for x in (low, high))
    return (
        f"{SWEEPS[sweep]}: the mean gain is smallest at {low:g} ({least} points, "
        f"n = {means[low].n}) and largest at {high:g} ({most}, n = "
        f"{means[high].n})."
    )
