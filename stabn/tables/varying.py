"""“Your number differs?”: how far one more run may lie from the mean of those on record."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from stabn.tables.comparison import POINTS, Unit, mean_sd
from stabn.tables.runs import Kept, devices

FEWEST = 3  # of two seeds the spread says next to nothing


def further_run(values: Sequence[float]) -> float:
    """Half width of the 95 % prediction interval of one value more, of the same normal law.

    Args:
        values: at least two, one for each seed.

    Returns:
        t · sd · √(1 + 1/n), t the 97.5 % point of Student's law with n − 1 degrees of freedom.
    """
    spread = mean_sd(values)
    return float(stats.t.ppf(0.975, spread.n - 1) * spread.sd * np.sqrt(1 + 1 / spread.n))


def your_number(
    runs: Sequence[Kept], by_arm: Mapping[str, Mapping[Any, float]], unit: Unit = POINTS
) -> str:
    """What another run's number may differ by from a row's mean, in plain words.

    Args:
        runs: whose records name the devices.
        by_arm: row of the table → {seed, or whatever names a run: value}.
        unit: of the values.
    """
    rows = {arm: list(of.values()) for arm, of in by_arm.items() if len(of) >= FEWEST}
    if not rows:
        return f"Your number differs? By how much it may is not known: under {FEWEST} seeds a row."
    widest = max(rows, key=lambda arm: further_run(rows[arm]))
    sds = [mean_sd(values).sd for values in rows.values()]
    low, high, within = (
        f"{value:.{unit.digits}f}" for value in (min(sds), max(sds), further_run(rows[widest]))
    )
    seeds = sorted({len(values) for values in rows.values()})
    return (
        f"Your number differs? Over {' or '.join(map(str, seeds))} seeds a row has a standard "
        f"deviation of {low} to {high} {unit.word}".rstrip()
        + f" (on {devices(runs)}). With another seed, all else equal, 19 runs of 20 lie within "
        f"±{within} of their row's mean ({widest}, which varies most; the others lie closer). "
        "Another start, version, device or number of threads may add to it; by how much is not "
        "measured."
    )
