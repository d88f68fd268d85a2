"""What a line between small pictures knows of a set: the bar that a network has to pass.

``python -m studies.linear data/real_idle data/real_idle_prepared out.json`` takes of each clip what
differs from its background, 48×64 pixels, grey: in eight bins of time in their order, averaged over
time, or of the middle frame alone. A logistic regression of each is tested fold by fold. If the
order adds nothing, the set asks nothing about time.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from stabn.data.prepared import PreparedFrames
from stabn.data.ssv2 import Record, class_text, read_classes, read_split
from stabn.data.transforms import resize
from stabn.errors import UserError
from stabn.training.config import RunConfig
from stabn.training.records import code_version, data_fingerprint, write_record

BINS, SIZE, FOLDS = 8, (48, 64), range(5)
C = 10.0  # of the regression, on features of length 1; 1,000 gives the same within 2 points
KINDS = ("ordered", "averaged", "middle")
SIDES = ("left", "right")
SWIPES = "Swiping"


def features(frames: np.ndarray) -> dict[str, np.ndarray]:
    """A video uint8 (n, H, W, 3) → by `KINDS`, float32 of length 1.

    Bin b is the mean of frames b·n/8 up to (b + 1)·n/8, or of one frame of a shorter video.
    """
    grey = resize(frames, *SIZE).float().mean(dim=1).numpy()  # (n, 48, 64)
    moved = np.abs(grey - np.median(grey, axis=0))
    edges = np.arange(BINS + 1) * len(moved) // BINS
    bins = [moved[a : max(b, a + 1)].mean(axis=0) for a, b in pairwise(edges)]
    found = np.stack(bins), moved.mean(axis=0), moved[len(moved) // 2]
    return {kind: _unit(values.ravel()) for kind, values in zip(KINDS, found, strict=True)}


def _unit(values: np.ndarray) -> np.ndarray:
    return (values / max(np.linalg.norm(values), 1e-6)).astype(np.float32)


def right(
    train: np.ndarray, labels: Sequence[int], test: np.ndarray, truth: Sequence[int]
) -> float:
    """Share of the test rows (M, D) that a regression on the training rows (N, D) names rightly.

    The weights of such a regression lie in the span of the training rows, so it is fitted in their
    N coordinates, and nothing is lost.
    """
    values, vectors = np.linalg.eigh(train @ train.T)
    kept = values > 1e-6 * values.max()
    basis = train.T @ (vectors[:, kept] / np.sqrt(values[kept]))  # (D, n), orthonormal
    model = LogisticRegression(C=C, max_iter=300).fit(train @ basis, labels)
    return float((model.predict(test @ basis) == np.asarray(truth)).mean())


def tasks(classes: Sequence[str]) -> dict[str, list[int]]:
    """Class ids by task: two sides, four swipes, all; only those that differ."""
    texts = [class_text(text) for text in classes]
    found = {
        "left or right": [k for k, text in enumerate(texts) if text.endswith(SIDES)],
        "swipes": [k for k, text in enumerate(texts) if text.startswith(SWIPES)],
        "all": [*range(len(texts))],
    }
    return {name: ids for name, ids in found.items() if name == "all" or 1 < len(ids) < len(texts)}


def measure(
    root: Path, prepared: Path
) -> tuple[dict[str, dict[str, list[float]]], dict[str, list[int]]]:
    """{task: {kind: top-1 in [0, 1] of each fold}}, and {task: clips that each fold tests}.

    Raises:
        AnnotationError, PreparationError, VideoError: the set cannot be read.
    """
    videos, classes = PreparedFrames(prepared), read_classes(root)
    folds = [
        tuple(read_split(root, f"{name}_{k}", classes) for name in ("train", "validation"))
        for k in FOLDS
    ]
    ids = {record.video_id for both in folds for records in both for record in records}
    shown = {v: features(videos.read(v, np.arange(videos.frames(v)))) for v in sorted(ids)}

    def rows(records: list[Record], kind: str, of: list[int]) -> tuple[np.ndarray, list[int]]:
        mine = [record for record in records if record.class_id in of]
        return np.stack([shown[r.video_id][kind] for r in mine]), [r.class_id for r in mine]

    known = tasks(classes)
    found = {
        task: {
            kind: [right(*rows(train, kind, of), *rows(test, kind, of)) for train, test in folds]
            for kind in KINDS
        }
        for task, of in known.items()
    }
    clips = {
        task: [sum(record.class_id in of for record in test) for _, test in folds]
        for task, of in known.items()
    }
    return found, clips


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.linear", description=__doc__.split("\n")[0]
    )
    parser.add_argument("root", type=Path, help="a set that data_scripts/egogestar.py made")
    parser.add_argument("prepared", type=Path, help="its small frames, of `stabn prepare`")
    parser.add_argument("out", type=Path, help="the record that is written")
    given = parser.parse_args()
    try:
        found, clips = measure(given.root, given.prepared)
        data = data_fingerprint(RunConfig(name="linear", data_root=str(given.root)))
    except (UserError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    record = {"code": code_version(), "data": data, "top1": found, "clips": clips}
    write_record(given.out, record)
    for task, kinds in found.items():
        means = (
            f"{kind} {np.average(values, weights=clips[task]):.2f}"
            for kind, values in kinds.items()
        )
        print(f"{task}: {'  '.join(means)}")


if __name__ == "__main__":
    main()
