"""What figures of attention are made of: a map over its frame, a weight in its cell, the answer."""

from collections.abc import Sequence
from textwrap import shorten

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from stabn.figures.sheet import FAINT, INK, SEQUENTIAL, Sheet, bare, ink_on

OPACITY = 0.55  # of a heat map over its frame
Prediction = tuple[str, float]  # a class's text, its probability


def upsample(maps: np.ndarray | torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    """Maps (T, H′, W′) → float32 (T, H, W), bilinear, cell centres in place; range unchanged."""
    maps = torch.as_tensor(maps).detach().float().cpu()
    if maps.ndim != 3:
        raise ValueError(f"maps must be (T, H′, W′), not {tuple(maps.shape)}")
    bigger = torch.nn.functional.interpolate(
        maps[:, None], size=size, mode="bilinear", align_corners=False
    )
    return bigger[:, 0].numpy()


def grey(frame: np.ndarray) -> np.ndarray:
    """A frame (H, W, 3) → luminance (H, W) in [0, 255]: all colour left is the attention's."""
    return frame @ np.array([0.299, 0.587, 0.114])


def overlay(
    axes: Axes, frame: np.ndarray, heat: np.ndarray, limits: tuple[float, float] = (0.0, 1.0)
) -> None:
    """A heat map (H, W) over its frame (H, W, 3) in grey, with a cross at its peak.

    A map that is the same everywhere has none.
    """
    axes.imshow(grey(frame), cmap="gray", vmin=0, vmax=255, aspect="auto")
    low, high = limits
    axes.imshow(heat, cmap=SEQUENTIAL, vmin=low, vmax=high, alpha=OPACITY, aspect="auto")
    if np.ptp(heat) > 0:
        y, x = np.unravel_index(heat.argmax(), heat.shape)
        axes.plot(x, y, "+", color="black", markersize=8, markeredgewidth=2.4)
        axes.plot(x, y, "+", color="white", markersize=7, markeredgewidth=1)


def cell(
    sheet: Sheet, left: float, top: float, width: float, value: float, cmap: str | None = None
) -> None:
    """A cell with its number: coloured for attention; grey and hatched, by level, for truth."""
    axes = bare(sheet.box(left, top, width, 0.2))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    face = colormaps[cmap](float(value)) if cmap else str(1 - 0.35 * float(value))
    hatch = "" if cmap or value == 0 else "///" if value < 0.75 else "//////"
    edge = {"edgecolor": FAINT, "linewidth": 0.5, "clip_on": False}
    axes.fill_between([0, 1], 0, 1, facecolor=face, hatch=hatch, **edge)
    under = {"facecolor": face, "edgecolor": "none", "pad": 0.8}
    colour = ink_on(value, cmap) if cmap else INK
    axes.text(0.5, 0.46, f"{value:.2f}", ha="center", va="center", color=colour, bbox=under)


def evenly(total: int, most: int) -> np.ndarray:
    """At most ``most`` of ``total`` positions, evenly spread, first and last among them."""
    return np.unique(np.linspace(0, total - 1, min(most, total)).round().astype(int))


def place(heat: np.ndarray) -> str:
    """Where a map peaks, in words: "at the upper left"; "everywhere alike" if it does not."""
    if np.ptp(heat) == 0:
        return "everywhere alike"
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    down = ("upper", "middle", "lower")[min(3 * y // heat.shape[0], 2)]
    across = ("left", "middle", "right")[min(3 * x // heat.shape[1], 2)]
    return "in the middle" if down == across else f"at the {down} {across}"


def scale(sheet: Sheet, top: float, name: str, limits: tuple[float, float] = (0.0, 1.0)) -> None:
    """The colour scale at the right, and what it is a scale of."""
    colours = ScalarMappable(Normalize(*limits), SEQUENTIAL)
    axes = sheet.box(5.5, top, 1.5, 0.12)
    sheet.colorbar(colours, cax=axes, orientation="horizontal", ticks=np.linspace(*limits, 3))
    sheet.note(5.4, top + 0.06, name, ha="right", va="center")


def class_lines(
    predictions: Sequence[Prediction], truth: str | None
) -> list[tuple[str, str, bool]]:
    """(probability, class, whether it is the true one), the true class last if it is not named."""
    lines = [(f"{p:.1%}", name, name == truth) for name, p in predictions]
    if truth is not None and truth not in dict(predictions):
        lines.append(("", truth, True))
    return lines


def class_list(
    sheet: Sheet, left: float, top: float, predictions: Sequence[Prediction], truth: str | None
) -> None:
    """What the network answered, a line of 0.2 inches a class."""
    for rank, (probability, name, true) in enumerate(class_lines(predictions, truth)):
        y = top + 0.2 * rank
        weight = "bold" if true else "normal"
        sheet.note(left + 0.45, y, probability, ha="right", va="center", weight=weight)
        name = shorten(name, 70, placeholder=" …") + ("  (true class)" if true else "")
        sheet.note(left + 0.55, y, name, va="center", weight=weight)


def answer(predictions: Sequence[Prediction], truth: str | None) -> list[str]:
    """The answer in sentences, and the true class where it is known."""
    words = []
    if predictions:
        name, probability = predictions[0]
        words.append(f"The network answers “{name}” with probability {probability:.1%}.")
    if truth is not None:
        words.append(f"The true class is “{truth}”.")
    return words
