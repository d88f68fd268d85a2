"""Records of fine-tunings: one record holds the start and every arm that was trained from it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stabn.tables.html import MISSING
from stabn.tables.runs import Kept, read_kept
from stabn.words import counted

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
SHORT = {arm: name.removeprefix("the ") for arm, name in NAMES.items()}  # in a table
PARTS = ("modified", "other", "all")

Value = Callable[["Finetuning", str], float]  # (a fine-tuning, an arm) → a figure of it


class Finetuning(Kept):
    """One fine-tuning: order, augmentation, dropout and the placebo's swaps are its seed's."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What was asked of the fine-tuning: γ_t, divisor, epochs, …"""
        return self.record["finetuning"]

    @property
    def arms(self) -> list[str]:
        """The arms that were trained, and ``before``, in the tables' order."""
        return [arm for arm in ARMS if self.figures(arm)]

    @property
    def finished(self) -> bool:
        """Whether it came to its end, and the network before it was scored."""
        return self.record["wall_seconds"] is not None and "before" in self.arms

    @property
    def place(self) -> tuple[int, float]:
        """Where it stands among others: by seed, then by γ_t."""
        return self.seed, self.settings["gamma"]

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
    """Finished fine-tunings, ordered by seed and γ_t: see :func:`stabn.tables.runs.read_kept`."""
    return read_kept(Finetuning, "record of a fine-tuning", root, pattern)


def settings_in_words(done: Sequence[Finetuning]) -> str:
    """How they were trained: a line for each group that was trained alike."""
    groups: dict[str, list[float]] = {}
    for one in done:
        share = one.record["edits"]["share_of_training"]
        groups.setdefault(_settings(one.settings), []).append(share)
    lines = [f"{words}; {_shares(shares)} edited" for words, shares in groups.items()]
    return "\n".join(lines) or MISSING


def _settings(given: Mapping[str, Any]) -> str:
    clips = {"edited": "the edited clips", "batch": "all clips"}[given["divisor"]]
    draws = given.get("draws")  # none in records that are older
    again = f"; the clips of {counted(draws, 'epoch')} again and again" if draws else ""
    return (
        f"γ_t = {given['gamma']:g}, divided by {clips} of a batch; {given['optimizer']}, learning "
        f"rate {given['lr']:g}, {given['epochs']} epochs in batches of {given['batch_size']}; "
        f"edited videos {given['edited_repeats']} × an epoch{again}"
    )


def _shares(shares: Sequence[float]) -> str:
    low, high = f"{min(shares):.0%}", f"{max(shares):.0%}"
    return f"{low if low == high else f'{low} to {high}'} of the training videos"


def paired(done: Sequence[Finetuning], arm: str, of: Value) -> dict[tuple, float]:
    """One arm's values by (seed, data), where it was trained."""
    return {one.pair: of(one, arm) for one in done if arm in one.arms}


def by_seed(done: Sequence[Finetuning], arm: str, part: str) -> dict[tuple, float]:
    """One arm's top-1 in % over a part of the classes, by (seed, data)."""
    return paired(done, arm, lambda one, arm: one.parts(arm)[part])
