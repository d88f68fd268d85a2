"""How the way that mends was chosen: one seed, tuning clips, no validation clip looked at."""

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path

from stabn.tables.finetunings import SHORT, read_finetunings
from stabn.tables.html import NOTHING, link, linked, table
from stabn.training.checkpoint import REPOSITORY

LOOKS = "book/results/choice/looks.json"
CLOSED = "book/results/choice/closed_*.json"
TUNING = ("tuning_swapped", "tuning_absent", "tuning")  # on the last the sign is right


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
    caption += f". {link(f'../{LOOKS}', 'The record')}"
    head = ["Way", "Arm", "Swapped", "Absent", "Aligned", "Worst list", "Reliance", "Leak"]
    head.append("M_t on the sign")
    return table(caption, head, rows, text_columns=2)


def _looked(row: Mapping) -> list[str]:
    lists = [row[name] for name in ("swapped", "absent", "aligned")]
    reliance = row["aligned"] - row["swapped"]
    cells = [f"{value:.1f}" for value in (*lists, min(lists), reliance)]
    m_t = "the truth" if row["m_t_on_sign"] is None else f"{row['m_t_on_sign']:.2f}"
    return [*cells, f"{row['leak']:.2f}", m_t]


def closed_table(root: Path = REPOSITORY) -> str:
    """The library's own fine-tuning over where the gate shuts: same seed, same tuning clips."""
    done = read_finetunings(root, CLOSED)
    rows = []
    for one in sorted(done, key=lambda one: one.settings["closed"]):
        for arm in [arm for arm in one.arms if arm != "before"]:
            points = [100 * one.record["results"][f"{arm}-{name}"]["top1"] for name in TUNING]
            cells = [linked([one], [value], 1) for value in (*points, points[2] - points[0])]
            rows.append([f"{one.settings['closed']:g}", SHORT[arm], *cells])
    if not rows:
        return NOTHING
    caption = (
        "mini-SSv2, biased (synthetic, stand-in edits), one gated network and one seed, tuning "
        "clips: top-1 in %. By the library’s own fine-tuning, γ_t = "
        f"{done[0].settings['gamma']:g}"
    )
    head = ["Gate shuts at", "Arm", "Swapped", "Absent", "Aligned", "Reliance"]
    return table(caption, head, rows, text_columns=2)
