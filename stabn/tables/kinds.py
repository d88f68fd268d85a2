"""What the time of a missed target is made of, and what it would take to meet it.

``python -m benchmarks`` measures whether a target is met; ``benchmarks/kinds.py`` and, of a loader,
``benchmarks/loader.py`` where the time goes.
"""

from collections.abc import Mapping
from html import escape
from itertools import pairwise
from pathlib import Path

from stabn.tables.html import DASH, link, remedies, table
from stabn.tables.targets import KEYS, RECORDS, TARGETS, Target, in_words, verdict
from stabn.tables.work import LOADER_KEYS, LOADERS, Measured, read_rows
from stabn.training.checkpoint import REPOSITORY

KINDS = "book/results/cost/kinds_*.json"
KIND_KEYS = {"doing", "network", "seconds", "instructions", "measured_at"}
COMMAND = "python benchmarks/kinds.py --out book/results/cost/kinds_small_NAME.json"
LOADER_COMMAND = "python benchmarks/loader.py --out book/results/cost/loader_NAME.json"

PRODUCTS, REST = "convolutions and products", "the rest"
# what the names of PyTorch's operations have in them; the first that fits counts
NAMED = {
    "optimizer": ("sgd",),
    PRODUCTS: ("conv", "mm", "linear"),
    "BN": ("batch_norm",),
    "copies": ("cat", "clone", "copy", "pad", "slice_backward", "select_backward"),
    "ReLU, sums, pooling": ("relu", "threshold", "add", "mul", "div", "pool", "sum", "mean"),
}

# whose time a target holds down: what is done, and by which network
HELD = {
    "fwd_backbone": ("forward", "baseline"),
    "fwd_stabn": ("forward", "st_abn"),
    "train_backbone": ("step", "baseline"),
    "train_stabn": ("step", "st_abn"),
    "attention_cost": ("forward", "st_abn"),
    "small_network": ("small step", "st_abn"),
    "share": ("forward", "st_abn"),
    "finetune_cached": ("step on kept features", "st_abn"),
}
# targets whose two sides share what is not named here: the part that is compared, and its time as
# a multiple of the time of the rest, from the ratio
WITHIN = {
    "attention_cost": ("what attention adds", lambda ratio: ratio - 1),
    "small_network": ("what attention adds", lambda ratio: ratio - 1),
    "finetune_cached": ("what follows the features", lambda ratio: ratio / (1 - ratio)),
    "loader": ("all but the decoding", lambda ratio: 1 / ratio - 1),
}
STAGES = ("raw decoding", "read_frames", "+ transform", "+ collate", "DataLoader")  # of a loader


def kind_of(operation: str) -> str | None:
    """The kind of an operation of PyTorch, as in ``convolution_backward``; None: of no kind."""
    return next((k for k, parts in NAMED.items() if any(p in operation for p in parts)), None)


def kinds_table(root: Path = REPOSITORY) -> str:
    """Every missed target of small clips that takes time: where it goes, and what is missing."""
    rows, gaps = [], []
    for one in read_rows(root, RECORDS, KEYS):
        target = TARGETS[one.row["name"]]
        timed = target.name in HELD or target.name == "loader"
        small = one.row["measured_at"] == "small"
        if (
            not small
            or not timed
            or one.row["value"] is None
            or verdict(target, one.row) != "missed"
        ):
            continue
        cells = [f"<code>{target.name}</code>", link(one.link, in_words(one.row))]
        if found := _parts(target, one, root):
            parts, where = found
            whole, (main, *_) = sum(parts.values()), parts
            told = sorted(parts.items(), key=lambda part: -part[1])
            words = ", ".join(f"{name} {seconds / whole:.0%}" for name, seconds in told)
            limit, value = target.for_machine(one.row["instructions"]), one.row["value"]
            if target.name in WITHIN:
                taken = within(target.name, limit, value)
            else:
                goal = value / limit if target.at_least else limit / value
                taken = alone(goal, main, parts[main] / whole)
            cells += [link(where, escape(words)), escape(taken)]
        else:
            command = LOADER_COMMAND if target.name == "loader" else COMMAND
            gaps += [command] * (command not in gaps)
            cells += [f"{DASH} <sup>{gaps.index(command) + 1}</sup>"] * 2
        rows.append(cells)
    caption = (
        "What misses its target, on clips of the size in the table above: where the time goes, and "
        "what would have to become how much quicker"
    )
    head = ["Missed", "Measured", "Where the time goes", "It would take"]
    return table(caption, head, rows, text_columns=len(head)) + remedies(gaps, "")


def _parts(target: Target, one: Measured, root: Path) -> tuple[Mapping[str, float], str] | None:
    """{part: seconds} of a target's time, its main part first, and the record's address."""
    if target.name == "loader":
        return _stages(root)
    wanted = (*HELD[target.name], one.row["instructions"])
    for found in read_rows(root, KINDS, KIND_KEYS):
        if tuple(found.row[key] for key in ("doing", "network", "instructions")) == wanted:
            seconds = found.row["seconds"]
            return {PRODUCTS: seconds[PRODUCTS]} | seconds, found.link
    return None


def _stages(root: Path) -> tuple[Mapping[str, float], str] | None:
    """What each stage of a loader adds to a clip's time, of clips of 32×224² from videos."""
    found = {
        row.row["stage"]: row
        for row in reversed(read_rows(root, LOADERS, LOADER_KEYS))  # the first counts
        if (row.row["frames"], row.row["size"]) == (32, 224)
    }
    if not found.keys() >= {*STAGES}:
        return None
    seconds = [0.0, *(1 / found[stage].rate for stage in STAGES)]
    added = (after - before for before, after in pairwise(seconds))
    return dict(zip(STAGES, added, strict=True)), found[STAGES[0]].link


def within(name: str, limit: float, value: float) -> str:
    """In words: to what one part would have to come down, where both sides hold the rest.

    Args:
        name: of a target in :data:`WITHIN`.
        limit: what its ratio is to be.
        value: what it is.
    """
    part, left = WITHIN[name]
    return f"{part} down to {left(limit) / left(value):.2f} of its time"


def alone(goal: float, main: str, share: float) -> str:
    """In words: what the main part, or all else, would have to come down to with no help.

    Args:
        goal: share of the whole time that may be left, in (0, 1).
        main: the main part's name.
        share: its share of the whole time, in (0, 1).
    """
    ways = []
    for name, own in ((main, share), ("all else", 1 - share)):
        left = (goal - (1 - own)) / own
        ways.append(f"{name} alone to {left:.2f}" if left > 0 else f"{name} alone cannot do it")
    return f"down to {goal:.2f} of its time: {', '.join(ways)}"
