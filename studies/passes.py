"""What hands said of *when*, pass by pass, beside the truth, which they did not see.

``python -m studies.passes data/real_pause out.json pass1.json pass2.json`` compares edits of the
same videos, which people made one without the other, with the set's own levels and with each other.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stabn.data.mini.truth import read_truth
from stabn.errors import UserError
from stabn.knowledge.edits.agreement import alpha
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.edits.exchange import read_json
from stabn.training.config import RunConfig
from stabn.training.records import code_version, data_fingerprint, write_record

Levels = Mapping[str, np.ndarray]  # video id → (n,) in [0, 1]


def edited(edits: Sequence[Edit]) -> Levels:
    """The levels of every video that was edited."""
    return {e.video_id: np.array(e.levels) for e in edits if e.verdict == "edited"}


def like(levels: Levels, others: Levels) -> dict[str, float]:
    """How levels agree with others of the same videos, each video counted once.

    Returns:
        ``equal``, share of frames with the same level; ``action``, share that both call the action
        (level 1) or both not; ``iou``, of the frames that each calls so.
    """
    both = [(levels[name], others[name]) for name in sorted(levels.keys() & others.keys())]
    acting = [(a == 1, b == 1) for a, b in both]
    return {
        "videos": len(both),
        "equal": float(np.mean([np.mean(a == b) for a, b in both])),
        "action": float(np.mean([np.mean(a == b) for a, b in acting])),
        "iou": float(np.mean([(a & b).sum() / max((a | b).sum(), 1) for a, b in acting])),
    }


def measure(passes: Mapping[str, Sequence[Edit]], root: Path) -> dict[str, Any]:
    """Each pass beside the truth, and the passes beside each other.

    Args:
        passes: {name: its edits}.
        root: the set of their videos, which has the truth.

    Raises:
        FileNotFoundError: a video whose truth is not there.
    """
    levels = {name: edited(edits) for name, edits in passes.items()}
    names = sorted(set().union(*levels.values()))
    truth = {name: read_truth(root, name).levels for name in names}
    first, *others = levels
    return {
        "passes": {
            name: {
                "seconds": [edit.seconds for edit in edits],
                "left": sum(edit.verdict != "edited" for edit in edits),
                "truth": like(levels[name], truth),
            }
            for name, edits in passes.items()
        },
        "between": {
            other: like(levels[first], levels[other])
            | {"alpha": alpha([*passes[first], *passes[other]])}
            for other in others
        },
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.passes", description=__doc__.split("\n")[0]
    )
    parser.add_argument("root", type=Path, help="the set of the videos, with its truth")
    parser.add_argument("out", type=Path, help="the record that is written")
    parser.add_argument("edits", type=Path, nargs="+", help="a JSON file of edits for each pass")
    given = parser.parse_args()
    try:
        found = measure({path.stem: read_json(path) for path in given.edits}, given.root)
        data = data_fingerprint(RunConfig(name="passes", data_root=str(given.root)))
    except (UserError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    write_record(given.out, {"code": code_version(), "data": data} | found)


if __name__ == "__main__":
    main()
