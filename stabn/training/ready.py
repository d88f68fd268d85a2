"""What a run needs before it computes anything: its lists, videos, manifest, folder and disk."""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from stabn.training.build import class_texts, split_videos
from stabn.training.config import RunConfig
from stabn.training.files import replacing
from stabn.training.findings import Findings

SPARE = 1.2  # times the disk that was counted


def check_data(found: Findings, config: RunConfig, splits: Sequence[str]) -> dict[str, int]:
    """Lists, videos and manifest of each split; {split: its number of videos}."""
    counts: dict[str, int] = {}
    with found.checking("data"):
        classes = class_texts(config)
        used: dict[str, None] = {}
        for split in dict.fromkeys(splits):
            records, videos = split_videos(config, split)
            counts[split] = len(records)
            used |= dict.fromkeys(record.video_id for record in records)
            if split == config.train_split:
                per_class = Counter(record.class_id for record in records)
                without = [text for c, text in enumerate(classes) if not per_class[c]]
                if without:
                    text = f"{len(without)} classes have no video in {split}: {without[0]!r}"
                    found.warn("data", text + (", …" if len(without) > 1 else ""))
        listed = " · ".join(f"{split} {count}" for split, count in counts.items())
        found.good("data", f"{len(classes)} classes · {listed} videos")
        if config.data == "ssv2":
            there = set(videos.video_ids())
            where = config.prepared or f"{config.data_root}/videos"
            missing = [video_id for video_id in used if video_id not in there]
            _tell_share(found, config, "videos", missing, len(used), where, ("in", "not in"))
            if not config.prepared:
                check_manifest(found, config, used)
    return counts


def check_manifest(found: Findings, config: RunConfig, used: dict[str, None]) -> None:
    """What ``data_scripts/verify.py`` said of the videos that the run uses."""
    path = Path(config.data_root) / "manifest.parquet"
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
    unknown = [video_id for video_id in used if video_id not in rows.index]
    if unknown:
        found.warn("manifest", f"{len(unknown)} videos came after {path}, as {unknown[0]}")
    bad = rows[rows.index.isin(list(used)) & (rows != "ok")]
    _tell_share(found, config, "manifest", list(bad.index), len(used), path, ("ok in", "not ok in"))


def _tell_share(
    found: Findings,
    config: RunConfig,
    name: str,
    ids: Sequence[str],
    total: int,
    where: str | Path,
    words: tuple[str, str],
) -> None:
    """How many videos are not as they should be, and whether training would bear it."""
    right, wrong = words
    if not ids:
        found.good(name, f"all {total} videos are {right} {where}")
        return
    text = f"{len(ids)} of {total} videos are {wrong} {where}, {', '.join(ids[:3])} among them"
    if len(ids) > config.max_decode_failures * total:
        found.fault(name, f"{text}: more than max_decode_failures ({config.max_decode_failures:g})")
    else:
        found.warn(name, text)


def check_folder(found: Findings, folder: Path) -> None:
    """Whether the run's folder can be written; if it was not there, it is not there afterwards."""
    try:
        if found.me.is_main:
            there = folder.exists()
            with replacing(folder / ".preflight") as file:
                file.write(b"ok")
            (folder / ".preflight").unlink()
            if not there:
                folder.rmdir()
    except OSError as error:
        found.fault("folder", f"{folder} cannot be written ({error.strerror}); choose out_dir")


def check_disk(found: Findings, folder: Path, needed: float) -> None:
    """Whether what will stand in the folder finds room."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    text = f"{needed / 2**30:.2f} GiB of checkpoints, {free / 2**30:.1f} GiB free"
    if SPARE * needed > free:
        found.fault("disk", f"{text} at {folder}: free some, or choose another out_dir")
    else:
        found.good("disk", text)
