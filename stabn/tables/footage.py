"""Real footage of known timing as tables: what is right, who sees when, and what *when* decides.

Five folds by recording place test every clip once. So a seed's figure is the mean over the clips of
all five, and a seed with a fold missing has none; the sd is over seeds.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from stabn.tables.comparison import mean_sd
from stabn.tables.html import DASH, MISSING, NOTHING, fixed, table
from stabn.tables.runs import TableError
from stabn.training.checkpoint import REPOSITORY
from stabn.training.records import read_record

FOLDER, FOLDS = "book/results/real", 5
SET = "EgoGestAR (real footage, constructed timing), tested by recording place"
_SETS = "plain|idle|there_and_back|two|last|pause|shortcut"
_NAME = re.compile(rf"real_({_SETS})_(\w+)_fold(\d)_seed(\d+)")
ARMS = {
    "baseline": "3-D ResNet",
    "control": "matched control",
    "st_abn": "ST-ABN, the paper’s fusion",
    "gated": "ST-ABN, gated fusion (ours)",
}
SETS = {
    "plain": "As filmed",
    "idle": "Between stillness",
    "there_and_back": "There and back",
    "two": "Two swipes",
}
TIMED = {name: SETS[name] for name in ("idle", "there_and_back", "two")} | {
    "last": "Back",
    "pause": "Pause",
    "shortcut": "Shortcut",
}
LINES = {
    "ordered": "a line between pictures, eight bins of time",
    "averaged": "the same, averaged over time",
    "middle": "the same, the middle frame",
}
METHODS = {
    "own": "M_t",
    "grad_cam": "Grad-CAM over time",
    "motion": "motion between frames",
    "centre": "the middle of the clip",
}
FLIPPED = {
    "two": "two swipes, the first",
    "there_and_back": "there and back, the first",
    "last": "there and back, the last",
}

Record = Mapping[str, Any]
Of = Callable[[Record], float]


def read_footage(root: Path = REPOSITORY) -> dict[tuple[str, str], dict[int, list[Record]]]:
    """{(variant, arm): {seed: its records of the five folds, in order}}; incomplete seeds left out.

    Raises:
        TableError: a record whose name says neither variant nor fold.
    """
    found: dict = defaultdict(lambda: defaultdict(dict))
    for path in sorted((root / FOLDER).glob("real_*.json")):
        match = _NAME.fullmatch(path.stem)
        if not match:
            raise TableError(f"{path}: is named unlike real_idle_gated_fold0_seed0; remove it")
        variant, arm, fold, seed = match.groups()
        found[variant, arm][int(seed)][int(fold)] = read_record(path)
    return {
        key: {
            seed: [folds[k] for k in range(FOLDS)]
            for seed, folds in sorted(seeds.items())
            if len(folds) == FOLDS
        }
        for key, seeds in found.items()
    }


def by_seed(seeds: Mapping[int, Sequence[Record]], of: Of) -> list[float]:
    """A figure of each seed, its folds weighed by the clips that they test.

    Args:
        seeds: {seed: records of the five folds}.
        of: a record's figure.
    """
    return [
        float(np.average([of(one) for one in folds], weights=[_clips(one) for one in folds]))
        for folds in seeds.values()
    ]


def _clips(record: Record) -> int:
    """How many a fold tests: on all its lists as many."""
    return next(iter(record["results"].values()))["videos"]


def top1(record: Record) -> float:
    """Top-1 in % of the list that a training reports on."""
    return 100 * record["results"][record["config"]["report_split"]]["top1"]


def accuracy_table(root: Path = REPOSITORY) -> str:
    """Top-1 of networks, and of what has no network, set by set."""
    runs = read_footage(root)
    rows = [
        [escape(words), *(cell(by_seed(runs.get((name, arm), {}), top1), 1) for name in SETS)]
        for arm, words in ARMS.items()
    ]
    for kind, words in LINES.items():
        rows.append([escape(words), *(_line(root, name, kind) for name in SETS)])
    caption = f"{SET}: top-1 in %, mean ± sd over seeds, of one seed no sd"
    return table(caption, ["Network", *SETS.values()], rows, text_columns=1)


def _line(root: Path, variant: str, kind: str) -> str:
    record = read_record(root / FOLDER / f"linear_{variant}.json")
    if not record:
        return DASH
    return f"{100 * np.average(record['top1']['all'][kind], weights=record['clips']['all']):.1f}"


def counted_in_words(root: Path = REPOSITORY) -> str:
    """How many clips each set is tested on, each once a seed, and with how many seeds, as HTML."""
    runs, said = read_footage(root), []
    for variant, words in (SETS | TIMED).items():
        seeds = max((runs.get((variant, arm), {}) for arm in ARMS), key=len)
        if seeds:
            clips = sum(map(_clips, next(iter(seeds.values()))))
            said.append(f"{words}: {clips} clips, {len(seeds)} seed{'s' * (len(seeds) > 1)}")
    return "; ".join(said) + "." if said else NOTHING


def when_table(variant: str, root: Path = REPOSITORY) -> str:
    """How each attention of each network agrees with the truth, and what its answer makes of it."""
    of = [("when", field) for field in ("iou", "iou_exchanged", "rank", "rank_exchanged")]
    of += [("faithful", curve) for curve in ("insertion", "deletion")]
    head = ["IoU", "with other clips’ truth", "Rank correlation", "with other clips’ truth"]
    return _measured(variant, of, [*head, "Insertion", "Deletion"], METHODS, root)


def where_table(variant: str, root: Path = REPOSITORY) -> str:
    """How much of M_s and of Grad-CAM lies on the tenth of the places that change most."""
    of = [("where", field) for field in ("mass", "exchanged", "chance")]
    head = ["Mass on what moves", "with other clips’ movement", "Uniform map"]
    maps = {"own": "M_s", "grad_cam": "Grad-CAM"}
    return _measured(variant, of, head, maps, root)


def _measured(
    variant: str,
    of: Sequence[tuple[str, str]],
    head: Sequence[str],
    methods: Mapping[str, str],
    root: Path,
) -> str:
    """A row a network and method that was measured; ``of`` says which figures, part and field."""
    runs, rows = read_footage(root), []
    for arm, words in ARMS.items():
        seeds = runs.get((variant, arm), {})
        records = [one for folds in seeds.values() for one in folds]
        for method, name in methods.items():
            parts = {part for part, _ in of}
            if not records or any(
                method not in one["real"].get(part, {}) for one in records for part in parts
            ):
                continue
            figures = [
                by_seed(seeds, lambda one, p=part, m=method, f=field: one["real"][p][m][f])
                for part, field in of
            ]
            rows.append([escape(f"{words}: {name}"), *(cell(values, 2) for values in figures)])
    if not rows:
        return NOTHING
    caption = f"{SET}, {TIMED[variant].lower()}: mean ± sd over seeds, of one seed no sd"
    return table(caption, ["Network and attention", *head], rows, text_columns=1)


def flips_table(root: Path = REPOSITORY) -> str:
    """Two swipes in a row: in what share of clips the answer goes where M_t is set by hand."""
    head = ["Goes with M_t on the first half, %", "on the last, %", "both times, %"]
    head += ["With the other half both times, %", "The same answer twice, %"]
    fields = ("first", "last", "both", "mirrored", "unmoved")
    return _by_halves("flips", dict(zip(fields, head, strict=True)), 100, 1, root)


def flips_in_words(root: Path = REPOSITORY) -> str:
    """Of two swipes in a row, whether the answer goes with M_t, network by network."""
    runs, said = read_footage(root), []
    for arm in ("gated", "st_abn"):
        if seeds := runs.get(("two", arm), {}):
            right = cell(by_seed(seeds, top1), 0)
            both = cell(by_seed(seeds, lambda one: 100 * one["real"]["flips"]["both"]), 0)
            agrees = cell(by_seed(seeds, lambda one: one["real"]["when"]["own"]["iou"]), 2)
            said.append(
                f"{ARMS[arm]}: {right} % right, $M_t$ agrees with the truth with an IoU of "
                f"{agrees}, and the answer goes with the hand both times in {both} % "
                f"({len(seeds)} seed{'s' * (len(seeds) > 1)})"
            )
    if not said:
        return MISSING
    plain = [
        f"{ARMS[arm]}: {cell(by_seed(seeds, top1), 0)} % right"
        for arm in ("baseline", "control")
        if (seeds := runs.get(("two", arm), {}))
    ]
    without = f" Without attention, {'; '.join(plain)}." if plain else ""
    return (
        "People swipe twice, each time in another direction; the class is the first one."
        f"{without} With it, we set $M_t$ by hand to the one swipe, then to the other. "
        f"{'; '.join(said)}. By chance it would both times in 6 %."
    )


def levels_table(root: Path = REPOSITORY) -> str:
    """Two swipes in a row: what M_t is by itself on the first, in the pause, and on the last."""
    fields = {"first": "M_t on the first half", "nothing": "in the pause", "last": "on the last"}
    return _by_halves("levels", fields, 1, 2, root)


def _by_halves(part: str, fields: Mapping[str, str], factor: float, digits: int, root: Path) -> str:
    """A row a network and set of two swipes; ``fields`` of a part of the record, and headings."""
    runs = read_footage(root)
    rows = []
    for arm in ("st_abn", "gated"):
        for variant, words in FLIPPED.items():
            seeds = runs.get((variant, arm), {})
            figures = [
                by_seed(seeds, lambda one, f=field: factor * one["real"][part][f])
                for field in fields
            ]
            rows.append([escape(ARMS[arm]), words, *(cell(values, digits) for values in figures)])
    head = ["Network", "Clips and class", *fields.values()]
    return table(f"{SET}: mean ± sd over seeds, of one seed no sd", head, rows, text_columns=2)


def cell(values: Sequence[float], digits: int) -> str:
    """Mean ± sd over seeds; of one seed its value, of none a dash."""
    if not values:
        return DASH
    summary = mean_sd(values)
    sd = f" ± {summary.sd:.{digits}f}" if summary.n > 1 else ""
    return f"{fixed(summary.mean, digits)}{sd}"
