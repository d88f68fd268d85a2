"""The sheet every figure is drawn on: opaque and light, legible in a column 700 px wide.

A sheet as wide as the column is 7.2 inches, so a letter of 9 points is 12 px high on the page.
"""

import functools
import io
from collections.abc import Callable

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 7.2  # inches
PAPER, INK, FAINT = "#fcfcf8", "#1d2126", "#8b9199"
SEQUENTIAL = "viridis"
# Series differ in line and marker before they differ in colour (all dark enough on PAPER).
COLOURS = ("#1f4e79", "#b3541e", "#3d7a4e", "#6b4c9a", "#5f6a72")
LINES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v")

_STYLE = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "#ffffff",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.linewidth": 0.6,
}


class Sheet(Figure):
    """A matplotlib Figure that a notebook shows as its cell's last line.

    It stands outside pyplot's global list, so nothing is drawn twice and nothing piles up.
    """

    def __init__(self, height: float, width: float = WIDTH, **options):
        super().__init__(figsize=(width, height), dpi=160, facecolor=PAPER, **options)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue(), {"width": round(self.get_figwidth() * 97)}

    def box(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes at a place given in inches from the sheet's upper left corner."""
        across, down = self.get_size_inches()
        return self.add_axes(
            (left / across, 1 - (top + height) / down, width / across, height / down)
        )

    def note(self, left: float, top: float, text: str, **options) -> None:
        """Text whose anchor is given in inches from the upper left corner."""
        across, down = self.get_size_inches()
        self.text(left / across, 1 - top / down, text, **options)


# matplotlib gives every subclass a `set` of its own, documented in markup that only its own Sphinx
# reads; the inherited one does the same.
del Sheet.set


def styled(draw: Callable[..., Sheet]) -> Callable[..., Sheet]:
    """Draw with the book's style, whatever the reader's own matplotlib settings are."""

    @functools.wraps(draw)
    def drawn(*args, **kwargs) -> Sheet:
        with matplotlib.style.context(["default", _STYLE]):
            return draw(*args, **kwargs)

    return drawn


def bare(axes: Axes) -> Axes:
    """No ticks, no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return axes


def ink_on(value: float, cmap: str = SEQUENTIAL) -> str:
    """Black or white: what can be read on the colour of ``value`` in [0, 1]."""
    red, green, blue, _ = matplotlib.colormaps[cmap](float(value))
    return "black" if np.dot((0.299, 0.587, 0.114), (red, green, blue)) > 0.5 else "white"
