"""How the way that mends was chosen: one seed, tuning clips, no validation clip looked at."""

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path

from stabn.tables.finetunings import SHORT, Finetuning, read_finetunings
from stabn.tables.html import NOTHING, link, table
from stabn.training.checkpoint import REPOSITORY

RECORDS = "book/results/choice/closed_*.json"
LOOKS = "book/results/choice/looks.json"
LISTS = {"tuning_swapped": "Swapped", "tuning_absent": "Absent", "tuning": "As in training"}


def closed_table(root: Path = REPOSITORY) -> str:
    """Where the gate shuts: the library's own fine-tuning on the set's tuning lists."""
    done = sorted(read_finetunings(root, RECORDS), key=_closed)
    rows = [
        [link(one.link, f"{_closed(one):g}"), SHORT[arm], *_figures(one, arm)]
        for one in done
        for arm in ("control", "knowledge")
    ]
    if not rows:
        return NOTHING
    caption = (
        "mini-SSv2, biased (synthetic, stand-in edits), clips of seed 0, one network: top-1 in % "
        "on the tuning lists; τ = 0 is the gated fusion as it was"
    )
    return table(caption, ["τ", "Arm", *LISTS.values(), "Worst list"], rows, text_columns=2)


def _closed(one: Finetuning) -> float:
    return one.settings["closed"]


def _figures(one: Finetuning, arm: str) -> list[str]:
    found = [100 * one.record["results"][f"{arm}-{name}"]["top1"] for name in LISTS]
    return [f"{value:.1f}" for value in (*found, min(found))]


def looks_table(root: Path = REPOSITORY) -> str:
    """The first look at other gates and losses, one seed."""
    path = root / LOOKS
    if not path.exists():
        return NOTHING
    looks = json.loads(path.read_text())
    rows = [[escape(row["way"]), SHORT[row["arm"]], *_looked(row)] for row in looks["rows"]]
    made = looks["provenance"]
    caption = (
        f"mini-SSv2, biased (synthetic, stand-in edits), one seed, {made['clips']}: top-1 in %, "
        f"leak in logits. By a script that was {made['script']}"
    )
    head = ["Way", "Arm", "Swapped", "Absent", "Aligned", "Reliance", "Leak", "M_t on the sign"]
    return table(caption, head, rows, text_columns=2)


def _looked(row: Mapping) -> list[str]:
    lists = [row[name] for name in ("swapped", "absent", "aligned")]
    cells = [f"{value:.1f}" for value in (*lists, row["aligned"] - row["swapped"])]
    m_t = "the truth" if row["m_t_on_sign"] is None else f"{row['m_t_on_sign']:.2f}"
    return [*cells, f"{row['leak']:.2f}", m_t]
