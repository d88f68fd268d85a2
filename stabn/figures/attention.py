"""The paper's Figure 3: when and where the network looked, for one clip."""

from collections.abc import Sequence
from textwrap import shorten

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from stabn.figures.sheet import FAINT, INK, SEQUENTIAL, WIDTH, Sheet, bare, ink_on, styled

OPACITY = 0.55  # of a heat map over its frame
_GUTTER, _RIGHT = 0.62, 0.1  # inches left of the frames for the rows' names, and right of them
Prediction = tuple[str, float]


def upsample(maps: np.ndarray | torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    """Maps (T, H′, W′) → float32 (T, H, W), bilinear, cell centres in place; range unchanged."""
    maps = torch.as_tensor(maps).detach().float().cpu()
    if maps.ndim != 3:
        raise ValueError(f"maps must be (T, H′, W′), not {tuple(maps.shape)}")
    bigger = torch.nn.functional.interpolate(
        maps[:, None], size=size, mode="bilinear", align_corners=False
    )
    return bigger[:, 0].numpy()


def _grey(frame: np.ndarray) -> np.ndarray:
    """A frame (H, W, 3) → luminance (H, W) in [0, 255]: all colour left is the attention's."""
    return frame @ np.array([0.299, 0.587, 0.114])


def _evenly(total: int, most: int) -> np.ndarray:
    """At most ``most`` of ``total`` positions, evenly spread, first and last among them."""
    return np.unique(np.linspace(0, total - 1, min(most, total)).round().astype(int))


@styled
def attention_figure(
    frames: np.ndarray,
    temporal: np.ndarray,
    spatial: np.ndarray,
    *,
    frame_indices: Sequence[int] | None = None,
    levels: np.ndarray | None = None,
    predictions: Sequence[Prediction] = (),
    truth: str | None = None,
    columns: int = 8,
    most_frames: int = 16,
    spatial_limits: tuple[float, float] = (0.0, 1.0),
) -> Sheet:
    """The paper's Figure 3: when and where the network looked.

    For every frame, from top to bottom: the frame with its source index; M_t as a coloured cell
    with its number; the truth level where there is one; M_s as a heat map over the frame in grey,
    with a cross at its peak and its range in numbers.

    Args:
        frames: uint8 (T, H, W, 3), as the network saw them (cropped), any resolution.
        temporal: M_t, (T,) in [0, 1].
        spatial: M_s, (T, H′, W′) or (1, T, H′, W′) in [0, 1].
        frame_indices: the frames' source indices; 0 … T−1 by default.
        levels: truth or edit, (T,) in [0, 1].
        predictions: (class name, probability), most probable first.
        truth: the true class's name; its line among the predictions is marked.
        columns: frames in a row.
        most_frames: of longer clips so many frames, evenly spread, are shown.
        spatial_limits: the values at the ends of the heat maps’ colour scale. Raw by default;
            other limits are written beside the scale.

    Raises:
        ValueError: shapes that do not fit, or attention outside [0, 1].
    """
    frames, temporal, spatial = _checked(frames, temporal, spatial)
    indices = np.arange(len(frames)) if frame_indices is None else np.asarray(frame_indices)
    heat = upsample(spatial, frames.shape[1:3])
    shown = _evenly(len(frames), most_frames)
    columns = min(columns, len(shown))
    cell = min((WIDTH - _GUTTER - _RIGHT) / columns, 1.25)
    picture = cell * frames.shape[1] / frames.shape[2]
    row = {"index": 0.2, "bar": 0.22, "truth": 0.22 if levels is not None else 0, "range": 0.2}
    block = sum(row.values()) + 2 * picture + 0.16
    blocks = [shown[i : i + columns] for i in range(0, len(shown), columns)]
    listed = len(predictions) + (truth is not None and truth not in dict(predictions))
    foot = 0.5 + 0.2 * listed
    sheet = Sheet(0.08 + len(blocks) * block + foot)

    for number, chosen in enumerate(blocks):
        top = 0.08 + number * block
        y_frame = top + row["index"]
        y_bar = y_frame + picture + 0.03
        y_truth = y_bar + row["bar"]
        y_heat = y_truth + row["truth"] + 0.03
        names = [("frame", y_frame + picture / 2), ("$M_t$", y_bar + 0.11)]
        names += [("truth", y_truth + 0.11)] if levels is not None else []
        names += [("$M_s$", y_heat + picture / 2), ("range", y_heat + picture + 0.1)]
        for name, y in names:
            sheet.note(_GUTTER - 0.08, y, name, ha="right", va="center")
        for column, t in enumerate(chosen):
            left = _GUTTER + column * cell
            inner = cell - 0.03
            sheet.note(left + inner / 2, top + 0.1, str(indices[t]), ha="center", va="center")
            bare(sheet.box(left, y_frame, inner, picture)).imshow(frames[t], aspect="auto")
            _cell(sheet, left, y_bar, inner, temporal[t], SEQUENTIAL)
            if levels is not None:
                _cell(sheet, left, y_truth, inner, levels[t])
            axes = bare(sheet.box(left, y_heat, inner, picture))
            axes.imshow(_grey(frames[t]), cmap="gray", vmin=0, vmax=255, aspect="auto")
            axes.imshow(
                heat[t],
                cmap=SEQUENTIAL,
                vmin=spatial_limits[0],
                vmax=spatial_limits[1],
                alpha=OPACITY,
                aspect="auto",
            )
            y, x = np.unravel_index(heat[t].argmax(), heat[t].shape)
            axes.plot(x, y, "+", color="black", markersize=8, markeredgewidth=2.4)
            axes.plot(x, y, "+", color="white", markersize=7, markeredgewidth=1)
            sheet.note(
                left + inner / 2,
                y_heat + picture + 0.1,
                f"{spatial[t].min():.2f}–{spatial[t].max():.2f}",
                ha="center",
                va="center",
                fontsize=8,
            )
    _foot(sheet, 0.08 + len(blocks) * block, spatial_limits, predictions, truth)
    return sheet


def _checked(frames, temporal, spatial) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frames = np.asarray(frames)
    temporal, spatial = (
        torch.as_tensor(a).detach().float().cpu().numpy() for a in (temporal, spatial)
    )
    if spatial.ndim == 4 and spatial.shape[0] == 1:
        spatial = spatial[0]  # (1, T, H′, W′) → (T, H′, W′)
    t = len(frames)
    if frames.ndim != 4 or temporal.shape != (t,) or spatial.ndim != 3 or len(spatial) != t:
        raise ValueError(
            f"frames {frames.shape} must be (T, H, W, 3), M_t {temporal.shape} (T,) and "
            f"M_s {spatial.shape} (T, H′, W′), one T for all"
        )
    for name, values in (("M_t", temporal), ("M_s", spatial)):
        if not (values.min() >= 0 and values.max() <= 1):
            raise ValueError(
                f"{name} must lie in [0, 1]; it spans {values.min()} to {values.max()}"
            )
    return frames, temporal, spatial


def _cell(sheet, left, top, width, value, cmap=None) -> None:
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


def _foot(sheet, top, limits, predictions, truth) -> None:
    """The colour scale and how to read the maps, then the classes."""
    axes = sheet.box(5.5, top + 0.1, 1.5, 0.12)
    scale = ScalarMappable(Normalize(*limits), SEQUENTIAL)
    sheet.colorbar(scale, cax=axes, orientation="horizontal", ticks=np.linspace(*limits, 3))
    raw = limits == (0.0, 1.0)
    name = "$M_t$ and $M_s$, raw values" if raw else "$M_s$, scale stretched"
    sheet.note(5.4, top + 0.16, name, ha="right", va="center")
    sheet.note(_GUTTER, top + 0.16, f"+ peak of $M_s$ · opacity {OPACITY}", va="center")
    lines = [(f"{p:.1%}", name, name == truth) for name, p in predictions]
    if truth is not None and truth not in dict(predictions):
        lines.append(("", truth, True))
    for rank, (probability, name, true) in enumerate(lines):
        y = top + 0.55 + 0.2 * rank
        weight = "bold" if true else "normal"
        sheet.note(_GUTTER + 0.45, y, probability, ha="right", va="center", weight=weight)
        name = shorten(name, 70, placeholder=" …") + ("  (true class)" if true else "")
        sheet.note(_GUTTER + 0.55, y, name, va="center", weight=weight)


def describe_attention(
    temporal: np.ndarray,
    spatial: np.ndarray,
    *,
    frame_indices: Sequence[int] | None = None,
    predictions: Sequence[Prediction] = (),
    truth: str | None = None,
) -> str:
    """:func:`attention_figure` in words: the answer, when M_t is high and low, where M_s peaks."""
    temporal = torch.as_tensor(temporal).detach().float().cpu().numpy()
    spatial = torch.as_tensor(spatial).detach().float().cpu().numpy()
    spatial = spatial.reshape(len(temporal), *spatial.shape[-2:])
    indices = np.arange(len(temporal)) if frame_indices is None else np.asarray(frame_indices)
    high, low = int(temporal.argmax()), int(temporal.argmin())
    words = []
    if predictions:
        name, probability = predictions[0]
        words.append(f"The network answers “{name}” with probability {probability:.1%}.")
    if truth is not None:
        words.append(f"The true class is “{truth}”.")
    words.append(
        f"Temporal attention is highest, {temporal[high]:.2f}, at frame {indices[high]} and "
        f"lowest, {temporal[low]:.2f}, at frame {indices[low]}."
    )
    words.append(
        f"At frame {indices[high]} spatial attention peaks {_place(spatial[high])} "
        f"({spatial[high].max():.2f}; its lowest value there is {spatial[high].min():.2f})."
    )
    return " ".join(words)


def _place(heat: np.ndarray) -> str:
    """Where a map peaks, in words: "at the upper left"."""
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    down = ("upper", "middle", "lower")[min(3 * y // heat.shape[0], 2)]
    across = ("left", "middle", "right")[min(3 * x // heat.shape[1], 2)]
    return "in the middle" if down == across else f"at the {down} {across}"
