"""Methods against each other, network by network: marks with their errors, a panel a measure."""

from collections.abc import Mapping

from stabn.figures.sheet import COLOURS, FAINT, MARKERS, Sheet, styled

Ranked = Mapping[str, Mapping[str, tuple[float, float]]]  # row → {method: (mean, error)}


@styled
def ranked_figure(panels: Mapping[str, Ranked]) -> Sheet:
    """A row for each network, in it a mark and a bar for each method; a panel for each measure.

    Args:
        panels: measure → row → {method: (mean, half of the bar)}; all have the same rows. A method
            that a row lacks has no mark there.
    """
    rows = list(next(iter(panels.values())))
    methods = list(
        dict.fromkeys(m for panel in panels.values() for row in panel.values() for m in row)
    )
    sheet = Sheet(0.9 + 0.62 * len(rows), layout="constrained")
    places = sheet.subplots(1, len(panels), sharey=True, squeeze=False).flat
    for axes, (measure, panel) in zip(places, panels.items(), strict=True):
        axes.axvline(0, color=FAINT, lw=0.8, zorder=0)
        for row in range(1, len(rows)):
            axes.axhline(row - 0.5, color=FAINT, lw=0.4, zorder=0)
        for k, method in enumerate(methods):
            having = [row for row in rows if method in panel[row]]
            means, errors = zip(*(panel[row][method] for row in having), strict=True)
            heights = [rows.index(row) + 0.13 * (k - (len(methods) - 1) / 2) for row in having]
            look = {"color": COLOURS[k % 5], "marker": MARKERS[k % 5], "ls": "none", "ms": 4.5}
            look |= {"mfc": "white"} if k >= 5 else {}  # the sixth begins the colours again
            axes.errorbar(means, heights, xerr=errors, elinewidth=0.8, label=method, **look)
        axes.set_title(measure)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    marks, names = sheet.axes[0].get_legend_handles_labels()
    sheet.legend(marks, names, loc="outside lower center", ncols=len(methods))
    return sheet
