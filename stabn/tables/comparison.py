"""Seeds of two arms compared: mean ± sd, paired t-test, and what it allows to be said."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from stabn.tables.runs import Run

SIGNIFICANT = 0.05
COMPARISONS = (("st_abn", "baseline"), ("st_abn", "control"), ("control", "baseline"))
NAMES = {
    "st_abn": "ST-ABN",
    "control": "the matched control",
    "baseline": "the plain 3-D ResNet",
}


@dataclass(frozen=True)
class Unit:
    """How a difference is written: its decimals, and the word behind it where it has one."""

    digits: int
    word: str = ""


POINTS = Unit(1, "points")  # of per cent


@dataclass(frozen=True)
class Summary:
    """Mean, sample standard deviation (NaN for one value) and number of values."""

    mean: float
    sd: float
    n: int


def mean_sd(values: Iterable[float]) -> Summary:
    """Summarise at least one value."""
    values = np.asarray(list(values), float)
    sd = values.std(ddof=1) if len(values) > 1 else np.nan
    return Summary(float(values.mean()), float(sd), len(values))


@dataclass(frozen=True)
class Paired:
    """Paired t-test of a − b: the differences' mean and sd, n pairs, t, two-sided p."""

    difference: float
    sd: float
    n: int
    t: float
    p: float


Tested = tuple[str, str, Paired, float]  # arm, other arm, test, p after Holm's correction


def paired_test(a: Mapping[Any, float], b: Mapping[Any, float]) -> Paired | None:
    """Compare two arms over the keys (seeds) that both have; None with fewer than two pairs."""
    keys = [key for key in a if key in b]
    if len(keys) < 2:
        return None
    differences = mean_sd(a[key] - b[key] for key in keys)
    if differences.sd == 0:  # no spread to judge by: scipy answers NaN or divides by zero
        same = differences.mean == 0
        return Paired(differences.mean, 0.0, len(keys), 0.0 if same else np.inf, float(same))
    test = stats.ttest_rel([a[key] for key in keys], [b[key] for key in keys])
    return Paired(
        differences.mean, differences.sd, len(keys), float(test.statistic), float(test.pvalue)
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction for making several tests at once, in the order given."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def arm_values(runs: Iterable[Run], arm: str, figure: str = "top1") -> dict[tuple, float]:
    """Per cent of one arm's runs, by (seed, data)."""
    return {run.pair: 100 * run.results[figure] for run in runs if run.arm == arm}


def compare(
    values: Mapping[str, Mapping[Any, float]], pairs: Iterable[tuple[str, str]]
) -> list[Tested]:
    """Test pairs of arms against each other, corrected for being so many.

    Args:
        values: arm → {seed, or whatever pairs two runs: value}.
        pairs: (arm, other arm); one without two common seeds is left out.

    Returns:
        (arm, other arm, paired test, p after Holm) of each.
    """
    tests = [(a, b, test) for a, b in pairs if (test := paired_test(values[a], values[b]))]
    corrected = holm([test.p for _, _, test in tests])
    return [(*entry, p) for entry, p in zip(tests, corrected, strict=True)]


def comparisons(runs: Sequence[Run]) -> list[Tested]:
    """:func:`compare` of the arms of Table 1, in top-1."""
    return compare({arm: arm_values(runs, arm) for arm in NAMES}, COMPARISONS)


def findings(runs: Sequence[Run]) -> str:
    """What the paired tests of Table 1 allow to be said, as a Markdown list."""
    return in_words(comparisons(runs), COMPARISONS, NAMES, "in top-1")


def in_words(
    tested: Sequence[Tested],
    pairs: Iterable[tuple[str, str]],
    names: Mapping[str, str],
    measure: str,
    unit: Unit = POINTS,
) -> str:
    """What paired tests allow to be said, as a Markdown list.

    Args:
        tested: from :func:`compare`.
        pairs: all that were to be tested; those that could not be are named too.
        names: arm → its name in a sentence.
        measure: as in ``"in top-1"``.
        unit: of the differences.
    """
    lines = []
    for a, b, test, p in tested:
        direction = "above" if test.difference >= 0 else "below"
        verdict = "significant"
        if not p < SIGNIFICANT:
            verdict = "**not** significant: these runs do not tell the two apart"
        distance = f"{abs(test.difference):.{unit.digits}f} {unit.word}".rstrip()
        lines.append(
            f"- {_start(names[a])} is {distance} {direction} {names[b]} "
            f"{measure} (mean of {test.n} paired seeds; p {p_words(test.p)}, {p_words(p)} after "
            f"Holm's correction for {len(tested)} comparisons). At the {SIGNIFICANT:.0%} level "
            f"this is {verdict}."
        )
    done = [(a, b) for a, b, _, _ in tested]
    lines += [
        f"- {_start(names[a])} against {names[b]}: fewer than two paired seeds are on record, so "
        f"nothing can be said. `make study` runs them."
        for a, b in pairs
        if (a, b) not in done
    ]
    return "\n".join(lines)


def _start(name: str) -> str:
    return name[0].upper() + name[1:]


def p_words(p: float) -> str:
    """A p-value as it is written in a sentence or a table."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
