"""How far annotators agree, and what they agree on.

Levels alone are compared. "Nothing to correct" gives none: it says that the network's are good
enough, not that its annotator would have drawn the same, and Enter can be pressed without a look.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from stabn.knowledge.edits.edit import Edit, EditError

# For or against levels of a video.
WEIGHT = {"edited": 1, "nothing_to_correct": 0, "open": 0, "cannot_tell": -1, "bad_video": -1}


def alpha(edits: Iterable[Edit]) -> float:
    """Krippendorff's alpha (interval level) over the frames of videos that two or more edited.

    Computed in its closed form for squared differences. (The package ``krippendorff``, by which the
    tests check it, needs memory for every pair of different levels in every frame; sliders make
    thousands of different levels.)

    Args:
        edits: of any videos; of several by one annotator of one video the latest counts.

    Returns:
        1 for full agreement, about 0 for chance, below 0 for less. NaN where no video was edited by
        two, or where all levels are the same: then there is nothing to disagree about.

    Raises:
        EditError: edits of one video differ in their number of frames.
    """
    rows = [levels for levels in _levels(edits).values() if len(levels) > 1]
    if not rows:
        return float("nan")
    # Krippendorff's D_o and D_e: mean squared difference of two levels of a frame, of any two.
    values = np.concatenate([levels.ravel() for levels in rows])
    n = len(values)
    pairs = [levels.var(0, ddof=1).sum() * 2 * len(levels) for levels in rows]
    observed, expected = sum(pairs) / n, 2 * values.var(ddof=1)
    return 1 - observed / expected if np.ptp(values) > 0 else float("nan")


def consensus(edits: Iterable[Edit]) -> dict[str, np.ndarray]:
    """One level a frame for each video that annotators can judge.

    "Nothing to correct" has no say in it: it neither pulls the median to the network's own levels
    nor outweighs those who could not tell. Of levels 0 by one and 1 by another, and nothing to
    correct by three, the median is 0.5. A video of which all say so has no consensus.

    Args:
        edits: of any videos; of several by one annotator of one video the latest counts.

    Returns:
        {video id: float32 (n,) in [0, 1]}, the median over those who edited it; without the videos
        that more annotators could not tell, or found bad, than edited.

    Raises:
        EditError: edits of one video differ in their number of frames.
    """
    latest = _latest(edits)
    balance: dict[str, int] = defaultdict(int)
    for edit in latest:
        balance[edit.video_id] += WEIGHT[edit.verdict]
    return {
        video_id: np.median(levels, axis=0).astype(np.float32)
        for video_id, levels in _levels(latest).items()
        if balance[video_id] >= 0
    }


def agreement_table(edits: Iterable[Edit]) -> pd.DataFrame:
    """One row for each pair of annotators who edited a video in common.

    Args:
        edits: of any videos; of several by one annotator of one video the latest counts.

    Returns:
        Columns first, second (names, in alphabetical order), videos (how many in common), alpha
        (as :func:`alpha`, of these two) and difference (mean absolute difference of their levels).

    Raises:
        EditError: edits of one video differ in their number of frames.
    """
    by: dict[str, dict[str, Edit]] = defaultdict(dict)
    for edit in _latest(edits):
        if edit.verdict == "edited":
            by[edit.annotator][edit.video_id] = edit
    rows = []
    for first, second in combinations(sorted(by), 2):
        common = [video_id for video_id in by[first] if video_id in by[second]]
        if not common:
            continue
        both = [by[name][video_id] for video_id in common for name in (first, second)]
        differences = [np.abs(a - b) for a, b in _levels(both).values()]
        rows.append((first, second, len(common), alpha(both), np.concatenate(differences).mean()))
    return pd.DataFrame(rows, columns=["first", "second", "videos", "alpha", "difference"])


def _latest(edits: Iterable[Edit]) -> Sequence[Edit]:
    """Each annotator's latest edit of each video; of two of one moment, the later in the list."""
    latest: dict[tuple[str, str], Edit] = {}
    for edit in edits:
        key = edit.video_id, edit.annotator
        if key not in latest or latest[key].made <= edit.made:
            latest[key] = edit
    return list(latest.values())


def _levels(edits: Iterable[Edit]) -> dict[str, np.ndarray]:
    """{video id: float64 (annotators, n)} of the videos that anybody edited."""
    rows: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for edit in _latest(edits):
        if edit.verdict == "edited":
            rows[edit.video_id].append(edit.levels)
    for video_id, levels in rows.items():
        if len({len(row) for row in levels}) > 1:
            lengths = sorted({len(row) for row in levels})
            raise EditError(
                f"video {video_id}: levels: given {' and '.join(map(str, lengths))}; were "
                "they shown the same file?"
            )
    return {video_id: np.array(levels) for video_id, levels in rows.items()}
