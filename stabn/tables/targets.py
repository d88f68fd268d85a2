"""What the library's speed is held to: ratios taken in one run, and the records that have them.

``python -m benchmarks`` measures them. A target is missed or met, and the table says which.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from stabn.tables.html import DASH, link, remedies, table
from stabn.tables.work import Measured, read_rows
from stabn.training.checkpoint import REPOSITORY

RECORDS = "book/results/cost/targets_*.json"
KEYS = {"name", "measured_at", "instructions", "frames", "size", "value", "low", "high"}
KEYS |= {"arithmetic", "turns", "quiet", "note"}
COMMAND = "python -m benchmarks all --{size} --out book/results/cost/targets_{size}_NAME.json"
SIZES = {"small": "8×112²", "full": "32×224²"}


@dataclass(frozen=True)
class Target:
    """One ratio, and what it is to be.

    Attributes:
        name: of the benchmark.
        compared: what is divided by what, on which clips.
        limit: the target on a plain processor (AVX2).
        wide: the target where AVX-512 or AMX is; None: there is no other.
        at_least: whether a larger value is a better one.
    """

    name: str
    compared: str
    limit: float | None
    wide: float | None = None
    at_least: bool = False

    def for_machine(self, instructions: str) -> float | None:
        """The target on a machine that computes with these instructions, as PyTorch names them."""
        wide = instructions.startswith("AVX512")
        return self.wide if wide and self.wide is not None else self.limit

    def met(self, value: float, instructions: str) -> bool:
        """Whether a value is on the right side of the target, or on it.

        Raises:
            ValueError: there is no target on such a machine.
        """
        limit = self.for_machine(instructions)
        if limit is None:
            raise ValueError(f"{self.name} has no target on a machine with {instructions}")
        return value >= limit if self.at_least else value <= limit

    def in_words(self) -> str:
        """``≤ 0.75, or ≤ 0.60 with AVX-512``."""
        sign = "≥" if self.at_least else "≤"
        plain = f"{sign} {self.limit:.2f}" if self.limit is not None else ""
        wide = f"{sign} {self.wide:.2f} with AVX-512" if self.wide is not None else ""
        return ", or ".join(filter(None, (plain, wide)))


PEER = "pytorchvideo's slow_r50"
TARGETS = {
    target.name: target
    for target in (
        Target("fwd_backbone", f"ResNet-50, BN folded / {PEER}, forward", 0.75, 0.60),
        Target("fwd_stabn", f"ST-ABN-50, BN folded / {PEER}, forward", 1.15, 0.90),
        Target("train_backbone", f"ResNet-50 / {PEER}, training step", 0.80, 0.75),
        Target("train_stabn", f"ST-ABN-50 / {PEER}, training step", 1.45, 1.30),
        Target("fwd_bf16", f"ST-ABN-50, BN folded, in bf16 / {PEER} in fp32, forward", None, 0.13),
        Target("attention_cost", "ST-ABN-50 / ResNet-50, forward, BN folded", 1.60),
        Target("small_network", "small ST-ABN / small plain network, training step", 1.35),
        Target(
            "share", "ST-ABN-50 forward, BN folded / the machine's matrix rate", 0.70, at_least=True
        ),
        Target("finetune_cached", "step on kept features / step of the whole ST-ABN-50", 0.50),
        Target("act_memory", "GiB that a step of ST-ABN-50 keeps of a clip, bf16", 1.6),
        Target("loader", "DataLoader / decoding alone, clips a second a core", 0.85, at_least=True),
    )
}


def targets_table(root: Path = REPOSITORY) -> str:
    """Every target beside what the records have of it: small and full clips, machine by machine."""
    found = read_rows(root, RECORDS, KEYS)
    columns = {size: _columns(found, size) for size in SIZES}
    gaps = [COMMAND.format(size=size) for size, machines in columns.items() if not machines]
    rows = []
    for target in TARGETS.values():
        cells = [f"<code>{target.name}</code>", escape(target.compared), escape(target.in_words())]
        for size, machines in columns.items():
            cells += [_cell(target, of.get(target.name)) for of in machines.values()]
            if not machines:
                number = gaps.index(COMMAND.format(size=size)) + 1
                cells.append(f"{DASH} <sup>{number}</sup>")
        rows.append(cells)
    head = ["Name", "Compared", "Target"]
    for size, machines in columns.items():
        head += [f"{SIZES[size]}, {words}" for words in machines] or [SIZES[size]]
    caption = (
        "Targets, and what was measured in one run each on two cores: the median over turns and "
        "their range. The targets are meant for 32×224²; 8×112² is the quick look"
    )
    return table(caption, head, rows, text_columns=len(head)) + remedies(gaps, "")


def targets_in_words(root: Path = REPOSITORY) -> str:
    """How many targets are met, of those that a machine has; size by size; Markdown."""
    found, said = read_rows(root, RECORDS, KEYS), []
    for size, clip in SIZES.items():
        for machine, rows in _columns(found, size).items():
            known = {
                name: verdict(TARGETS[name], one.row)
                for name, one in rows.items()
                if one.row["value"] is not None
                and TARGETS[name].for_machine(one.row["instructions"]) is not None
            }
            met, missed = ([n for n, v in known.items() if v == of] for of in ("met", "missed"))
            names = f" ({', '.join(f'`{name}`' for name in met)})" if met else ""
            said.append(
                f"**{clip}, {machine}:** of {len(known)} measured, {len(met)} met{names}, "
                f"{len(missed)} missed, {len(known) - len(met) - len(missed)} not decided."
            )
    return " ".join(said)


def _columns(found: list[Measured], size: str) -> dict[str, dict[str, Measured]]:
    """{machine, instructions and record: {name: row}} of the records at one size."""
    machines: dict[str, dict[str, Measured]] = {}
    for one in found:
        if one.row["measured_at"] == size:
            words = f"{one.machine} ({one.row['instructions']})"
            machines.setdefault(words, {})[one.row["name"]] = one
    return machines


def _cell(target: Target, one: Measured | None) -> str:
    """Value, range, whether the target is met, the arithmetic, the clip if it is another."""
    if one is None:
        return DASH
    row = one.row
    if row["value"] is None:
        return f"{link(one.link, DASH)} {escape(row['note'])}"
    about, clip = [], f"{row['frames']}×{row['size']}²"
    if row["arithmetic"] is not None:
        about.append(f"arithmetic {row['arithmetic']:.2f}")
    if clip != SIZES[row["measured_at"]]:
        about.append(f"clip {clip}")
    lines = [link(one.link, escape(in_words(row)), row["note"]), escape(verdict(target, row))]
    lines += [f"<small>{escape(', '.join(about))}</small>"] if about else []
    return ", <br>".join(lines)


def in_words(row: Mapping[str, Any]) -> str:
    """``0.96 (0.94 to 0.98)``, of a row that has a value; what is counted has no range."""
    value, low, high = row["value"], row["low"], row["high"]
    return f"{value:.2f}" + ("" if low is None else f" ({low:.2f} to {high:.2f})")


def verdict(target: Target, row: Mapping[str, Any]) -> str:
    """``met``, ``missed``, ``no target here``, or that other work fell on too many turns."""
    if target.for_machine(row["instructions"]) is None:
        return "no target here"
    if row["turns"] is not None and row["quiet"] < row["turns"]:
        return f"not decided: {row['quiet']} of {row['turns']} turns quiet"
    return "met" if target.met(row["value"], row["instructions"]) else "missed"
