"""What a run needs before it computes anything: its lists, videos, manifest, folder and disk."""

import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from stabn.data.counts import MANIFEST
from stabn.training.build import class_texts, split_videos
from stabn.training.config import RunConfig
from stabn.training.files import try_out
from stabn.training.preflight.findings import Findings

SPARE = 1.2  # times the disk that was counted
LOST = "worker lost: "  # how such a status begins in the manifest

Lists = Mapping[str, Sequence[str]]  # split → ids of its videos


def check_data(
    found: Findings,
    config: RunConfig,
    splits: Sequence[str],
    *,
    bears: float,
    unlabelled: bool = False,
) -> dict[str, int]:
    """Lists, videos and manifest of each split; {split: its number of videos}.

    Args:
        found: gets what is found.
        config: the run.
        splits: those that the run uses.
        bears: the share of the videos that may be missing or broken. Training stops beyond its
            ``max_decode_failures``, scoring (1) leaves out what it cannot decode; neither can do
            with a split of which nothing is left.
        unlabelled: whether a list of ids alone will do.
    """
    lists: dict[str, list[str]] = {}
    classes: tuple[str, ...] = ()
    with found.checking("data"):
        classes = class_texts(config)
    for split in dict.fromkeys(splits if classes else ()):
        with found.checking("data"):
            records, videos = split_videos(config, split, unlabelled=unlabelled)
            lists[split] = [record.video_id for record in records]
            if split == config.train_split:
                tell_classes(found, split, Counter(record.class_id for record in records), classes)
    if lists:
        listed = " · ".join(f"{split} {len(ids)}" for split, ids in lists.items())
        found.good("data", f"{len(classes)} classes · {listed} videos")
    if lists and config.data == "ssv2" and found.me.is_main:  # one listing for all processes
        with found.checking("videos"):
            there = set(videos.video_ids())
            where = config.prepared or f"{config.data_root}/videos"
            missing = [video_id for video_id in _all(lists) if video_id not in there]
            _tell_share(found, "videos", missing, lists, bears, where, ("in", "not in"))
            if not config.prepared:
                check_manifest(found, config, lists, there, bears)
    return {split: len(ids) for split, ids in lists.items()}


def tell_classes(found: Findings, split: str, videos: Counter[int], classes: Sequence[str]) -> None:
    """How many videos the classes have in a split: the mean, the fewest, the most."""
    counts = {text: videos[c] for c, text in enumerate(classes)}
    few, many = (pick(counts, key=counts.__getitem__) for pick in (min, max))
    mean = sum(counts.values()) / len(counts)
    text = f"{mean:.1f} videos each in {split}"
    if counts[few] < counts[many]:
        text += f", from {counts[few]} ({few!r}) to {counts[many]} ({many!r})"
    found.good("classes", text)
    without = [text for text, count in counts.items() if not count]
    if without:
        text = f"{len(without)} classes have no video in {split}: {without[0]!r}"
        found.warn("data", text + (", …" if len(without) > 1 else ""))


def check_manifest(
    found: Findings, config: RunConfig, lists: Lists, there: Collection[str], bears: float
) -> None:
    """What ``data_scripts/verify.py`` said of the videos that the run uses.

    One that cannot be decoded is replaced or left out; one at which the decoder hangs or crashes
    takes its process along, each time.
    """
    path = Path(config.data_root) / MANIFEST
    if not path.is_file():
        found.warn(
            "manifest",
            f"none at {path}: a broken video will only show when it is read; to know before: "
            f"python data_scripts/verify.py --root {config.data_root}",
        )
        return
    try:
        rows = pd.read_parquet(path, columns=["id", "status"]).set_index("id")["status"]
    except (OSError, ValueError, KeyError) as error:
        found.fault("manifest", f"{path}: cannot be read ({error}); run verify.py again")
        return
    unknown = [video_id for video_id in _all(lists) if video_id not in rows.index]
    if unknown:
        found.warn("manifest", f"{len(unknown)} videos came after {path}, as {unknown[0]}")
    fatal = rows[rows.index.isin(list(_all(lists))) & rows.index.isin(list(there))]
    fatal = list(fatal[fatal.str.startswith(LOST)].index)
    if fatal:
        found.fault(
            "manifest",
            f"the decoder hung or crashed at {len(fatal)} videos, {', '.join(fatal[:3])}: move "
            f"them out of {config.data_root}/videos, or look again with data_scripts/verify.py",
        )
    bad = rows[rows.index.isin(list(_all(lists))) & (rows != "ok")]
    _tell_share(found, "manifest", list(bad.index), lists, bears, path, ("ok in", "not ok in"))


def _all(lists: Lists) -> dict[str, None]:
    """The ids of all splits, each once, in order."""
    return dict.fromkeys(video_id for ids in lists.values() for video_id in ids)


def _tell_share(
    found: Findings,
    name: str,
    bad: Collection[str],
    lists: Lists,
    bears: float,
    where: str | Path,
    words: tuple[str, str],
) -> None:
    """How many videos are not as they should be, and whether the run would bear it."""
    right, wrong = words
    total = len(_all(lists))
    if not bad:
        found.good(name, f"all {total} videos are {right} {where}")
        return
    text = (
        f"{len(bad)} of {total} videos are {wrong} {where}, {', '.join(list(bad)[:3])} among them"
    )
    lost = [split for split, ids in lists.items() if ids and set(bad) >= set(ids)]
    if lost:
        found.fault(name, f"{text}: nothing is left of {' and '.join(lost)}")
    elif len(bad) > bears * total:
        found.fault(
            name,
            f"{text}: more than max_decode_failures ({bears:g}); put them right, or allow more",
        )
    else:
        found.warn(name, text)


def check_folder(found: Findings, folder: Path, remedy: str = "choose out_dir") -> None:
    """Whether the run's folder can be written; what was not there is not there afterwards."""
    if not found.me.is_main:
        return
    try:
        try_out(folder)
    except OSError as error:
        found.fault("folder", f"{folder} cannot be written ({error.strerror}); {remedy}")


def check_disk(
    found: Findings,
    folder: Path,
    needed: float,
    what: str = "checkpoints",
    remedy: str = "choose another out_dir",
) -> None:
    """Whether so many more bytes find room in the folder."""
    free = free_bytes(folder)
    text = f"{max(0.0, needed) / 2**30:.2f} GiB of {what}, {free / 2**30:.1f} GiB free"
    if SPARE * needed > free:
        found.fault("disk", f"{text} at {folder}: free some, or {remedy}")
    else:
        found.good("disk", text)


def checkpoint_bytes(folder: Path) -> int:
    """Disk that the checkpoints in a folder take already; two names of one file count once."""
    found = [path.stat() for path in folder.glob("*.pt")]
    return sum({facts.st_ino: facts.st_size for facts in found}.values())


def free_bytes(folder: Path) -> int:
    """Free disk where the folder is, or will be."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
