"""What was fetched of Sports-1M → the lists and links of its 99 classes that training reads.

The set is a list of addresses with labels, of which some no longer lead anywhere. The slides on CNN
and bi-LSTM took the videos under 20 s of the first 202 labels, and of these the first 99 that have
more than 100. They counted what they had fetched, and so does this.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import av
from common import DataError, report, run, verdict
from layouts import RANDOM, Clip, Lists, by, hold_out, numbered_lines, options, random_split, write

from stabn.data.decoding import VideoError, opened
from stabn.data.ssv2 import SUFFIXES

LABELS, SECONDS, MORE_THAN, CLASSES = 202, 20.0, 100, 99
_LINE = re.compile(r"\S*[?&]v=([\w-]+)\S* (\d+(?:,\d+)*)")
PRESETS = {RANDOM: "70 of 100 videos train, the others validate and test"}


def read_partition(path: Path, labels: Sequence[str]) -> dict[str, list[int]]:
    """video id → its labels, from ``train_partition.txt`` or ``test_partition.txt``.

    Raises:
        DataError: The file is missing, or a line is no "address label,label".
    """
    found = {}
    for k, line in numbered_lines(path):
        match = _LINE.fullmatch(line)
        if not match or max(of := [int(each) for each in match[2].split(",")]) >= len(labels):
            raise DataError(
                f"{path}, line {k}: {line!r} must be 'https://www.youtube.com/watch?v=ID' and "
                f"labels from 0 to {len(labels) - 1}, with commas between them"
            )
        found[match[1]] = of
    return found


def seconds(path: Path) -> float:
    """How long a video says it is.

    Raises:
        VideoError: It cannot be opened, or does not say.
    """
    with opened(path) as stream:
        if not stream.container.duration:
            raise VideoError(path, "does not say how long it is: fetch it again as mp4")
        return stream.container.duration / av.time_base


def choose(
    partitions: dict[str, dict[str, list[int]]], labels: Sequence[str], files: dict[str, Path]
) -> tuple[dict[str, list[Clip]], list[str]]:
    """Clips of each partition that the rule takes, and what was left out for another reason.

    A video with several labels is left out, as training takes one.
    """
    clips, broken = {}, []
    for name, listed in partitions.items():
        clips[name] = []
        for video_id, (label, *others) in listed.items():
            if label >= LABELS or others or video_id not in files:
                continue
            path = files[video_id]
            try:
                if seconds(path) < SECONDS:
                    clips[name].append(Clip(path, labels[label], video_id))
            except VideoError as error:
                broken.append(str(error))
    of_class = by([clip for some in clips.values() for clip in some], lambda clip: clip.text)
    large = [text for text in labels[:LABELS] if len(of_class.get(text, ())) > MORE_THAN]
    kept = set(large[:CLASSES])
    return {
        name: [clip for clip in some if clip.text in kept] for name, some in clips.items()
    }, broken


def main(argv: Sequence[str] | None = None) -> int:
    """``python data_scripts/sports1m.py --videos fetched --lists … --out data/sports1m99``."""
    videos = "folder with <YouTube's id>.mp4 (.webm, .mkv)"
    lists = "folder with labels.txt, train_partition.txt, test_partition.txt"
    given = options(__doc__, videos, lists, PRESETS).parse_args(argv)
    labels = [line for _, line in numbered_lines(given.lists / "labels.txt")]
    partitions = {
        name: read_partition(given.lists / f"{name}_partition.txt", labels)
        for name in ("train", "test")
    }
    if both := partitions["train"].keys() & partitions["test"].keys():
        raise DataError(f"{given.lists}: {min(both)} is in both partitions; take the original ones")
    if not given.videos.is_dir():
        raise DataError(f"{given.videos}: no such folder; give the one with the fetched videos")
    files = {p.stem: p for p in sorted(given.videos.iterdir()) if p.suffix.lower() in SUFFIXES}
    if not files.keys() & (partitions["train"].keys() | partitions["test"].keys()):
        raise DataError(f"{given.videos}: holds no listed video; name each <YouTube's id>.mp4")
    clips, broken = choose(partitions, labels, files)
    if not any(clips.values()):
        raise DataError(
            f"{given.videos}: no label has more than {MORE_THAN} videos under {SECONDS:g} s; "
            "fetch more"
        )
    everything = [clip for some in clips.values() for clip in some]
    held = {clip.text for clip in everything}
    classes = [text for text in labels if text in held]
    absent = sum(v not in files for listed in partitions.values() for v in listed)
    print(f"{len(classes)} classes of {CLASSES}; {absent} listed videos are not there")
    found = report("Cannot be read, so left out", broken)
    split: Lists
    if given.preset == RANDOM:
        split = random_split(everything)
    else:
        split = hold_out(clips["train"], given.validation) | {"test": clips["test"]}
    return verdict(found + write(given.out, classes, split))


if __name__ == "__main__":
    run(main)
