"""Edits of real footage that hands made: how far they agree, what they took, what they taught."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stabn.tables.comparison import mean_sd
from stabn.tables.finetunings import Finetuning, read_finetunings
from stabn.tables.footage_mended import LISTS, on_list
from stabn.tables.html import DASH, MISSING, NOTHING, fixed, table
from stabn.tables.taught import taught_table
from stabn.training.checkpoint import REPOSITORY
from stabn.training.records import read_record

AGREEMENT = "book/results/real_hand/agreement.json"
LEARNED = "book/results/real_hand/{of}_seed*.json"
PASSES = {"pass1": "pass 1", "pass2": "pass 2"}
# whose levels, of the same videos → in words, and the arms that tell of them
LEVELS = {
    "pass1": (PASSES["pass1"], ("before", "control", "knowledge")),
    "pass2": (PASSES["pass2"], ("knowledge",)),
    "truth": ("the truth", ("knowledge",)),
}
SET = "EgoGestAR (real footage, constructed timing), the fault of the pause, one fold"


def passes_table(root: Path = REPOSITORY) -> str:
    """Each pass: its videos and minutes, and how it agrees with the truth, and with the other."""
    record = read_record(root / AGREEMENT)
    if not record:
        return NOTHING
    rows = []
    for name, words in PASSES.items():
        one = record["passes"][name]
        seconds = np.array(one["seconds"])
        time = [f"{np.median(seconds):.0f}", f"{seconds.sum() / 60:.0f}"]
        rows.append([f"{words} and the truth", *_agreement(one["truth"]), DASH, *time])
    (between,) = record["between"].values()
    alpha = f"{between['alpha']:.2f}"
    rows.append(["pass 1 and pass 2", *_agreement(between), alpha, DASH, DASH])
    head = ["Compared", "Videos", "The same level, % of frames", "Action or not, %"]
    head += ["IoU of the action", "Krippendorff’s α", "Median s a video", "Minutes"]
    return table(f"{SET}: edits made by us, not by volunteers", head, rows, text_columns=1)


def _agreement(found: Mapping[str, Any]) -> list[str]:
    shares = [f"{100 * found[name]:.1f}" for name in ("equal", "action")]
    return [str(found["videos"]), *shares, f"{found['iou']:.2f}"]


def hands_table(root: Path = REPOSITORY) -> str:
    """Fine-tunings with each pass and with the truth of the same videos, arm by arm."""
    caption = f"{SET}: the paper’s fusion, then a gate that closes (ours); mean ± sd over seeds"
    values = {words: (value, 1) for words, value in VALUES.items()}
    return taught_table(caption, LEARNED, LEVELS, values, root)


def _on(form: str) -> Callable[[Finetuning, str], float]:
    return lambda one, arm: on_list(arm, form)(one.record)


VALUES = {f"{words}, %": _on(form) for form, words in LISTS.items()}
VALUES["Reliance, points"] = lambda one, arm: _on("aligned")(one, arm) - _on("swapped")(one, arm)


def gain_in_words(root: Path = REPOSITORY) -> str:
    """What each pass and the truth give above the first pass's control, as a sentence."""
    swapped = _on("swapped")
    done = {of: read_finetunings(root, LEARNED.format(of=of)) for of in LEVELS}
    control = {one.seed: swapped(one, "control") for one in done["pass1"]}
    said = []
    for of, ones in done.items():
        gains = [
            swapped(one, "knowledge") - control[one.seed] for one in ones if one.seed in control
        ]
        if gains:
            gain = mean_sd(gains)
            sd = f" ± {gain.sd:.1f}" if gain.n > 1 else ""
            more = fixed(gain.mean, 1, signed=True)
            said.append(f"{LEVELS[of][0]} {more}{sd} (n = {gain.n})")
    if not said:
        return MISSING
    found = "; ".join(said)
    return f"Knowledge − control of pass 1, swapped list, points of top-1: {found}."
