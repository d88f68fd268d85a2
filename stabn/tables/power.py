"""Power: which differences a number of paired seeds would have shown, had they been there.

"Not significant" says that an effect was not seen. Power says whether one of a given size would
have been: only then is not seeing it an answer.
"""

import math
from collections.abc import Iterable, Mapping
from html import escape

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from stabn.tables.comparison import SIGNIFICANT, Tested
from stabn.tables.html import NOTHING, table

POWER = 0.8  # of the experiments show it: the usual choice
MOST_SEEDS = 1000


def power(difference: float, sd: float, n: int) -> float:
    """The share of experiments in which a paired t-test over n seeds is significant, in [0, 1].

    Two-sided, at the 5 % level, without correction for several tests: t has a non-central t
    distribution about √n · difference / sd.

    Args:
        difference: the true one between two arms.
        sd: of the differences between their runs, over 0.
        n: seeds that both arms have, 2 or more.
    """
    shift = math.sqrt(n) * difference / sd
    bound = stats.t.ppf(1 - SIGNIFICANT / 2, n - 1)
    other_side = np.nan_to_num(stats.nct.cdf(-bound, n - 1, abs(shift)))  # NaN: too small for scipy
    return float(stats.nct.sf(bound, n - 1, abs(shift)) + other_side)


def visible(sd: float, n: int) -> float:
    """The smallest true difference that four of five experiments show."""
    return sd * brentq(lambda ratio: power(ratio, 1, n) - POWER, 0, 30)


def seeds_needed(difference: float, sd: float) -> int | None:
    """The fewest seeds that show a true difference with that power; None: over a thousand."""
    return next((n for n in range(2, MOST_SEEDS + 1) if power(difference, sd, n) >= POWER), None)


def power_table(
    caption: str, tested: Iterable[Tested], names: Mapping[str, str], effect: float
) -> str:
    """What each comparison could have shown.

    Args:
        caption: of the table.
        tested: from :func:`stabn.tables.comparison.compare`; without spread there is no power.
        names: the arms', as they are shown.
        effect: the difference that is looked for, points.
    """
    rows = []
    for a, b, test, _ in tested:
        if test.sd == 0:
            continue
        seeds = seeds_needed(effect, test.sd)
        rows.append(
            [
                f"{escape(names[a])} − {escape(names[b])}",
                f"{test.sd:.1f}",
                f"{visible(test.sd, test.n):.1f}",
                f"{power(effect, test.sd, test.n):.0%}",
                f"over {MOST_SEEDS}" if seeds is None else str(seeds),
            ]
        )
    if not rows:
        return NOTHING
    head = [
        "Comparison",
        "sd of the difference, points",
        f"visible in {POWER:.0%} of studies, points",
        f"studies that would show {effect:+.1f}",
        f"seeds that {effect:+.1f} needs",
    ]
    return table(caption, head, rows, text_columns=1)
