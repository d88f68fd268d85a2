"""What a figure of some clips is worth on other clips, which other seeds cannot say.

A network's seeds are all scored on the same clips. So these are drawn again from themselves.
"""

from collections.abc import Iterable, Mapping

import numpy as np

DRAWS = 1000


def of_each_clip(per_seed: Iterable[Iterable[float | None]]) -> np.ndarray:
    """Each clip's figure, mean over seeds.

    Args:
        per_seed: the same clips' figures, seed by seed; None where one could not be measured.

    Returns:
        float (clips,); NaN where no seed could measure.
    """
    figures = np.array([list(one) for one in per_seed], float)  # None becomes NaN
    seen = np.isfinite(figures)
    with np.errstate(invalid="ignore"):
        return np.where(seen, figures, 0).sum(axis=0) / seen.sum(axis=0)


def two_errors(each: np.ndarray) -> float:
    """Two standard errors of the mean over the clips that could be measured; NaN below two."""
    known = each[np.isfinite(each)]
    return float(2 * known.std(ddof=1) / len(known) ** 0.5) if len(known) > 1 else np.nan


def first_again(figures: Mapping[str, np.ndarray]) -> float:
    """The share of draws in which the method that is first on the clips is first again.

    Args:
        figures: method → float (clips,). Clips that not every method measured do not count.

    Returns:
        In [0, 1], over :data:`DRAWS` draws of as many clips, each with return. Chance is 1 of the
        number of methods. Where several share the first place, each is first.
    """
    values = _measured_by_all(figures)  # (methods, clips)
    best, clips = values.mean(axis=1).argmax(), values.shape[1]
    picked = np.random.default_rng(0).integers(clips, size=(DRAWS, clips))
    means = values[:, picked].mean(axis=2)  # (methods, draws)
    return float((means[best] >= means.max(axis=0)).mean())


def between_halves(figures: Mapping[str, np.ndarray]) -> float:
    """Kendall's τ (with ties: τ-b) between the orders of the methods on two halves of the clips.

    Args:
        figures: method → float (clips,). Clips that not every method measured do not count.

    Returns:
        The mean over :data:`DRAWS` ways to halve them; NaN where no half orders anything.
    """
    values = _measured_by_all(figures)
    methods, clips = values.shape
    drawn = np.random.default_rng(0).random((DRAWS, clips)).argsort(axis=1)
    a, b = np.triu_indices(methods, k=1)  # all draws at once: SciPy's would take minutes
    ways = []  # of each half, which of two methods is higher: (pairs, draws)
    for half in (drawn[:, : clips // 2], drawn[:, clips // 2 :]):
        means = values[:, half].mean(axis=2).round(9)  # rounding decides no tie
        ways.append(np.sign(means[a] - means[b]))
    ordered = np.sqrt(np.prod([np.abs(way).sum(axis=0) for way in ways], axis=0))
    known = ordered > 0
    taus = (ways[0] * ways[1]).sum(axis=0)[known] / ordered[known]
    return float(taus.mean()) if len(taus) else np.nan


def _measured_by_all(figures: Mapping[str, np.ndarray]) -> np.ndarray:
    """(methods, clips) without the clips that some method could not measure."""
    values = np.stack(list(figures.values()))
    return values[:, np.isfinite(values).all(axis=0)]
