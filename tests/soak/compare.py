"""What a run leaves behind, against what the undisturbed one left: equal to the bit, or not."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from stabn.training.checkpoint import read
from stabn.training.records import read_record
from stabn.training.resume import newest
from tests.journals import untimed


def plain(progress: dict[str, Any]) -> dict[str, Any]:
    """How far a run has come, without the time it took."""
    return {name: value for name, value in progress.items() if name != "seconds"}


def same(a: Any, b: Any) -> bool:
    """Whether two nested values are equal to the bit."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))  # NaN is NaN


def state(folder: Path, whole: Path) -> dict[str, Any]:
    """What a kill left to go on from, against what the undisturbed run stored after that step.

    The undisturbed run keeps one checkpoint a step, at the end of an epoch the one after the
    evaluation. From before it only the weights and the momenta can be compared.
    """
    content = newest(folder)
    if content is None:
        return {"goes_on_at": 0, "equal": True}
    step = content["progress"]["step"]
    other = read(whole / f"last-{step}.pt")
    equal = same(content["model"], other["model"])
    a, b = content["training"], other["training"]
    equal &= same(a["optimizer"]["state"], b["optimizer"]["state"])
    if content["progress"]["epoch"] == other["progress"]["epoch"]:
        equal &= same(a, b) and same(plain(content["progress"]), plain(other["progress"]))
    return {"goes_on_at": step, "equal": equal}


def differences(folder: Path, whole: Path) -> list[str]:
    """What of a finished run differs from the undisturbed one, and what it left lying about."""
    found = []
    for name in ("last.pt", "best.pt"):
        a, b = read(folder / name), read(whole / name)
        found += [f"{name}: {part}" for part in ("model", "training", "classes")
                  if not same(a.get(part), b.get(part))]  # fmt: skip
        found += [f"{name}: progress"] * (not same(plain(a["progress"]), plain(b["progress"])))
    tables = [pd.read_parquet(f / "predictions.parquet").to_dict("list") for f in (folder, whole)]
    found += ["predictions.parquet"] * (not same(*tables))
    journals = [untimed(path / "metrics.jsonl") for path in (folder, whole)]
    found += ["metrics.jsonl"] * (not same(*journals))
    records = [read_record(f / "record.json") for f in (folder, whole)]
    for name in ("results", "best", "steps", "data"):
        found += [f"record.json: {name}"] * (not same(*(r.get(name) for r in records)))
    found += ["record.json: wall_seconds"] * (records[0]["wall_seconds"] is None)
    found += [f"left behind: {path.name}" for path in folder.glob(".*")]
    return found
