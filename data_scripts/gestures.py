"""EgoGestAR's files → gestures; a variant of the set → the clips that it makes of a gesture."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from common import DataError
from places import Seen
from timing import FIRST, LAST

VERSION = 1  # raised whenever a seed's pixels change
GESTURES = {  # as files call them → class; a mirror turns the first two into each other
    "left": "Swiping [a finger] to the left",
    "right": "Swiping [a finger] to the right",
    "up": "Swiping [a finger] up",
    "down": "Swiping [a finger] down",
    "circlecc": "Drawing [a circle]",
    "square": "Drawing [a square]",
    "star": "Drawing [a star]",
    "tick": "Drawing [a tick]",
    "carret": "Drawing [a caret]",
    "del": "Drawing [a cross]",
}
BACK = {"left": "right", "right": "left", "up": "down", "down": "up"}
LONG = ("left", "up")  # of each pair one: what the pause gives away where it is a fault
TRAIN = 3  # clips drawn of a video to train on; one more is drawn to test on
BUT = 10  # one in so many clips to train on lacks the shortcut
VARIANTS = {
    "plain": "the ten gestures as they were filmed; links, nothing is drawn",
    "idle": "stillness, one of the ten, stillness; true is when the gesture is",
    "there_and_back": "a swipe, a pause, the swipe backwards; its class is the first direction",
    "last": "the same, but its class is the last direction",
    "two": "a swipe, a pause, a swipe in another direction; its class is the first direction",
    "pause": "a fault: in training the pause is long before two classes, short before the others",
    "shortcut": "a fault: two swipes, in training the second is nearly always the first's opposite",
}
FAULTS = ("pause", "shortcut")  # with three lists to test on: aligned, swapped, absent
_NAME = re.compile(r"testvideo_([a-z]+)_(\d+)\.mp4")


class Source(NamedTuple):
    """One published video."""

    path: Path
    gesture: str
    number: int
    seen: Seen
    place: int
    fold: int


class Drawing(NamedTuple):
    """One clip to be made of a source.

    Attributes:
        name: its id.
        list: without the fold, as in ``"train"``.
        gesture: the one whose class it bears.
        pause: a name of `timing.PAUSES`; None for stillness before and after.
        true: what moves where it is to be looked, `FIRST` or `LAST`.
        seed: what is drawn depends on these numbers alone.
        then: the swipe that follows it; None for the way back, or nothing.
    """

    name: str
    list: str
    gesture: str
    pause: str | None
    true: int
    seed: tuple[int, ...]
    then: Source | None = None


def find(folder: Path) -> tuple[dict[tuple[str, int], Path], list[str]]:
    """Videos by (gesture, number), "unclassified" among them; and names that are none of the set's.

    Args:
        folder: the fetched repository, or its testvideo/.

    Raises:
        DataError: there is no such video.
    """
    inner = folder / "testvideo"
    folder = inner if inner.is_dir() else folder
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; git clone github.com/varunj/EgoGestAR first")
    found, odd = {}, []
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match and match[1] in {*GESTURES, "unclassified"}:
            found[match[1], int(match[2])] = path
        else:
            odd.append(path.name)
    if not any(gesture in GESTURES for gesture, _ in found):
        raise DataError(f"{folder}: holds no testvideo_left_1.mp4 or the like; give testvideo/")
    return dict(sorted(found.items())), odd


def gaps(found: Sequence[tuple[str, int]]) -> list[str]:
    """Numbers that are left out below the last of their gesture."""
    last = {gesture: max(n for g, n in found if g == gesture) for gesture, _ in found}
    wanted = [(gesture, n) for gesture, most in last.items() for n in range(1, most + 1)]
    return [f"testvideo_{g}_{n}.mp4" for g, n in wanted if (g, n) not in found]


def drawings(variant: str, source: Source, seed: int, known: Sequence[Source]) -> Iterator[Drawing]:
    """The clips that a variant makes of a source: `TRAIN` to train on, and one to test on.

    Args:
        variant: of `VARIANTS`.
        source: the video.
        seed: of the set.
        known: all videos, of which another swipe is taken: of the same place, or of the same fold.
    """
    if variant != "idle" and source.gesture not in BACK:
        return
    order = [*GESTURES].index(source.gesture), source.number
    for k in range(TRAIN + 1):
        of = "train" if k else "validation"
        numbers = (VERSION, seed, *order, k)
        draw = Drawing(
            f"{source.gesture}_{source.number}_{k}", of, source.gesture, "any", FIRST, numbers
        )
        if variant == "idle":
            draw = draw._replace(pause=None)
        if variant == "last":
            draw = draw._replace(gesture=BACK[source.gesture], true=LAST)
        if variant == "two":
            others = [gesture for gesture in BACK if gesture != source.gesture]
            draw = draw._replace(then=_another(source, k, known, others))
        if variant not in FAULTS:
            yield draw
            continue
        forms = (_pauses if variant == "pause" else _seconds)(draw, source, k, known)
        if k:
            lacks = variant == "shortcut" and (TRAIN * source.number + k) % BUT == 0
            yield forms["swapped" if lacks else "aligned"]
            continue
        for form, one in forms.items():
            yield one._replace(name=f"{draw.name}_{form}", list=f"{of}_{form}")


def _pauses(draw: Drawing, source: Source, *_) -> dict[str, Drawing]:
    """The clip with the pause that its class has in training, with the others', and with any."""
    own, other = ("long", "short") if source.gesture in LONG else ("short", "long")
    pauses = {"aligned": own, "swapped": other, "absent": "any"}
    return {form: draw._replace(pause=pause) for form, pause in pauses.items()}


def _seconds(draw: Drawing, source: Source, k: int, known: Sequence[Source]) -> dict[str, Drawing]:
    """The clip followed by the opposite swipe, by one across it, and by what is no swipe."""
    opposite = BACK[source.gesture]
    drawn = [one.gesture for one in known if one.fold == source.fold and one.gesture in GESTURES]
    seconds = {
        "aligned": [opposite],
        "swapped": [gesture for gesture in BACK if gesture not in (source.gesture, opposite)],
        "absent": [gesture for gesture in GESTURES if gesture in drawn and gesture not in BACK],
    }
    return {
        form: draw._replace(then=_another(source, k, known, among))
        for form, among in seconds.items()
    }


def _another(source: Source, k: int, known: Sequence[Source], among: Sequence[str]) -> Source:
    """What follows in the k-th clip: in turn of each of some gestures, and of each video of it.

    Raises:
        DataError: the fold has no such gesture.
    """
    gesture = among[(source.number + k) % len(among)] if among else "circle or other drawing"
    near = [one for one in known if (one.gesture, one.fold) == (gesture, source.fold)]
    near = [one for one in near if one.place == source.place] or near
    if not near:
        raise DataError(f"{source.path}: no {gesture} in its fold to follow it; fetch all videos")
    return near[(source.number + k // len(among)) % len(near)]
