"""Table 3 as HTML: what turning M_s round at test time costs, arm by arm."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from stabn.tables.comparison import Tested, compare, in_words
from stabn.tables.finetunings import ARMS, NAMES, PAIRS, SHORT, Finetuning, paired, read_finetunings
from stabn.tables.html import DASH, differences_table, linked, remedies, table
from stabn.tables.table1 import paper_rows
from stabn.tables.table2 import FINETUNE, PAPER, REAL, STUDY, own, study
from stabn.training.checkpoint import REPOSITORY

FIGURES = ("top1", "top5")


def real_table3(root: Path = REPOSITORY) -> str:
    """Something-Something v2: the paper's four rows, and all arms of ours where on record."""
    paper = {
        (row["fine_tuning"], row["spatial_attention_inverted"]): row
        for row in paper_rows(root, "table3")
    }
    done = [one for one in read_finetunings(root, STUDY) if not one.synthetic]
    rows = []
    for arm, name in ARMS.items():
        for inverted in (False, True):
            printed = paper.get((PAPER.get(arm), "yes" if inverted else "no"), {})
            cells = [printed.get(figure, DASH) for figure in FIGURES]
            rows.append([*_row(name, inverted), *cells, *_ours(done, arm, inverted)])
    head = ["Fine-tuning", "M_s", "Paper: top‑1", "Paper: top‑5", "Ours: top‑1", "Ours: top‑5"]
    caption = "Something-Something v2 (real videos), validation accuracy in %"
    gaps = [] if done else [f"NAME={REAL}"]
    return table(caption, head, rows, text_columns=2) + remedies(gaps, FINETUNE)


def paper_falls(root: Path = REPOSITORY) -> dict[str, float]:
    """{arm: points of top-1 that 1 − M_s costs} in the paper's Table 3."""
    top1 = {
        (row["fine_tuning"], row["spatial_attention_inverted"]): float(row["top1"])
        for row in paper_rows(root, "table3")
    }
    return {arm: top1[name, "no"] - top1[name, "yes"] for arm, name in PAPER.items()}


def mini_table3(root: Path = REPOSITORY) -> str:
    """Synthetic mini-SSv2 with stand-in edits: the committed study, and this build beside it."""
    runs, mine = study(root), own(root)
    rows = [
        [*_row(name, inverted), *_ours(runs, arm, inverted), *_ours(mine, arm, inverted)]
        for arm, name in ARMS.items()
        for inverted in (False, True)
    ]
    head = ["Fine-tuning", "M_s", "Study: top‑1", "Study: top‑5"]
    head += ["This build: top‑1", "This build: top‑5"]
    caption = (
        "mini-SSv2 (synthetic, stand-in edits), validation accuracy in %, mean ± sd over seeds"
    )
    gaps = [gap for found, gap in ((runs, "make study"), (mine, "NAME=mini_finetune")) if not found]
    return table(caption, head, rows, text_columns=2) + remedies(gaps, FINETUNE)


def _row(name: str, inverted: bool) -> list[str]:
    return [escape(name), "1 − M<sub>s</sub>" if inverted else "M<sub>s</sub>"]


def _ours(done: Sequence[Finetuning], arm: str, inverted: bool) -> list[str]:
    having = [one for one in done if one.figures(arm, inverted=inverted)]
    return [
        linked(having, [100 * one.figures(arm, inverted=inverted)[name] for one in having], 1)
        for name in FIGURES
    ]


def drops(done: Sequence[Finetuning], arm: str) -> dict[tuple, float]:
    """Points of top-1 that 1 − M_s costs an arm, by (seed, data)."""
    having = [one for one in done if one.figures(arm, inverted=True)]
    return paired(having, arm, _drop)


def _drop(one: Finetuning, arm: str) -> float:
    return 100 * (one.figures(arm)["top1"] - one.figures(arm, inverted=True)["top1"])


def paired_table3(root: Path = REPOSITORY) -> str:
    """Paired t-tests between the arms' drops."""
    what = "Drop of top-1 by 1 − M_s, mini-SSv2 (synthetic)"
    return differences_table("Paired t-tests over seeds", what, compared3(root), SHORT)


def findings3(root: Path = REPOSITORY) -> str:
    """What those tests allow to be said, as a Markdown list."""
    return in_words(compared3(root), PAIRS, NAMES, "in the drop that 1 − M_s causes")


def compared3(root: Path = REPOSITORY) -> list[Tested]:
    """Paired tests between the arms' drops."""
    runs = study(root)
    return compare({arm: drops(runs, arm) for arm in ARMS}, PAIRS)
