"""All networks on the same clips: what each costs, what every explanation of it is worth.

Every cell is read from the records of ``book/results/together``, of as many seeds as were run.
"""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stabn.tables.comparison import mean_sd
from stabn.tables.html import DASH, NOTHING, fixed, linked, remedies, table
from stabn.tables.over_clips import of_each_clip, two_errors
from stabn.tables.runs import Run, read_kept
from stabn.training.checkpoint import REPOSITORY

NETWORKS = {
    "baseline": "3-D ResNet",
    "st_abn": "ST-ABN",
    "gated": "ST-ABN, gated",
    "convlstm": "soft attention + ConvLSTM",
    "bilstm_before": "attention + bi-LSTM",
    "bilstm_after": "bi-LSTM + attention",
    "bilstm_none": "bi-LSTM",
    "cnn3d": "3-D CNN of 2013",
}
METHODS = {
    "intrinsic": "own attention",
    "grad_cam": "Grad-CAM",
    "occlusion": "occlusion",
    "rise": "RISE",
    "random": "random",
    "centre": "centre",
}
OVERS = {"time": "time", "space": "space", "both": "time and space"}
FILLS = ("mean", "still")
RECORDS = "book/results/together/together_{network}_seed*.json"
MAKE = "for s in 0 1 2 3 4; do python -m tools.build study:together_${NAME}_seed$s; done"
MEASURED = ("parameters", "multiply_adds", "step_seconds", "methods", "edited")
Figures = Mapping[str, Any]  # of one method: see studies.explained


class Explained(Run):
    """A run whose explanations were judged: see ``studies/explained.py``."""

    @property
    def finished(self) -> bool:
        """Whether it reports, and was explained; a KeyError where that is not whole."""
        if not super().finished or "explained" not in self.record:
            return False
        return all(self.found[name] is not None for name in MEASURED)

    @property
    def found(self) -> Mapping[str, Any]:
        """What was measured of the network and its explanations."""
        return self.record["explained"]

    @property
    def methods(self) -> Mapping[str, Figures]:
        """Method → its figures."""
        return self.found["methods"]


class Measure(NamedTuple):
    """What is said of a method: a figure, and what stands beside it.

    Attributes:
        caption: of its table.
        value: of one method's figures; None where it could not be measured.
        per_clip: the clips' own figures, None where one could not be measured; None for nothing.
        beside: what stands beside, or None for nothing.
        word: before what stands beside.
        beside_digits: its decimals.
    """

    caption: str
    value: Callable[[Figures], float | None]
    per_clip: Callable[[Figures], list[float | None]] | None = None
    beside: Callable[[Figures], float | None] | None = None
    word: str = ""
    beside_digits: int = 2


def gap(figures: Figures, over: str, fill: str) -> float:
    """Area below the insertion curve less that below the deletion curve, in [-1, 1]."""
    areas = figures["faithful"][fill][over]
    return areas["insertion"] - areas["deletion"]


def _faithful(over: str, fill: str) -> Measure:
    words = f"Insertion minus deletion over {OVERS[over]}, {fill} fill"
    return Measure(
        words,
        lambda figures: gap(figures, over, fill),
        lambda figures: figures["faithful"][fill][over]["gap"],
    )


def _scored(score: str, words: str, beside: str, told: str) -> Measure:
    """A score with what tells nothing beside it."""
    return Measure(
        words,
        lambda figures: figures[score]["value"],
        lambda figures: figures[score]["per_clip"],
        lambda figures: figures[score][beside],
        told,
    )


OTHERS, CHANCE = ("exchanged", "other clips’"), ("chance", "chance")
MEASURES = {
    "when": _scored("when", "Rank correlation of the temporal evidence with the truth", *OTHERS),
    "iou": _scored("iou", "Temporal IoU with the frames in motion", *OTHERS),
    "pointing": _scored("pointing", "Share of frames whose peak lies on actor or hand", *CHANCE),
    "mass": _scored("mass", "Share of the evidence that lies on actor or hand", *CHANCE),
    **{f"{over}_{fill}": _faithful(over, fill) for over in OVERS for fill in FILLS},
    "cost": Measure(
        "Seconds that one explanation takes",
        lambda figures: figures["seconds"],
        beside=lambda figures: figures["passes"],
        word="passes",
        beside_digits=0,
    ),
}
WHICH = {"when": "over time", "where": "over places"}
# column → whose truth is put in place of the attention, and the figure
EDITS = {
    "Right: own attention": ("own", "top1"),
    "the clip’s truth": ("truth", "top1"),
    "another clip’s": ("other", "top1"),
    "Probability of the true class: own attention": ("own", "probability"),
    "with the clip’s truth": ("truth", "probability"),
    "with another clip’s": ("other", "probability"),
    "Answer moved: by the clip’s truth": ("truth", "moved"),
    "by another clip’s": ("other", "moved"),
}
KNOWS = "Probability: with the clip’s truth less with another’s, ± two standard errors over clips"


def study(root: Path = REPOSITORY) -> dict[str, list[Explained]]:
    """Network → its explained runs on record, by seed."""
    return {
        network: read_kept(Explained, "run record", root, RECORDS.format(network=network))
        for network in NETWORKS
    }


def networks_table(root: Path = REPOSITORY) -> str:
    """What each network is: its accuracy on all of validation, its size, its work, its pace."""
    rows, gaps = [], []
    for network, runs in study(root).items():
        if not runs:
            gaps.append(f"NAME={network}")
        gap = f"{DASH} <sup>{len(gaps)}</sup>"
        columns = [
            ([100 * run.results["top1"] for run in runs], 1),
            ([run.found["parameters"] / 1e3 for run in runs], 0),
            ([run.found["multiply_adds"] / 1e6 for run in runs], 0),
            ([1e3 * run.found["step_seconds"] for run in runs], 0),
        ]
        cells = [linked(runs, values, digits, gap=gap) for values, digits in columns]
        rows.append([escape(NETWORKS[network]), *cells])
    head = ["Network", "Top-1, %", "Parameters, thousands", "Multiply–adds a clip, millions"]
    caption = "mini-SSv2 (synthetic): validation top-1; a step is forward and back through a batch"
    return table(caption, [*head, "Step, ms"], rows, text_columns=1) + remedies(gaps, MAKE)


def methods_table(*measures: str, root: Path = REPOSITORY) -> str:
    """A table for each of ``MEASURES`` that is named: a row a network, a column a method."""
    every = study(root)
    if not any(every.values()):
        return NOTHING
    return "\n".join(_methods_table(MEASURES[measure], every) for measure in measures)


def _methods_table(of: Measure, every: Mapping[str, Sequence[Explained]]) -> str:
    rows = [
        [escape(NETWORKS[network]), *(_cell(of, runs, method) for method in METHODS)]
        for network, runs in every.items()
    ]
    small = ". Small: ± two standard errors over the clips" if of.per_clip else ""
    caption = f"mini-SSv2 (synthetic): {of.caption}; compare along a row{small}"
    return table(caption, ["Network", *METHODS.values()], rows, text_columns=1)


def measured(
    runs: Sequence[Explained], of: Measure, method: str
) -> tuple[list[Explained], list[float]]:
    """The runs that a method fits and whose figure is known, and these figures."""
    fitting = [run for run in runs if method in run.methods]
    having = [run for run in fitting if of.value(run.methods[method]) is not None]
    return having, [of.value(run.methods[method]) for run in having]


def _cell(of: Measure, runs: Sequence[Explained], method: str) -> str:
    """Mean ± sd of one method over seeds; two standard errors over clips, what stands beside."""
    if runs and not any(method in run.methods for run in runs):
        return "does not fit"
    having, values = measured(runs, of, method)
    below = ""
    if having and of.per_clip:
        sure = two_errors(clip_by_clip(having, of, method))
        below += f"<br><small>± {fixed(sure, 2)}</small>" if np.isfinite(sure) else ""
    if having and of.beside:
        mean = mean_sd(of.beside(run.methods[method]) for run in having).mean
        below += f"<br><small>{of.word} {fixed(mean, of.beside_digits)}</small>"
    return linked(having, values, 2) + below


def clip_by_clip(runs: Sequence[Explained], of: Measure, method: str) -> np.ndarray:
    """Each clip's figure of one method, float (clips,), mean over runs that the method fits."""
    return of_each_clip(of.per_clip(run.methods[method]) for run in runs if method in run.methods)


def edits_table(root: Path = REPOSITORY) -> str:
    """Each network's own attention, edited: does the answer follow? Means over clips, in %."""
    every = study(root)
    if not any(every.values()):
        return NOTHING
    rows = []
    for network, runs in every.items():
        edited = [which for which in WHICH if any(which in run.found["edited"] for run in runs)]
        if not edited:
            none = "has none" if runs else DASH
            rows.append([escape(NETWORKS[network]), none, *[DASH] * (len(EDITS) + 1)])
        for which in edited:
            having = [run for run in runs if which in run.found["edited"]]
            rows.append([escape(NETWORKS[network]), WHICH[which]])
            for whose, figure in EDITS.values():
                values = [100 * run.found["edited"][which][whose][figure] for run in having]
                rows[-1].append(linked(having, values, 1))
            truth, other = (
                of_each_clip(run.found["edited"][which][whose]["per_clip"] for run in having)
                for whose in ("truth", "other")
            )
            knows = 100 * (truth - other)
            told = f"{fixed(knows.mean(), 1, signed=True)} ± {fixed(two_errors(knows), 1)}"
            rows[-1].append(told)
    caption = "mini-SSv2 (synthetic): the attention replaced by the truth, means over clips in %"
    return table(caption, ["Network", "Attention", *EDITS, KNOWS], rows, text_columns=2)
