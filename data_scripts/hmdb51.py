"""HMDB-51 as it comes → the lists and links that training reads.

Its clips were cut from films and from the web, several of one source. The official lists give each
class 70 clips to train on and 30 to test, and leave the others out.
"""

import random
import re
from collections.abc import Sequence
from pathlib import Path

from common import DataError, run, verdict
from layouts import (
    Clip,
    Lists,
    by,
    class_files,
    hold_out,
    numbered_lines,
    options,
    refuse_missing,
    write,
)

# what follows the source's name and the class: body parts, camera, people, side, quality, number
_FACTS = re.compile(r"_[a-z]_(cm|nm)_np\d+_[a-z]{2}_[a-z]{3}_\d+$")
TEN = "ten-classes"
# The report names two of its ten classes; both are among the first ten of the 51.
FIRST = (
    *("brush_hair", "cartwheel", "catch", "chew", "clap"),
    *("climb", "climb_stairs", "dive", "draw_sword", "dribble"),
)
SIZES = {"test": 78, "validation": 220, "train": 730}
PRESETS = {TEN: "the first ten classes, 730 to train on, 220 to validate, 78 to test, at random"}


def clip(path: Path, text: str) -> Clip:
    """A file and its source: its name without the class and the facts that follow."""
    return Clip(path, text, _FACTS.sub("", path.stem).removesuffix(f"_{text}"))


def read_list(path: Path, text: str, videos: Path, files: dict[str, Path]) -> Lists:
    """What ``<class>_test_split1.txt`` says: 1 trains, 2 tests, 0 does neither.

    Raises:
        DataError: A line is no "file.avi 0|1|2", or the video is not there.
    """
    of: dict[str, list[Clip]] = {"0": [], "1": [], "2": []}
    missing = []
    for k, line in numbered_lines(path):
        name, _, tag = line.rpartition(" ")
        if tag not in of or not name:
            raise DataError(f"{path}, line {k}: {line!r} must be 'file.avi' and 0, 1 or 2")
        if (file := files.get(name.strip().casefold())) is not None:
            of[tag].append(clip(file, text))
        elif tag != "0":
            missing.append(f"{text}/{name.strip()}")
    refuse_missing(path, missing, videos)
    return {"train": of["1"], "test": of["2"]}


def split_files(lists: Path, number: int) -> dict[str, Path]:
    """class → its file of a split, by the classes' names.

    Raises:
        DataError: There is none.
    """
    ending = f"_test_split{number}.txt"
    found = {path.name.removesuffix(ending): path for path in lists.glob(f"*{ending}")}
    if not found:
        raise DataError(
            f"{lists}: has no file like brush_hair{ending}; give testTrainMulti_7030_splits"
        )
    return dict(sorted(found.items()))


def official(paths: dict[str, Path], share: float, videos: Path) -> tuple[list[str], Lists]:
    """The classes, and a split of theirs with a part of its training list to validate on.

    Raises:
        DataError: A class has no folder or no list, or a list is wrong.
    """
    files = class_files(videos, paths)
    unlisted = {path.name for path in videos.iterdir() if path.is_dir()} - paths.keys()
    if unlisted:
        raise DataError(
            f"{videos}/{min(unlisted)}: no list of this split is of that class; unpack all lists"
        )
    split: Lists = {"train": [], "test": []}
    for text, path in paths.items():
        for name, clips in read_list(path, text, videos, files[text]).items():
            split[name] += clips
    return list(paths), hold_out(split["train"], share) | {"test": split["test"]}


def ten_classes(videos: Path) -> tuple[list[str], Lists]:
    """Ten classes divided at random into lists of the report's sizes, whole sources to each.

    The report says neither which classes nor how it divided them. Where a source's last clips would
    exceed a size, they are left out.

    Raises:
        DataError: One of the classes has no folder, or all have fewer clips.
    """
    files = class_files(videos, FIRST)
    clips = [clip(path, text) for text in FIRST for path in files[text].values()]
    groups = list(by(clips, lambda each: each.group).values())
    random.Random(0).shuffle(groups)
    lists: Lists = {}
    for name, size in SIZES.items():
        lists[name] = []
        while groups and len(lists[name]) < size:
            lists[name] += groups.pop()
        if len(lists[name]) < size:
            wanted = sum(SIZES.values())
            raise DataError(
                f"{videos}: the {len(clips)} clips of {', '.join(FIRST)} cannot be divided into "
                f"lists of {wanted}; unpack the whole set"
            )
        del lists[name][size:]
    return list(FIRST), lists


def main(argv: Sequence[str] | None = None) -> int:
    """``python data_scripts/hmdb51.py --videos hmdb51_org --lists … --out data/hmdb51``."""
    videos, lists = "folder with a folder a class", "testTrainMulti_7030_splits"
    parser = options(__doc__, videos, lists, PRESETS)
    parser.add_argument("--split", type=int, choices=(1, 2, 3), default=1, help="(default: 1)")
    given = parser.parse_args(argv)
    if given.preset == TEN:
        classes, divided = ten_classes(given.videos)
    else:
        paths = split_files(given.lists, given.split)
        classes, divided = official(paths, given.validation, given.videos)
    return verdict(write(given.out, classes, divided))


if __name__ == "__main__":
    run(main)
