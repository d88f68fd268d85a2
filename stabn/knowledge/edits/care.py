"""Who may be careless: signs in numbers, and words that warn before they accuse."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from stabn.knowledge.edits.agreement import consensus
from stabn.knowledge.edits.edit import UNKNOWN_MODEL, Edit

FEW = 10  # videos below which a share says little
EXPLAINED = {  # each column in words
    "videos": "how many videos they answered",
    "unchanged": "share of the videos they judged that they left as the network had them",
    "fast": "share of their videos done in less time than nine in ten of all other people's; "
    "about 10% is usual",
    "apart": "how far their levels, from 0 to 1, are from the median of the others, on average",
    "common": "over how many videos that is",
    "off gold": "how far their levels are from those that are known (gold), on average",
    "gold": "over how many videos that is",
}
MEASURES = tuple(EXPLAINED)
UNCHANGED, FAST, APART = 0.5, 0.5, 0.25  # from which a number is worth a look


def signs(edits: Sequence[Edit], gold: Iterable[Edit] = ()) -> pd.DataFrame:
    """One row an annotator, by name; what cannot be said is NaN.

    "Nothing to correct" stands here for the attention that was shown: whoever says it answered with
    that.

    Args:
        edits: each annotator's latest of each video.
        gold: of videos whose levels are known.

    Returns:
        Columns

        - annotator;
        - videos: how many they answered;
        - unchanged: share of those they judged, with levels or without a change, that they left
          unchanged;
        - fast: share of their videos done in less time than the fastest tenth of all other
          annotators' videos, so about 0.1 for everybody who is as quick as the others. Imported
          edits do not count: nobody noted their time;
        - apart, common: mean absolute difference from the median of the others, in levels, and
          over how many videos;
        - off gold, gold: the same from the known levels;
        - worth a look: what of this is worth a look, in words; "" for nothing.
    """
    known = {edit.video_id: answered(edit) for edit in gold}
    rows = []
    for name in sorted({edit.annotator for edit in edits}):
        own = [edit for edit in edits if edit.annotator == name]
        others = [edit for edit in edits if edit.annotator != name]
        judged = [edit for edit in own if answered(edit) is not None]
        mine = {edit.video_id for edit in own}
        median = consensus(edit for edit in others if edit.video_id in mine)
        apart, off = _differences(judged, median), _differences(judged, known)
        row = {
            "annotator": name,
            "videos": len(own),
            "unchanged": _mean([edit.verdict == "nothing_to_correct" for edit in judged]),
            "fast": _share_below(_seconds(own), _seconds(others)),
            "apart": _mean(apart),
            "common": len(apart),
            "off gold": _mean(off),
            "gold": len(off),
        }
        rows.append(row | {"worth a look": _words(row)})
    return pd.DataFrame(rows, columns=["annotator", *MEASURES, "worth a look"])


def answered(edit: Edit) -> np.ndarray | None:
    """The levels (n,) that an edit stands for; None where it says that there are none."""
    if edit.verdict == "nothing_to_correct":
        return np.array(edit.attention)
    return np.array(edit.levels) if edit.verdict == "edited" else None


def _differences(own: Iterable[Edit], levels: dict[str, np.ndarray]) -> list[float]:
    """Mean absolute difference over frames, of each video that is in both."""
    both = [(answered(edit), levels.get(edit.video_id)) for edit in own]
    return [float(np.abs(mine - theirs).mean()) for mine, theirs in both if theirs is not None]


def _seconds(edits: Iterable[Edit]) -> list[float]:
    return [edit.seconds for edit in edits if edit.model != UNKNOWN_MODEL]


def _share_below(own: list[float], others: list[float]) -> float:
    return _mean(np.array(own) < np.quantile(others, 0.1)) if own and others else float("nan")


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _words(row: dict) -> str:
    said = []
    if row["unchanged"] >= UNCHANGED:
        said.append(f"left {row['unchanged']:.0%} unchanged")
    if row["fast"] >= FAST:
        said.append(f"was faster than nine in ten of the others in {row['fast']:.0%}")
    if row["apart"] >= APART:
        said.append(f"is {row['apart']:.2f} from the others (videos: {row['common']})")
    if row["off gold"] >= APART:
        said.append(f"is {row['off gold']:.2f} from gold (videos: {row['gold']})")
    if said and row["videos"] < FEW:
        said.append(f"but so few videos ({row['videos']}) say little")
    return "; ".join(said)
