"""The way that mends on the plain set, where nothing is broken: does it do harm?"""

from html import escape
from pathlib import Path

from stabn.tables.comparison import Tested, compare, in_words, p_words, paired_test
from stabn.tables.fault import WAYS
from stabn.tables.finetunings import (
    ARMS,
    NAMES,
    PAIRS,
    PARTS,
    SHORT,
    Finetuning,
    by_seed,
    read_finetunings,
)
from stabn.tables.html import MISSING, fixed, linked, table
from stabn.training.checkpoint import REPOSITORY

RECORDS = "book/results/plain/plain_{way}_finetune_seed*.json"
PRICED = {
    "knowledge": "with the same right edits",
    "placebo": "with the same edits of other videos (the placebo)",
    "control": "without edits",
}
SHOWN = {"paper": WAYS["paper"], "closing": WAYS["paper_closing"]}


def study(way: str, root: Path = REPOSITORY) -> list[Finetuning]:
    """The committed fine-tunings of the plain set, ``"paper"`` or ``"closing"``."""
    return read_finetunings(root, RECORDS.format(way=way))


def plain_table(root: Path = REPOSITORY) -> str:
    """Top-1 over edited classes, others and all, and M_t's agreement, arm by arm of both ways."""
    rows = []
    for way, words in SHOWN.items():
        done = study(way, root)
        for arm in ARMS if way == "paper" else list(ARMS)[1:]:  # both have one "before"
            having = [one for one in done if arm in one.arms]
            cells = [linked(having, [one.parts(arm)[part] for one in having], 1) for part in PARTS]
            agreed = [one.figures(arm)["rank_correlation"]["value"] for one in having]
            start = SHORT[arm] if arm == "before" else f"{words}: {SHORT[arm]}"
            rows.append([escape(start), *cells, linked(having, agreed, 2)])
    caption = (
        "mini-SSv2 (synthetic, stand-in edits), nothing broken: validation top-1 in %, mean ± sd "
        "over seeds"
    )
    head = ["Way and arm", "Edited classes", "Other classes", "All classes", "M_t with the truth"]
    return table(caption, head, rows, text_columns=1)


def compared_plain(way: str, part: str = "all", root: Path = REPOSITORY) -> list[Tested]:
    """Paired tests between the arms of one way, in top-1 over a part of the classes."""
    done = study(way, root)
    return compare({arm: by_seed(done, arm, part) for arm in ARMS}, PAIRS)


def findings_plain(way: str, root: Path = REPOSITORY) -> str:
    """What those tests allow to be said over all classes, as a Markdown list."""
    return in_words(compared_plain(way, "all", root), PAIRS, NAMES, "in top-1 over all classes")


def price_in_words(root: Path = REPOSITORY) -> str:
    """What our way costs where nothing is broken: each arm in both ways, of the same networks."""
    ours, theirs = (study(way, root) for way in ("closing", "paper"))
    told = []
    for arm, words in PRICED.items():
        test = paired_test(*(by_seed(done, arm, "all") for done in (ours, theirs)))
        if test is None:
            return MISSING
        changed = f"{fixed(test.difference, 1, signed=True)} ± {test.sd:.1f}"
        told.append(f"{words} {changed} points (p {p_words(test.p)})")
    pulls = [done[0].settings["gamma"] for done in (ours, theirs)]
    return (
        f"Top-1 over all classes with the gate, minus that of the paper's way: {'; '.join(told)}. "
        f"Edits pull with γ_t = {pulls[0]:g} with the gate and {pulls[1]:g} without it; "
        f"{test.n} paired seeds, p not corrected."
    )
