"""Everybody's levels of one video, one above the other, below its frames."""

import base64
import html
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from stabn.data.ssv2 import VideoFolder
from stabn.data.video import VideoError
from stabn.knowledge.app.report import VERDICTS, shown
from stabn.knowledge.edits.agreement import consensus
from stabn.knowledge.edits.care import answered
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.selection.queue import Queue

MOST = 16  # frames of a video in its strip, evenly spread
SHORT = 16  # letters of a name beside its row
LEGEND = {"irrelevant": 0.0, "context (·)": 0.5, "the action (|)": 1.0}  # as the guidelines say


def compared(
    queue: Queue,
    video_id: str,
    edits: Sequence[Edit],
    aside: Collection[Edit] = (),
    gold: Sequence[Edit] = (),
) -> str:
    """A queued video as HTML, texts escaped: frames, a row of levels for each, and who they are.

    "Nothing to correct" is a word and no row: nobody drew these levels. Gold has its row in any
    case, what is known.

    Args:
        queue: holds the video.
        video_id: which one.
        edits: whose word counts.
        aside: what is set aside.
        gold: what is known of it.
    """
    video = queue.video(video_id)
    said, known = queue.classes[video.predicted], queue.classes[video.label]
    title = f"Video {video_id}: {known} (the network answered: {said})"
    rows, words = {"network": np.array(video.attention)}, []
    given = [
        *(("gold", edit) for edit in gold),
        *(("yes", edit) for edit in edits),
        *(("set aside", edit) for edit in aside),
    ]
    number = 0
    for counts, edit in given:
        if edit.video_id != video_id:
            continue
        row = "–"
        if counts == "gold":
            row = counts
        elif edit.verdict == "edited":
            number += 1
            row = f"{number} {_plain(edit.annotator)}"
        if row != "–":
            rows[row] = answered(edit)
        words.append(
            {
                "row": row,
                "annotator": edit.annotator,
                "verdict": VERDICTS[edit.verdict],
                "seconds": edit.seconds,
                "made (UTC)": f"{edit.made:%Y-%m-%d %H:%M}",
                "counts": counts,
            }
        )
    together = consensus(edit for edit in edits if edit.video_id == video_id)
    if video_id in together:
        rows["consensus"] = together[video_id]
    table = shown(pd.DataFrame(words)) if words else "<p>Nobody has answered it yet.</p>"
    return f"<h3>{html.escape(title)}</h3>{_strip(queue, video_id)}{_levels(rows)}{table}"


def _plain(name: str) -> str:
    """The beginning of a name, as a figure's font can draw it; the table has the whole name."""
    plain = "".join(c if c.isascii() and c.isprintable() and c != "$" else "?" for c in name)
    return plain if len(plain) <= SHORT else f"{plain[: SHORT - 1]}…"


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
    from stabn.figures import describe_levels, level_colour, levels_figure

    legend = ", ".join(
        f"<span style='padding: 0 .5em; background: {level_colour(at)}'></span> {at:g} {words}"
        for words, at in LEGEND.items()
    )
    return (
        f"{_picture(levels_figure(rows), describe_levels(rows))}<p>{legend}; shades between are "
        "values between. The network's row is its attention.</p>"
    )


def _picture(sheet, words: str) -> str:
    png, size = sheet._repr_png_()
    data = base64.b64encode(png).decode()
    return (
        f"<img src='data:image/png;base64,{data}' alt='{html.escape(words)}' "
        f"style='width: {size['width']}px; max-width: 100%'>"
    )
