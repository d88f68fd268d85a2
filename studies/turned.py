"""How often a fine-tuned network takes a swipe for its opposite, arm by arm, list by list.

``python -m studies.turned runs/study/real_pause_paper_finetune_fold0_seed0`` counts in the run's
predictions, and enters the shares in its record under ``turned``.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from stabn.errors import UserError
from stabn.training.checkpoint import CheckpointError, read
from studies.measured import finished, keep
from studies.real import opposites


def turned(answers: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> float:
    """Share of clips whose answer is the opposite of their class; int64 (N,) each.

    Raises:
        CheckpointError: the classes are not the four swipes.
    """
    return float((answers == opposites(classes)[labels]).mean())


def measure_run(folder: Path) -> dict[str, float]:
    """{``arm-list``: share} of a finished fine-tuning; kept under ``turned`` in its record.

    Raises:
        CheckpointError: the run is not finished, or left no predictions.
    """
    finished(folder)
    classes, found = read(folder / "knowledge.pt")["classes"], {}
    for path in sorted(folder.glob("predictions-*-*.parquet")):
        _, arm, name = path.stem.split("-", 2)
        told = pd.read_parquet(path)
        answers = np.stack(told["logits"]).argmax(axis=1)
        found[f"{arm}-{name}"] = turned(answers, told["label"].to_numpy(), classes)
    if not found:
        raise CheckpointError(f"{folder}: holds no predictions; run its notebook again")
    keep(folder, turned=found)
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.turned", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="folder of a fine-tuning on swipes")
    try:
        found = measure_run(parser.parse_args().folder)
    except (UserError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    for name, share in found.items():
        print(f"{name}: {share:.0%} are the opposite")


if __name__ == "__main__":
    main()
