"""The set with a known fault as HTML: what edits repair of it, in both fusions, and what not."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from stabn.tables.comparison import Tested, compare, in_words, mean_sd
from stabn.tables.finetunings import (
    ARMS,
    NAMES,
    PAIRS,
    SHORT,
    Finetuning,
    Value,
    paired,
    read_finetunings,
)
from stabn.tables.html import DASH, differences_table, linked, remedies, table
from stabn.tables.runs import Run, read_runs
from stabn.training.checkpoint import REPOSITORY

FINETUNINGS = "book/results/fault/*_finetune_seed*.json"
CLEAN = "book/results/fault/mini_biased_clean_seed*.json"
FUSIONS = {
    "paper": "the paper’s fusion",
    "gated": "gated fusion (ours)",
    "closing": "gate that closes (ours)",
}
LISTS = {
    "validation_swapped": "Swapped",
    "validation_aligned": "Aligned",
    "validation_absent": "Absent",
}
SWAPPED = "validation_swapped"
NEVER_SAW = "a network without the fault: no sign in training"
GAPS = ["make study"]
CHOSEN = 0  # settings were chosen with this seed


def study(fusion: str, root: Path = REPOSITORY) -> list[Finetuning]:
    """The committed fine-tunings with one of :data:`FUSIONS`, all seeds."""
    return [one for one in read_finetunings(root, FINETUNINGS) if fusion_of(one) == fusion]


def fusion_of(one: Finetuning) -> str:
    """Which of :data:`FUSIONS` a fine-tuning was done with."""
    config = one.record["config"]
    return "closing" if config.get("closed") else config["fusion"]


def clean(root: Path = REPOSITORY) -> list[Run]:
    """The committed runs that learned the same scenes without any sign."""
    return read_runs(root, CLEAN)


def top1(name: str) -> Value:
    """Top-1 in % on one of the lists."""
    return lambda one, arm: 100 * one.record["results"][f"{arm}-{name}"]["top1"]


def fall(one: Finetuning, arm: str) -> float:
    """Points of top-1 on the swapped list that 1 − M_s costs (Table 3)."""
    results = one.record["results"]
    straight, inverted = results[f"{arm}-{SWAPPED}"], results[f"{arm}-{SWAPPED}-inverted"]
    return 100 * (straight["top1"] - inverted["top1"])


def fault_table(fusion: str, root: Path = REPOSITORY) -> str:
    """Top-1 on the three lists, arm by arm; with the paper’s fusion also one without the fault."""
    done = study(fusion, root)
    columns = [*(top1(name) for name in LISTS), mean_of_both]
    rows = [
        [escape(words), *(_cell(done, arm, of, 1) for of in columns)] for arm, words in ARMS.items()
    ]
    if fusion == "paper":
        runs = clean(root)
        last = [_clean_cell(runs, [name]) for name in LISTS]
        last.append(_clean_cell(runs, ["validation_swapped", "validation_aligned"]))
        rows.append([escape(NEVER_SAW), *last])
    head = [FUSIONS[fusion].capitalize(), *LISTS.values(), "Mean of both"]
    caption = (
        "mini-SSv2, biased (synthetic, stand-in edits): validation top-1 in %, mean ± sd over "
        "seeds; “both” are swapped and aligned"
    )
    gaps = GAPS if any(DASH in row for row in rows) else []
    return table(caption, head, rows, text_columns=1) + remedies(gaps, "")


def mean_of_both(one: Finetuning, arm: str) -> float:
    """Top-1 in %, mean of the lists with the partner's and with the class's own sign."""
    return (top1("validation_swapped")(one, arm) + top1("validation_aligned")(one, arm)) / 2


def reliance(one: Finetuning, arm: str) -> float:
    """Aligned − swapped, points of top-1: what the sign decides in the same scenes."""
    return top1("validation_aligned")(one, arm) - top1("validation_swapped")(one, arm)


def clean_top1(name: str, root: Path = REPOSITORY) -> float:
    """Top-1 in % on one of the lists, of the networks without the fault; NaN without a record."""
    values = [100 * run.record["results"][name]["top1"] for run in clean(root)]
    return mean_sd(values).mean if values else float("nan")


def counted_in_words(root: Path = REPOSITORY) -> str:
    """Which seeds are counted: whether the one that settings were chosen with is among them."""
    seeds = {one.seed for fusion in FUSIONS for one in study(fusion, root)}
    among = "is one of the seeds counted" if CHOSEN in seeds else "is none of the seeds counted"
    return (
        f"Settings were chosen with seed {CHOSEN}, which {among} here. "
        f"The network without the fault: {clean_in_words(root)}."
    )


def clean_in_words(root: Path = REPOSITORY) -> str:
    """How many networks without the fault there are: one alone has no spread to judge it by."""
    seeds = [run.seed for run in clean(root)]
    return f"one run, seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} runs"


def inverted_in_words(root: Path = REPOSITORY) -> str:
    """What turning M_s round does to top-1 where the sign misleads: arms' means, all fusions."""
    arms = [values for fusion in FUSIONS for values in by_arm(fusion, fall, root).values()]
    changes = [-mean_sd(values.values()).mean for values in arms if values]
    if not changes:
        return "No record yet: `make study` makes them."
    low, high = (f"{change:+.1f}".replace("-", "−") for change in (min(changes), max(changes)))
    return (
        f"In the set with a misleading sign, where the sign misleads, turning M_s round changes "
        f"accuracy by {low} to {high} points (means of the arms)."
    )


def share_mended(fusion: str, root: Path = REPOSITORY) -> float:
    """How far knowledge goes from the control to a network without the fault: 0 to 1, NaN as there.

    Both ends are means of top-1 on the swapped list.
    """
    means = by_arm(fusion, top1(SWAPPED), root)
    if not (means["knowledge"] and means["control"]):
        return float("nan")
    knowledge, control = (mean_sd(means[arm].values()).mean for arm in ("knowledge", "control"))
    return (knowledge - control) / (clean_top1(SWAPPED, root) - control)


def _cell(done: Sequence[Finetuning], arm: str, of: Value, digits: int) -> str:
    having = [one for one in done if arm in one.arms]
    return linked(having, [of(one, arm) for one in having], digits)


def _clean_cell(runs: Sequence[Run], names: Sequence[str]) -> str:
    having = [run for run in runs if all(name in run.record["results"] for name in names)]
    values = [
        100 * sum(run.record["results"][name]["top1"] for name in names) / len(names)
        for run in having
    ]
    return linked(having, values, 1)


def by_arm(fusion: str, of: Value, root: Path = REPOSITORY) -> dict[str, dict[tuple, float]]:
    """{arm: {(seed, data): value}} of one fusion: only what shares both makes a pair."""
    done = study(fusion, root)
    return {arm: paired(done, arm, of) for arm in ARMS}


def compared(fusion: str, of: Value, root: Path = REPOSITORY) -> list[Tested]:
    """Paired tests between the arms of one fusion."""
    return compare(by_arm(fusion, of, root), PAIRS)


def paired_fault(fusion: str, of: Value, what: str, root: Path = REPOSITORY) -> str:
    """Those tests as a table; ``what`` names the figure."""
    caption = f"Paired t-tests over seeds, {FUSIONS[fusion]}"
    return differences_table(caption, what, compared(fusion, of, root), SHORT)


def findings_fault(fusion: str, of: Value, where: str, root: Path = REPOSITORY) -> str:
    """What those tests allow to be said, as a Markdown list; ``where`` as in "in top-1 …"."""
    return in_words(compared(fusion, of, root), PAIRS, NAMES, where)


def ways_table(fusion: str, root: Path = REPOSITORY) -> str:
    """By which half of the fusion the sign reaches the answer: weighted by M_t, or by the truth."""
    kinds = {"effect": "the network’s M_t", "effect_truth": "the truth as M_t"}
    halves = {"both": "Both halves", "spatial": "Spatial half alone", "temporal": "Temporal alone"}
    done = _measured(study(fusion, root))
    rows = [
        [escape(words), escape(kind_words), *(_cell(done, arm, _fault(kind, h), 2) for h in halves)]
        for arm, words in ARMS.items()
        for kind, kind_words in kinds.items()
    ]
    head = [FUSIONS[fusion].capitalize(), "Weighted by", *halves.values()]
    caption = (
        "mini-SSv2, biased (synthetic): logits by which the partner’s sign moves the answer, if "
        "both halves of the fusion see it, or one"
    )
    return table(caption, head, rows, text_columns=2)


def attention_table(fusion: str, root: Path = REPOSITORY) -> str:
    """What the truth as M_t would repair without training, and where M_t and M_s lie."""
    measures: Mapping[str, tuple[Value, int]] = {
        "Top-1, %": (top1(SWAPPED), 1),
        "Top-1 with the truth as M_t (oracle), %": (
            lambda one, arm: 100 * _fault("oracle", SWAPPED)(one, arm),
            1,
        ),
        "M_t on the sign": (_fault("m_t", "sign"), 2),
        "M_t on the action": (_fault("m_t", "action"), 2),
        "M_t on other idle frames": (_fault("m_t", "idle"), 2),
        "M_t with the truth: rank correlation": (_attention("rank_correlation", "value"), 2),
        "the same with other clips’ truth (habit)": (
            _attention("rank_correlation", "exchanged"),
            2,
        ),
        "M_s’s peak on actor or hand: share": (_attention("pointing", "value"), 2),
        "Points lost by 1 − M_s": (fall, 1),
    }
    done = _measured(study(fusion, root))
    rows = [
        [escape(words), *(_cell(done, arm, of, digits) for arm in ARMS)]
        for words, (of, digits) in measures.items()
    ]
    head = [FUSIONS[fusion].capitalize(), *(words.split(":")[0] for words in ARMS.values())]
    caption = "mini-SSv2, biased (synthetic, stand-in edits), swapped sign"
    return table(caption, head, rows, text_columns=1)


def _measured(done: Sequence[Finetuning]) -> list[Finetuning]:
    return [one for one in done if "fault" in one.record]


def _fault(kind: str, name: str) -> Value:
    return lambda one, arm: one.record["fault"][arm][kind][name]


def _attention(measure: str, field: str) -> Value:
    return lambda one, arm: one.record["results"][f"{arm}-{SWAPPED}"][measure][field]
