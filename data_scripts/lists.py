"""The annotation lists against the videos that are there."""

from collections.abc import Collection
from pathlib import Path

from stabn.data.ssv2 import Record, read_classes, read_entries, read_split

_PREFIX = "something-something-v2-"
_LABELLED = ("train", "validation", "tuning")  # mini-SSv2 has the last


def annotation_files(root: Path) -> list[Path]:
    """The lists and answers of a data set, in its folder or in ``labels/``."""
    return [
        path
        for folder in (root, root / "labels")
        for suffix in ("json", "csv")
        for path in sorted(folder.glob(f"*.{suffix}"))
    ]


class Lists:
    """Classes, labelled splits and, where its list is there, the unlabelled test split.

    Raises:
        AnnotationError: A list is missing or malformed.
    """

    def __init__(self, root: Path):
        lists = [path for path in annotation_files(root) if path.suffix == ".json"]
        files = {path.stem.removeprefix(_PREFIX): path for path in lists}
        wanted = [name for name in _LABELLED if name != "tuning" or name in files]
        self.classes = read_classes(root)
        self.splits: dict[str, list[Record]] = {
            name: read_split(root, name, self.classes) for name in wanted
        }
        self.ids = {name: {r.video_id for r in records} for name, records in self.splits.items()}
        if "test" in files:
            self.ids["test"] = set(read_entries(files["test"]))

    def missing(self, there: Collection[str]) -> list[str]:
        """Videos that a list names but the folder lacks, as ``"train: 17"``."""
        return [f"{name}: {v}" for name, ids in self.ids.items() for v in by_number(ids - {*there})]

    def unlisted(self, there: Collection[str]) -> list[str]:
        """Videos of the folder that no list names."""
        return by_number({*there}.difference(*self.ids.values()))

    def repeated(self) -> list[str]:
        """Videos that two lists name."""
        seen: dict[str, str] = {}
        return [
            f"{video}: {seen[video]} and {name}"
            for name, ids in self.ids.items()
            for video in by_number(ids)
            if seen.setdefault(video, name) != name
        ]

    def empty_classes(self, split: str, usable: Collection[str]) -> list[str]:
        """Classes without one usable video in a split."""
        held = {r.class_id for r in self.splits[split] if r.video_id in usable}
        return [f"{k}: {text}" for k, text in enumerate(self.classes) if k not in held]


def by_number(ids: Collection[str]) -> list[str]:
    """Ids sorted as numbers are, so that 9 comes before 10."""
    return sorted(ids, key=lambda text: (len(text), text) if text.isdecimal() else (99, text))
