"""What the time of a missed target is made of, and what it would take to meet it.

``benchmarks/kinds.py`` measures where time goes; ``python -m benchmarks`` whether a target is met.
"""

from html import escape
from pathlib import Path

from stabn.tables.html import DASH, link, remedies, table
from stabn.tables.targets import KEYS, RECORDS, TARGETS, Target, in_words
from stabn.tables.work import Measured, read_rows
from stabn.training.checkpoint import REPOSITORY

KINDS = "book/results/cost/kinds_*.json"
KIND_KEYS = {"doing", "network", "seconds", "instructions", "measured_at"}
COMMAND = "python benchmarks/kinds.py --out book/results/cost/kinds_small_NAME.json"

PRODUCTS, NORMALISATION = "convolutions and products", "BN"
ELEMENTWISE, COPIES = "ReLU, sums, pooling", "copies"
OPTIMIZER, REST = "optimizer", "the rest"
# what the names of PyTorch's operations have in them; the first that fits counts
NAMED = {
    OPTIMIZER: ("sgd",),
    PRODUCTS: ("conv", "mm", "linear"),
    NORMALISATION: ("batch_norm",),
    COPIES: ("cat", "clone", "copy", "pad", "slice_backward", "contiguous", "select_backward"),
    ELEMENTWISE: ("relu", "threshold", "add", "mul", "div", "pool", "sum", "mean", "sigmoid"),
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


def kind_of(operation: str) -> str | None:
    """The kind of an operation of PyTorch, as in ``aten::convolution_backward``; None: another."""
    return next((k for k, parts in NAMED.items() if any(p in operation for p in parts)), None)


def kinds_table(root: Path = REPOSITORY) -> str:
    """Every missed target of small clips that computes: where its time goes, what is missing."""
    found = {
        (row.row["doing"], row.row["network"], row.row["instructions"]): row
        for row in read_rows(root, KINDS, KIND_KEYS)
    }
    rows, gaps = [], []
    for one in read_rows(root, RECORDS, KEYS):
        target = TARGETS[one.row["name"]]
        if one.row["measured_at"] != "small" or target.name not in HELD or not _missed(target, one):
            continue
        instructions = one.row["instructions"]
        cells = [f"<code>{target.name}</code> ({instructions})"]
        cells.append(link(one.link, in_words(one.row)))
        if profile := found.get((*HELD[target.name], instructions)):
            cells += _cells(target, one, profile)
        else:
            gaps = [COMMAND]
            cells += [f"{DASH} <sup>1</sup>"] * (len(_COLUMNS) + 1)
        rows.append(cells)
    head = ["Missed", "Measured", *_COLUMNS, "It would take"]
    caption = (
        "Where the time goes whose ratio is missed, by the CPU time of one thread; and to what "
        "share of their time either the products or all else would have to come down"
    )
    return table(caption, head, rows, text_columns=1) + remedies(gaps, "")


_COLUMNS = [PRODUCTS, NORMALISATION, ELEMENTWISE, COPIES, OPTIMIZER, REST]


def _missed(target: Target, one: Measured) -> bool:
    value, instructions = one.row["value"], one.row["instructions"]
    known = value is not None and target.for_machine(instructions) is not None
    return known and not target.met(value, instructions)


def _cells(target: Target, one: Measured, profile: Measured) -> list[str]:
    """Shares by kind, each a link to the record, and what is missing in words."""
    seconds = profile.row["seconds"]
    whole = sum(seconds.values())
    shares = {kind: seconds.get(kind, 0.0) / whole for kind in _COLUMNS}
    linked = [link(profile.link, f"{share:.0%}") for share in shares.values()]
    return [*linked, escape(it_would_take(goal(target, one), shares[PRODUCTS]))]


def goal(target: Target, one: Measured) -> float:
    """To what share of its time a missed target would have to come down."""
    limit, value = target.for_machine(one.row["instructions"]), one.row["value"]
    return value / limit if target.at_least else limit / value


def it_would_take(goal: float, products: float) -> str:
    """In words: to what share of their time the products, or all else, would have to come down.

    Args:
        goal: share of the whole time that may be left, in (0, 1).
        products: the products' share of the whole time, in (0, 1).
    """
    words = [f"{goal:.2f} of its time"]
    for name, share in (("products", products), ("all else", 1 - products)):
        left = (goal - (1 - share)) / share
        words.append(f"{name} {left:.2f} of theirs" if left > 0 else f"{name} alone would not do")
    return "; ".join(words)
