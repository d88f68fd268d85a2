"""What an edit costs its annotator, by the editor's own clock, and what they know."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.edits.exchange import read_json
from stabn.tables.comparison import SIGNIFICANT, mean_sd, p_words, paired_test
from stabn.tables.fault import ABSENT, SWAPPED, WAYS, reliance, top1
from stabn.tables.finetunings import read_finetunings
from stabn.tables.html import DASH, MISSING, NOTHING, fixed, table
from stabn.tables.sweeps import AGREEMENT, WAY, gains, points
from stabn.tables.taught import taught_table
from stabn.training.checkpoint import REPOSITORY

TIMED = "book/results/editing/timed_edits.json"
HAND = "book/results/hand/{of}_seed*.json"
# whose levels, of the same few videos → in words, and the arms that tell of them
LEVELS = {
    "hand": ("by an annotator", ("before", "control", "knowledge")),
    "truth": ("the truth", ("knowledge",)),
}


def timed_edits(root: Path = REPOSITORY) -> list[Edit]:
    """The committed edits that were made in the editor, with its clock running."""
    path = root / TIMED
    return [edit for edit in read_json(path) if edit.verdict == "edited"] if path.exists() else []


def seconds_in_words(edits: Sequence[Edit]) -> str:
    """How long edits took, as a sentence."""
    if not edits:
        return f"No timed edits are on record ({TIMED})."
    seconds = np.array([edit.seconds for edit in edits])
    frames = np.array([len(edit.levels) for edit in edits])
    return (
        f"{len(edits)} videos of {frames.min()} to {frames.max()} frames: median "
        f"{np.median(seconds):.0f} s a video, mean {seconds.mean():.0f} s, from "
        f"{seconds.min():.0f} to {seconds.max():.0f} s."
    )


def minutes_per_point(root: Path = REPOSITORY) -> str:
    """A table: what the edits of each share of videos would take, and minutes for each point.

    The minutes are the mean of :func:`timed_edits` times the number of videos; the gains are
    those of stand-in edits (:mod:`stabn.tables.sweeps`). Where seeds do not tell the gain from 0
    there is no price, and a dash.
    """
    edits = timed_edits(root)
    rows = []
    if edits:
        # minutes a video: many take the mean times their number, whatever the median
        each = float(np.mean([edit.seconds for edit in edits])) / 60
        gained = gains(top1(SWAPPED), "share", root)
        for share, seeds in points("share", root).items():
            if not gained[share]:
                continue
            videos = next(iter(seeds.values())).record["edits"]["videos"]
            gain, minutes = mean_sd(gained[share].values()).mean, videos * each
            told = paired_test(gained[share], dict.fromkeys(gained[share], 0.0))
            sure = told is not None and told.p < SIGNIFICANT and gain > 0
            price = f"{minutes / gain:.1f}" if sure else DASH
            gained_words = fixed(gain, 1, signed=True)
            rows.append([f"{share:g}", str(videos), f"{minutes:.0f}", gained_words, price])
    if not rows:
        return NOTHING
    head = ["Training videos edited, %", "Videos", "Minutes", "Mean gain, points"]
    caption = (
        "Minutes by the editor’s clock (timed edits) for gains of stand-in edits: mini-SSv2, "
        f"biased (synthetic), {WAYS[WAY]}, swapped sign"
    )
    return table(caption, [*head, "Minutes a point"], rows, text_columns=0)


def hand_table(root: Path = REPOSITORY) -> str:
    """Fine-tunings with the timed edits, and with the truth of the same videos, arm by arm."""
    caption = (
        f"mini-SSv2, biased (synthetic): one gated network, fine-tuned with the gate that closes "
        f"and {len(timed_edits(root))} edited videos; mean ± sd over five orders of its clips"
    )
    values = {
        "M_t with the truth": (AGREEMENT, 2),
        "Swapped, %": (top1(SWAPPED), 1),
        "Absent, %": (top1(ABSENT), 1),
        "Reliance, points": (reliance, 1),
    }
    return taught_table(caption, HAND, LEVELS, values, root)


def hand_in_words(root: Path = REPOSITORY) -> str:
    """Whether an annotator's levels teach less than the truth, on the swapped list."""
    by_hand, truth = (
        {
            one.seed: top1(SWAPPED)(one, "knowledge")
            for one in read_finetunings(root, HAND.format(of=of))
        }
        for of in LEVELS
    )
    test = paired_test(by_hand, truth)
    if test is None:
        return MISSING
    more = fixed(test.difference, 1, signed=True)
    return (
        f"On the swapped list the annotator's levels give {more} points "
        f"against the truth of the same videos (n = {test.n}, p {p_words(test.p)}, uncorrected)."
    )
