"""Table 2 as HTML: what edited attention changes, part by part of the classes, arm by arm."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from operator import itemgetter
from pathlib import Path

import numpy as np

from stabn.tables.comparison import Tested, Unit, compare, in_words
from stabn.tables.finetunings import (
    ARMS,
    NAMES,
    PAIRS,
    PARTS,
    SHORT,
    Finetuning,
    by_seed,
    paired,
    read_finetunings,
)
from stabn.tables.html import DASH, differences_table, fixed, linked, remedies, table
from stabn.tables.power import power_table
from stabn.tables.table1 import paper_rows
from stabn.training.checkpoint import REPOSITORY

STUDY = "book/results/table2/*.json"
OWN = "runs/mini_finetune/record.json"
FINETUNE = (
    "mkdir -p runs/$NAME && papermill notebooks/launch/finetune.ipynb runs/$NAME/notebook.ipynb "
    "-f notebooks/launch/$NAME.yaml"
)
REAL = "ssv2_finetune"
PAPER = {"before": "before", "knowledge": "after"}


@dataclass(frozen=True)
class Attention:
    """How attention agrees with the truth, as a row of a table.

    Attributes:
        key: of the score, among an arm's figures.
        value: the score → what is shown of it.
        words: the row's name.
    """

    key: str
    value: Callable[[Mapping[str, float]], float]
    words: str

    def having(self, done: Sequence[Finetuning], arm: str) -> list[Finetuning]:
        """Those that have the arm, and a truth to judge it by."""
        return [one for one in done if one.figures(arm).get(self.key)]

    def of(self, one: Finetuning, arm: str) -> float:
        """The value of one that is :meth:`having` it."""
        return self.value(one.figures(arm)[self.key])

    def by_seed(self, done: Sequence[Finetuning], arm: str) -> dict[tuple, float]:
        """One arm's values by (seed, data): only fine-tunings on the same data make a pair."""
        return paired(self.having(done, arm), arm, self.of)


ATTENTION = {
    "own": Attention(
        "rank_correlation",
        itemgetter("value"),
        "M_t against the levels: rank correlation",
    ),
    "habit": Attention(
        "rank_correlation",
        itemgetter("exchanged"),
        "the same with other clips’ truth (habit)",
    ),
    "beyond_habit": Attention(
        "rank_correlation",
        lambda score: score["value"] - score["exchanged"],
        "M_t: own truth less others’ (what is not habit)",
    ),
    "pointing": Attention(
        "pointing",
        itemgetter("value"),
        "M_s’s peak on actor or hand: share of frames",
    ),
    "mass_in_mask": Attention(
        "mass_in_mask",
        itemgetter("value"),
        "M_s’s sum on actor or hand: share",
    ),
}
KNOWLEDGE = tuple((arm, other) for arm, other in PAIRS if arm == "knowledge")
ASKED = {  # what is tested: between which arms, in which unit, and how a finding names it
    "own": (KNOWLEDGE, Unit(2), "in M_t’s rank correlation with the own clip’s truth"),
    "beyond_habit": (
        KNOWLEDGE,
        Unit(2),
        "in M_t’s agreement beyond habit, own clip’s truth less other clips’",
    ),
    "pointing": (
        tuple(pair for pair in KNOWLEDGE if "before" not in pair),
        Unit(3),
        "in the share of frames where M_s peaks on actor or hand",
    ),
}


def study(root: Path = REPOSITORY) -> list[Finetuning]:
    """The committed study on synthetic mini-SSv2, all seeds."""
    return [done for done in read_finetunings(root, STUDY) if done.synthetic]


def own(root: Path = REPOSITORY) -> list[Finetuning]:
    """This build's own fine-tuning on mini-SSv2."""
    return read_finetunings(root, OWN)


def real_table2(root: Path = REPOSITORY) -> str:
    """Something-Something v2: the paper's two rows, and all four arms of ours where on record."""
    paper = {row["fine_tuning"]: row for row in paper_rows(root, "table2")}
    done = [one for one in read_finetunings(root, STUDY) if not one.synthetic]
    rows = []
    for arm, name in ARMS.items():
        printed = paper.get(PAPER.get(arm, ""), {})
        rows.append([escape(name), *(printed.get(part, DASH) for part in PARTS), *_ours(done, arm)])
    head = ["Fine-tuning", *(f"Paper: {part}" for part in PARTS), *(f"Ours: {p}" for p in PARTS)]
    caption = "Something-Something v2 (real videos), validation top-1 in %, by class group"
    gaps = [] if done else [f"NAME={REAL}"]
    return table(caption, head, rows, text_columns=1) + remedies(gaps, FINETUNE)


def mini_table2(root: Path = REPOSITORY) -> str:
    """Synthetic mini-SSv2 with stand-in edits: the committed study, and this build beside it."""
    runs, mine = study(root), own(root)
    rows = [[escape(name), *_ours(runs, arm), *_ours(mine, arm)] for arm, name in ARMS.items()]
    head = ["Fine-tuning", *(f"Study: {p}" for p in PARTS), *(f"This build: {p}" for p in PARTS)]
    caption = (
        "mini-SSv2 (synthetic videos, stand-in edits), validation top-1 in %, mean ± sd over seeds"
    )
    gaps = [gap for found, gap in ((runs, "make study"), (mine, "NAME=mini_finetune")) if not found]
    return table(caption, head, rows, text_columns=1) + remedies(gaps, FINETUNE)


def _ours(done: Sequence[Finetuning], arm: str) -> list[str]:
    having = [one for one in done if arm in one.arms]
    return [linked(having, [one.parts(arm)[part] for one in having], 1) for part in PARTS]


def paired_table2(part: str, root: Path = REPOSITORY) -> str:
    """Paired t-tests between the study's arms over one group of classes."""
    what = f"Top-1 over {part} classes, mini-SSv2 (synthetic)"
    return differences_table("Paired t-tests over seeds", what, compared2(part, root), SHORT)


def findings2(part: str, root: Path = REPOSITORY) -> str:
    """What those tests allow to be said, as a Markdown list."""
    where = {"modified": "over the edited classes", "other": "over the others", "all": "over all"}
    return in_words(compared2(part, root), PAIRS, NAMES, f"in top-1 {where[part]}")


def compared2(part: str, root: Path = REPOSITORY) -> list[Tested]:
    """Paired tests of top-1 over one group of classes, between the study's arms."""
    runs = study(root)
    return compare({arm: by_seed(runs, arm, part) for arm in ARMS}, PAIRS)


def paper_gains(root: Path = REPOSITORY) -> dict[str, float]:
    """The paper's gain over each group of classes, points of top-1."""
    before, after = _paper(root)
    return {part: after[part] - before[part] for part in PARTS}


def _paper(root: Path) -> list[dict[str, float]]:
    """Top-1 by group of classes in the paper's Table 2: before, and after."""
    paper = {row["fine_tuning"]: row for row in paper_rows(root, "table2")}
    return [
        {part: float(paper[PAPER[arm]][part]) for part in PARTS} for arm in ("before", "knowledge")
    ]


def paper_gain_in_words(root: Path = REPOSITORY) -> str:
    """How much of the paper's gain lies on the classes whose videos were edited, which are few.

    Their share x of the videos follows from the accuracies before: x · modified + (1 − x) · other
    = all.
    """
    (before, after), gain = _paper(root), paper_gains(root)
    share = (before["other"] - before["all"]) / (before["other"] - before["modified"])
    given = share * gain["modified"]

    def steps(part: str) -> str:
        gained = fixed(gain[part], 1, signed=True)
        return f"{gained} points ({before[part]:.1f} to {after[part]:.1f})"

    return (
        f"In the paper the classes whose videos were edited gain most, {steps('modified')}; the "
        f"others gain {steps('other')}, all together {steps('all')}. But the edited classes hold "
        f"few videos: the three accuracies before fine-tuning fit together only if it is about "
        f"{share:.0%} of them. So these classes give about {given:.1f} of the "
        f"{gain['all']:.1f} points, and **about {10 * (1 - given / gain['all']):.0f} tenths of the "
        f"gain lie on classes that nobody edited**. Edits may help there too; so may more "
        f"training."
    )


def few_in_words(root: Path = REPOSITORY) -> str:
    """How few videos this build's figure over the modified classes is made of."""
    done = own(root)
    if not done:
        return f"{DASH} No run of this build is on record."
    per_class, modified = done[0].figures("before")["per_class"], done[0].record["modified"]
    videos = sum(per_class[str(class_id)]["videos"] for class_id in modified)
    return (
        f"This build's *modified* are {len(modified)} of {len(per_class)} classes, {videos} "
        f"validation videos, from one seed: a single video moves the figure by "
        f"{100 / videos:.1f} points."
    )


def power2(root: Path = REPOSITORY) -> str:
    """Whether these seeds would have shown a gain like the paper's, as a table."""
    caption = "What the study could have seen over the edited classes, mini-SSv2 (synthetic)"
    return power_table(caption, compared2("modified", root), SHORT, paper_gains(root)["modified"])


def agreement_table2(root: Path = REPOSITORY) -> str:
    """What became of the attention itself, arm by arm: against the truth, beside chance."""
    runs = study(root) or own(root)
    rows = []
    for attention in ATTENTION.values():
        cells = [escape(attention.words)]
        for arm in ARMS:
            having = attention.having(runs, arm)
            values = [attention.of(one, arm) for one in having]
            cells.append(linked(having, values, 2))
        chance = [
            one.figures("before")[attention.key]["chance"]
            for one in attention.having(runs, "before")
        ]
        rows.append([*cells, f"{np.mean(chance):.2f}" if chance else DASH])
    head = ["mini-SSv2 (synthetic), validation", *(NAMES[arm] for arm in ARMS), "Chance"]
    return table(
        "Attention against truth, fine-tuned networks of Table 2", head, rows, text_columns=1
    )


def paired_attention2(name: str, root: Path = REPOSITORY) -> str:
    """Paired t-tests between the study's arms in one of :data:`ASKED`."""
    _, unit, _ = ASKED[name]
    what = f"{ATTENTION[name].words}, mini-SSv2 (synthetic)"
    tested = attended(name, root)
    return differences_table("Paired t-tests over seeds", what, tested, SHORT, unit)


def findings_attention2(name: str, root: Path = REPOSITORY) -> str:
    """What those tests allow to be said, as a Markdown list."""
    pairs, unit, where = ASKED[name]
    return in_words(attended(name, root), pairs, NAMES, where, unit)


def attended(name: str, root: Path = REPOSITORY) -> list[Tested]:
    """Paired tests between the study's arms in one of :data:`ASKED`."""
    runs = study(root)
    pairs, _, _ = ASKED[name]
    return compare({arm: ATTENTION[name].by_seed(runs, arm) for arm in ARMS}, pairs)
