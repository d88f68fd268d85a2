"""Table 1 as HTML: the paper's numbers and ours in columns apart, ours linked to their records."""

import csv
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from stabn.tables.comparison import comparisons
from stabn.tables.html import DASH, differences_table, linked, remedies, table
from stabn.tables.power import power_table
from stabn.tables.runs import ARMS, Run, read_runs
from stabn.training.checkpoint import REPOSITORY

STUDY = "book/results/table1/*.json"
OWN = "runs/mini_*/record.json"
SAMPLING = {"32": "segments", "32×2": "two_clip"}  # the paper's words, not the code's reading
FIGURES = ("top1", "top5")
TRAIN = (
    "mkdir -p runs/$NAME && papermill notebooks/launch/train.ipynb runs/$NAME/notebook.ipynb "
    "-f notebooks/launch/$NAME.yaml"
)
PROMOTE = "stabn promote runs/$NAME table1"


def study(root: Path = REPOSITORY) -> list[Run]:
    """The committed study on synthetic mini-SSv2, all arms and seeds."""
    return [run for run in read_runs(root, STUDY) if run.synthetic]


def own(root: Path = REPOSITORY) -> list[Run]:
    """This build's own runs on mini-SSv2."""
    return [run for run in read_runs(root, OWN) if run.record["name"] == f"mini_{run.arm}"]


def paper_rows(root: Path = REPOSITORY, name: str = "table1") -> list[dict[str, str]]:
    """The paper's Table 1 (``"table2"``, ``"table3"``), as printed; or another document's."""
    path = root / f"book/results/paper/{name}.csv"
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def real_table(root: Path = REPOSITORY) -> str:
    """Something-Something v2: every row of the paper, and ours of its systems where on record."""
    runs = [run for run in read_runs(root, STUDY) if not run.synthetic]
    rows, gaps = [], []
    for row in paper_rows(root):
        cells = [f"{escape(row['system'])}<br><small>{escape(row['reference'])}</small>"]
        cells += [escape(row[key]) for key in ("backbone", "frames")]
        cells += [row[figure] or DASH for figure in FIGURES]
        if row["reference"] != "this paper":
            rows.append([*cells, "", ""])
            continue
        arm = "baseline" if row["system"].startswith("Baseline") else "st_abn"
        backbone = "resnet" + row["backbone"].rpartition("-")[2]
        rule = SAMPLING[row["frames"]]
        same = [r for r in runs if (r.arm, r.config["backbone"]) == (arm, backbone)]
        same = [r for r in same if r.config["sampling"] == rule]
        if not same:
            gaps.append(f"NAME={_name(arm, backbone, rule)}")
        rows.append([*cells, *_ours(same, f"{DASH} <sup>{len(gaps)}</sup>")])
    head = ["System", "Backbone", "Frames"]
    head += ["Paper: top‑1", "Paper: top‑5", "Ours: top‑1", "Ours: top‑5"]
    caption = "Something-Something v2 (real videos), validation accuracy in %"
    return table(caption, head, rows, text_columns=3) + remedies(gaps, f"{TRAIN} && {PROMOTE}")


def _name(arm: str, backbone: str, sampling: str) -> str:
    """The run, and its file of parameters in notebooks/launch, that would fill a cell."""
    clip = "32" if sampling == "segments" else sampling
    return f"ssv2_{arm}_{backbone.replace('resnet', 'r')}_{clip}"


def mini_table(root: Path = REPOSITORY) -> str:
    """Synthetic mini-SSv2: the committed study's arms, and this build's own runs beside them."""
    runs, mine = study(root), own(root)
    rows, gaps = [], []
    for arm, name in ARMS.items():
        same, single = ([r for r in some if r.arm == arm] for some in (runs, mine))
        cells = [name + _constants(same or single)]
        for found, remedy in ((same, "make study"), (single, f"NAME=mini_{arm}")):
            if not found and remedy not in gaps:
                gaps.append(remedy)
            gap = "" if found else f"{DASH} <sup>{gaps.index(remedy) + 1}</sup>"
            cells += _ours(found, gap)
        rows.append(cells)
    head = ["Small backbone, 16 frames", "Our study: top‑1", "Our study: top‑5"]
    head += ["This build: top‑1", "This build: top‑5"]
    caption = "mini-SSv2 (synthetic videos), validation accuracy in %, mean ± sd over seeds"
    return table(caption, head, rows, text_columns=1) + remedies(gaps, TRAIN)


def _constants(runs: Sequence[Run]) -> str:
    """The constants that the matched control holds its attention at."""
    if not runs or runs[0].arm != "control":
        return ""
    spatial, temporal = (runs[0].config[f"constant_{which}"] for which in ("spatial", "temporal"))
    return f" (M<sub>s</sub> ≡ {spatial:g}, M<sub>t</sub> ≡ {temporal:g})"


def paired_table(root: Path = REPOSITORY) -> str:
    """Paired t-tests of top-1 between the study's arms."""
    tested, what = comparisons(study(root)), "Top-1, mini-SSv2 (synthetic)"
    return differences_table("Paired t-tests over seeds", what, tested, ARMS)


def paper_gains(root: Path = REPOSITORY) -> dict[tuple[str, str], float]:
    """{(backbone, frames): ST-ABN less the baseline, points of top-1} of the paper's Table 1."""
    top1: dict[tuple[str, str], dict[bool, float]] = {}
    for row in paper_rows(root):
        if row["reference"] == "this paper":
            of = top1.setdefault((row["backbone"], row["frames"]), {})
            of[row["system"] == "ST-ABN"] = float(row["top1"])
    return {key: of[True] - of[False] for key, of in top1.items()}


def power1(root: Path = REPOSITORY) -> str:
    """Whether the study's seeds would have shown the paper's largest gain, as a table."""
    caption = "What the study could have seen in top-1, mini-SSv2 (synthetic)"
    effect = max(paper_gains(root).values())
    return power_table(caption, comparisons(study(root)), ARMS, effect)


def attention_table(root: Path = REPOSITORY) -> str:
    """How ST-ABN's attention agrees with the truth, study and own run, beside its chance level."""
    measures = {
        ("rank_correlation", "value"): "M<sub>t</sub> against the levels: rank correlation",
        ("rank_correlation", "exchanged"): "the same with other clips’ levels (habit)",
        ("pointing", "value"): "M<sub>s</sub>'s peak on actor or hand: share of frames",
        ("mass_in_mask", "value"): "M<sub>s</sub>'s sum on actor or hand: share",
    }
    rows = []
    for (key, field), name in measures.items():
        cells, levels = [name], []
        for found, remedy in ((study(root), "make study"), (own(root), "make book")):
            having = [r for r in found if r.arm == "st_abn" and r.results.get(key)]
            levels += [run.results[key]["chance"] for run in having]
            values = [run.results[key][field] for run in having]
            cells.append(linked(having, values, 2, gap=f"{DASH} <code>{remedy}</code>"))
        rows.append([*cells, f"{np.mean(levels):.2f}" if levels else DASH])
    head = ["ST-ABN on mini-SSv2 (synthetic)", "Our study", "This build", "Chance"]
    return table("Attention against truth, trained networks of Table 1", head, rows, text_columns=1)


def _ours(runs: Sequence[Run], gap: str) -> list[str]:
    return [linked(runs, [100 * r.results[name] for r in runs], 1, gap=gap) for name in FIGURES]
