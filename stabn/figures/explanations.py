"""Several explanations of one clip, under one another."""

from collections.abc import Mapping, Sequence

import numpy as np

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

_GUTTER, _RIGHT, _BAR = 1.1, 0.1, 0.22  # inches: names of rows, margin, a row of weights
Pair = tuple[np.ndarray, np.ndarray]  # when (T,), where (T, H′, W′)


@styled
def explanations_figure(
    frames: np.ndarray,
    explanations: Mapping[str, Pair],
    *,
    frame_indices: Sequence[int] | None = None,
    levels: np.ndarray | None = None,
    predictions: Sequence[Prediction] = (),
    truth: str | None = None,
    columns: int = 8,
) -> Sheet:
    """The clip once, and below it two rows for each method: when, then where.

    Methods have units of their own, so each row is divided by its largest value in the whole clip,
    never frame by frame: a frame that a method finds unimportant stays dark. The largest values
    themselves stand at the left. Negative evidence is shown as 0.

    Args:
        frames: uint8 (T, H, W, 3), as the network saw them.
        explanations: name → (temporal (T,), spatial (T, H′, W′)); H′ and W′ may differ.
        frame_indices: the frames’ source indices; 0 … T−1 by default.
        levels: truth, (T,) in [0, 1].
        predictions: (class name, probability), most probable first.
        truth: the true class’s name.
        columns: so many frames are shown, evenly spread.

    Raises:
        ValueError: no explanation, or one of another T.
    """
    frames = np.asarray(frames)
    indices = np.arange(len(frames)) if frame_indices is None else np.asarray(frame_indices)
    shares = {name: _shares(name, pair, frames) for name, pair in explanations.items()}
    if not shares:
        raise ValueError("explanations: give at least one")
    shown = evenly(len(frames), columns)
    pitch = min((WIDTH - _GUTTER - _RIGHT) / len(shown), 1.25)
    inner, picture = pitch - 0.03, pitch * frames.shape[1] / frames.shape[2]
    head = 0.28 + picture + 0.03 + (_BAR if levels is not None else 0)
    block = _BAR + picture + 0.1
    top = 0.04 + head + len(shares) * block
    sheet = Sheet(top + 0.5 + 0.2 * len(class_lines(predictions, truth)))

    _names(sheet, 0.28 + picture / 2, "frame")
    if levels is not None:
        _names(sheet, 0.28 + picture + 0.14, "truth")
    for column, t in enumerate(shown):
        left = _GUTTER + column * pitch
        sheet.note(left + inner / 2, 0.18, str(indices[t]), ha="center", va="center")
        bare(sheet.box(left, 0.28, inner, picture)).imshow(frames[t], aspect="auto")
        if levels is not None:
            cell(sheet, left, 0.28 + picture + 0.03, inner, levels[t])
    for row, (name, (when, where, largest)) in enumerate(shares.items()):
        y = 0.04 + head + row * block
        _names(sheet, y + _BAR + picture / 2, name, *largest)
        for column, t in enumerate(shown):
            left = _GUTTER + column * pitch
            cell(sheet, left, y, inner, when[t], SEQUENTIAL)
            overlay(bare(sheet.box(left, y + _BAR, inner, picture)), frames[t], where[t])
    scale(sheet, top + 0.1, "of each method’s largest value")
    sheet.note(0.1, top + 0.16, f"+ peak in the frame · opacity {OPACITY}", va="center")
    class_list(sheet, 0.1, top + 0.55, predictions, truth)
    return sheet


def _shares(
    name: str, pair: Pair, frames: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[str, str]]:
    """Both in [0, 1] of their largest values, the maps as large as frames; the largest in words."""
    when, where = (np.asarray(values, dtype=np.float32) for values in pair)
    t = len(frames)
    if when.shape != (t,) or where.ndim != 3 or len(where) != t:
        raise ValueError(
            f"{name}: when {when.shape} must be (T,) and where {where.shape} (T, H′, W′), with "
            f"T = {t} frames"
        )
    where = upsample(where, frames.shape[1:3])
    scaled, words = [], []
    for what, values in (("when", when), ("where", where)):
        largest = max(float(values.max()), 0.0)
        scaled.append(np.maximum(values, 0) / (largest or 1))
        words.append(f"{what} ≤ {largest:.2g}")
    return scaled[0], scaled[1], tuple(words)


def _names(sheet: Sheet, y: float, name: str, *below: str) -> None:
    """A row’s name at its left, smaller lines below."""
    sheet.note(_GUTTER - 0.08, y - 0.07 * len(below), name, ha="right", va="center")
    for line, words in enumerate(below):
        sheet.note(
            _GUTTER - 0.08, y + 0.08 + 0.14 * line, words, ha="right", va="center", fontsize=7.5
        )


def describe_explanations(
    explanations: Mapping[str, Pair],
    *,
    frame_indices: Sequence[int] | None = None,
    predictions: Sequence[Prediction] = (),
    truth: str | None = None,
) -> str:
    """:func:`explanations_figure` in words: the answer; when and where each method’s peak is."""
    words = answer(predictions, truth)
    for name, (when, where) in explanations.items():
        when, where = np.asarray(when), np.asarray(where)
        indices = np.arange(len(when)) if frame_indices is None else np.asarray(frame_indices)
        high, low = int(when.argmax()), int(when.argmin())
        words.append(
            f"{name}: most at frame {indices[high]}, there {place(where[high])}; least at frame "
            f"{indices[low]}."
        )
    return " ".join(words)
