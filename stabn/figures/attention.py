"""The paper's Figure 3: when and where the network looked, for one clip."""

from collections.abc import Sequence

import numpy as np
import torch

from stabn.figures.overlay import (
    OPACITY,
    Prediction,
    answer,
    cell,
    class_lines,
    class_list,
    evenly,
    overlay,
    place,
    scale,
    upsample,
)
from stabn.figures.sheet import SEQUENTIAL, WIDTH, Sheet, bare, styled

_GUTTER, _RIGHT = 0.62, 0.1  # inches left of the frames for the rows' names, and right of them


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
    shown = evenly(len(frames), most_frames)
    columns = min(columns, len(shown))
    pitch = min((WIDTH - _GUTTER - _RIGHT) / columns, 1.25)
    picture = pitch * frames.shape[1] / frames.shape[2]
    row = {"index": 0.2, "bar": 0.22, "truth": 0.22 if levels is not None else 0, "range": 0.2}
    block = sum(row.values()) + 2 * picture + 0.16
    blocks = [shown[i : i + columns] for i in range(0, len(shown), columns)]
    foot = 0.5 + 0.2 * len(class_lines(predictions, truth))
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
            left = _GUTTER + column * pitch
            inner = pitch - 0.03
            sheet.note(left + inner / 2, top + 0.1, str(indices[t]), ha="center", va="center")
            bare(sheet.box(left, y_frame, inner, picture)).imshow(frames[t], aspect="auto")
            cell(sheet, left, y_bar, inner, temporal[t], SEQUENTIAL)
            if levels is not None:
                cell(sheet, left, y_truth, inner, levels[t])
            axes = bare(sheet.box(left, y_heat, inner, picture))
            overlay(axes, frames[t], heat[t], spatial_limits)
            sheet.note(
                left + inner / 2,
                y_heat + picture + 0.1,
                f"{spatial[t].min():.2f}–{spatial[t].max():.2f}",
                ha="center",
                va="center",
                fontsize=8,
            )
    top = 0.08 + len(blocks) * block
    raw = spatial_limits == (0.0, 1.0)
    name = "$M_t$ and $M_s$, raw values" if raw else "$M_s$, scale stretched"
    scale(sheet, top + 0.1, name, spatial_limits)
    sheet.note(_GUTTER, top + 0.16, f"+ peak of $M_s$ · opacity {OPACITY}", va="center")
    class_list(sheet, _GUTTER, top + 0.55, predictions, truth)
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
    words = answer(predictions, truth)
    if high == low:
        words.append("Temporal attention is the same at all frames.")
    else:
        words.append(
            f"Temporal attention is highest, {temporal[high]:.2f}, at frame {indices[high]} and "
            f"lowest, {temporal[low]:.2f}, at frame {indices[low]}."
        )
    if np.ptp(spatial) == 0:
        words.append("Spatial attention is the same everywhere.")
    else:
        words.append(
            f"At frame {indices[high]} spatial attention peaks {place(spatial[high])} "
            f"({spatial[high].max():.2f}; its lowest value there is {spatial[high].min():.2f})."
        )
    return " ".join(words)
