"""The targets of speed, measured: ``python -m benchmarks NAME``, or ``all``.

    python -m benchmarks                       # the names, each with its target
    python -m benchmarks attention_cost        # 8×112², seconds
    python -m benchmarks all --small --out book/results/cost/targets_small_NAME.json
    python -m benchmarks all --full --out book/results/cost/targets_full_NAME.json

Peers run in turns in one process; a value is the median over at least five turns, with the lowest
and the highest. Each row is kept as soon as it is measured: begun again by the same code on the
same machine, ``all`` makes what is missing.
"""

import os
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measured import begun, give_back, parser_for, provenance
from peers import MissingPeer
from ratios import MEASUREMENTS, SIZES, absent
from turns import CPU

from stabn.tables.targets import TARGETS, in_words, verdict
from stabn.training.records import write_record

QUESTION = "Does the library keep its targets of speed?"
# what convolutions, elementwise kernels and products of matrices may use of the processor
SETTINGS = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS")


def measured(name: str, size: str) -> dict[str, Any]:
    """The row of one target."""
    instructions = torch.backends.cpu.get_cpu_capability()
    try:
        row = MEASUREMENTS[name](SIZES[size])
    except MissingPeer as missing:
        row = absent(SIZES[size], str(missing))
    give_back(CPU)
    return {"name": name, "measured_at": size, "instructions": instructions} | row


def line(row: dict[str, Any]) -> str:
    """A row as it is printed."""
    target = TARGETS[row["name"]]
    start = f"{row['name']:<15}"
    if row["value"] is None:
        return f"{start} – {row['note']}"
    said = f"{in_words(row)}, target {target.in_words()}: {verdict(target, row)}"
    if row["arithmetic"] is not None:
        said += f"; arithmetic {row['arithmetic']:.2f}"
    if shares := row["share_of_matrix_rate"]:
        each = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
        said += f"; of the matrix rate of {row['matrix_gflops']:.0f} GFLOP/s: {each}"
    return (
        f"{start} {said}"
        + (f"; {row['turns']} turns" if row["turns"] else "; counted")
        + (f"; {row['note']}" if row["note"] else "")
    )


def settings() -> dict[str, str]:
    """The limits on instructions that are set, by name."""
    return {name: os.environ[name] for name in SETTINGS if name in os.environ}


def about(size: str, note: str | None) -> dict[str, Any]:
    """A record without rows."""
    return provenance(QUESTION, note) | {
        "measured_at": size,
        "threads": torch.get_num_threads(),
        "settings": settings(),
        "rows": [],
    }


def main() -> None:
    """The command line."""
    parser = parser_for(QUESTION)
    parser.prog = "python -m benchmarks"
    parser.add_argument("name", nargs="?", metavar="NAME", help="of a target, or all")
    sizes = parser.add_mutually_exclusive_group()
    for size, clips in SIZES.items():
        said = f"clips of {clips.frames}×{clips.size}²" + " (default)" * (size == "small")
        sizes.add_argument(f"--{size}", dest="size", action="store_const", const=size, help=said)
    parser.set_defaults(size="small")
    args = parser.parse_args()
    if args.name is None:
        for target in TARGETS.values():
            print(f"{target.name:<15} {target.in_words():<32} {target.compared}")
        return
    if args.name not in {*TARGETS, "all"}:
        parser.error(f"no target is named {args.name!r}: choose all or one of {', '.join(TARGETS)}")
    if 0 < len(given := settings()) < len(SETTINGS):
        parser.error(
            f"{', '.join(given)} is set alone: convolutions and products of matrices would use "
            f"other instructions; set all of {', '.join(SETTINGS)}, or none"
        )
    names = list(TARGETS) if args.name == "all" else [args.name]
    torch.manual_seed(0)
    record = begun(args.out, about(args.size, args.note), ("measured_at", "threads", "settings"))
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    print(f"{record['hardware']['cpu']}, {record['threads']} threads; {versions}", flush=True)
    rows = {row["name"]: row for row in record["rows"] if row["value"] is not None}
    for name in names:
        if name not in rows:
            rows[name] = measured(name, args.size)
        print(line(rows[name]), flush=True)
        record["rows"] = [rows[known] for known in TARGETS if known in rows]
        if args.out is not None:
            write_record(args.out, record)
    if args.out is not None:
        print(f"record: {args.out}")


if __name__ == "__main__":
    main()
