"""Does the order of the explanations survive another fill, and other seeds?"""

from collections.abc import Mapping
from html import escape
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import stats

from stabn.tables.comparison import mean_sd
from stabn.tables.html import DASH, NOTHING, linked, table
from stabn.tables.together import (
    FILLS,
    MEASURES,
    METHODS,
    NETWORKS,
    OVERS,
    Explained,
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


def _figures(run: Explained, what: str) -> dict[str, float]:
    """Method → what it is ranked by: *when*, or the gap, which is the mean of both fills'."""
    if what == "when":
        values = {method: measured([run], MEASURES["when"], method)[1] for method in METHODS}
        return {method: value for method, each in values.items() for value in each}
    each = [gaps(run, what, fill) for fill in FILLS]
    return {method: float(np.mean([one[method] for one in each])) for method in run.methods}


def rankings_table(root: Path = REPOSITORY) -> str:
    """Kendall's τ between the orders with both fills, seed by seed, and between pairs of seeds."""
    every = study(root)
    if not any(every.values()):
        return NOTHING
    rows = []
    for network, runs in every.items():
        cells = [escape(NETWORKS[network])]
        for over in OVERS:
            taus = [same_order(*(gaps(run, over, fill) for fill in FILLS)) for run in runs]
            known = [k for k, tau in enumerate(taus) if np.isfinite(tau)]
            cells.append(linked([runs[k] for k in known], [taus[k] for k in known], 2))
        cells += [_between_seeds(runs, what) for what in ("when", *OVERS)]
        rows.append(cells)
    head = ["Network", *(f"Other fill: {words}" for words in OVERS.values())]
    head += [f"Other seeds: {words}" for words in ("when", *OVERS.values())]
    caption = "Kendall’s τ between two orders of the same methods; 1 is the same order"
    return table(f"mini-SSv2 (synthetic): {caption}", head, rows, text_columns=1)


def _between_seeds(runs: list[Explained], what: str) -> str:
    """Mean τ over all pairs of seeds, and the least; a dash below two seeds."""
    pairs = combinations([_figures(run, what) for run in runs], 2)
    taus = [tau for pair in pairs if np.isfinite(tau := same_order(*pair))]
    if not taus:
        return DASH
    return f"{np.mean(taus):.2f}<br><small>least of {len(taus)}: {min(taus):.2f}</small>"


def leaders(root: Path = REPOSITORY) -> str:
    """Which method stands first in each measure, network by network, as a Markdown list.

    The first of several is chosen after looking, so its lead is flattered; what stands beside it,
    and :func:`rankings_table`, say how much of it is to be believed.
    """
    every = study(root)
    if not any(every.values()):
        return "No record yet: `make study` makes them."
    return "\n".join(_led(network, runs) for network, runs in every.items() if runs)


def _led(network: str, runs: list[Explained]) -> str:
    parts = []
    for over, words in OVERS.items():
        mean, still = (_first(runs, f"{over}_{fill}") for fill in FILLS)
        parts.append(f"over {words} {mean} (still fill: {still})")
    faithful = f"insertion minus deletion {', '.join(parts)}"
    seeds = "1 seed" if len(runs) == 1 else f"{len(runs)} seeds"
    return f"- **{NETWORKS[network]}** ({seeds}): *when* {_first(runs, 'when')}; {faithful}."


def _first(runs: list[Explained], measure: str) -> str:
    """The method whose mean over seeds is largest, with that mean ± sd."""
    values = {method: measured(runs, MEASURES[measure], method)[1] for method in METHODS}
    found = {method: mean_sd(each) for method, each in values.items() if each}
    best = max(found, key=lambda method: found[method].mean)
    spread = f" ± {found[best].sd:.2f}" if found[best].n > 1 else ""
    return f"{METHODS[best]}, {found[best].mean:.2f}{spread}"
