"""Does the order of the explanations survive another fill, other seeds, and other clips?"""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import stats

from stabn.tables.comparison import mean_sd
from stabn.tables.html import DASH, MISSING, NOTHING, fixed, linked, spread, table
from stabn.tables.over_clips import between_halves, first_again, two_errors
from stabn.tables.together import (
    FILLS,
    MEASURES,
    METHODS,
    NETWORKS,
    OVERS,
    Explained,
    clip_by_clip,
    gap,
    measured,
    study,
)
from stabn.training.checkpoint import REPOSITORY


def same_order(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Kendall's τ of two orders of the same methods.

    Args:
        one: method → its figure.
        other: likewise; only methods that are in both count.

    Returns:
        The share of pairs of methods in the same order less that of the turned ones: 1 is the same
        order, -1 the reverse. NaN where one of them orders nothing.
    """
    methods = [method for method in one if method in other]
    found = stats.kendalltau([one[m] for m in methods], [other[m] for m in methods])
    return float(found.statistic)


def gaps(run: Explained, over: str, fill: str) -> dict[str, float]:
    """Method → insertion minus deletion."""
    return {method: gap(figures, over, fill) for method, figures in run.methods.items()}


def _clips(runs: Sequence[Explained], what: str) -> dict[str, np.ndarray]:
    """Method → float (clips,): *when*, or the gap, mean of both fills; mean over seeds."""
    measures = ["when"] if what == "when" else [f"{what}_{fill}" for fill in FILLS]
    return {
        method: np.mean([clip_by_clip(runs, MEASURES[m], method) for m in measures], axis=0)
        for method in METHODS
        if any(method in run.methods for run in runs)
    }


def _means(run: Explained, what: str) -> dict[str, float]:
    """Method → what it is ranked by in one seed."""
    return {method: float(np.nanmean(each)) for method, each in _clips([run], what).items()}


def ranked(root: Path = REPOSITORY) -> dict[str, dict[str, dict[str, tuple[float, float]]]]:
    """Measure → network → method → (mean, two standard errors over clips), for a figure."""
    measures = {"agreement with the truth,\nwhen": "when"}
    measures |= {f"insertion − deletion,\nover {over}": over for over in ("time", "space")}
    every = {network: runs for network, runs in study(root).items() if runs}
    return {
        title: {
            NETWORKS[network]: {
                METHODS[method]: (float(np.nanmean(each)), two_errors(each))
                for method, each in _clips(runs, what).items()
            }
            for network, runs in every.items()
        }
        for title, what in measures.items()
    }


def own_attention(root: Path = REPOSITORY) -> str:
    """Does a network's own attention over time explain it better than Grad-CAM does?

    Compared clip by clip: "more" is by more than two standard errors over the clips.
    """
    runs_of = {
        network: runs
        for network, runs in study(root).items()
        if runs and "when" in runs[0].found["edited"]  # it has an attention over time
    }
    if not runs_of:
        return MISSING
    agrees, hangs = (_beside_own(runs_of, what) for what in ("when", "time"))
    seeds = sorted({len(runs) for runs in runs_of.values()})
    many = "seed" if seeds == [1] else "seeds"
    clips = next(iter(runs_of.values()))[0].found["clips"]
    return (
        f"Among networks with attention over time, Grad-CAM agrees more with the truth of *when* "
        f"than the network’s own attention {agrees}. "
        f"It says better what the answer hangs on (insertion − deletion over time) {hangs}. "
        f"({clips} synthetic clips, {' or '.join(map(str, seeds))} {many} a network; what is less "
        f"than two standard errors over the clips is neither.)"
    )


def _beside_own(runs_of: Mapping[str, Sequence[Explained]], what: str) -> str:
    """In how many networks Grad-CAM is above the own attention, and by how much."""
    gaps = {}
    for network, runs in runs_of.items():
        clips = _clips(runs, what)
        gaps[network] = clips["grad_cam"] - clips["intrinsic"]
    mean = {network: float(np.nanmean(gap)) for network, gap in gaps.items()}
    more = sum(mean[network] > two_errors(gap) for network, gap in gaps.items())
    less = sum(mean[network] < -two_errors(gap) for network, gap in gaps.items())
    named = ", ".join(f"{NETWORKS[n]} {fixed(m, 2, signed=True)}" for n, m in mean.items())
    return f"in {more} of {len(gaps)}, and less in {less} ({named})"


def rankings_table(root: Path = REPOSITORY) -> str:
    """Kendall's τ between two orders of the methods: other fill, other seeds, other clips."""
    every = study(root)
    if not any(every.values()):
        return NOTHING
    rows = []
    for network, runs in every.items():
        for what in ("when", *OVERS) if runs else ():
            halves = between_halves(_clips(runs, what))
            told = fixed(halves, 2) if np.isfinite(halves) else DASH
            by = f"over {OVERS[what]}" if what in OVERS else "when"
            cells = [_between_fills(runs, what), _between_seeds(runs, what), told]
            rows.append([escape(NETWORKS[network]), by, *cells])
    head = ["Network", "Ordered by", "With the other fill", "With other seeds"]
    caption = (
        "Kendall’s τ between two orders of the same methods; 1 is the same order. Over time, "
        "space and both, insertion minus deletion orders them. Halves: a mean over many halvings"
    )
    head += ["On two halves of the clips"]
    return table(f"mini-SSv2 (synthetic): {caption}", head, rows, text_columns=2)


def _between_fills(runs: list[Explained], what: str) -> str:
    """τ between the two fills' orders, seed by seed; a dash where nothing is filled."""
    if what == "when":
        return DASH
    taus = [same_order(*(gaps(run, what, fill) for fill in FILLS)) for run in runs]
    known = [k for k, tau in enumerate(taus) if np.isfinite(tau)]
    return linked([runs[k] for k in known], [taus[k] for k in known], 2)


def _between_seeds(runs: list[Explained], what: str) -> str:
    """Mean τ over all pairs of seeds, and the least; a dash below two seeds."""
    pairs = combinations([_means(run, what) for run in runs], 2)
    taus = [tau for pair in pairs if np.isfinite(tau := same_order(*pair))]
    if not taus:
        return DASH
    return f"{np.mean(taus):.2f}<br><small>least of {len(taus)}: {min(taus):.2f}</small>"


def leaders_table(root: Path = REPOSITORY) -> str:
    """Which method stands first in each measure, network by network.

    The first of several is chosen after looking, so its lead is flattered. The share of draws of
    the clips in which it is first again says how much of it is to be believed.
    """
    every = study(root)
    if not any(every.values()):
        return NOTHING
    measures = ["when", *(f"{over}_{fill}" for over in OVERS for fill in FILLS)]
    rows = [
        [escape(NETWORKS[network]), *(_first(runs, measure) for measure in measures)]
        for network, runs in every.items()
        if runs
    ]
    head = [f"Over {words}, {fill} fill" for words in OVERS.values() for fill in FILLS]
    caption = "the method that is first, and in what share of draws of the clips it is first again"
    return table(
        f"mini-SSv2 (synthetic): {caption}",
        ["Network", "When", *head],
        rows,
        text_columns=1,
    )


def _first(runs: Sequence[Explained], measure: str) -> str:
    """The method whose mean is largest, with that mean ± sd over seeds; how often first again."""
    values = {method: measured(runs, MEASURES[measure], method)[1] for method in METHODS}
    found = {method: each for method, each in values.items() if each}
    best = max(found, key=lambda method: mean_sd(found[method]).mean)
    each = {method: clip_by_clip(runs, MEASURES[measure], method) for method in found}
    again = f"again in {100 * first_again(each):.0f} %"
    return f"{METHODS[best]}, {spread(found[best], 2)}<br><small>{again}</small>"
