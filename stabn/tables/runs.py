"""Records of finished runs, from `book/results` and from `runs`: found, read, put in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from stabn.errors import UserError
from stabn.training.records import RecordError, read_record

ARMS = {"baseline": "3-D ResNet", "control": "matched control", "st_abn": "ST-ABN"}
REAL_CLASSES = 174  # Something-Something v2 has 174 classes; any other set here is synthetic


class TableError(UserError):
    """A record that cannot be used; the message names the file and the remedy."""


@dataclass(frozen=True)
class Kept:
    """What was trained or fine-tuned, as its record tells it.

    Attributes:
        record: the record's content.
        link: address of the record, relative to a page or notebook in ``notebooks/``.
    """

    record: Mapping[str, Any]
    link: str

    @property
    def seed(self) -> int:
        """The seed that decided all that was drawn."""
        return self.record["seed"]

    @property
    def pair(self) -> tuple[int, str]:
        """Seed and data: only what shares both is compared pair by pair."""
        return self.seed, self.record["data"]["sha256"]

    @property
    def synthetic(self) -> bool:
        """Whether it learned mini-SSv2 and not Something-Something v2."""
        return self.record["classes"] != REAL_CLASSES


class Run(Kept):
    """One run of training: weights, order, augmentation and dropout are its seed's."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The run's settings."""
        return self.record["config"]

    @property
    def arm(self) -> str:
        """``"control"`` (attention held constant), ``"st_abn"``, or which other network it is."""
        if self.config["model"] != "st_abn":
            return self.config["model"]
        return "st_abn" if self.config.get("constant_spatial") is None else "control"

    @property
    def results(self) -> Mapping[str, Any]:
        """Figures of the split that the run reports on."""
        return self.record["results"][self.config["report_split"]]

    @property
    def finished(self) -> bool:
        """Whether the split that it reports on has been scored."""
        return self.config["report_split"] in self.record["results"]

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among others: by arm, other networks last, then by seed."""
        return [*ARMS, self.arm].index(self.arm), self.seed


Found = TypeVar("Found", bound=Kept)


def read_kept(kind: type[Found], words: str, root: Path, pattern: str) -> list[Found]:
    """What is ``finished`` among the records that match ``pattern`` below ``root``, by ``place``.

    Raises:
        TableError: a file that is no such record; ``words`` say what it should be.
    """
    found = []
    for path in sorted(root.glob(pattern)):
        try:
            one = kind(read_record(path), f"../{path.relative_to(root).as_posix()}")
            if one.finished:
                found.append((one.place, one))
        except (RecordError, KeyError, TypeError) as error:
            raise TableError(f"{path}: is no {words} ({error!r}); delete or restore it") from error
    return [one for _, one in sorted(found, key=itemgetter(0))]


def read_runs(root: Path, pattern: str) -> list[Run]:
    """Finished runs of ``ARMS``, ordered by arm and seed: see :func:`read_kept`."""
    return [run for run in read_kept(Run, "run record", root, pattern) if run.arm in ARMS]


def provenance(runs: Sequence[Kept]) -> str:
    """Where the records come from, in one sentence: data, commits, machines, hours."""
    if not runs:
        return "No records yet: `make study` makes them."
    data = {(run.record["data"]["sha256"] or "none")[:12] for run in runs}
    code = {_commit(run.record["code"]) for run in runs}
    hours = sum(run.record["wall_seconds"] or 0 for run in runs) / 3600
    records = "1 record" if len(runs) == 1 else f"{len(runs)} records"
    return (
        f"{records} · data {', '.join(sorted(data))} · code {', '.join(sorted(code))} · "
        f"{devices(runs)} · {hours:.1f} hours of training"
    )


def devices(runs: Sequence[Kept]) -> str:
    """What the runs computed on: GPUs, or else the processor."""
    found = {", ".join(h["gpus"]) or h["cpu"] for h in (run.record["hardware"] for run in runs)}
    return ", ".join(sorted(found))


def _commit(code: Mapping[str, Any]) -> str:
    commit = code["commit"][:9] if code["commit"] else "outside a repository"
    return f"{commit} with local changes" if code.get("dirty") else commit
