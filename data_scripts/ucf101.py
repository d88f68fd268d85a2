"""UCF-101 as it comes → the lists and links that training reads.

Its clips were cut from longer videos, 25 groups a class: clips of one group show the same people
in the same place. The official lists keep each group on one side.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from common import DataError, run, verdict
from layouts import (
    RANDOM,
    Clip,
    Lists,
    class_files,
    hold_out,
    leaks,
    numbered_lines,
    options,
    random_split,
    refuse_missing,
    write,
)

_NAME = re.compile(r"v_\w+_g(\d+)_c\d+\.\w+")
PRESETS = {RANDOM: "70 of 100 videos train, the others validate and test; leaks groups"}


def read_classes(path: Path) -> tuple[str, ...]:
    """Class names from ``classInd.txt``, in the order of their numbers, which begin at 1.

    Raises:
        DataError: The file is missing, or its lines are not "number name".
    """
    names = []
    for k, line in numbered_lines(path):
        number, _, name = line.partition(" ")
        if number != str(len(names) + 1) or not name:
            raise DataError(f"{path}, line {k}: {line!r} must be '{len(names) + 1} ClassName'")
        names.append(name.strip())
    return tuple(names)


def clip(path: Path, text: str) -> Clip:
    """A file and its group.

    Raises:
        DataError: Its name is none of UCF-101.
    """
    if not (match := _NAME.fullmatch(path.name)):
        raise DataError(f"{path}: is named unlike v_{text}_g01_c01.avi; is it of UCF-101?")
    return Clip(path, text, match[1])


def read_list(path: Path, videos: Path, files: dict[str, dict[str, Path]]) -> list[Clip]:
    """The videos that ``trainlist01.txt`` or ``testlist01.txt`` names, in its order.

    Raises:
        DataError: A line is no "Class/file.avi [number]", its class or number is another one, or
            the video is not there.
    """
    numbers = {text: str(k) for k, text in enumerate(files, 1)}
    found, missing = [], []
    for k, line in numbered_lines(path):
        name, *number = line.split()
        text, _, file = name.partition("/")
        if text not in files or number not in ([], [numbers[text]]):
            raise DataError(
                f"{path}, line {k}: {line!r} must be 'Class/file.avi' with a class, and at most "
                "its number, of classInd.txt"
            )
        if file.casefold() in files[text]:
            found.append(clip(files[text][file.casefold()], text))
        else:
            missing.append(name)
    refuse_missing(path, missing, videos)
    return found


def official(
    lists: Path, number: int, share: float, videos: Path, files: dict[str, dict[str, Path]]
) -> Lists:
    """Split 1, 2 or 3, with a part of its training list, in whole groups, to validate on.

    Raises:
        DataError: A list is missing, wrong, or has a group in common with the other.
    """
    train, test = (
        read_list(lists / f"{name}list{number:02}.txt", videos, files) for name in ("train", "test")
    )
    if shared := leaks({"train": train, "test": test}):
        raise DataError(
            f"{lists}: the lists of split {number} are not the official ones, they share "
            f"{len(shared)} groups, such as {shared[0]}"
        )
    return hold_out(train, share) | {"test": test}


def main(argv: Sequence[str] | None = None) -> int:
    """``python data_scripts/ucf101.py --videos UCF-101 --lists … --out data/ucf101``."""
    parser = options(__doc__, "folder with a folder a class", "ucfTrainTestlist", PRESETS)
    parser.add_argument("--split", type=int, choices=(1, 2, 3), default=1, help="(default: 1)")
    given = parser.parse_args(argv)
    classes = read_classes(given.lists / "classInd.txt")
    files = class_files(given.videos, classes)
    if given.preset == RANDOM:
        lists = random_split([clip(p, t) for t, of in files.items() for p in of.values()])
    else:
        lists = official(given.lists, given.split, given.validation, given.videos, files)
    return verdict(write(given.out, classes, lists))


if __name__ == "__main__":
    run(main)
