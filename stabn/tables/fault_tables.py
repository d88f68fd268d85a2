"""The set with a known fault as HTML and sentences: what edits mend of it, and which way."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from stabn.tables.comparison import SIGNIFICANT, Paired, mean_sd, p_words
from stabn.tables.fault import (
    ABSENT,
    ALIGNED,
    CHOSEN,
    LISTS,
    NEVER_SAW,
    STARTED,
    SWAPPED,
    TRAINED,
    WAYS,
    against,
    agreement,
    by_arm,
    clean,
    compared,
    fall,
    leak,
    means,
    measured,
    reliance,
    study,
    top1,
    worst,
)
from stabn.tables.finetunings import ARMS, SHORT, Finetuning, Value
from stabn.tables.html import DASH, MISSING, fixed, linked, remedies, table
from stabn.tables.runs import Kept
from stabn.training.checkpoint import REPOSITORY

GAPS = ["make study"]
SET = "mini-SSv2, biased (synthetic, stand-in edits)"
MEASURES: Mapping[str, tuple[Value, int]] = {  # heading → value, decimals
    "Worst list, %": (worst, 1),
    "Absent, %": (top1(ABSENT), 1),
    "Reliance, points": (reliance, 1),
    "Leak, logits": (leak, 2),
}
VERDICTS = MEASURES | {"Swapped, %": (top1(SWAPPED), 1), "Aligned, %": (top1(ALIGNED), 1)}


def measures_table(ways: Iterable[str], root: Path = REPOSITORY) -> str:
    """What should change, arm by arm of some ways, and what a network without the fault has."""
    rows = [
        [
            escape(f"{WAYS[way]}: {SHORT[arm].removeprefix('network ')}"),
            *_measured(study(way, root), arm),
        ]
        for way in ways
        for arm in ARMS
        if arm != "before" or STARTED.get(way) not in ways  # one "before" of the same networks
    ]
    rows.append([escape(NEVER_SAW), *_measured(clean(root), TRAINED)])
    caption = f"{SET}: validation, {_clips(ways, root)}mean ± sd over seeds"
    gaps = GAPS if any(DASH in row for row in rows) else []
    return table(caption, ["Way and arm", *MEASURES], rows, text_columns=1) + remedies(gaps, "")


def _clips(ways: Iterable[str], root: Path) -> str:
    counts = {
        one.record["results"][f"before-{name}"].get("videos")
        for way in ways
        for one in study(way, root)
        for name in LISTS
    } - {None}
    return f"{', '.join(map(str, sorted(counts)))} clips a list, " if counts else ""


def lists_table(way: str, root: Path = REPOSITORY) -> str:
    """Top-1 on the three lists, arm by arm of one way; beside it a network without the fault."""
    done = study(way, root)
    rows = [[escape(words), *_on_lists(done, arm)] for arm, words in ARMS.items()]
    rows.append([escape(NEVER_SAW), *_on_lists(clean(root), TRAINED)])
    head = [_start(WAYS[way]), *LISTS.values()]
    caption = f"{SET}: validation top-1 in %, mean ± sd over seeds"
    return table(caption, head, rows, text_columns=1)


def _on_lists(done: Sequence[Kept], arm: str) -> list[str]:
    return [_cell(done, arm, top1(name), 1) for name in LISTS]


def _measured(done: Sequence[Kept], arm: str) -> list[str]:
    return [_cell(done, arm, *measure) for measure in MEASURES.values()]


def _cell(done: Sequence[Kept], arm: str, of: Value, digits: int) -> str:
    having, values = [], []
    for one in done:
        try:
            values.append(of(one, arm))
        except KeyError:  # an arm that was not trained, a list that was not scored
            continue
        having.append(one)
    return linked(having, values, digits)


def verdicts_table(way: str, root: Path = REPOSITORY) -> str:
    """Paired tests between the arms of one way in every measure; bold is told apart from luck.

    Holm's correction is for the pairs of arms of a measure, those shown and knowledge − before.
    """
    shown = (
        ("knowledge", "control"),
        ("knowledge", "placebo"),
        ("placebo", "control"),
        ("control", "before"),
    )
    rows = []
    for words, (of, digits) in VERDICTS.items():
        tests = {(a, b): (test, p) for a, b, test, p in compared(way, of, root)}
        cells = [_verdict(*tests[pair], digits) if pair in tests else DASH for pair in shown]
        rows.append([escape(words), *cells])
    caption = (
        f"{SET}, {WAYS[way]}: differences ± sd over paired seeds; in small print p after Holm’s "
        f"correction for the comparisons of a row; bold: p below {SIGNIFICANT:g}"
    )
    gaps = GAPS if any(DASH in row for row in rows) else []
    head = ["Measure", *(f"{SHORT[a]} − {SHORT[b].removeprefix('network ')}" for a, b in shown)]
    return table(caption, head, rows, text_columns=1) + remedies(gaps, "")


def gate_table(root: Path = REPOSITORY) -> str:
    """What the gate that closes adds to the fusion of training: with edits, and without."""
    pairs = [(way, arm) for way in ("paper_closing", "closing") for arm in ("knowledge", "control")]
    rows = []
    for words, (of, digits) in VERDICTS.items():
        tests = [against(way, STARTED[way], arm, of, root) for way, arm in pairs]
        rows.append(
            [escape(words), *(DASH if t is None else _difference(t, t.p, digits) for t in tests)]
        )
    caption = (
        f"{SET}: a gate that closes − the fusion of training, ± sd over paired seeds; in small "
        f"print p, not corrected for the {len(VERDICTS) * len(pairs)} comparisons"
    )
    named = {"paper_closing": "paper’s", "closing": "gated"}
    head = ["Measure", *(f"{named[way]}: {arm}" for way, arm in pairs)]
    return table(caption, head, rows, text_columns=1)


def credit_in_words(way: str, root: Path = REPOSITORY) -> str:
    """Who earns the fall of reliance: the gate, more training, the look of an edit, or the edit."""
    ours, plain = (means(one, reliance, root) for one in (way, STARTED[way]))
    if any(math.isnan(value) for value in (*ours.values(), *plain.values())):
        return MISSING
    return (
        f"The sign decides {ours['before']:.0f} points before. More training on the edited videos, "
        f"without edits, takes this to {ours['control']:.0f} with the gate that closes and to "
        f"{plain['control']:.0f} without it. Other videos' edits take it to "
        f"{ours['placebo']:.0f}, and the videos' own to {ours['knowledge']:.0f}."
    )


def mean_in_words(way: str, root: Path = REPOSITORY) -> str:
    """What a mean over two lists would have said of a mended network."""
    both = means(
        way, lambda one, arm: (top1(SWAPPED)(one, arm) + top1(ALIGNED)(one, arm)) / 2, root
    )
    relied = means(way, reliance, root)
    if math.isnan(both["knowledge"]):
        return MISSING
    return (
        f"The mean of swapped and aligned is {both['control']:.1f}% without edits and "
        f"{both['knowledge']:.1f}% with them, while the reliance goes from "
        f"{relied['control']:.0f} to {relied['knowledge']:.0f} points."
    )


def _verdict(test: Paired, p: float, digits: int) -> str:
    """A difference with p after Holm's correction, bold where it is told apart from luck."""
    words = _difference(test, p, digits)
    difference, small = words.split("<br>")
    return f"<strong>{difference}</strong><br>{small}" if p < SIGNIFICANT else words


def _difference(test: Paired, p: float, digits: int) -> str:
    words = f"{fixed(test.difference, digits, signed=True)} ± {test.sd:.{digits}f}"
    return f"{words}<br><small>p {escape(p_words(p))}, n = {test.n}</small>"


def counted_in_words(root: Path = REPOSITORY) -> str:
    """Which seeds are counted: whether the one that settings were chosen with is among them."""
    seeds = {one.seed for way in WAYS for one in study(way, root)}
    among = "is one of the seeds counted" if CHOSEN in seeds else "is none of the seeds counted"
    return (
        f"Settings were chosen with seed {CHOSEN}, which {among} here, on tuning lists of other "
        f"clips. The network without the fault: {clean_in_words(root)}."
    )


def clean_in_words(root: Path = REPOSITORY) -> str:
    """How many networks without the fault there are: one alone has no spread to judge it by."""
    seeds = [run.seed for run in clean(root)]
    return f"one run, seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} runs"


def range_in_words(way: str, root: Path = REPOSITORY) -> str:
    """The worst list of knowledge, least and best seed; and what the least one began with."""
    done = [one for one in study(way, root) if "knowledge" in one.arms]
    if not done:
        return MISSING
    reached = {one.seed: worst(one, "knowledge") for one in done}
    least = min(done, key=lambda one: reached[one.seed])
    best = max(reached, key=reached.get)
    classes = least.record["classes"]
    return (
        f"With edits, accuracy on the worst list lies between {reached[least.seed]:.1f}% (seed "
        f"{least.seed}) and {reached[best]:.1f}% (seed {best}). Before, the network of seed "
        f"{least.seed} was right in {top1(ABSENT)(least, 'before'):.1f}% of the clips without a "
        f"sign; chance is {100 / classes:.0f}%."
    )


def inverted_in_words(root: Path = REPOSITORY) -> str:
    """What turning M_s round does to top-1 where the sign misleads: arms' means, all ways."""
    arms = [values for way in WAYS for values in by_arm(way, fall, root).values()]
    changes = [-mean_sd(values.values()).mean for values in arms if values]
    if not changes:
        return MISSING
    low, high = (fixed(change, 1, signed=True) for change in (min(changes), max(changes)))
    return (
        f"In the set with a misleading sign, where the sign misleads, turning M_s round changes "
        f"accuracy by {low} to {high} points (means of the arms, all ways)."
    )


def halves_table(way: str, root: Path = REPOSITORY) -> str:
    """By which half of the fusion the sign reaches the answer: weighted by M_t, or by the truth."""
    kinds = {"effect": "the network’s M_t", "effect_truth": "the truth as M_t"}
    halves = {"both": "Both halves", "spatial": "Spatial half alone", "temporal": "Temporal alone"}
    done = study(way, root)
    rows = [
        [escape(words), escape(weighed), *(_cell(done, arm, _of(kind, half), 2) for half in halves)]
        for arm, words in ARMS.items()
        for kind, weighed in kinds.items()
    ]
    head = [_start(WAYS[way]), "Weighted by", *halves.values()]
    caption = (
        "mini-SSv2, biased (synthetic): logits by which the partner’s sign moves the answer, if "
        "both halves of the fusion see it, or one"
    )
    if way in STARTED:
        caption += f". Before: {WAYS[STARTED[way]]}"
    return table(caption, head, rows, text_columns=2)


def attention_table(way: str, root: Path = REPOSITORY) -> str:
    """What the truth as M_t would repair without training, and where M_t and M_s lie."""
    rows_of: Mapping[str, tuple[Value, int]] = {
        "Top-1, %": (top1(SWAPPED), 1),
        "Top-1 with the truth as M_t (oracle), %": (_oracle, 1),
        "M_t on the sign": (_of("m_t", "sign"), 2),
        "M_t on the action": (_of("m_t", "action"), 2),
        "M_t on other idle frames": (_of("m_t", "idle"), 2),
        "M_t with the truth: rank correlation": (agreement("rank_correlation", "value"), 2),
        "the same with other clips’ truth (habit)": (
            agreement("rank_correlation", "exchanged"),
            2,
        ),
        "M_s’s peak on actor or hand: share": (agreement("pointing", "value"), 2),
        "Points changed by 1 − M_s": (lambda one, arm: -fall(one, arm), 1),
    }
    done = study(way, root)
    rows = [
        [escape(words), *(_cell(done, arm, of, digits) for arm in ARMS)]
        for words, (of, digits) in rows_of.items()
    ]
    head = [_start(WAYS[way]), *(words.split(":")[0] for words in ARMS.values())]
    return table(f"{SET}, swapped sign", head, rows, text_columns=1)


def _oracle(one: Finetuning, arm: str) -> float:
    return 100 * measured(one, arm)["oracle"][SWAPPED]


def _of(kind: str, name: str) -> Value:
    return lambda one, arm: measured(one, arm)[kind][name]


def _start(words: str) -> str:
    return words[0].upper() + words[1:]
