"""Data sets that come as a folder a class → the lists and links that training reads.

What is made is a data set's folder as Something-Something v2 has it: ``labels.json``, a list a
split, and ``videos/``, of links to the files where they are. Nothing is copied or encoded anew.
"""

import argparse
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TypeVar

from common import DataError, report

from stabn import given
from stabn.data.ssv2 import SUFFIXES
from stabn.training.files import replacing
from stabn.words import counted

SPLITS = ("train", "validation", "test")
RANDOM = "random-70-30"  # how the slides on CNN and bi-LSTM divided their sets
_SHARE = 0.7

Lists = dict[str, list["Clip"]]
Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Clip:
    """A video file, its class, and what it was cut from: clips of one group look alike."""

    path: Path
    text: str
    group: str


def options(
    description: str, videos: str, lists: str, presets: Mapping[str, str]
) -> argparse.ArgumentParser:
    """A parser with what the three layouts share; ``presets`` are named ways to divide a set."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--videos", type=given.path, required=True, help=videos)
    parser.add_argument("--lists", type=given.path, required=True, help=lists)
    parser.add_argument("--out", type=given.path, required=True, help="folder to make")
    said = "; ".join(f"{name}: {what}" for name, what in presets.items())
    parser.add_argument("--preset", choices=presets, help=f"instead of official splits: {said}")
    parser.add_argument(
        "--validation", type=_share, default=0.1, metavar="SHARE",
        help="of the official training list, in whole groups; 0: no validation list, so that "
        "training has all and the test list has to steer too (default: %(default)s)",
    )  # fmt: skip
    return parser


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number from 0 to below 1")
    return share


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a text file that are not empty, with their numbers from 1.

    Raises:
        DataError: There is no such file, it is no text, or it is empty.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        there = sorted(each.name for each in path.parent.glob("*.txt"))
        hint = f"there is {', '.join(there[:5])}" if there else "there is no .txt file"
        why = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        raise DataError(f"{path}: {why}; {hint}; is it the folder of the official lists?") from None
    if not (found := [(k, line.strip()) for k, line in enumerate(lines, 1) if line.strip()]):
        raise DataError(f"{path}: is empty; unpack the official lists again")
    return found


def class_files(videos: Path, classes: Iterable[str]) -> dict[str, dict[str, Path]]:
    """class → {name in small letters: file}: lists and folders do not agree in capitals.

    Raises:
        DataError: A class has no folder, or no video in it.
    """
    if not videos.is_dir():
        raise DataError(f"{videos}: no such folder; give the one that holds a folder a class")
    folders = {path.name: path for path in videos.iterdir() if path.is_dir()}
    if missing := [text for text in classes if text not in folders]:
        raise DataError(
            f"{videos}: has no folder {missing[0]}"
            + (f", nor {len(missing) - 1} others" if missing[1:] else "")
            + "; unpack the whole set, and give the folder that holds a folder a class"
        )
    files = {
        text: {p.name.casefold(): p for p in sorted(folders[text].iterdir()) if _is_video(p)}
        for text in classes
    }
    if empty := [text for text, of in files.items() if not of]:
        more = f" (and {counted(len(empty) - 1, 'more class')})" if empty[1:] else ""
        raise DataError(
            f"{videos / empty[0]}: holds no video ({', '.join(SUFFIXES)}){more}; unpack the whole "
            "set again"
        )
    return files


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def refuse_missing(path: Path, missing: Sequence[str], videos: Path) -> None:
    """Refuse a list that names videos which are not there.

    Raises:
        DataError: There are such videos.
    """
    if missing:
        raise DataError(
            f"{path}: names {len(missing)} videos that {videos} does not hold, such as "
            f"{missing[0]}; unpack the set again, or is this the list of another set?"
        )


def hold_out(clips: Sequence[Clip], share: float) -> Lists:
    """The official training list divided: whole groups of each class, the smallest, validate.

    They are taken until they hold ``share`` of the class; the last group of a class stays.
    """
    kept, held = [], []
    for of_class in by(clips, lambda clip: clip.text).values():
        groups = sorted(by(of_class, lambda clip: clip.group).values(), key=len)
        wanted, taken = share * len(of_class), 0
        for group in groups:
            last = group is groups[-1]
            (kept if taken >= wanted or last else held).extend(group)
            taken += len(group)
    return {"train": kept, "validation": held} if held else {"train": kept}


def random_split(clips: Sequence[Clip]) -> Lists:
    """All videos shuffled, 70 of 100 to train on; the others validate and are the test, too."""
    order = random.Random(0).sample(clips, len(clips))
    cut = round(_SHARE * len(order))
    return {"train": order[:cut], "validation": order[cut:]}


def by(things: Iterable[Thing], key) -> dict[str, list[Thing]]:
    """Things with the same key together, in the order in which keys first come."""
    found: dict[str, list[Thing]] = defaultdict(list)
    for thing in things:
        found[key(thing)].append(thing)
    return found


def leaks(lists: Lists) -> list[str]:
    """Groups of a class that two lists share, in words."""
    found = []
    groups = {name: {(c.text, c.group) for c in clips} for name, clips in lists.items()}
    for one, other in combinations(groups, 2):
        shared = groups[one] & groups[other]
        found += [f"{text}, group {group}: {one} and {other}" for text, group in sorted(shared)]
    return found


def write(out: Path, classes: Sequence[str], lists: Lists) -> int:
    """Make the data set's folder, or make it anew; say what lies in it and which groups leak.

    An id is the file's name; where two classes have a file of that name, the class goes before it.

    Returns:
        How many groups leak.

    Raises:
        DataError: A list is empty, a class has nothing to train on, a video is in two lists, or
            ``out/videos`` holds files that are no links. What was there before stays.
    """
    if empty := [name for name, of_split in lists.items() if not of_split]:
        raise DataError(f"no video is in the {empty[0]} list; are these the lists of this set?")
    trained = {clip.text for clip in lists["train"]}
    if untaught := [text for text in classes if text not in trained]:
        more = f" (and {counted(len(untaught) - 1, 'more class')})" if untaught[1:] else ""
        raise DataError(
            f"{untaught[0]}: has no video to train on{more}; unpack lists and videos again"
        )
    clips = [clip for of_split in lists.values() for clip in of_split]
    if twice := [path for path, k in Counter(clip.path for clip in clips).items() if k > 1]:
        raise DataError(f"{twice[0]}: is listed twice; are these lists of one split?")
    names = Counter(clip.path.stem for clip in clips)
    ids = {
        c.path: c.path.stem if names[c.path.stem] == 1 else f"{c.text}-{c.path.stem}" for c in clips
    }
    if again := [name for name, k in Counter(ids.values()).items() if k > 1]:
        raise DataError(f"{again[0]}: there are two videos of that name; remove one of them")
    link(out / "videos", {f"{name}{path.suffix.lower()}": path for path, name in ids.items()})
    write_json(out / "labels.json", {text: str(k) for k, text in enumerate(classes)})
    for name in SPLITS:
        if name not in lists:
            (out / f"{name}.json").unlink(missing_ok=True)
            continue
        entries = [
            {"id": ids[clip.path], "label": clip.text.replace("_", " "), "template": clip.text}
            for clip in sorted(lists[name], key=lambda clip: ids[clip.path])
        ]
        write_json(out / f"{name}.json", entries)
        print(f"{out}/{name}.json: {len(entries)} videos of {len(classes)} classes")
    title = "Groups that two lists share, so that what is measured is too good"
    return report(title, leaks(lists), most=5)


def link(folder: Path, wanted: Mapping[str, Path]) -> None:
    """Make a folder of links, {name: file}, or make it anew.

    Raises:
        DataError: it holds files that are no links.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if not path.is_symlink():
            raise DataError(f"{path}: is no link of an earlier run; choose another --out")
        if path.name not in wanted or path.readlink() != wanted[path.name].resolve():
            path.unlink()
    for name, path in wanted.items():
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(path.resolve())


def write_json(path: Path, content: object) -> None:
    """Write a list or the labels, whole or not at all."""
    with replacing(path, "w") as file:
        json.dump(content, file, indent=0, ensure_ascii=False)
