"""Arms of fine-tunings, way by way, panel by panel, against a line that they should reach."""

from collections.abc import Mapping, Sequence

import numpy as np

from stabn.figures.sheet import COLOURS, FAINT, INK, MARKERS, Sheet, styled

Arms = Mapping[str, Mapping[str, Sequence[float]]]  # way → {arm: values of its seeds}


@styled
def arms_figure(panels: Mapping[str, Arms], reached: Mapping[str, float], label: str) -> Sheet:
    """Every seed a grey point, every arm's mean a mark, a panel for each list.

    Args:
        panels: list → way → {arm: values}; all panels have the same ways and arms.
        reached: list → the line to reach; a list without one has no line.
        label: of the vertical axis, with its unit.
    """
    sheet = Sheet(3.2, layout="constrained")
    places = sheet.subplots(1, len(panels), sharey=True, squeeze=False).flat
    for axes, (name, ways) in zip(places, panels.items(), strict=True):
        if name in reached:
            axes.axhline(reached[name], color=INK, lw=1, ls=(0, (4, 2)), zorder=0)
        for place, arms in enumerate(ways.values()):
            for i, (arm, values) in enumerate(arms.items()):
                if not len(values):
                    continue
                x = place + 0.22 * (i - (len(arms) - 1) / 2)
                axes.plot([x] * len(values), values, "o", color=FAINT, ms=2.5, zorder=1)
                look = {"color": COLOURS[i], "marker": MARKERS[i], "ls": "none", "ms": 6}
                axes.plot(x, np.mean(values), **look, label=arm if place == 0 else None)
        axes.set_xticks(range(len(ways)), list(ways))
        axes.set(title=name, xlim=(-0.5, len(ways) - 0.5))
    sheet.axes[0].set_ylabel(label)
    marks, names = sheet.axes[0].get_legend_handles_labels()
    sheet.legend(marks, names, loc="outside lower center", ncols=4)
    return sheet


def describe_arms(panels: Mapping[str, Arms], reached: Mapping[str, float]) -> str:
    """The means of the same figure, a line for each panel and way."""
    lines = []
    for name, ways in panels.items():
        line = f" (to reach: {reached[name]:.1f})" if name in reached else ""
        for way, arms in ways.items():
            means = [f"{arm} {np.mean(v):.1f}" for arm, v in arms.items() if len(v)]
            told = ", ".join(means) or "no record"
            lines.append(f"{name}{line}, {' '.join(way.split())}: {told}")
    return "\n".join(lines)
