"""Charts: M_t over time, training curves, confusion, the seeds of a study."""

from collections.abc import Mapping, Sequence
from textwrap import shorten

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from stabn.figures.sheet import COLOURS, FAINT, INK, LINES, MARKERS, Sheet, ink_on, styled


@styled
def temporal_figure(
    series: Mapping[str, np.ndarray],
    *,
    levels: np.ndarray | None = None,
    levels_name: str = "truth",
    frame_indices: Sequence[int] | None = None,
) -> Sheet:
    """M_t over the frames, one line a series, above the true or edited levels as hatched steps.

    Args:
        series: name → M_t (T,) in [0, 1]; up to five, told apart by line and marker.
        levels: truth or edit, (T,) in [0, 1].
        levels_name: what they are: ``"truth"``, ``"edit"``.
        frame_indices: source indices of the frames; 0 … T−1 by default.
    """
    sheet = Sheet(2.3, layout="constrained")
    axes = sheet.subplots()
    length = len(next(iter(series.values())))
    x = np.arange(length) if frame_indices is None else np.asarray(frame_indices)
    if levels is not None:
        axes.fill_between(
            x,
            np.asarray(levels),
            step="mid",
            facecolor="#e4e3da",
            edgecolor=FAINT,
            hatch="///",
            linewidth=0.8,
            label=f"{levels_name} level",
        )
    for i, (name, values) in enumerate(series.items()):
        axes.plot(
            x, values, color=COLOURS[i], linestyle=LINES[i], marker=MARKERS[i], ms=4, label=name
        )
    axes.set(xlabel="source frame", ylabel="weight", ylim=(-0.03, 1.05), yticks=(0, 0.5, 1))
    sheet.legend(loc="outside upper left", ncols=3)
    return sheet


def describe_temporal(
    series: Mapping[str, np.ndarray],
    *,
    levels: np.ndarray | None = None,
    levels_name: str = "truth",
    frame_indices: Sequence[int] | None = None,
) -> str:
    """:func:`temporal_figure` in words: where series peak, and when the levels are highest."""
    length = len(next(iter(series.values())))
    x = np.arange(length) if frame_indices is None else np.asarray(frame_indices)
    words = [
        f"{name} is highest, {np.max(values):.2f}, at frame {x[np.argmax(values)]} and spans "
        f"{np.min(values):.2f} to {np.max(values):.2f}."
        for name, values in series.items()
    ]
    if levels is not None and np.max(levels) > 0:
        moving = x[np.asarray(levels) == np.max(levels)]
        words.append(f"The {levels_name} is highest from frame {moving[0]} to frame {moving[-1]}.")
    return " ".join(words)


@styled
def levels_figure(rows: Mapping[str, np.ndarray]) -> Sheet:
    """Levels of several people over one video's frames, a row each.

    Dark is 0; 0.5 carries a dot and 1 a bar, so that they are told apart without colour.

    Args:
        rows: who → levels (n,) in [0, 1].
    """
    sheet = Sheet(0.55 + 0.3 * len(rows), layout="constrained")
    axes = sheet.subplots()
    values = np.stack(list(rows.values()))
    axes.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (y, x), level in np.ndenumerate(values):
        sign = {0.5: "·", 1.0: "|"}.get(float(level), "")
        axes.text(x, y, sign, ha="center", va="center", color=ink_on(level, "cividis"))
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xlabel("source frame")
    axes.tick_params(length=0)
    return sheet


def level_colour(level: float) -> str:
    """The colour of a level in :func:`levels_figure`, as ``#rrggbb``."""
    return to_hex(colormaps["cividis"](float(level)))


def describe_levels(rows: Mapping[str, np.ndarray]) -> str:
    """:func:`levels_figure` in words: the frames that each gave level 1."""
    words = []
    for who, levels in rows.items():
        moving = np.flatnonzero(np.asarray(levels) == 1)
        where = f"{moving[0]} to {moving[-1]}" if len(moving) else "none"
        words.append(f"{who}: {where}")
    return f"Frames at level 1 by {'; '.join(words)}."


@styled
def curves(
    rows: Sequence[Mapping[str, float]], panels: Mapping[str, Sequence[str]], *, x: str = "epoch"
) -> Sheet:
    """How training went, one panel a quantity.

    Args:
        rows: one mapping an epoch, as metrics.jsonl holds them; a key may be absent from some.
        panels: axis label → the keys drawn on it, told apart by line and marker.
        x: the key of the horizontal axis.
    """
    sheet = Sheet(2.5, layout="constrained")
    places = sheet.subplots(1, len(panels), squeeze=False)[0]
    for axes, (label, keys) in zip(places, panels.items(), strict=True):
        for i, key in enumerate(keys):
            points = [(row[x], row[key]) for row in rows if row.get(key) is not None]
            if points:
                style = {"color": COLOURS[i], "linestyle": LINES[i], "marker": MARKERS[i]}
                axes.plot(*zip(*points, strict=True), ms=3.5, label=key.replace("_", " "), **style)
        axes.set(xlabel=x, ylabel=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
    return sheet


def describe_curves(
    rows: Sequence[Mapping[str, float]], panels: Mapping[str, Sequence[str]], *, x: str = "epoch"
) -> str:
    """:func:`curves` in words: where each starts and ends."""
    words = []
    for key in (key for keys in panels.values() for key in keys):
        points = [(row[x], row[key]) for row in rows if row.get(key) is not None]
        if points:
            (first, start), (last, end) = points[0], points[-1]
            name = key.replace("_", " ")
            words.append(f"{name}: {start:.3g} at {x} {first}, {end:.3g} at {x} {last}.")
    return " ".join(words)


@styled
def confusion(counts: np.ndarray, class_names: Sequence[str]) -> Sheet:
    """Confusion matrix: each row is a true class, its numbers are per cent of that class's clips.

    Args:
        counts: integers (K, K), rows true, columns predicted. Numbers are written up to K = 20.
        class_names: K names; columns carry their numbers.
    """
    counts = np.asarray(counts, float)
    size = len(class_names)
    if counts.shape != (size, size):
        raise ValueError(f"counts {counts.shape} must be ({size}, {size}), one row a class name")
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    written = size <= 20
    sheet = Sheet(max(2.2, 0.27 * size + 0.7) if written else 6.4, layout="constrained")
    axes = sheet.subplots()
    picture = axes.imshow(share, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    if written:
        for (i, j), value in np.ndenumerate(share):
            if counts[i, j] > 0:
                ink = ink_on(value / 100, "cividis")
                axes.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=8.5, color=ink)
        names = [
            f"{shorten(name, 44, placeholder=' …')}  {i}" for i, name in enumerate(class_names)
        ]
        axes.set_yticks(range(size), names)
        axes.set_xticks(range(size))
    axes.tick_params(length=0)
    axes.set(xlabel="predicted class", ylabel="" if written else "true class")
    sheet.colorbar(picture, ax=axes, label="% of the true class", pad=0.01, fraction=0.03)
    return sheet


def describe_confusion(counts: np.ndarray, class_names: Sequence[str], most: int = 3) -> str:
    """:func:`confusion` in words: the share that is right, and the pairs most often mistaken."""
    counts = np.asarray(counts)
    wrong = counts - np.diag(np.diag(counts))
    words = [f"{np.trace(counts) / max(counts.sum(), 1):.1%} of {counts.sum()} clips are right."]
    for place in np.argsort(-wrong, axis=None, kind="stable")[:most]:
        i, j = np.unravel_index(place, wrong.shape)
        if wrong[i, j] > 0:
            words.append(f"“{class_names[i]}” taken for “{class_names[j]}”: {wrong[i, j]} clips.")
    return " ".join(words)


@styled
def seeds_figure(
    arms: Mapping[str, Mapping[int, float]], label: str = "top-1 accuracy, %"
) -> Sheet:
    """Each seed a line across the arms, each arm’s mean a bar: the pairs behind a paired test.

    Args:
        arms: arm → {seed: value}.
        label: of the vertical axis, with its unit.
    """
    sheet = Sheet(2.8, layout="constrained")
    axes = sheet.subplots()
    seeds = sorted({seed for values in arms.values() for seed in values})
    for i, seed in enumerate(seeds):
        points = [(place, v[seed]) for place, v in enumerate(arms.values()) if seed in v]
        style = {"linestyle": LINES[i % 5], "marker": MARKERS[i % 5], "color": COLOURS[i % 5]}
        axes.plot(*zip(*points, strict=True), ms=5, lw=1, label=f"seed {seed}", **style)
    for place, values in enumerate(arms.values()):
        if values:
            mean = np.mean(list(values.values()))
            axes.hlines(mean, place - 0.18, place + 0.18, color=INK, lw=2.5)
            under = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            axes.text(place + 0.2, mean, f"{mean:.1f}", va="center", weight="bold", bbox=under)
    axes.set_xticks(range(len(arms)), list(arms))
    axes.set(ylabel=label, xlim=(-0.5, len(arms) - 0.4))
    sheet.legend(loc="outside right center")
    return sheet


@styled
def sweep_figure(panels: Mapping[str, Mapping[float, Mapping[int, float]]], *, label: str) -> Sheet:
    """What a figure depends on, one panel for each thing that is varied.

    Args:
        panels: axis label → {what is varied: {seed: value}}. Points stand at equal distances, in
            rising order, each under its number.
        label: of the vertical axis, with its unit.
    """
    sheet = Sheet(2.5 * -(-len(panels) // 2), layout="constrained")
    places = sheet.subplots(-(-len(panels) // 2), 2, squeeze=False, sharey=True).flat
    for axes, (name, values) in zip(places, panels.items(), strict=False):
        axes.axhline(0, color=FAINT, lw=0.8)
        for place, seeds in enumerate(values.values()):
            axes.plot([place] * len(seeds), list(seeds.values()), "o", color=FAINT, ms=3.5)
        means = [np.mean(list(seeds.values())) for seeds in values.values()]
        axes.plot(means, color=COLOURS[0], marker=MARKERS[1], ms=5)
        axes.set_xticks(range(len(values)), [f"{x:g}" for x in values])
        axes.set(xlabel=name, xlim=(-0.4, len(values) - 0.6))
    for axes in list(sheet.axes)[len(panels) :]:
        axes.remove()
    sheet.supylabel(label, fontsize=9)
    return sheet
