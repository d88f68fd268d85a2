"""Records of fine-tunings: one record holds the start and every arm that was trained from it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stabn.tables.runs import REAL_CLASSES, TableError
from stabn.training.records import read_record

ARMS = {
    "before": "before fine-tuning",
    "control": "control: γ_t = 0",
    "placebo": "placebo: other videos’ edits",
    "knowledge": "knowledge: the edits",
}
NAMES = {
    "before": "the network before fine-tuning",
    "control": "the control",
    "placebo": "the placebo",
    "knowledge": "knowledge",
}
PAIRS = (
    ("knowledge", "control"),
    ("knowledge", "placebo"),
    ("knowledge", "before"),
    ("control", "before"),
)
PARTS = ("modified", "other", "all")


Value = Callable[["Finetuning", str], float]  # (a fine-tuning, an arm) → a figure of it


@dataclass(frozen=True)
class Finetuning:
    """One finished fine-tuning, as its record tells it.

    Attributes:
        record: the record's content.
        link: address of the record, relative to a page or notebook in ``notebooks/``.
    """

    record: Mapping[str, Any]
    link: str

    @property
    def seed(self) -> int:
        """The seed that decided order, augmentation, dropout and the placebo's swaps."""
        return self.record["seed"]

    @property
    def settings(self) -> Mapping[str, Any]:
        """What was asked of the fine-tuning: γ_t, divisor, epochs, …"""
        return self.record["finetuning"]

    @property
    def synthetic(self) -> bool:
        """Whether it learned mini-SSv2 and not Something-Something v2."""
        return self.record["classes"] != REAL_CLASSES

    @property
    def arms(self) -> list[str]:
        """The arms that were trained, and ``before``, in the tables' order."""
        return [arm for arm in ARMS if self.figures(arm)]

    def figures(self, arm: str, *, inverted: bool = False) -> Mapping[str, Any]:
        """An arm's figures on the split that is reported on; empty where it was not scored."""
        split = self.record["config"]["report_split"]
        return self.record["results"].get(f"{arm}-{split}" + "-inverted" * inverted, {})

    def parts(self, arm: str) -> dict[str, float]:
        """Top-1 in % over the classes whose videos were edited, the others, and all."""
        return parts(self.figures(arm)["per_class"], self.record["modified"])


def parts(
    per_class: Mapping[Any, Mapping[str, float]], modified: Sequence[int]
) -> dict[str, float]:
    """Top-1 in % over videos of the modified classes, of the other classes, and of all.

    Args:
        per_class: {class id: {"videos": how many, "top1": in [0, 1]}}.
        modified: ids of the classes whose training videos were edited.

    Returns:
        ``modified``, ``other``, ``all``; NaN where there is no video.
    """
    groups = {"modified": [], "other": [], "all": list(per_class.values())}
    for class_id, figures in per_class.items():
        groups["modified" if int(class_id) in modified else "other"].append(figures)

    def top1(group: list[Mapping[str, float]]) -> float:
        videos = sum(figures["videos"] for figures in group)
        right = sum(figures["videos"] * figures["top1"] for figures in group)
        return 100 * right / videos if videos else float("nan")

    return {name: top1(group) for name, group in groups.items()}


def parts_of_record(record: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """{arm: its :func:`parts`} of a record."""
    done = Finetuning(record, "")
    return {arm: done.parts(arm) for arm in done.arms}


def read_finetunings(root: Path, pattern: str) -> list[Finetuning]:
    """Finished fine-tunings whose records match ``pattern`` below ``root``, ordered by seed.

    Raises:
        TableError: a file that is no such record.
    """
    found = []
    for path in sorted(root.glob(pattern)):
        link = f"../{path.relative_to(root).as_posix()}"
        try:
            done = Finetuning(read_record(path), link)
            if done.record["wall_seconds"] is not None and "before" in done.arms:
                found.append((done.seed, done.settings["gamma"], done))
        except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise TableError(
                f"{path}: is no record of a fine-tuning ({error!r}); delete or restore it"
            ) from error
    return [done for *_, done in sorted(found, key=lambda entry: entry[:2])]


def paired(done: Sequence[Finetuning], arm: str, of: Value) -> dict[tuple, float]:
    """One arm's values by (seed, data): only fine-tunings on the same data make a pair."""
    return {
        (one.seed, one.record["data"]["sha256"]): of(one, arm) for one in done if arm in one.arms
    }


def by_seed(done: Sequence[Finetuning], arm: str, part: str) -> dict[tuple, float]:
    """One arm's top-1 in % over a part of the classes, by (seed, data)."""
    return paired(done, arm, lambda one, arm: one.parts(arm)[part])
