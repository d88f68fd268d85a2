"""Everybody's levels of one video, one above the other, below its frames."""

import base64
import html
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from stabn.data.ssv2 import VideoFolder
from stabn.data.video import VideoError
from stabn.knowledge.app.report import shown
from stabn.knowledge.edits.care import answered
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.selection.queue import Queue

MOST = 16  # frames of a video in its strip, evenly spread


def compared(
    queue: Queue,
    video_id: str,
    edits: Sequence[Edit],
    aside: Collection[Edit] = (),
    gold: Sequence[Edit] = (),
) -> str:
    """A queued video as HTML, texts escaped: frames, a row of levels for each, and who they are.

    Args:
        queue: holds the video.
        video_id: which one.
        edits: whose word counts.
        aside: what is set aside.
        gold: what is known of it.
    """
    video = queue.video(video_id)
    title = f"{queue.classes[video.label]} (answered: {queue.classes[video.predicted]})"
    rows, words = {"network": np.array(video.attention)}, []
    given = [
        *(("gold", edit) for edit in gold),
        *(("", edit) for edit in edits),
        *(("set aside", edit) for edit in aside),
    ]
    number = 0
    for note, edit in given:
        if edit.video_id != video_id:
            continue
        levels, row = answered(edit), "–"
        if levels is not None:
            number += note != "gold"
            row = note if note == "gold" else str(number)
            rows[row] = levels
        words.append(
            {
                "row": row,
                "annotator": edit.annotator,
                "verdict": edit.verdict.replace("_", " "),
                "seconds": edit.seconds,
                "made (UTC)": f"{edit.made:%Y-%m-%d %H:%M}",
                "": note,
            }
        )
    table = shown(pd.DataFrame(words)) if words else "<p>Nobody has answered it yet.</p>"
    return f"<p><b>{html.escape(title)}</b></p>{_strip(queue, video_id)}{_levels(rows)}{table}"


def _strip(queue: Queue, video_id: str) -> str:
    """Some of its frames, or why there are none."""
    frames = queue.video(video_id).frames
    some = np.unique(np.linspace(0, frames - 1, min(MOST, frames)).round().astype(int))
    from stabn.figures import filmstrip  # brings PyTorch: not before somebody looks

    try:
        pictures = VideoFolder(queue.data_root).read(video_id, some)
    except VideoError as error:
        return f"<p role='alert'>{html.escape(str(error))}</p>"
    return _picture(filmstrip(pictures, frame_indices=some), f"{len(some)} of {frames} frames")


def _levels(rows: dict[str, np.ndarray]) -> str:
    from stabn.figures import describe_levels, levels_figure

    return _picture(levels_figure(rows), describe_levels(rows))


def _picture(sheet, words: str) -> str:
    png, size = sheet._repr_png_()
    data = base64.b64encode(png).decode()
    return (
        f"<img src='data:image/png;base64,{data}' alt='{html.escape(words)}' "
        f"style='width: {size['width']}px; max-width: 100%'>"
    )
