"""Faults built into real footage, and fine-tuning with the truth as edits: what it mends and harms.

Seeds and folds count as in :mod:`stabn.tables.footage`.
"""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from stabn.tables.comparison import mean_sd
from stabn.tables.fault import WAYS
from stabn.tables.finetunings import ARMS, SHORT
from stabn.tables.footage import SET, Of, by_seed, cell, read_footage
from stabn.tables.html import NOTHING, table
from stabn.training.checkpoint import REPOSITORY

# fault → what misleads on its swapped list
FAULTS = {"pause": "the length of the pause", "shortcut": "the second swipe"}
LISTS = {"aligned": "Aligned", "swapped": "Swapped", "absent": "Absent"}


def on_list(arm: str, form: str) -> Of:
    """Top-1 in % of a fine-tuning's arm on one form of the list with the fault."""
    return lambda record: 100 * _of(record["results"], arm, form)["top1"]


def reliance(arm: str) -> Of:
    """Aligned − swapped, points of top-1: what the fault decides in the same clips."""
    return lambda record: on_list(arm, "aligned")(record) - on_list(arm, "swapped")(record)


def turned(arm: str, form: str) -> Of:
    """Share in % of an arm's answers that are the opposite direction, on one form of the list."""
    return lambda record: 100 * _of(record["turned"], arm, form)


def rank(arm: str, form: str) -> Of:
    """Rank correlation of an arm's M_t with the truth."""
    return lambda record: _of(record["results"], arm, form)["rank_correlation"]["value"]


def _of(figures: Mapping[str, Any], arm: str, form: str) -> Any:
    """An arm's on one form of its fold's list."""
    (tag,) = (t for t in figures if t.startswith(f"{arm}-validation_{form}_"))
    return figures[tag]


def mended_table(fault: str, root: Path = REPOSITORY) -> str:
    """Top-1 on the three lists of a fault, and what the fault decides: way by way, arm by arm."""
    caption = f"{SET}, misled by {FAULTS[fault]}: top-1 in %, mean ± sd over seeds"
    caption += "; edits are the truth"
    head = {words: (lambda arm, form=form: on_list(arm, form), 1) for form, words in LISTS.items()}
    return _table(fault, caption, head | {"Aligned − swapped": (reliance, 1)}, ARMS, root)


def turned_table(fault: str, root: Path = REPOSITORY) -> str:
    """Of a fault's swapped list: what is answered with and without edits, and what M_t is."""
    head = {
        "Right, %": (lambda arm: on_list(arm, "swapped"), 1),
        "The opposite direction, %": (lambda arm: turned(arm, "swapped"), 1),
        "M_t with the truth: rank correlation": (lambda arm: rank(arm, "swapped"), 2),
    }
    caption = f"{SET}, misled by {FAULTS[fault]}, swapped list: mean ± sd over seeds"
    return _table(fault, caption, head, ("control", "knowledge"), root)


def _table(fault: str, caption: str, head: Mapping, arms, root: Path) -> str:
    """A row a way and arm; ``head`` is {heading: (arm → figure of a record, decimals)}."""
    runs, rows = read_footage(root), []
    for way, words in WAYS.items():
        seeds = runs.get((fault, f"{way}_finetune"), {})
        for arm in arms:
            cells = (cell(by_seed(seeds, made(arm)), digits) for made, digits in head.values())
            rows.append([escape(f"{words}: {SHORT[arm].removeprefix('network ')}"), *cells])
    return table(caption, ["Way and arm", *head], rows, text_columns=1)


def mended_in_words(fault: str, root: Path = REPOSITORY) -> str:
    """What edits did on the swapped list, way by way, as a sentence."""
    runs, said, n = read_footage(root), [], 0
    for way, words in WAYS.items():
        seeds = runs.get((fault, f"{way}_finetune"), {})
        told = [by_seed(seeds, on_list(arm, "swapped")) for arm in ("control", "knowledge")]
        if told[0]:
            n = len(told[0])
            control, knowledge = (f"{mean_sd(values).mean:.0f}" for values in told)
            said.append(f"{words}: {control} % without edits, {knowledge} % with them")
    if not said:
        return NOTHING
    plural = "seed" if n == 1 else "seeds"
    return (
        f"Real footage where {FAULTS[fault]} misleads, fine-tuned with the truth as edits: "
        f"{'; '.join(said)} ({n} {plural})."
    )
