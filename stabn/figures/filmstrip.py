"""Frames in rows."""

from collections.abc import Sequence

import numpy as np

from stabn.figures.sheet import Sheet, bare, styled


@styled
def filmstrip(
    frames: np.ndarray,
    *,
    frame_indices: Sequence[int] | None = None,
    captions: Sequence[str] | None = None,
    columns: int = 8,
) -> Sheet:
    """Frames uint8 (n, H, W, 3) in rows, each under its index, over its caption if there is one."""
    frames = np.asarray(frames)
    indices = range(len(frames)) if frame_indices is None else frame_indices
    columns = min(columns, len(frames))
    cell = min(7.0 / columns, 1.6)
    picture = cell * frames.shape[1] / frames.shape[2]
    block = 0.24 + picture + (0.22 if captions is not None else 0.04)
    sheet = Sheet(0.05 + block * -(-len(frames) // columns))
    for i, (frame, index) in enumerate(zip(frames, indices, strict=True)):
        left, top = 0.1 + (i % columns) * cell, 0.05 + (i // columns) * block
        centre = left + (cell - 0.04) / 2
        sheet.note(centre, top + 0.12, str(index), ha="center", va="center")
        bare(sheet.box(left, top + 0.24, cell - 0.04, picture)).imshow(frame, aspect="auto")
        if captions is not None:
            y = top + 0.24 + picture + 0.1
            sheet.note(centre, y, captions[i], ha="center", va="center", fontsize=8.5)
    return sheet
