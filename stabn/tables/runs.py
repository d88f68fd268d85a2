"""Records of finished runs, from `book/results` and from `runs`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stabn.training.records import read_record

ARMS = {"baseline": "3-D ResNet", "control": "matched control", "st_abn": "ST-ABN"}
REAL_CLASSES = 174  # Something-Something v2 has 174 classes; any other set here is synthetic


class TableError(Exception):
    """A record that cannot be used; the message names the file and the remedy."""


@dataclass(frozen=True)
class Run:
    """One finished run, as its record tells it.

    Attributes:
        record: the record's content.
        link: address of the record, relative to a page or notebook in ``notebooks/``.
    """

    record: Mapping[str, Any]
    link: str

    @property
    def config(self) -> Mapping[str, Any]:
        """The run's settings."""
        return self.record["config"]

    @property
    def arm(self) -> str:
        """``"baseline"``, ``"control"`` (attention held constant) or ``"st_abn"``."""
        if self.config["model"] == "baseline":
            return "baseline"
        return "st_abn" if self.config.get("constant_spatial") is None else "control"

    @property
    def seed(self) -> int:
        """The seed that decided weights, order, augmentation and dropout."""
        return self.record["seed"]

    @property
    def results(self) -> Mapping[str, Any]:
        """Figures of the split that the run reports on."""
        return self.record["results"][self.config["report_split"]]

    @property
    def synthetic(self) -> bool:
        """Whether the run learned mini-SSv2 and not Something-Something v2."""
        return self.record["classes"] != REAL_CLASSES


def read_runs(root: Path, pattern: str) -> list[Run]:
    """Finished runs whose records match ``pattern`` below ``root``, ordered by arm and seed.

    Raises:
        TableError: a file that is no record.
    """
    runs = []
    for path in sorted(root.glob(pattern)):
        link = f"../{path.relative_to(root).as_posix()}"
        try:
            run = Run(read_record(path), link)
            if run.config["report_split"] not in run.record["results"]:
                continue  # still training
            runs.append((list(ARMS).index(run.arm), run.seed, run))
        except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise TableError(
                f"{path}: is no run record ({error!r}); delete or restore it"
            ) from error
    return [run for _, _, run in sorted(runs, key=lambda entry: entry[:2])]


def provenance(runs: Sequence[Run]) -> str:
    """Where the records come from, in one sentence: data, commits, machines, hours."""
    if not runs:
        return "No records yet: `make study` makes them."
    data = {(run.record["data"]["sha256"] or "none")[:12] for run in runs}
    code = {_commit(run.record["code"]) for run in runs}
    machines = {", ".join(h["gpus"]) or h["cpu"] for h in (r.record["hardware"] for r in runs)}
    hours = sum(run.record["wall_seconds"] or 0 for run in runs) / 3600
    records = "1 record" if len(runs) == 1 else f"{len(runs)} records"
    return (
        f"{records} · data {', '.join(sorted(data))} · code {', '.join(sorted(code))} · "
        f"{', '.join(sorted(machines))} · {hours:.1f} hours of training"
    )


def _commit(code: Mapping[str, Any]) -> str:
    commit = code["commit"][:9] if code["commit"] else "outside a repository"
    return f"{commit} with local changes" if code.get("dirty") else commit
