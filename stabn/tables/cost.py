"""The cost of training on Something-Something v2, as tables: counted, measured, projected.

The three are kept apart, and every heading says which it is. A measured cell links to its record.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from stabn.tables.html import DASH, link, remedies, table
from stabn.tables.runs import ARMS
from stabn.tables.work import (
    PEAKS,
    SHARE,
    Measured,
    Work,
    fastest,
    hours,
    kept_bytes,
    loader_of,
    projected,
    rates,
    read_rows,
    step_bytes,
    steps_of,
    works,
)
from stabn.training.checkpoint import REPOSITORY

MEASURE_STEP = "python benchmarks/training_step.py --out book/results/cost/step_NAME.json"
MEASURE_LOADER = "python benchmarks/loader.py --out book/results/cost/loader_NAME.json"
MEASURE_GPU = 'make gpu ARGS="--out book/results/cost/gpu_NAME.json"'
GPU = "book/results/cost/gpu_*.json"
GPU_KEYS = {"model", "backbone", "precision", "options", "batch", "decoded", "clips_per_second"}
GPU_KEYS |= {"peak_gib", "idle_share", "share_of_matrix_rate"}
NAMES = ["System", "Backbone", "Frames"]


def work_table(root: Path = REPOSITORY) -> str:
    """What each row asks for: counted, and so the same on every machine."""
    rows = [
        [
            *one.names,
            f"{one.parameters / 1e6:.1f}",
            f"{one.gflop:,.0f}",
            f"{one.trained / 1e6:.1f}",
            f"{one.clips * one.gflop / 1e9:.0f}",
            f"{12 * one.parameters / 1e9:.1f}",  # fp32: weights and momentum, and the best weights
        ]
        for one in works(root)
    ]
    head = [*NAMES, "Weights, M", "GFLOP a clip, one step", "Clips trained on, M"]
    head += ["In all, EFLOP", "On disk, GB"]
    caption = "Counted: arithmetic of the full training, evaluations included, and its weights"
    return table(caption, head, rows, text_columns=3)


def steps_table(root: Path = REPOSITORY) -> str:
    """Measured training steps at full size, for each machine the plain one and the fastest."""
    rows = []
    for one in _one_clip(root):
        steps = steps_of(one, root)
        for machine in dict.fromkeys(step.machine for step in steps):
            here = [step for step in steps if step.machine == machine]
            plain = [s for s in here if s.row["precision"] == "fp32" and not s.row["options"]]
            quickest = max(here, key=lambda step: step.rate)
            for step in [*(s for s in plain if s is not quickest), quickest]:
                cells = [*one.names[:2], escape(machine), escape(_how(step))]
                cells += [link(step.link, f"{step.rate:.3g}")]
                cells += [_or_dash(step.row["peak_gib"], ".1f")]
                rows.append([*cells, _or_dash(step.row["share_of_matrix_rate"], ".0%")])
    if not rows:
        return f"<p>{DASH} No record yet: <code>{escape(MEASURE_STEP)}</code></p>"
    head = [*NAMES[:2], "Machine", "How", "Clips/s", "Peak memory, GiB"]
    caption = "Measured: one training step on clips of the full size"
    return table(caption, [*head, "Share of its matrix rate"], rows, text_columns=4)


def gpu_table(root: Path = REPOSITORY) -> str:
    """What ``make gpu`` measured, card by card: from memory, and from videos decoded meanwhile."""
    rows = [
        [
            escape(one.machine),
            ARMS[one.row["model"]],
            one.row["backbone"].replace("resnet", "ResNet-"),
            escape(_how(one)) + ", decoded" * one.row["decoded"],
            link(one.link, _or_dash(one.row["clips_per_second"], ".0f")),
            _or_dash(one.row["peak_gib"], ".1f"),
            _or_dash(one.row["idle_share"], ".0%"),
            _or_dash(one.row["share_of_matrix_rate"], ".0%"),
        ]
        for one in read_rows(root, GPU, GPU_KEYS)
    ]
    if not rows:
        return f"<p>{DASH} No record yet: <code>{escape(MEASURE_GPU)}</code></p>"
    head = ["Machine", *NAMES[:2], "How", "Clips/s", "Peak memory, GiB", "GPU idle"]
    caption = "Measured: training steps on a GPU, on clips of 32×224²"
    return table(caption, [*head, "Share of its matrix rate"], rows, text_columns=4)


def memory_table(clips: Sequence[int] = (1, 4, 8, 16), root: Path = REPOSITORY) -> str:
    """What a training step holds in memory, in the files' precision: an estimate from shapes."""
    every = _one_clip(root)
    rows = [
        [
            *one.names[:2],
            f"{kept_bytes(one.config) / 2**30:.2f}",
            *(f"{step_bytes(one, count) / 2**30:.1f}" for count in clips),
        ]
        for one in every
    ]
    (precision,) = {one.config.precision for one in every}
    head = [*NAMES[:2], "Kept of a clip, GiB"]
    head += [f"Step on {count} clip{'s' * (count > 1)}, GiB" for count in clips]
    caption = f"Estimated: memory of a training step in {precision}, by the clips on one GPU"
    return table(caption, head, rows, text_columns=2)


def hours_table(root: Path = REPOSITORY, share: float = SHARE) -> str:
    """GPU hours of each row: measured where a GPU is on record, and projected."""
    every = [(one, fastest(one, root)) for one in works(root)]
    gpus = sorted({gpu for _, steps in every for gpu in steps}) or ["no GPU on record"]
    rows, gaps = [], []
    for one, steps in every:
        cells = one.names
        for gpu in gpus:
            if gpu in steps:
                how = f"{steps[gpu].rate:.1f} clips/s, {_how(steps[gpu])}"
                cells += [link(steps[gpu].link, f"{hours(one, steps[gpu].rate):,.0f}", how)]
            else:
                gaps = [MEASURE_STEP]
                cells += [f"{DASH} <sup>1</sup>"]
        rows.append(cells + [f"{hours(one, projected(one, c, share)):,.0f}" for c in PEAKS])
    head = [*NAMES, *(f"Measured: {gpu}" for gpu in gpus)]
    head += [f"Projected: {card}, {share:.0%} of {peak:g} TFLOP/s" for card, peak in PEAKS.items()]
    caption = "Hours of one GPU for the full training, evaluations included"
    return table(caption, head, rows, text_columns=3) + remedies(gaps, "")


def decode_table(root: Path = REPOSITORY, share: float = SHARE) -> str:
    """Clips a second that one GPU takes, and the processor cores that read them as fast."""
    every = {one: rates(one, root, share) for one in _one_clip(root)}
    named = dict.fromkeys(gpu for found in every.values() for gpu in found)
    gpus = sorted(named, key=lambda gpu: gpu.endswith("projected"))
    rows, gaps = [], []
    for one, found in every.items():
        loader = loader_of(one, root)
        cells = one.names[:2]
        for gpu in gpus:
            rate = found.get(gpu)
            cells.append(_or_dash(rate, ".0f"))
            if loader is None:
                gaps = [MEASURE_LOADER]
                cells.append(f"{DASH} <sup>1</sup>")
            else:
                how = f"{loader.rate:.1f} clips/s a core: {loader.machine}"
                cells.append(link(loader.link, f"{rate / loader.rate:.1f}" if rate else DASH, how))
        rows.append(cells)
    head = [*NAMES[:2], *(words for gpu in gpus for words in (f"{gpu}: clips/s", "cores for it"))]
    caption = "What has to be decoded for one GPU, and the processor cores that it takes"
    return table(caption, head, rows, text_columns=2) + remedies(gaps, "")


def _one_clip(root: Path) -> list[Work]:
    """The rows whose networks differ; the rule of sampling changes nothing of a step."""
    return [one for one in works(root) if one.config.sampling == "segments"]


def _how(step: Measured) -> str:
    row = step.row
    return ", ".join([row["precision"], *row["options"], f"batch {row['batch']}"])


def _or_dash(value: float | None, form: str) -> str:
    return DASH if value is None else format(value, form)
